"""What every test may use: a lake with a real object store on free ports, started once per session and taken down at the end."""

import os
import random
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings as hypothesis_settings
from xdist.scheduler import LoadScopeScheduling

from lake_config.settings import Settings, load_settings
from orchestration.services.supervisor import start_services, stop_services

_BLOCK = 15

# How long an example takes says how busy the machine is, not whether the code is right.
hypothesis_settings.register_profile("house", deadline=None)
hypothesis_settings.load_profile("house")


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


@pytest.fixture(scope="session")
def free_port_base() -> Callable[[], int]:
    """A function that finds a base for LAKE_PORT_BASE: its block and the store's admin port + 10000 are free.

    Drawn at random below the ephemeral range: two test sessions on one machine do not meet, no outgoing connection takes a port meanwhile.
    """
    chooser = random.SystemRandom()

    def find() -> int:
        for _ in range(200):
            base = chooser.randrange(10_000, 22_000, _BLOCK + 2)
            if all(_is_free(port) for port in (*range(base, base + _BLOCK), base + 10_004)):
                return base
        pytest.fail("found no 15 free consecutive ports in 200 tries")

    return find


@pytest.fixture(scope="session")
def lake_settings(tmp_path_factory: pytest.TempPathFactory, free_port_base: Callable[[], int]) -> Iterator[Settings]:
    """The settings of a running lake: only the store is started, its buckets exist.

    os.environ carries LAKE_HOME and LAKE_PORT_BASE and no other LAKE_ variable: load_settings() in a child process gives the same.
    """
    home: Path = tmp_path_factory.mktemp("lake")
    with pytest.MonkeyPatch.context() as patch:
        _isolate(patch, home, free_port_base())
        settings = load_settings()
        start_services(settings, ["store"], progress=lambda _: None)
        try:
            yield settings
        finally:
            stop_services(settings)


def _isolate(patch: pytest.MonkeyPatch, home: Path, base: int) -> None:
    for name in [name for name in os.environ if name.startswith(("LAKE_", "AWS_"))]:
        patch.delenv(name)
    patch.setenv("LAKE_HOME", str(home))
    patch.setenv("LAKE_PORT_BASE", str(base))


def _part(nodeid: str) -> str:
    """The part of the suite that stays in one process: a file, because its tests share what is costly to set up, or all browser tests."""
    return "e2e" if nodeid.startswith("tests/e2e/") else nodeid.split("::", 1)[0]


class PartScheduling(LoadScopeScheduling):
    """Hands whole parts of the suite to the processes."""

    def _split_scope(self, nodeid: str) -> str:
        return _part(nodeid)


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> PartScheduling:
    """Side by side (`-n`), every part of the suite runs in one process."""
    return PartScheduling(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest part first. The browser tests last: Playwright's event loop, which lives to the end, meets no other test."""
    items.sort(key=lambda item: (_part(item.nodeid) == "e2e", item.path.name != "test_kill.py"))
