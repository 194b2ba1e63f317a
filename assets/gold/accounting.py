"""The account of one event day: landed = kept + superseded + duplicate + rejected + withdrawn, each side measured where it lies. Pure."""

from collections.abc import Collection, Mapping
from datetime import date

import polars as pl

from assets.silver.versions import account, latest
from lake_config.registry import Source
from lake_config.tables.bronze import CONNECTOR_TABLES
from ml.normalise import post_key

_ROW = ["connector", "batch_id", "row_number"]


def accepted_versions(landed: pl.DataFrame, rejects: pl.DataFrame, sources: Mapping[str, Source]) -> pl.DataFrame:
    """The landed bronze rows that were not rejected, with the post_key each belongs to."""
    accepted = landed.join(rejects.select(_ROW), on=_ROW, how="anti")
    platforms = {source_id: source.platform for source_id, source in sources.items()}
    pairs = accepted.select("source_id", "native_id").iter_rows()
    keys = [post_key(platforms.get(source_id, source_id), native_id) for source_id, native_id in pairs]
    return accepted.with_columns(pl.Series("post_key", keys, dtype=pl.String))


def accounting_rows(
    day: date,
    landed: pl.DataFrame,
    rejects: pl.DataFrame,
    posts: pl.DataFrame,
    sources: Mapping[str, Source],
    withdrawn: Collection[str] = (),
) -> pl.DataFrame:
    """Rows of gold.accounting for one day, one per connector with rows.

    `landed` counts bronze rows, `rejected` rows of silver.rejects, `kept` the latest of the `posts`, which hold none of the `withdrawn`
    post keys; superseded, duplicate and withdrawn come from comparing the versions of the landed rows that were not rejected. So the
    equation holds only if silver agrees with bronze.
    """
    versions = account(accepted_versions(landed, rejects, sources), withdrawn)
    by = {row["connector"]: row for row in versions.iter_rows(named=True)}
    kept = dict(latest(posts).group_by("connector").len().iter_rows()) if len(posts) else {}
    landed_counts = dict(landed.group_by("connector").len().iter_rows())
    rejected_counts = dict(rejects.group_by("connector").len().iter_rows())
    rows = [
        {
            "event_date": day,
            "connector": connector,
            "landed": landed_counts.get(connector, 0),
            "kept": kept.get(connector, 0),
            "superseded": by[connector]["superseded"] if connector in by else 0,
            "duplicate": by[connector]["duplicate"] if connector in by else 0,
            "rejected": rejected_counts.get(connector, 0),
            "withdrawn": by[connector]["withdrawn"] if connector in by else 0,
        }
        for connector in CONNECTOR_TABLES
        if connector in landed_counts or connector in kept or connector in rejected_counts
    ]
    return pl.DataFrame(rows, schema_overrides={"event_date": pl.Date})
