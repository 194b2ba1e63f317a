"""Which bronze files a silver table has not seen yet, for one connector and event day."""

from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from lake_config.storage import Lake, day_files, read_files
from lake_config.tables import TABLES


@dataclass(frozen=True)
class Increment:
    """Bronze files added between the version a silver table last committed and the newest one.

    `positions` is what the silver commit that takes them in must carry.
    """

    connector: str
    table: DeltaTable
    files: tuple[str, ...]
    version: int
    positions: dict[str, int]

    def rows(self) -> pl.DataFrame:
        """The bronze rows, in the envelope schema, in the order they were received."""
        frame = read_files(self.table, TABLES[f"bronze.{self.connector}"], self.files)
        return frame.sort("fetched_at", "batch_id", "row_number")


def position_id(connector: str, day: date) -> str:
    """The transaction id under which a silver table keeps how far it has read a connector's bronze for a day."""
    return f"{connector}/{day.isoformat()}"


def increment(lake: Lake, connector: str, day: date, target: DeltaTable, *, is_full: bool = False) -> Increment:
    """What `target` has still to take in; everything of the day with `is_full` or when it has taken in nothing yet."""
    bronze = lake.open(f"bronze.{connector}")
    since = None if is_full else target.transaction_version(position_id(connector, day))
    files = set(day_files(bronze, day))
    if since is not None and since < bronze.version():
        files -= set(day_files(lake.open(f"bronze.{connector}", since), day))
    elif since is not None:
        files = set()
    version = bronze.version()
    return Increment(connector, bronze, tuple(sorted(files)), version, {position_id(connector, day): version})
