"""Which bronze files a silver table has not seen yet, for one connector and event day."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl
from deltalake import DeltaTable

from lake_config.storage import Lake, files_by_day


class Bronze:
    """One snapshot of a connector's bronze table, and the earlier ones it is compared with, each read once."""

    def __init__(self, lake: Lake, connector: str):
        self.lake, self.connector = lake, connector
        self.name = f"bronze.{connector}"
        table = lake.open(self.name)
        self.version = table.version()
        self._files: dict[int, dict[date, dict[str, int]]] = {self.version: files_by_day(table)}

    def files(self, day: date, version: int | None = None) -> dict[str, int]:
        """Files of an event day with their number of rows, in this snapshot or an earlier version."""
        at = self.version if version is None else version
        if at not in self._files:
            self._files[at] = files_by_day(self.lake.open(self.name, at))
        return self._files[at].get(day, {})

    def rows(self, files: Iterable[str]) -> pl.DataFrame:
        """The bronze rows of these files, in the envelope schema, in the order they were received."""
        return self.lake.read(self.name, files).sort("fetched_at", "batch_id", "row_number")


@dataclass(frozen=True)
class Increment:
    """Bronze files of one connector and event day that a silver table has still to take in, and the number of their rows."""

    bronze: Bronze
    day: date
    files: tuple[str, ...]
    row_count: int

    @property
    def positions(self) -> dict[str, int]:
        """What the silver commit that takes the files in must carry."""
        return {position_id(self.bronze.connector, self.day): self.bronze.version}


def position_id(connector: str, day: date) -> str:
    """The transaction id under which a silver table keeps how far it has read a connector's bronze for a day."""
    return f"{connector}/{day.isoformat()}"


def increment(bronze: Bronze, day: date, target: DeltaTable, *, is_full: bool = False) -> Increment:
    """What `target` has still to take in; everything of the day with `is_full` or when it has taken in nothing yet."""
    since = None if is_full else target.transaction_version(position_id(bronze.connector, day))
    files = bronze.files(day)
    if since is not None:
        # A position ahead of this snapshot: another run has taken in more meanwhile.
        known = files if since >= bronze.version else bronze.files(day, since)
        files = {file: rows for file, rows in files.items() if file not in known}
    return Increment(bronze, day, tuple(sorted(files)), sum(files.values()))
