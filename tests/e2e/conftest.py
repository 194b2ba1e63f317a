"""One demo lake for all end-to-end tests, started as its user starts it: the command `demo`, left serving, stopped at the end by Ctrl-C."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser

from lake_config.settings import load_settings
from orchestration.services.dagster_home import REPOSITORY
from orchestration.services.processes import lake_processes
from tests.e2e.browser import running_browser
from tests.e2e.demo_lake import ARTIFACTS, SCALE, DemoLake
from tests.e2e.superset_site import Site

_STOP_SECONDS = 90


def _report(process: "subprocess.Popen[str]", errors: Path) -> dict[str, Any]:
    """The JSON that the demo prints before it serves."""
    assert process.stdout is not None
    text = ""
    for line in process.stdout:
        text += line
        if line == "}\n":
            found: dict[str, Any] = json.loads(text)
            return found
    raise AssertionError(f"the demo ended with {process.wait()} before it served:\n{text}\n{errors.read_text(encoding='utf-8')[-4000:]}")


@pytest.fixture(scope="session")
def demo_lake(tmp_path_factory: pytest.TempPathFactory, free_port_base: Callable[[], int]) -> Iterator[DemoLake]:
    """The running demo lake."""
    home = tmp_path_factory.mktemp("demo-lake")
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", "DAGSTER_", "AWS_"))}
    given = {"LAKE_HOME": str(home), "LAKE_PORT_BASE": str(free_port_base()), "LAKE_DEMO_SCALE": SCALE}
    errors = home / "demo.stderr"
    with (
        errors.open("w", encoding="utf-8") as stderr,
        subprocess.Popen(
            [sys.executable, "-m", "orchestration.cli", "demo", "--json"],
            cwd=REPOSITORY,
            env={**own, **given},
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
        ) as process,
    ):
        try:
            report = _report(process, errors)
            yield DemoLake(load_settings(given), {**own, **given}, report)
            process.send_signal(signal.SIGINT)
            code = process.wait(_STOP_SECONDS)
        finally:
            process.terminate()  # after a failure: it stops its services on this signal too
            process.communicate(timeout=_STOP_SECONDS)
    assert code == 0, errors.read_text(encoding="utf-8")[-4000:]
    assert lake_processes(load_settings(given)) == [], "the demo left processes behind"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """One headless Chromium."""
    ARTIFACTS.mkdir(exist_ok=True)
    with running_browser() as running:
        yield running


@pytest.fixture(scope="session")
def site(demo_lake: DemoLake, browser: Browser) -> Site:
    """Superset of the demo lake, with the sessions of its users."""
    return Site(demo_lake.settings, browser)
