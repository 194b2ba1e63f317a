"""Finding and ending the processes of one lake that no supervisor watches any more.

When supervisord is killed its children live on. They are recognised by the mark in their environment (LAKE_INSTANCE), which grandchildren
inherit, and by the recorded pid with its creation time. Nothing is ever chosen by a program's name.
"""

import json
import os
from collections.abc import Iterable
from pathlib import Path

import psutil

from lake_config.settings import Settings
from orchestration.services.programs import STAMP, instance_stamp

_CLOCK_TOLERANCE_SECONDS = 2.0


def _recorded(folder: Path) -> Iterable[psutil.Process]:
    for path in folder.glob("*.json"):
        try:
            record = json.loads(path.read_text(encoding="utf-8"))
            process = psutil.Process(int(record["pid"]))
            if abs(process.create_time() - float(record["create_time"])) < _CLOCK_TOLERANCE_SECONDS:
                yield process
        except (psutil.Error, ValueError, KeyError, OSError):
            continue  # gone, or a half-written record of a process that never came to be


def _marked(stamp: str) -> Iterable[psutil.Process]:
    for process in psutil.process_iter():
        try:
            if process.uids().real == os.getuid() and process.environ().get(STAMP) == stamp:
                yield process
        except (psutil.Error, OSError):
            continue  # gone meanwhile, or a zombie, which has no environment


def lake_processes(settings: Settings) -> list[psutil.Process]:
    """Every living process of this lake's services, its supervisord included; never the caller or one of its ancestors."""
    own = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    found: dict[int, psutil.Process] = {}
    for process in (*_recorded(settings.home / "run" / "pids"), *_marked(instance_stamp(settings))):
        try:
            family = [process, *process.children(recursive=True)]
            found |= {member.pid: member for member in family if member.pid not in own and member.status() != psutil.STATUS_ZOMBIE}
        except psutil.Error:
            continue
    return list(found.values())


def end_all(processes: list[psutil.Process], grace_seconds: float) -> None:
    """Ask each to end (SIGTERM), wait, then kill those that stay. psutil checks that a pid still means the same process."""
    for process in processes:
        try:
            process.terminate()
        except psutil.NoSuchProcess:
            continue
    _, alive = psutil.wait_procs(processes, timeout=grace_seconds)
    for process in alive:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue
    psutil.wait_procs(alive, timeout=10)


def memory_bytes(pid: int) -> int | None:
    """Resident memory of a process and all below it; None when it is gone."""
    try:
        process = psutil.Process(pid)
        family = [process, *process.children(recursive=True)]
    except psutil.Error:
        return None
    total = 0
    for member in family:
        try:
            total += member.memory_info().rss
        except psutil.Error:
            continue
    return total
