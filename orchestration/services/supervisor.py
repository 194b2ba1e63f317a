"""Start, stop and look at the services of one lake.

Belongs here: the order of things, waiting for health, undoing a failed start, recovering from a killed supervisor. Not here: facts about
each service (programs.py, health.py), supervisord itself (supervisord.py).
"""

import fcntl
import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import psutil

from lake_config.errors import LakeError, ServiceError, StoreError
from lake_config.settings import Settings, write_private
from orchestration.services import health, supervisord
from orchestration.services.dagster_home import write_dagster_home
from orchestration.services.embedded_store import ensure_fsync, prepare_store, run_dir
from orchestration.services.ports import require_free_ports
from orchestration.services.processes import end_all, lake_processes, memory_bytes
from orchestration.services.programs import SERVICES, build_program, known_service, service_ports, service_url, supervisor_environment
from orchestration.services.secrets import ensure_secrets
from orchestration.services.store import ensure_buckets, probe_store

_POLL_SECONDS = 0.2
_ALIVE = frozenset({"RUNNING", "STARTING", "BACKOFF"})
_HAS_PROCESS = frozenset({"RUNNING", "STARTING"})
_GONE = frozenset({"STOPPED", "EXITED", "FATAL", "UNKNOWN"})
_START_WAVES = (("store", "demo_city"), ("code_server", "push"), ("webserver", "superset"), ("daemon",))
_STOP_WAVES = (("superset", "daemon", "webserver", "push", "demo_city"), ("code_server",), ("store",))
"""Within a wave services are asked together; runs go down with the code server that started them, the store last."""

Progress = Callable[[str], None]


@dataclass(frozen=True)
class ServiceStatus:
    """One service as it is now. ``state`` is supervisord's, or 'STOPPED', 'OUTSIDE' (a store elsewhere), 'ORPHANED' (its supervisor was
    killed).
    """

    name: str
    state: str
    pid: int | None
    port: int | None
    url: str | None
    healthy: bool
    complaint: str | None
    uptime_seconds: float | None
    memory_bytes: int | None


@contextmanager
def _only_one(settings: Settings, progress: Progress) -> Iterator[None]:
    """One start or stop at a time for a lake; a second waits."""
    descriptor = os.open(run_dir(settings) / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress("Another start or stop of this lake is under way; waiting for it")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _fingerprint(settings: Settings) -> str:
    return hashlib.sha256(json.dumps([dict(settings.ports), settings.s3_endpoint, settings.s3_region], sort_keys=True).encode()).hexdigest()


def _recover(settings: Settings, progress: Progress) -> bool:
    """True when a usable supervisord runs. Whatever lives on without one is ended first, so that no store is ever started twice."""
    marker = run_dir(settings) / "fingerprint"
    if supervisord.is_alive(settings):
        if marker.is_file() and marker.read_text(encoding="utf-8") != _fingerprint(settings):
            raise ServiceError(
                "The services already run with other ports or another store: './lake down' first, or start with the same LAKE_* variables."
            )
        return True
    lost = lake_processes(settings)
    if lost:
        progress(f"Ending {len(lost)} processes that an earlier, killed supervisor left behind")
        end_all(lost, grace_seconds=SERVICES["store"].stop_seconds)
    for path in (supervisord.socket_path(settings), supervisord.pid_file(settings), marker):
        path.unlink(missing_ok=True)
    return False


def _prepare(settings: Settings, names: Sequence[str]) -> None:
    """Write every file the services read, and find out before starting anything that a program or a secret is missing."""
    ensure_secrets(settings)
    if "store" in names:
        prepare_store(settings)
    write_dagster_home(settings)
    environment = supervisor_environment(settings)
    for name in names:
        build_program(settings, name, environment)


def _last_words(settings: Settings, name: str) -> str:
    path = settings.log_dir / f"{name}.log"
    if not path.is_file():
        return f"see {settings.log_dir / 'supervisord.log'}"
    lines = [line.strip() for line in path.read_text(encoding="utf-8", errors="replace")[-20_000:].splitlines() if line.strip()]
    return f"see {path}" + (f"; it ends with: {lines[-1][:300]}" if lines else " (empty)")


def _wait_healthy(settings: Settings, name: str) -> None:
    service, reason = SERVICES[name], "has not started"
    failed_starts: set[float] = set()
    deadline = time.monotonic() + service.start_seconds
    while time.monotonic() < deadline:
        child = supervisord.children(settings).get(name)
        if child is not None and child.state == "BACKOFF":
            failed_starts.add(child.started_at)
        # The supervisor goes on trying for half a minute; whoever waits here need not.
        if child is None or child.state in _GONE or len(failed_starts) > 1:
            raise ServiceError(f"The {service.title} ended instead of starting: {_last_words(settings, name)}.")
        if child.state in _HAS_PROCESS:
            complaint = health.complaint(settings, name)
            if complaint is None:
                return
            reason = complaint
        time.sleep(_POLL_SECONDS)
    raise ServiceError(
        f"The {service.title} did not become healthy within {service.start_seconds} s, it {reason}: {_last_words(settings, name)}."
    )


def _ready_store(settings: Settings, progress: Progress) -> None:
    """Buckets, then the probe. A store that has just started may not have a volume to write to yet: the embedded one is asked again for
    20 s.
    """
    deadline = time.monotonic() + 20
    while True:
        try:
            made = ensure_buckets(settings)
            probe_store(settings)
        except StoreError:
            if not settings.is_store_embedded or time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)
            continue
        if made:
            progress(f"Made the buckets {', '.join(made)}")
        return


