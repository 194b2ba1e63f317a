"""How Superset's workers read gold: one locked, read-only DuckDB instance per process, a cursor of it per connection.

Belongs here: opening, locking and renewing that instance. Not here: what the catalog holds (catalog.py). A plain duckdb-engine connection
would let any SQL read /etc/passwd and write files; one shared instance also made connecting 0.5 ms instead of 200 ms.
"""

import logging
import os
import shutil
import tempfile
import threading
import time
from pathlib import Path

import duckdb

from lake_config.errors import StoreError
from superset_dashboards.catalog import PENDING, build_catalog, prepare, quoted
from superset_dashboards.environment import GoldAccess

logger = logging.getLogger(__name__)

PENDING_RETRY_SECONDS = 15.0
_CONFIG = {
    "allow_persistent_secrets": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "memory_limit": "2GB",
    "threads": "2",
}


class GoldReader:
    """Hands out cursors of one locked instance. Thread-safe; a forked process opens its own."""

    def __init__(self, access: GoldAccess) -> None:
        self._access = access
        self._lock = threading.Lock()
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._opened: tuple[int, int] | None = None
        self._retry_at = 0.0

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor that can read the gold views and nothing else. Raises StoreError when there is no catalog yet and none can be made."""
        with self._lock:
            if not self._access.catalog.is_file():
                build_catalog(self._access)
            if self._connection is None or self._opened != self._identity():
                self._open()
            if self._retry_at and time.monotonic() >= self._retry_at:
                self._look_for_pending_tables()
            if self._connection is None:
                raise StoreError(f"The catalog {self._access.catalog} could not be opened.")
            return self._connection.cursor()

    def _identity(self) -> tuple[int, int]:
        return os.getpid(), self._access.catalog.stat().st_ino

    def _open(self) -> None:
        """Open a private copy of the catalog and lock it: load, secret, allowed folder, outside access off, configuration locked: in order.

        A copy, because DuckDB hands out the instance it has when the same path is opened again while a query still runs on the old one.
        """
        identity = self._identity()
        with tempfile.TemporaryDirectory(prefix="gold-", dir=self._access.catalog.parent) as folder:
            copy = Path(folder) / "gold.duckdb"
            shutil.copyfile(self._access.catalog, copy)
            connection = duckdb.connect(str(copy), read_only=True, config=_CONFIG)  # stays readable after the folder is gone
        prepare(connection, self._access)
        has_pending = connection.execute(f"SELECT count(*) FROM duckdb_views() WHERE comment = {quoted(PENDING)}").fetchone() != (0,)  # noqa: S608
        connection.execute("SET allowed_directories=['s3://gold/']")
        connection.execute("SET enable_external_access=false")
        connection.execute("SET lock_configuration=true")
        # The old instance is not closed here: queries of other threads may still run on it; it goes with its last cursor.
        self._connection, self._opened = connection, identity
        # Counted from the writing of the catalog: what it found missing at the start of the service may have come long before the first
        # reader.
        age_seconds = max(0.0, time.time() - self._access.catalog.stat().st_mtime)
        self._retry_at = time.monotonic() + PENDING_RETRY_SECONDS - age_seconds if has_pending else 0.0

    def _look_for_pending_tables(self) -> None:
        """Write the catalog again while tables were missing, so that they appear without a restart."""
        self._retry_at = time.monotonic() + PENDING_RETRY_SECONDS
        try:
            build_catalog(self._access)
        except StoreError:
            logger.exception("The catalog could not be renewed; the old one stays.")
            return
        self._open()
