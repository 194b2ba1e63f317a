"""Health of sources and coverage by event day. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.gold.figures import SOURCE_KIND_NAMES
from lake_config.registry import Source

ALIVE = ("ok", "not_modified")


@dataclass(frozen=True)
class DayRows:
    """What a day's health is counted from.

    `posts` (source_id, fetched_at) the kept posts, `landed` and `rejects` (source_id) the bronze rows and rejects, `log` (source_id,
    outcome) the fetch attempts of that local day.
    """

    posts: pl.DataFrame
    landed: pl.DataFrame
    rejects: pl.DataFrame
    log: pl.DataFrame


def source_health(day: date, collected: Iterable[Source], known: Mapping[str, Source], rows: DayRows) -> pl.DataFrame:
    """Rows of gold.source_daily for one day.

    `collected` are the sources collected and valid that day; those of them marked expected always appear, others where rows name them.
    `known` are all sources of the registry: one that is no longer collected keeps its name and kind on the days it spoke.
    """
    posts, log = rows.posts, rows.log
    per_source = {
        "mentions": _count(posts),
        "landed": _count(rows.landed),
        "rejected": _count(rows.rejects),
        "fetch_attempts": _count(log),
        "fetch_failures": _count(log.filter(~pl.col("outcome").is_in(ALIVE))),
    }
    fetched = dict(posts.group_by("source_id").agg(pl.col("fetched_at").max()).iter_rows())
    expected = {source.id for source in collected if source.expected}
    made = []
    for source_id in sorted(expected.union(*per_source.values())):
        source = known.get(source_id)
        counts = {name: values.get(source_id, 0) for name, values in per_source.items()}
        kind = source.kind if source else "unknown"
        made.append(
            counts
            | {
                "event_date": day,
                "source_id": source_id,
                "source_name": source.name if source else source_id,
                "source_kind": kind,
                "source_kind_name": SOURCE_KIND_NAMES.get(kind, kind),
                "last_fetched_at": fetched.get(source_id),
                "is_expected": source_id in expected,
                "is_live": counts["mentions"] > 0 or counts["fetch_attempts"] > counts["fetch_failures"],
            }
        )
    return pl.DataFrame(made, infer_schema_length=None)


def _count(rows: pl.DataFrame) -> dict[str, int]:
    return dict(rows.group_by("source_id").len().iter_rows())


def coverage(health: pl.DataFrame) -> pl.DataFrame:
    """expected_sources, live_sources and coverage_share by source_kind, from rows of gold.source_daily."""
    expected = pl.col("is_expected")
    counted = health.group_by("source_kind").agg(
        expected_sources=expected.sum().cast(pl.Int64), live_sources=(expected & pl.col("is_live")).sum().cast(pl.Int64)
    )
    share = pl.when(pl.col("expected_sources") > 0).then(pl.col("live_sources") / pl.col("expected_sources"))
    return counted.with_columns(coverage_share=share.cast(pl.Float64))
