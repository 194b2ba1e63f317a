"""The services by name: what each runs, with which environment, on which ports, how long it may take to start and to stop.

Belongs here: facts about each service. Not here: keeping them alive (supervisord.py), asking them how they are (health.py).
"""

import hashlib
import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lake_config.errors import ServiceError
from lake_config.settings import Settings
from orchestration.demo_state import demo_state
from orchestration.push.keys import check_variables
from orchestration.services.dagster_home import LOCATION_NAME, REPOSITORY, workspace_path
from orchestration.services.embedded_store import STORE_PORTS, run_dir, store_command, store_environment, store_ports
from orchestration.services.secrets import superset_secrets

STAMP = "LAKE_INSTANCE"
"""Environment variable that marks every process of one lake, grandchildren too, so that none is ever lost or mistaken."""

_FOREIGN_PREFIXES = ("AWS_", "WEED_", "DAGSTER_", "SUPERSET_", "S3_", "FLASK_", "GOLD_")
_S3_PLACE = ("LAKE_S3_ENDPOINT", "LAKE_S3_REGION", "LAKE_S3_PORT")
_PLAIN_VARIABLES = ("PATH", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "HOME", STAMP)


@dataclass(frozen=True)
class Service:
    """What is always true of a service, whatever the settings."""

    name: str
    title: str
    ports: tuple[str, ...]
    """Names of its ports in the settings; the first is the one its users open."""
    start_seconds: int
    stop_seconds: int


@dataclass(frozen=True)
class Program:
    """A service's process, ready to be executed. The environment is complete: nothing else is inherited."""

    argv: list[str]
    environment: Mapping[str, str]
    directory: Path


SERVICES: Mapping[str, Service] = {
    service.name: service
    for service in (
        Service("store", "object store", STORE_PORTS, 60, 25),  # a graceful stop was measured at 4 to 17 s
        Service("demo_city", "demo city", ("demo_city",), 60, 5),
        Service("code_server", "Dagster code server", ("code_server",), 120, 20),
        Service("webserver", "Dagster UI", ("dagster",), 120, 15),
        Service("daemon", "Dagster daemon", (), 120, 20),
        Service("push", "push server", ("push",), 60, 45),
        Service("superset", "Superset", ("superset",), 240, 15),
    )
}
"""In the order of starting; stopping goes the other way."""


def instance_stamp(settings: Settings) -> str:
    """The value of LAKE_INSTANCE for this lake: a digest of its home folder."""
    return hashlib.sha256(str(settings.home).encode()).hexdigest()[:16]


def service_ports(settings: Settings, name: str) -> dict[str, int]:
    """The ports a service listens on, by their names in the settings."""
    if name == "store":
        return store_ports(settings)
    return {port: settings.ports[port] for port in SERVICES[name].ports}


def service_url(settings: Settings, name: str) -> str | None:
    """The address a user of the service opens; None where there is none (the daemon, the code server's gRPC)."""
    if name == "store":
        return settings.s3_endpoint
    if name in {"daemon", "code_server"}:
        return None
    return f"http://127.0.0.1:{settings.ports[SERVICES[name].ports[0]]}"


def lake_environment(settings: Settings) -> dict[str, str]:
    """The LAKE_* variables that make load_settings() in a child give these same settings, wherever the child runs."""
    variables = {name: value for name, value in settings.environment.items() if name.startswith("LAKE_")}
    variables["LAKE_HOME"] = str(settings.home)
    if settings.extra_registry:
        variables["LAKE_REGISTRY"] = ":".join(str(path.resolve()) for path in settings.extra_registry)
    variables[STAMP] = instance_stamp(settings)
    return variables


def supervisor_environment(settings: Settings) -> dict[str, str]:
    """What the supervisor starts with: the caller's environment, its LAKE_* replaced by this lake's, without other systems' settings.

    A stray AWS_ENDPOINT_URL or AWS_SESSION_TOKEN would redirect the lake's S3 clients; AWS_ACCESS_KEY_ID would become an administrator of
    the store.
    """
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", *_FOREIGN_PREFIXES))}
    return {**inherited, **lake_environment(settings)}


def _plain(environment: Mapping[str, str]) -> dict[str, str]:
    return {name: environment[name] for name in _PLAIN_VARIABLES if name in environment}


def _console_script(name: str) -> str:
    path = Path(sys.executable).parent / name
    if not path.is_file():
        raise ServiceError(f"The program {path} is missing: this environment is incomplete, run 'uv sync --locked' again.")
    return str(path)


def _store(settings: Settings, environment: Mapping[str, str]) -> Program:
    # HOME is the run folder: no security.toml of the user's or of another store is ever read.
    variables = {**_plain(environment), "HOME": str(run_dir(settings)), **store_environment(settings)}
    return Program(store_command(settings), variables, run_dir(settings))


