"""The catalog: one DuckDB file that holds only views, one per gold table, over its Delta log on S3.

Belongs here: making that file. Not here: how Superset's workers open it (gold_connection.py). A view reads the newest commit at every
query, so the catalog is written again only when a table was missing at the time. Run it with ``python -m superset_dashboards.catalog``.
"""

import os
import sys
from pathlib import Path

import duckdb
import duckdb_extension_delta
import duckdb_extension_httpfs
import pyarrow as pa

from lake_config.errors import LakeError, StoreError
from lake_config.tables.gold import GOLD
from lake_config.tables.schema import BOOL, DATE, FLOAT, INT, STRING, TIME, Column, Table
from superset_dashboards.environment import LOCAL_ZONE, GoldAccess, gold_access

PENDING = "pending"
"""Comment on the view of a table that does not exist yet."""

_SQL_TYPES: dict[pa.DataType, str] = {STRING: "VARCHAR", INT: "BIGINT", FLOAT: "DOUBLE", DATE: "DATE", BOOL: "BOOLEAN", TIME: "TIMESTAMPTZ"}
_EXTENSIONS = {"httpfs": duckdb_extension_httpfs, "delta": duckdb_extension_delta}


def quoted(value: str) -> str:
    """An SQL string literal."""
    return "'" + value.replace("'", "''") + "'"


def prepare(connection: duckdb.DuckDBPyConnection, access: GoldAccess) -> None:
    """Load the packaged extensions (never the network's) and give the connection its in-memory, read-only S3 secret."""
    for name, module in _EXTENSIONS.items():
        file = Path(module.__file__).parent / "extensions" / f"v{duckdb.__version__}" / f"{name}.duckdb_extension"
        connection.execute(f"LOAD {quoted(str(file))}")
    connection.execute("LOAD icu")
    connection.execute(f"SET TimeZone={quoted(LOCAL_ZONE)}")
    connection.execute(
        f"CREATE SECRET lake_ro (TYPE s3, KEY_ID {quoted(access.key)}, SECRET {quoted(access.secret)}, ENDPOINT "
        f"{quoted(access.host_and_port)}, "
        f"URL_STYLE 'path', USE_SSL {str(access.is_tls).lower()}, REGION {quoted(access.region)})"
    )


def _selected(column: Column) -> str:
    """Times are kept in UTC and shown as local civil time, as the dates are."""
    return f"{column.name} AT TIME ZONE {quoted(LOCAL_ZONE)} AS {column.name}" if column.type == TIME else column.name


def view_sql(table: Table, *, exists: bool) -> str:
    """The statement that makes the view of a gold table: over its Delta log, or typed and empty while the table does not exist."""
    columns = ", ".join(map(_selected, table.columns))
    if exists:
        source = f"delta_scan({quoted(f's3://{table.layer}/{table.short_name}')})"
    else:
        nulls = ", ".join(f"NULL::{_SQL_TYPES[column.type]} AS {column.name}" for column in table.columns)
        source = f"(SELECT {nulls} WHERE false)"
    return f"CREATE VIEW {table.short_name} AS SELECT {columns} FROM {source}"  # noqa: S608  names come from the declarations


def build_catalog(access: GoldAccess) -> list[str]:
    """Write the catalog file, replacing it in one step, and return the names of the gold tables that do not exist yet.

    Raises StoreError when the store cannot be reached or refuses the key, or a table lacks a declared column.
    """
    access.catalog.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    fresh = access.catalog.with_name(f".{access.catalog.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    pending = []
    try:
        with duckdb.connect(str(fresh), config={"allow_persistent_secrets": "false"}) as connection:
            prepare(connection, access)
            for table in GOLD:
                log = quoted(f"s3://{table.layer}/{table.short_name}/_delta_log/*")
                exists = bool(connection.execute(f"SELECT 1 FROM glob({log}) LIMIT 1").fetchone())  # noqa: S608
                connection.execute(view_sql(table, exists=exists))
                if not exists:
                    connection.execute(f"COMMENT ON VIEW {table.short_name} IS {quoted(PENDING)}")
                    pending.append(table.name)
        fresh.replace(access.catalog)
    except duckdb.Error as error:
        raise StoreError(
            f"The gold tables at {access.host_and_port} cannot be read with the key {access.key}: {str(error).splitlines()[0]}"
        ) from error
    finally:
        fresh.unlink(missing_ok=True)
    return pending


def main() -> int:
    """Build the catalog from the environment; say which tables are still missing."""
    try:
        pending = build_catalog(gold_access())
    except LakeError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Catalog of {len(GOLD)} gold tables written; not there yet: {', '.join(pending) or 'none'}.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
