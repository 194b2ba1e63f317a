"""Writing tables that are overwritten by event day, and reading rows by day. Belongs here: what silver and gold share of it."""

from collections.abc import Mapping
from datetime import date

import polars as pl
import pyarrow as pa

from assets.silver.posts import Gate, Stamp
from lake_config.storage import Lake
from lake_config.tables import TABLES


class PerDay(dict[date, pl.DataFrame]):
    """Rows by their event_date; a day without rows has an empty frame."""

    def __init__(self, rows: pl.DataFrame):
        super().__init__({part["event_date"][0]: part for part in rows.partition_by("event_date")})
        self._empty = rows.clear()

    def __missing__(self, day: date) -> pl.DataFrame:
        return self._empty


def publish(lake: Lake, name: str, by_day: Mapping[date, pa.Table], stamp: Stamp, inputs: Mapping[str, int], gate: Gate) -> list[date]:
    """Pass the days that changed through the gate, then replace them in one commit; returns them.

    A day that already holds exactly these rows is left alone: they passed when they were written, and there is no new version without a
    change.
    """
    at = lake.open(name)
    key = list(TABLES[name].key)
    held = PerDay(lake.days(name, by_day, at=at))
    changed = {day: rows for day, rows in by_day.items() if not held[day].sort(key).equals(pl.DataFrame(pl.from_arrow(rows)).sort(key))}
    if changed:
        gate(name, changed)
        lake.overwrite_days(at, name, changed, stamp(inputs), {})
    return sorted(changed)
