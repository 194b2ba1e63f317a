"""Starting, dying, recovering and stopping, with real processes."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from lake_config.errors import ServiceError, StoreError
from lake_config.settings import Settings, load_settings
from orchestration.services.embedded_store import store_ports
from orchestration.services.ports import is_free
from orchestration.services.processes import lake_processes
from orchestration.services.programs import lake_environment
from orchestration.services.store import probe_store, store_client
from orchestration.services.supervisor import ServiceStatus, start_services, status, stop_services
from orchestration.services.supervisord import pid_file

pytestmark = pytest.mark.store


@pytest.fixture
def own_lake(tmp_path: Path, free_port_base: Callable[[], int]) -> Iterator[Settings]:
    """A lake that a test may maltreat. Nothing of it lives on afterwards."""
    settings = load_settings({"LAKE_HOME": str(tmp_path / "lake home"), "LAKE_PORT_BASE": str(free_port_base())})
    yield settings
    stop_services(settings)
    assert lake_processes(settings) == []


def _start(settings: Settings) -> list[str]:
    said: list[str] = []
    start_services(settings, ["store"], progress=said.append)
    return said


def _store(settings: Settings) -> ServiceStatus:
    return next(entry for entry in status(settings) if entry.name == "store")


def _wait(condition: Callable[[], bool], seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "did not happen in time"
        time.sleep(0.1)


def _put(settings: Settings, key: str) -> None:
    store_client(settings, "pipeline").put_object(bucket_name="silver", object_name=key, data=io.BytesIO(b"kept"), length=4)


def _keys(settings: Settings) -> list[str]:
    return [entry.object_name for entry in store_client(settings, "pipeline").list_objects(bucket_name="silver", recursive=True)]


def test_a_killed_store_comes_back_with_its_data_then_stops_without_a_trace(own_lake: Settings) -> None:
    assert any("Made the buckets landing" in sentence for sentence in _start(own_lake))
    first = _store(own_lake)
    assert first.healthy
    assert first.state == "RUNNING"
    assert first.memory_bytes
    assert first.pid
    for number in range(20):
        _put(own_lake, f"object-{number:02}")
    os.kill(first.pid, signal.SIGKILL)
    _wait(lambda: _store(own_lake).pid not in {None, first.pid} and _store(own_lake).healthy, 20)
    _wait(lambda: len(_keys(own_lake)) == 20, 10)
    said = _start(own_lake)  # what runs is not started again
    assert not any("Starting" in sentence for sentence in said)
    second = _store(own_lake).pid
    processes = lake_processes(own_lake)
    assert len(processes) == 2
    stop_services(own_lake)
    _wait(lambda: not any(process.is_running() for process in processes), 5)  # the last of them is being buried
    assert _store(own_lake).state == "STOPPED"
    assert all(is_free(port) for port in store_ports(own_lake).values())
    stop_services(own_lake)
    _start(own_lake)
    assert _store(own_lake).pid != second
    assert len(_keys(own_lake)) == 20


def test_after_a_killed_supervisor_survivors_are_shown_and_ended_before_a_new_start(own_lake: Settings) -> None:
    _start(own_lake)
    _put(own_lake, "before")
    survivor = psutil.Process(_store(own_lake).pid)
    os.kill(int(pid_file(own_lake).read_text()), signal.SIGKILL)
    _wait(lambda: _store(own_lake).state == "ORPHANED", 5)
    assert survivor.is_running()
    said = _start(own_lake)
    assert any("Ending 1 processes" in sentence for sentence in said)
    assert not survivor.is_running()
    assert _keys(own_lake) == ["before"]
    probe_store(own_lake)
    stores = [process for process in lake_processes(own_lake) if process.name() == "weed"]
    assert len(stores) == 1


def test_stop_after_a_killed_supervisor_leaves_nothing(own_lake: Settings) -> None:
    _start(own_lake)
    os.kill(int(pid_file(own_lake).read_text()), signal.SIGKILL)
    stop_services(own_lake)
    assert lake_processes(own_lake) == []
    assert all(is_free(port) for port in store_ports(own_lake).values())


def test_a_taken_port_is_named_and_nothing_is_started(own_lake: Settings) -> None:
    port = own_lake.ports["filer"]
    with (
        socket.create_server(("127.0.0.1", port)),
        pytest.raises(ServiceError, match=rf"port {port}, needed by the object store \(filer\), is taken \(held by .*LAKE_PORT_BASE"),
    ):
        _start(own_lake)
    assert lake_processes(own_lake) == []


def test_a_service_that_ends_is_named_with_its_last_words_and_what_was_started_is_stopped(own_lake: Settings) -> None:
    (own_lake.home / "store").mkdir(parents=True)
    (own_lake.home / "store" / "filerldb2").write_text("not a folder")  # the store cannot open its database
    with pytest.raises(ServiceError, match=r"The object store (ended|did not become healthy).*store\.log"):
        _start(own_lake)
    assert lake_processes(own_lake) == []


def test_other_settings_for_a_running_lake_are_refused(own_lake: Settings, free_port_base: Callable[[], int]) -> None:
    _start(own_lake)
    other = load_settings({"LAKE_HOME": str(own_lake.home), "LAKE_PORT_BASE": str(free_port_base())})
    with pytest.raises(ServiceError, match="already run with other ports"):
        _start(other)
    assert _store(own_lake).healthy


def test_a_child_process_reads_the_same_settings(lake_settings: Settings) -> None:
    code = "from lake_config.settings import load_settings; s = load_settings(); print(s.home, s.s3_endpoint, s.credentials('bi').key)"
    root = Path(__file__).resolve().parents[2]
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root)
    assert result.stdout.split() == [str(lake_settings.home), lake_settings.s3_endpoint, lake_settings.credentials("bi").key]
    assert lake_environment(lake_settings)["LAKE_HOME"] == os.environ["LAKE_HOME"]


def test_an_outside_store_is_checked_not_started(tmp_path: Path, free_port_base: Callable[[], int]) -> None:
    environment = {"LAKE_S3_ENDPOINT": "http://127.0.0.1:9", "LAKE_S3_KEY": "k", "LAKE_S3_SECRET": "s" * 12}
    settings = load_settings({"LAKE_HOME": str(tmp_path), "LAKE_PORT_BASE": str(free_port_base()), **environment})
    with pytest.raises(StoreError, match="cannot be reached"):
        _start(settings)
    assert lake_processes(settings) == []
    assert next(entry for entry in status(settings) if entry.name == "store").state == "OUTSIDE"