def start_services(settings: Settings, names: Sequence[str], *, progress: Progress) -> None:
    """Start those of the named services that do not run, in the right order, and return when each is healthy.

    ``progress`` gets one short sentence per step. With 'store' among the names an outside store is checked instead of started. Raises
    ServiceError (a port is taken, a service does not become healthy in time), StoreError (the store fails its probe) or ConfigError; what
    this call had started is stopped again first, also on Ctrl-C.
    """
    for name in names:
        known_service(name)
    wanted = [name for name in SERVICES if name in names and (name != "store" or settings.is_store_embedded)]
    with _only_one(settings, progress):
        was_running = _recover(settings, progress)
        present = {name for name, child in supervisord.children(settings).items() if child.state in _ALIVE}
        missing = [name for name in wanted if name not in present]
        _prepare(settings, missing)
        require_free_ports(settings, missing)
        is_done = False
        try:
            if missing and not was_running:
                supervisord.launch(settings)
                write_private(run_dir(settings) / "fingerprint", _fingerprint(settings).encode())
            _start_waves(settings, wanted, missing, "store" in names, progress)
            is_done = True
        finally:
            if not is_done:
                progress("Stopping what was started")
                _stop_children(settings, missing)
                if not was_running:
                    _stop_everything(settings, progress)


def _start_waves(settings: Settings, wanted: Sequence[str], missing: Sequence[str], is_store_wanted: bool, progress: Progress) -> None:
    for number, wave in enumerate(_START_WAVES):
        for name in (name for name in wave if name in missing):
            progress(f"Starting the {SERVICES[name].title}")
            supervisord.start_child(settings, name)
        for name in (name for name in wave if name in wanted):
            _wait_healthy(settings, name)
            address = service_url(settings, name)
            progress(f"The {SERVICES[name].title} is up" + (f": {address}" if address else ""))
        if number == 0 and is_store_wanted:
            _ready_store(settings, progress)
            if settings.is_store_embedded:
                ensure_fsync(settings)


def _stop_children(settings: Settings, names: Sequence[str]) -> None:
    """Stop these in order and wait for each; what does not run is passed over."""
    for wave in _STOP_WAVES:
        asked = [name for name in wave if name in names and supervisord.is_alive(settings)]
        for name in asked:
            supervisord.stop_child(settings, name)
        deadline = time.monotonic() + max((SERVICES[name].stop_seconds for name in asked), default=0) + 10
        while time.monotonic() < deadline:
            states = supervisord.children(settings)
            if all(name not in states or states[name].state in _GONE for name in asked):
                break
            time.sleep(_POLL_SECONDS)


def _stop_everything(settings: Settings, progress: Progress) -> None:
    if supervisord.is_alive(settings):
        running = [name for name, child in supervisord.children(settings).items() if child.state in _ALIVE]
        if running:
            progress("Stopping " + ", ".join(SERVICES[name].title for name in reversed(running)))
        _stop_children(settings, list(SERVICES))
        supervisord.shut_down(settings)
        deadline = time.monotonic() + 15
        while time.monotonic() < deadline and supervisord.is_alive(settings):
            time.sleep(_POLL_SECONDS)
    # A worker that left its group, or everything, when supervisord had been killed before.
    remaining = lake_processes(settings)
    psutil.wait_procs(remaining, timeout=2)
    end_all([process for process in remaining if process.is_running()], grace_seconds=SERVICES["store"].stop_seconds)
    run = run_dir(settings)
    for path in (supervisord.socket_path(settings), supervisord.pid_file(settings), run / "fingerprint", *(run / "pids").glob("*.json")):
        path.unlink(missing_ok=True)


def stop_services(settings: Settings, *, progress: Progress = lambda _: None) -> None:
    """Stop every service of this lake and return when no process of it is left. Does nothing when nothing runs."""
    with _only_one(settings, progress):
        _stop_everything(settings, progress)


def _orphans(settings: Settings) -> dict[str, psutil.Process]:
    """Recorded service processes that live without a supervisord, by service."""
    alive = {process.pid: process for process in lake_processes(settings)}
    found = {}
    for path in (settings.home / "run" / "pids").glob("*.json"):
        pid = json.loads(path.read_text(encoding="utf-8"))["pid"]
        if pid in alive:
            found[path.stem] = alive[pid]
    return found


def status(settings: Settings) -> list[ServiceStatus]:
    """Every service, running or not, in the order of starting. Never raises because something is down."""
    if not settings.home.is_dir():
        children, orphans = {}, {}
    else:
        children = supervisord.children(settings)
        orphans = {} if children else _orphans(settings)
    return [_status_of(settings, name, children.get(name), orphans.get(name)) for name in SERVICES]


def _status_of(settings: Settings, name: str, child: supervisord.ChildState | None, orphan: psutil.Process | None) -> ServiceStatus:
    is_outside = name == "store" and not settings.is_store_embedded
    ports = service_ports(settings, name)
    state, pid, uptime = "STOPPED", None, None
    if is_outside:
        state = "OUTSIDE"
    elif orphan is not None:
        state, pid, uptime = "ORPHANED", orphan.pid, time.time() - orphan.create_time()
    elif child is not None:
        state, pid = child.state, child.pid
        uptime = time.time() - child.started_at if child.pid else None
    complaint: str | None = "does not run"
    if is_outside or pid is not None:
        try:
            complaint = health.complaint(settings, name)
        except LakeError as error:
            complaint = str(error)
    # supervisord says STARTING for a fixed time; a service that answers has started.
    return ServiceStatus(
        name=name,
        state="RUNNING" if state == "STARTING" and complaint is None and name != "daemon" else state,
        pid=pid,
        port=None if is_outside or not ports else next(iter(ports.values())),
        url=service_url(settings, name),
        healthy=complaint is None,
        complaint=complaint,
        uptime_seconds=uptime,
        memory_bytes=memory_bytes(pid) if pid else None,
    )
