"""What sources brought in the weeks before a day, gathered for the judgement of that day. Pure.

Belongs here: rows of gold.source_hourly and gold.source_daily by day -> arrays. Not here: the judgement (findings.py).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl

from assets.gold.expectation import HISTORY_DAYS
from assets.gold.findings import Past
from lake_config.registry import Source

HOURLY = ("event_date", "event_hour", "source_id", "mentions")
DAILY = ("event_date", "source_id", "mentions", "fetch_attempts", "fetch_failures", "is_live")
_ASKED_BEFORE = timedelta(days=7)
_OFTEN_MINUTES = 90
"""A quiet feed is left alone for up to eight times its poll_minutes (assets.bronze.fetching.polling): twelve hours here."""


@dataclass
class History:
    """Rows of the two tables (columns HOURLY and DAILY) by event day; days are added as they are judged, oldest first."""

    hourly: dict[date, pl.DataFrame] = field(default_factory=dict)
    daily: dict[date, pl.DataFrame] = field(default_factory=dict)

    def asked(self, day: date) -> set[str]:
        """The sources that answered on a day."""
        rows = self.daily.get(day)
        return set() if rows is None else set(rows.filter(pl.col("fetch_attempts") > pl.col("fetch_failures"))["source_id"])

    def not_asked(self, day: date, asked_today: Collection[str], sources: Iterable[Source]) -> frozenset[str]:
        """Polled sources that answered on one of the seven days before and were not asked on the day itself.

        One that is polled so seldom that a quiet day may pass between two polls is left out.
        """
        before = set().union(*(self.asked(day - timedelta(days=back)) for back in range(1, _ASKED_BEFORE.days + 1)))
        often = {source.id for source in sources if source.url is not None and (source.poll_minutes or 0) <= _OFTEN_MINUTES}
        return frozenset((before & often) - set(asked_today))

    def past(self, day: date, sources: Iterable[Source], answered: Mapping[str, bool]) -> Past:
        """The past of the expected sources up to a day, whose hourly rows are already here; `answered` says who did on that day.

        A polled source is known on the days it answered, for an unasked day says nothing; one that delivers files from its first post on.
        """
        chosen = sorted((source for source in sources if source.expected), key=lambda source: source.id)
        ids = [source.id for source in chosen]
        at = pl.DataFrame({"source_id": ids, "at": range(len(ids))}, schema={"source_id": pl.String, "at": pl.Int64})
        counts = np.zeros((len(ids), HISTORY_DAYS + 1, 24), dtype=np.int64)
        asked, dead = np.zeros(counts.shape[:2], dtype=bool), np.zeros(counts.shape[:2], dtype=bool)
        for number in range(HISTORY_DAYS + 1):
            then = day - timedelta(days=HISTORY_DAYS - number)
            if then in self.hourly:
                rows = self.hourly[then].join(at, on="source_id")
                counts[rows["at"].to_numpy(), number, rows["event_hour"].to_numpy()] = rows["mentions"].to_numpy()
            if then in self.daily and then != day:
                rows = self.daily[then].join(at, on="source_id")
                answers = (rows["fetch_attempts"] > rows["fetch_failures"]).to_numpy()
                asked[rows["at"].to_numpy(), number] = answers
                dead[rows["at"].to_numpy(), number] = answers & ~rows["is_live"].to_numpy() & (rows["mentions"] == 0).to_numpy()
        asked[:, -1] = [answered.get(source_id, False) for source_id in ids]
        is_delivered = np.array([source.url is None for source in chosen], dtype=bool)
        since_first = np.maximum.accumulate(counts.sum(axis=2) > 0, axis=1)
        asked[is_delivered] = since_first[is_delivered]
        return Past(ids, counts, asked, dead)