def _dagster_environment(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    return {
        **environment,
        "DAGSTER_HOME": str(settings.dagster_home),
        "PYTHONPATH": str(REPOSITORY),  # runs are started by the code server in folders of their own
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), environment.get("PATH", os.defpath))),
        "PYTHONUNBUFFERED": "1",
        "GX_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
    }


def _code_server(settings: Settings, environment: Mapping[str, str]) -> Program:
    port = str(settings.ports["code_server"])
    options = ["-m", "orchestration.definitions", "-d", str(REPOSITORY), "-h", "127.0.0.1", "-p", port, "--location-name", LOCATION_NAME]
    # Without this flag runs are started by whatever `dagster` the PATH finds first.
    argv = [_console_script("dagster"), "code-server", "start", *options, "--use-python-environment-entry-point"]
    return Program(argv, _dagster_environment(settings, environment), REPOSITORY)


def _webserver(settings: Settings, environment: Mapping[str, str]) -> Program:
    argv = [
        _console_script("dagster-webserver"),
        "-h",
        "127.0.0.1",
        "-p",
        str(settings.ports["dagster"]),
        "-w",
        str(workspace_path(settings)),
    ]
    return Program(argv, _dagster_environment(settings, environment), REPOSITORY)


def _daemon(settings: Settings, environment: Mapping[str, str]) -> Program:
    argv = [_console_script("dagster-daemon"), "run", "-w", str(workspace_path(settings))]
    return Program(argv, _dagster_environment(settings, environment), REPOSITORY)


def _superset(settings: Settings, environment: Mapping[str, str]) -> Program:
    folder = REPOSITORY / "superset_dashboards"
    python = folder / ".venv" / "bin" / "python"
    if not python.is_file():
        raise ServiceError(f"Superset's environment is missing ({python}): run 'uv sync --locked' in {folder}.")
    keys = settings.credentials("bi")  # gold only; none of the lake's other keys reaches Superset
    own = superset_secrets(settings)
    variables = {
        **_plain(environment),
        "LAKE_HOME": str(settings.home),
        "LAKE_SUPERSET_PORT": str(settings.ports["superset"]),
        "GOLD_ENDPOINT": settings.s3_endpoint,
        "GOLD_REGION": settings.s3_region,
        "GOLD_RO_KEY": keys.key,
        "GOLD_RO_SECRET": keys.secret,
        "SUPERSET_SECRET_KEY": own["secret_key"],
        # Read while it starts and dropped before it serves (serve.py); arguments would stand in the list of processes.
        "SUPERSET_ADMIN_PASSWORD": own["admin_password"],
        "SUPERSET_VIEWER_PASSWORD": own["viewer_password"],
        "PYTHONUNBUFFERED": "1",
    }
    return Program([str(python), str(folder / "serve.py")], variables, folder)


def push_host(settings: Settings) -> str:
    """The address on which the push server listens."""
    return settings.environment.get("LAKE_PUSH_HOST") or "127.0.0.1"


def _push(settings: Settings, environment: Mapping[str, str]) -> Program:
    check_variables(settings)
    keys = settings.credentials("collector")  # landing and bronze only; none of the lake's other keys reaches a server that others talk to
    given = {name: value for name, value in lake_environment(settings).items() if not name.startswith("LAKE_S3_") or name in _S3_PLACE}
    variables = {**_plain(environment), **given, "LAKE_S3_COLLECTOR_KEY": keys.key, "LAKE_S3_COLLECTOR_SECRET": keys.secret}
    argv = [sys.executable, "-m", "orchestration.push.server", "--host", push_host(settings), "--port", str(settings.ports["push"])]
    return Program(argv, {**variables, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}, REPOSITORY)


def _demo_city(settings: Settings, environment: Mapping[str, str]) -> Program:
    state = demo_state(settings)
    options = ["--port", str(settings.ports["demo_city"]), "--round", str(state.released_round), "--scale", str(state.scale)]
    argv = [sys.executable, "-m", "orchestration.demo_city.server", *options]
    return Program(argv, {**_plain(environment), "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}, REPOSITORY)


_BUILDERS: Mapping[str, Callable[[Settings, Mapping[str, str]], Program]] = {
    "store": _store,
    "demo_city": _demo_city,
    "code_server": _code_server,
    "webserver": _webserver,
    "daemon": _daemon,
    "push": _push,
    "superset": _superset,
}


def build_program(settings: Settings, name: str, environment: Mapping[str, str]) -> Program:
    """The process of one service, given the supervisor's environment (see :func:`supervisor_environment`).

    Raises ServiceError when a program is missing from its environment, ConfigError when a secret is.
    """
    return _BUILDERS[name](settings, environment)


def known_service(name: str) -> Service:
    """The service of that name. Raises ServiceError naming those that exist."""
    if name not in SERVICES:
        raise ServiceError(f"Unknown service {name!r}; known: {', '.join(SERVICES)}.")
    return SERVICES[name]
