"""Event days as Dagster partition ranges. Pure.

Belongs here: which ranges of days a run should cover. Not here: who asks for them (sensors.py, pipeline.py).
"""

from collections.abc import Iterable
from datetime import date, timedelta

import dagster as dg

RANGE_START, RANGE_END = "dagster/asset_partition_range_start", "dagster/asset_partition_range_end"
_LONGEST_DAYS = 92
_BRIDGED_DAYS = 2
"""Gaps up to this many days are run along: a day with nothing new costs less than a run of its own."""


def ranges(days: Iterable[date]) -> list[tuple[date, date]]:
    """The days as few ranges (first, last), both included, in order."""
    found: list[tuple[date, date]] = []
    for day in sorted(set(days)):
        if found and day - found[-1][1] <= timedelta(days=_BRIDGED_DAYS + 1) and day - found[-1][0] < timedelta(days=_LONGEST_DAYS):
            found[-1] = (found[-1][0], day)
        else:
            found.append((day, day))
    return found


def range_tags(first: date, last: date) -> dict[str, str]:
    """The run tags by which Dagster covers a range of event days in one run."""
    return {RANGE_START: first.isoformat(), RANGE_END: last.isoformat()}


def run_request(first: date, last: date, run_key: str) -> dg.RunRequest:
    """A request for one run over a range of event days."""
    return dg.RunRequest(run_key=run_key, tags=range_tags(first, last))
