"""DAGSTER_HOME of one lake: its dagster.yaml and the workspace file that points the UI and the daemon at the running code server.

Belongs here: generating those two files. Not here: definitions (orchestration.definitions), processes (programs.py).
"""

import importlib.util
from pathlib import Path

import yaml

from lake_config.errors import ConfigError
from lake_config.settings import Settings, write_private

REPOSITORY = Path(__file__).resolve().parents[2]
"""The root folder of the repository."""
LOCATION_NAME = "lang_nghe"
"""Dagster's name of the one code location."""


def workspace_path(settings: Settings) -> Path:
    """The generated workspace file."""
    return settings.dagster_home / "workspace.yaml"


def instance_config(settings: Settings) -> dict[str, object]:
    """The instance's configuration: the repository's dagster.yaml, with Postgres as storage when LAKE_POSTGRES_URL is set.

    The address stays in the environment; the file only names the variable. Raises ConfigError when the driver for it is not installed.
    """
    config: dict[str, object] = yaml.safe_load((REPOSITORY / "dagster.yaml").read_text(encoding="utf-8"))
    if settings.environment.get("LAKE_POSTGRES_URL"):
        if importlib.util.find_spec("dagster_postgres") is None:
            raise ConfigError(
                "LAKE_POSTGRES_URL is set but the package dagster-postgres is not installed: install it, or unset the variable."
            )
        config["storage"] = {"postgres": {"postgres_url": {"env": "LAKE_POSTGRES_URL"}}}
    return config


def write_dagster_home(settings: Settings) -> Path:
    """Write LAKE_HOME/dagster/dagster.yaml and workspace.yaml (atomically; safe to repeat) and return the folder.

    Raises ConfigError as :func:`instance_config` does.
    """
    server = {"host": "127.0.0.1", "port": settings.ports["code_server"], "location_name": LOCATION_NAME}
    files = {
        settings.dagster_home / "dagster.yaml": instance_config(settings),
        workspace_path(settings): {"load_from": [{"grpc_server": server}]},
    }
    for path, content in files.items():
        data = yaml.safe_dump(content, sort_keys=False).encode()
        if not path.is_file() or path.read_bytes() != data:
            write_private(path, data)
    return settings.dagster_home
