"""Talking to supervisord: its generated configuration, its private control socket, and its commands as typed functions.

Belongs here: everything particular to supervisord. Not here: which service comes when (supervisor.py), finding lost processes
(processes.py).
"""

import hashlib
import os
import shlex
import subprocess
import sys
import time
import xmlrpc.client
from dataclasses import dataclass
from pathlib import Path

from supervisor.xmlrpc import SupervisorTransport

from lake_config.errors import ServiceError
from lake_config.settings import Settings, write_private
from orchestration.services.dagster_home import REPOSITORY
from orchestration.services.embedded_store import run_dir
from orchestration.services.programs import SERVICES, supervisor_environment

_MAX_SOCKET_PATH = 100  # the kernel's limit is 107 bytes, and supervisord first binds a name with '.<pid>' added
_START_SECONDS = 20


@dataclass(frozen=True)
class ChildState:
    """What supervisord says about one service."""

    state: str
    pid: int | None
    started_at: float
    """Unix time in seconds; 0 when it never ran."""


def socket_path(settings: Settings) -> Path:
    """The control socket: in LAKE_HOME/run, or where that path is too long for a socket, in a folder of this user's alone.

    Raises ServiceError when that folder belongs to somebody else or others may enter it.
    """
    near = run_dir(settings) / "supervisor.sock"
    if len(os.fsencode(near)) <= _MAX_SOCKET_PATH - len(".4194304"):
        return near
    digest = hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]
    # Not tempfile's choice, which follows TMPDIR: another shell of the same user must find the same socket.
    folder = Path("/tmp") / f"lang-nghe-{os.getuid()}-{digest}"  # noqa: S108  its ownership is checked below
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if folder.is_symlink() or status.st_uid != os.getuid() or status.st_mode & 0o077:
        raise ServiceError(f"The folder {folder} should be this user's alone (mode 700) and is not: remove it, or shorten LAKE_HOME.")
    return folder / "supervisor.sock"


def pid_file(settings: Settings) -> Path:
    """Where supervisord writes its pid."""
    return run_dir(settings) / "supervisord.pid"


def _quoted(value: str | Path) -> str:
    return str(value).replace("%", "%%")


def configuration(settings: Settings) -> str:
    """Supervisord's configuration: every service, none started by itself, all restarted when they die. Holds no secret."""
    socket = socket_path(settings)
    lines = [
        "[unix_http_server]",
        f"file={_quoted(socket)}",
        "chmod=0600",
        "",
        "[rpcinterface:supervisor]",
        "supervisor.rpcinterface_factory=supervisor.rpcinterface:make_main_rpcinterface",
        "",
        "[supervisord]",
        f"pidfile={_quoted(pid_file(settings))}",
        f"logfile={_quoted(settings.log_dir / 'supervisord.log')}",
        "logfile_maxbytes=5MB",
        "logfile_backups=2",
        f"childlogdir={_quoted(settings.log_dir)}",
        f"directory={_quoted(REPOSITORY)}",
        f"identifier=lake-{hashlib.sha256(os.fsencode(settings.home)).hexdigest()[:12]}",
        "umask=077",
        *(["user=root"] if os.getuid() == 0 else []),  # said outright, or supervisord warns that it runs as root
    ]
    for priority, service in enumerate(SERVICES.values()):
        command = f"{shlex.quote(sys.executable)} -m orchestration.services.child {service.name}"
        lines += [
            "",
            f"[program:{service.name}]",
            f"command={_quoted(command)}",
            f"directory={_quoted(REPOSITORY)}",
            f"priority={100 + priority}",
            "autostart=false",
            "autorestart=true",
            # A child that dies within startsecs is tried again after 1, 2, 3 ... seconds; one that ran is restarted at once.
            # Python services take seconds to import before they can fail.
            f"startsecs={1 if service.name == 'store' else 10}",
            "startretries=5",
            f"stopwaitsecs={service.stop_seconds}",
            "stopsignal=TERM",
            "stopasgroup=true",
            "killasgroup=true",
            "redirect_stderr=true",
            f"stdout_logfile={_quoted(settings.log_dir / f'{service.name}.log')}",
            "stdout_logfile_maxbytes=10MB",
            "stdout_logfile_backups=3",
        ]
    return "\n".join(lines) + "\n"


def _proxy(settings: Settings) -> xmlrpc.client.ServerProxy:
    transport = SupervisorTransport(None, None, f"unix://{socket_path(settings)}")
    return xmlrpc.client.ServerProxy("http://127.0.0.1", transport=transport)


def _call(settings: Settings, method: str, *arguments: object) -> object:
    """One command. Raises ConnectionError when no supervisord listens, xmlrpc.client.Fault when it refuses."""
    if not socket_path(settings).is_socket():
        raise ConnectionRefusedError("no control socket")
    with _proxy(settings) as proxy:
        answer: object = getattr(proxy.supervisor, method)(*arguments)
    return answer


def is_alive(settings: Settings) -> bool:
    """True when this lake's supervisord answers."""
    try:
        return bool(_call(settings, "getState"))
    except (OSError, xmlrpc.client.Error):
        return False


def children(settings: Settings) -> dict[str, ChildState]:
    """Every service as supervisord sees it; empty when it does not run."""
    try:
        answer = _call(settings, "getAllProcessInfo")
    except (OSError, xmlrpc.client.Error):
        return {}
    states = {}
    for entry in answer if isinstance(answer, list) else []:
        states[str(entry["name"])] = ChildState(str(entry["statename"]), int(entry["pid"]) or None, float(entry["start"]))
    return states


def start_child(settings: Settings, name: str) -> None:
    """Ask for one service to be started, without waiting. Raises ServiceError when supervisord refuses."""
    try:
        _call(settings, "startProcess", name, False)
    except xmlrpc.client.Fault as fault:
        raise ServiceError(f"The {SERVICES[name].title} could not be started ({fault.faultString}).") from fault


def stop_child(settings: Settings, name: str) -> None:
    """Ask for one service to be stopped, without waiting; one that does not run is left in peace."""
    try:
        _call(settings, "stopProcess", name, False)
    except xmlrpc.client.Fault as fault:
        if "NOT_RUNNING" not in fault.faultString:
            raise ServiceError(f"The {SERVICES[name].title} could not be stopped ({fault.faultString}).") from fault


def shut_down(settings: Settings) -> None:
    """Ask supervisord to stop its children and itself, without waiting."""
    try:
        _call(settings, "shutdown")
    except (OSError, xmlrpc.client.Fault):
        return  # it is on its way already


def launch(settings: Settings) -> None:
    """Write the configuration (mode 600) and start supervisord as a daemon; return when it answers.

    Raises ServiceError when it does not within 20 s.
    """
    settings.log_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    config = run_dir(settings) / "supervisord.conf"
    write_private(config, configuration(settings).encode())
    result = subprocess.run(
        [sys.executable, "-m", "supervisor.supervisord", "-c", str(config)],
        env=supervisor_environment(settings),
        cwd=REPOSITORY,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,  # the daemon keeps these open: a pipe here would never end
        stderr=subprocess.DEVNULL,
        check=False,
    )
    deadline = time.monotonic() + _START_SECONDS
    while result.returncode == 0 and time.monotonic() < deadline:
        if is_alive(settings):
            return
        time.sleep(0.1)
    log = settings.log_dir / "supervisord.log"
    raise ServiceError(f"The supervisor of the services did not start (exit {result.returncode}); look at {log}.")
