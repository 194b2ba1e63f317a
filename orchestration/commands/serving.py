"""up, down, status: which services a lake runs, and having some of them for the length of a command."""

import os
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict

from lake_config.errors import ServiceError
from lake_config.settings import Settings, demo_marker
from orchestration.commands.terminal import print_json, print_lines, print_table
from orchestration.push.keys import has_keys
from orchestration.services.programs import SERVICES, build_program, service_url, supervisor_environment
from orchestration.services.supervisor import Progress, ServiceStatus, start_services, status, stop_services

_UP = ("RUNNING", "OUTSIDE")


def wanted_services(settings: Settings) -> list[str]:
    """The services './lake up' starts: the demo city only in a lake that holds it, the push server only when a provider has a key."""
    unwanted = {"demo_city": not demo_marker(settings.home).is_file(), "push": not has_keys(settings)}
    return [name for name in SERVICES if not unwanted.get(name)]


def up(settings: Settings, progress: Progress) -> None:
    """Start what does not run yet and say where everything is. Raises ServiceError, StoreError or ConfigError."""
    start_services(settings, wanted_services(settings), progress=progress)
    print_lines(addresses(settings))


def addresses(settings: Settings) -> list[str]:
    """Where people find the services, and where their passwords lie."""
    return [
        f"Dashboards (Superset):   {service_url(settings, 'superset')}/superset/dashboard/toan-canh/",
        f"Pipelines (Dagster):     {service_url(settings, 'webserver')}",
        f"Object store (S3):       {service_url(settings, 'store')}",
        f"Passwords (mode 600):    {settings.secrets_dir / 'passwords.txt'}",
        f"Logs:                    {settings.log_dir}",
    ]


def show_status(settings: Settings, *, as_json: bool) -> bool:
    """Print every service; True when all that should run are healthy."""
    found, wanted = status(settings), wanted_services(settings)
    is_good = all(entry.healthy for entry in found if entry.name in wanted)
    if as_json:
        print_json({"home": settings.home.as_posix(), "healthy": is_good, "services": [asdict(entry) for entry in found]})
    else:
        print_table(
            ["service", "state", "healthy", "address", "pid", "uptime s", "memory MB", "complaint"],
            [_row(entry) for entry in found if entry.name in wanted or entry.state in _UP],
        )
    return is_good


def _row(entry: ServiceStatus) -> list[object]:
    return [
        SERVICES[entry.name].title,
        entry.state,
        "yes" if entry.healthy else "no",
        entry.url,
        entry.pid,
        None if entry.uptime_seconds is None else int(entry.uptime_seconds),
        None if entry.memory_bytes is None else entry.memory_bytes // 2**20,
        entry.complaint,
    ]


@contextmanager
def having(settings: Settings, names: Sequence[str], progress: Progress) -> Iterator[None]:
    """The named services for the length of the block: those that ran before go on running, the others are stopped at the end."""
    found = status(settings)
    if all(entry.healthy for entry in found if entry.name in names):
        yield
        return
    was_running = any(entry.state not in {"STOPPED", "OUTSIDE"} for entry in found)
    start_services(settings, names, progress=progress)
    try:
        yield
    finally:
        if not was_running:
            progress("Stopping what was started for this command")
            stop_services(settings)


def identity_environment(settings: Settings, identity: str) -> dict[str, str]:
    """The variables by which any S3 or Delta client reads what that identity may read."""
    keys = settings.credentials(identity)
    return {
        "AWS_ENDPOINT_URL": settings.s3_endpoint,
        "AWS_ACCESS_KEY_ID": keys.key,
        "AWS_SECRET_ACCESS_KEY": keys.secret,
        "AWS_REGION": settings.s3_region,
        "AWS_DEFAULT_REGION": settings.s3_region,
        "AWS_ALLOW_HTTP": "true" if settings.s3_endpoint.startswith("http://") else "false",
    }


def run_dashboards_loader(settings: Settings, *, check_only: bool) -> str:
    """Load the dashboards' files into Superset, or only compare; returns what the loader says when no difference is left.

    Raises ServiceError with its words otherwise.
    """
    program = build_program(settings, "superset", {**os.environ, **supervisor_environment(settings)})
    command = [program.argv[0], str(program.directory / "load.py"), *(["--check"] if check_only else [])]
    done = subprocess.run(command, env=dict(program.environment), cwd=program.directory, check=False, capture_output=True, text=True)
    # Superset itself fills both streams while it starts: the loader's own word is the last line.
    if done.returncode != 0:
        raise ServiceError(f"The dashboards could not be loaded, or differ from their files:\n{done.stdout[-4000:]}{done.stderr[-2000:]}")
    return done.stdout.splitlines()[-1]
