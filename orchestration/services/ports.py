"""Is a port free, who holds it, and which variable moves it. Nothing else belongs here."""

import socket

import psutil

from lake_config.errors import ServiceError
from lake_config.settings import Settings
from orchestration.services.programs import SERVICES, service_ports

_OWN_VARIABLE = {
    "s3": "LAKE_S3_PORT",
    "dagster": "LAKE_DAGSTER_PORT",
    "superset": "LAKE_SUPERSET_PORT",
    "demo_city": "LAKE_DEMO_CITY_PORT",
    "push": "LAKE_PUSH_PORT",
}


def is_free(port: int) -> bool:
    """True when a server could listen on 127.0.0.1:port now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of a stopped server that still linger do not count as taken.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
            probe.listen(1)
        except OSError:
            return False
    return True


def holder(port: int) -> str:
    """' (held by NAME, pid N)', or '' where the system does not tell."""
    try:
        connections = psutil.net_connections(kind="tcp")
    except psutil.Error:
        return ""
    for connection in connections:
        if connection.status == psutil.CONN_LISTEN and connection.laddr and connection.laddr.port == port and connection.pid:
            try:
                return f" (held by {psutil.Process(connection.pid).name()}, pid {connection.pid})"
            except psutil.Error:
                return f" (held by pid {connection.pid})"
    return ""


def require_free_ports(settings: Settings, names: list[str]) -> None:
    """Raise ServiceError for the first port of these services that another process holds, or that two of them share."""
    seen: dict[int, str] = {}
    for name in names:
        for label, port in service_ports(settings, name).items():
            variable = _OWN_VARIABLE.get(label, "LAKE_PORT_BASE")
            if port in seen:
                raise ServiceError(
                    f"The port {port} is given to both {seen[port]} and {SERVICES[name].title} ({label}): change {variable}."
                )
            seen[port] = f"{SERVICES[name].title} ({label})"
            if not is_free(port):
                raise ServiceError(
                    f"The port {port}, needed by the {SERVICES[name].title} ({label}), is taken{holder(port)}:"
                    f" stop that program or set {variable}."
                )
