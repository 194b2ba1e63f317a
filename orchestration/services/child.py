"""``python -m orchestration.services.child NAME``: become that service's process.

The supervisor starts every service through this step, so that its configuration file holds no secret, each service gets only the
variables it needs, and the pid is on record before the service lives. Nothing else belongs here.
"""

import json
import os
import sys

import psutil

from lake_config.errors import LakeError
from lake_config.settings import load_settings, write_private
from orchestration.services.embedded_store import run_dir
from orchestration.services.programs import build_program, known_service


def main(name: str) -> None:
    """Replace this process by the service (same pid). Raises LakeError when it cannot be built; OSError when it cannot be executed."""
    settings = load_settings()
    known_service(name)
    program = build_program(settings, name, os.environ)
    pid = os.getpid()
    record = {"name": name, "pid": pid, "create_time": psutil.Process(pid).create_time()}
    write_private(run_dir(settings) / "pids" / f"{name}.json", json.dumps(record).encode())
    os.umask(0o077)
    os.chdir(program.directory)
    sys.stdout.flush()
    os.execve(program.argv[0], program.argv, dict(program.environment))  # noqa: S606  our own program, never a shell


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except LakeError as error:
        sys.exit(str(error))
