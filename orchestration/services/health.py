"""Asking a service how it is, over its own protocol. Only questions belong here: nothing is started or stopped."""

import socket

import httpx

from lake_config.settings import Settings
from orchestration.services.programs import push_host

_SECONDS = 5.0
_LOCATIONS = """{ workspaceOrError { __typename ... on PythonError { message } ... on Workspace { locationEntries {
  name loadStatus locationOrLoadError { __typename ... on PythonError { message } } } } } }"""
_DAEMONS = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


def _get(url: str, good: range) -> str | None:
    try:
        status = httpx.get(url, timeout=_SECONDS, trust_env=False).status_code
    except httpx.HTTPError as error:
        return f"does not answer ({type(error).__name__})"
    return None if status in good else f"answers {status}"


def _accepts(port: int) -> str | None:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS):
            return None
    except OSError as error:
        return f"does not accept connections ({type(error).__name__})"


def _graphql(settings: Settings, query: str) -> dict[str, object] | str:
    try:
        answer = httpx.post(
            f"http://127.0.0.1:{settings.ports['dagster']}/graphql", json={"query": query}, timeout=_SECONDS, trust_env=False
        )
        answer.raise_for_status()
        data = answer.json().get("data")
    except (httpx.HTTPError, ValueError) as error:
        return f"does not answer ({type(error).__name__})"
    return data if isinstance(data, dict) else "answers without data"


def _webserver(settings: Settings) -> str | None:
    data = _graphql(settings, _LOCATIONS)
    if isinstance(data, str):
        return data
    workspace = data.get("workspaceOrError")
    entries = workspace.get("locationEntries", []) if isinstance(workspace, dict) else []
    if not entries:
        return "has no code location"
    for entry in entries:
        loaded = entry.get("locationOrLoadError") or {}
        if loaded.get("__typename") == "PythonError":
            return f"cannot load {entry['name']}: {str(loaded.get('message', '')).strip()[:400]}"
        if entry.get("loadStatus") != "LOADED" or not loaded:
            return f"is still loading {entry['name']}"
    return None


def _daemon(settings: Settings) -> str | None:
    data = _graphql(settings, _DAEMONS)
    if isinstance(data, str):
        # The daemon has no port of its own; while the UI is down it counts as well when the supervisor sees it running.
        return None
    instance = data.get("instance")
    health = instance.get("daemonHealth") if isinstance(instance, dict) else None
    statuses = health.get("allDaemonStatuses", []) if isinstance(health, dict) else []
    ill = [str(status["daemonType"]) for status in statuses if status["required"] and not status["healthy"]]
    return f"has parts without a heartbeat: {', '.join(ill)}" if ill else None


def complaint(settings: Settings, name: str) -> str | None:
    """None when the service answers as it should; otherwise what is wrong, as the end of the sentence 'The <service> ...'."""
    match name:
        case "store":
            # Without keys the store must answer, and must refuse.
            return _get(settings.s3_endpoint, range(403, 404) if settings.is_store_embedded else range(200, 500))
        case "code_server":
            return _accepts(settings.ports["code_server"])
        case "webserver":
            return _webserver(settings)
        case "daemon":
            return _daemon(settings)
        case "superset":
            return _get(f"http://127.0.0.1:{settings.ports['superset']}/health", range(200, 201))
        case "push":
            host = push_host(settings)
            return _get(f"http://{'127.0.0.1' if host in {'0.0.0.0', '::'} else host}:{settings.ports[name]}/", range(200, 201))  # noqa: S104
        case _:
            return _get(f"http://127.0.0.1:{settings.ports[name]}/", range(200, 500))
