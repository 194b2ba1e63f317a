"""sql: one read-only statement over the tables of the lake, also as they were at a version.

Belongs here: the locked-down DuckDB connection and its views. Not here: printing (terminal.py).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import duckdb
import duckdb_extension_delta
import duckdb_extension_httpfs

from lake_config.errors import BadInputError, StoreError
from lake_config.settings import BUCKETS, Settings
from lake_config.storage import Lake
from lake_config.tables import TABLES

_EXTENSIONS = {"httpfs": duckdb_extension_httpfs, "delta": duckdb_extension_delta}
_READ_ONLY = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN}
_NAME = re.compile(r"\b(bronze|silver|gold)\s*\.\s*\"?(\w+)")


@dataclass(frozen=True)
class Answer:
    """The columns of a result and its rows."""

    columns: list[str]
    rows: list[tuple[Any, ...]]


def _literal(value: str) -> str:
    return "'" + value.replace("'", "''") + "'"


def pinned_versions(given: Sequence[str]) -> dict[str, int]:
    """Versions from arguments such as 'gold.accounting=7'. Raises BadInputError for another form or an unknown table."""
    pinned = {}
    for argument in given:
        name, _, version = argument.partition("=")
        if not version.isdigit():
            raise BadInputError(f"--at {argument}: expected TABLE=VERSION, as in --at gold.accounting=7.")
        pinned[_known(name.strip())] = int(version)
    return pinned


def _known(name: str) -> str:
    if name not in TABLES:
        raise BadInputError(f"There is no table {name!r}; the tables are {', '.join(TABLES)}.")
    return name


def _connect(settings: Settings) -> duckdb.DuckDBPyConnection:
    """An in-memory DuckDB that reads the lake's buckets with the auditor's key and reaches nothing else."""
    keys, parts = settings.credentials("auditor"), urlsplit(settings.s3_endpoint)
    connection = duckdb.connect(config={"autoinstall_known_extensions": "false", "autoload_known_extensions": "false"})
    for name, module in _EXTENSIONS.items():
        file = Path(str(module.__file__)).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        connection.execute(f"LOAD {_literal(str(file))}")
    connection.execute("LOAD icu")
    connection.execute("SET TimeZone='UTC'")
    connection.execute(
        f"CREATE SECRET lake (TYPE s3, KEY_ID {_literal(keys.key)}, SECRET {_literal(keys.secret)}, ENDPOINT {_literal(parts.netloc)},"
        f" URL_STYLE 'path', USE_SSL {str(parts.scheme == 'https').lower()}, REGION {_literal(settings.s3_region)})"
    )
    connection.execute(f"SET allowed_directories=[{', '.join(_literal(f's3://{bucket}/') for bucket in BUCKETS)}]")
    connection.execute("SET enable_external_access=false")
    return connection


def _make_views(connection: duckdb.DuckDBPyConnection, settings: Settings, names: Sequence[str], pinned: Mapping[str, int]) -> None:
    lake = Lake(settings, "auditor")
    for layer in ("bronze", "silver", "gold"):
        connection.execute(f"CREATE SCHEMA {layer}")
    for name in names:
        if lake.exists(name):
            version = f", version={pinned[name]}" if name in pinned else ""
            connection.execute(f"CREATE VIEW {name} AS SELECT * FROM delta_scan({_literal(lake.uri(name))}{version})")  # noqa: S608
        elif name in pinned:
            raise BadInputError(f"{name} does not exist yet, so it has no version {pinned[name]}.")
    connection.execute("SET lock_configuration=true")


def run_sql(settings: Settings, statement: str, pinned: Mapping[str, int] | None = None) -> Answer:
    """Run one SELECT (or EXPLAIN) over bronze, silver and gold; `pinned` maps tables to the version to read. Times come in UTC.

    Raises BadInputError for what is no single reading statement, an unknown table or a wrong query; StoreError when the store is down.
    """
    try:
        statements = duckdb.extract_statements(statement)
    except duckdb.Error as error:
        raise BadInputError(f"This is not SQL that DuckDB reads: {_first_line(error)}") from error
    if len(statements) != 1 or statements[0].type not in _READ_ONLY:
        raise BadInputError("Only one reading statement is run: SELECT ..., WITH ..., DESCRIBE ..., SHOW ... or EXPLAIN SELECT ...")
    named = [f"{layer}.{table}" for layer, table in _NAME.findall(statement.lower())]
    names = list(dict.fromkeys(name for name in named if name in TABLES)) or list(TABLES)
    try:
        with _connect(settings) as connection:
            _make_views(connection, settings, [*names, *(name for name in pinned or {} if name not in names)], pinned or {})
            cursor = connection.execute(statement)
            return Answer([column[0] for column in cursor.description or []], cursor.fetchall())
    except (duckdb.IOException, duckdb.HTTPException) as error:
        raise StoreError(f"The tables cannot be read from {settings.s3_endpoint} ({_first_line(error)}): is it up? './lake up'") from error
    except duckdb.CatalogException as error:
        missing = [name for name in named if name in TABLES]
        hint = f" {', '.join(missing)} may not exist yet: './lake run' makes the tables." if missing else f" Tables: {', '.join(TABLES)}."
        raise BadInputError(f"{_first_line(error)}.{hint}") from error
    except duckdb.Error as error:
        raise BadInputError(f"The query is refused: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0]
