"""test: the project's whole test suite. Nothing else belongs here."""

import os
import subprocess
import sys
from collections.abc import Sequence

from orchestration.services.dagster_home import REPOSITORY

_SETTINGS = ("LAKE_", "DAGSTER_", "AWS_")
_SIDE_BY_SIDE = ("-n", "2", "--dist", "loadscope", "--no-loadscope-reorder")
"""Much of the suite waits for services: two processes on two cores. tests/conftest.py says what stays together."""


def run_tests(arguments: Sequence[str]) -> int:
    """Run pytest over the whole suite, two parts at a time, or with the given arguments; its exit code.

    The caller's LAKE_ settings do not reach the tests.
    """
    own = {name: value for name, value in os.environ.items() if name == "LAKE_TEST_KILLS" or not name.startswith(_SETTINGS)}
    return subprocess.run([sys.executable, "-m", "pytest", *(arguments or _SIDE_BY_SIDE)], cwd=REPOSITORY, env=own, check=False).returncode
