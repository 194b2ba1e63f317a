"""What the dashboards need from the environment, read once and checked.

Belongs here: the names of the variables and their sentences when missing. Not here: the settings of Superset itself (superset_config.py).
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from lake_config.errors import ConfigError

MINIMUM_SECRET_LENGTH = 32
LOCAL_ZONE = "Asia/Ho_Chi_Minh"


def required(name: str, environment: Mapping[str, str] = os.environ) -> str:
    """The value of a variable that must be set. Raises ConfigError naming it."""
    value = environment.get(name, "")
    if not value:
        raise ConfigError(
            f"{name} is not set: './lake up' sets it for Superset; set it yourself when you start superset_dashboards.serve by hand."
        )
    return value


def superset_home(environment: Mapping[str, str] = os.environ) -> Path:
    """LAKE_HOME/superset: the metadata database, caches, the catalog of views. Not made here."""
    return Path(required("LAKE_HOME", environment)).expanduser().resolve() / "superset"


def secret_key(environment: Mapping[str, str] = os.environ) -> str:
    """SUPERSET_SECRET_KEY, which signs sessions; there is no default. Raises ConfigError when it is missing or under 32 characters."""
    value = required("SUPERSET_SECRET_KEY", environment)
    if len(value) < MINIMUM_SECRET_LENGTH:
        raise ConfigError(f"SUPERSET_SECRET_KEY has {len(value)} characters; at least {MINIMUM_SECRET_LENGTH} random ones are needed.")
    return value


@dataclass(frozen=True)
class GoldAccess:
    """Where the gold tables lie and the read-only keys that may read them. The secret never appears in a repr."""

    host_and_port: str
    is_tls: bool
    region: str
    key: str
    secret: str = field(repr=False)
    catalog: Path


def gold_access(environment: Mapping[str, str] = os.environ) -> GoldAccess:
    """Read GOLD_ENDPOINT (http://host:port), GOLD_RO_KEY, GOLD_RO_SECRET, GOLD_REGION (us-east-1) and LAKE_HOME.

    Raises ConfigError naming the variable that is missing or wrong.
    """
    endpoint = required("GOLD_ENDPOINT", environment)
    parts = urlsplit(endpoint)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigError(f"GOLD_ENDPOINT={endpoint!r} must look like http://host:port.")
    return GoldAccess(
        host_and_port=parts.netloc,
        is_tls=parts.scheme == "https",
        region=environment.get("GOLD_REGION") or "us-east-1",
        key=required("GOLD_RO_KEY", environment),
        secret=required("GOLD_RO_SECRET", environment),
        catalog=superset_home(environment) / "gold.duckdb",
    )
