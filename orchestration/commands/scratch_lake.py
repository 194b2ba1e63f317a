"""A lake for a measurement: a folder and ports of its own, its store running, all gone at the end. Nothing else belongs here."""

import random
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from lake_config.errors import ServiceError
from lake_config.settings import Settings, load_settings
from orchestration.services.ports import is_free
from orchestration.services.supervisor import start_services, stop_services

_PORTS = 15
_TRIES = 200


def free_port_base() -> int:
    """A base for LAKE_PORT_BASE whose ports, and the store's admin port + 10000, are free. Raises ServiceError."""
    chooser = random.SystemRandom()
    for _ in range(_TRIES):
        base = chooser.randrange(10_000, 22_000)  # below the range from which outgoing connections take theirs
        if all(is_free(port) for port in (*range(base, base + _PORTS), base + 10_004)):
            return base
    raise ServiceError(f"No {_PORTS} free consecutive ports were found in {_TRIES} tries.")


@contextmanager
def scratch_lake(
    near: Settings, registry: str, variables: Mapping[str, str], progress: Callable[[str], None], services: tuple[str, ...] = ("store",)
) -> Iterator[Settings]:
    """A lake beside the one of `near` (same disk), with one registry file of this text and further LAKE_* variables."""
    near.home.mkdir(parents=True, exist_ok=True, mode=0o700)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=near.home))
    try:
        (folder / "registry").mkdir()
        (folder / "registry" / "bench.yaml").write_text(registry, encoding="utf-8")
        environment = {
            "LAKE_HOME": str(folder / "lake"),
            "LAKE_PORT_BASE": str(free_port_base()),
            "LAKE_REGISTRY": str(folder / "registry"),
        }
        settings = load_settings({**environment, **variables})
        start_services(settings, services, progress=progress)
        try:
            yield settings
        finally:
            progress("Stopping the scratch lake")
            stop_services(settings)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
