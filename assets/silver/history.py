"""The edit history of a post: every version of its words, from the raw rows that bronze keeps for ever.

silver.posts is compacted to the latest version; what it said before is read anew from bronze, masked as ever. Belongs here: the reading of
one post. Not here: which version is the post (versions.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from assets.silver.refine import refine
from assets.silver.tombstones import withdrawn_keys
from lake_config.registry import Source
from lake_config.settings import author_key_secret
from lake_config.storage import Lake
from lake_config.tables.bronze import CONNECTOR_TABLES
from ml.normalise import post_key as key_of


@dataclass(frozen=True)
class Version:
    """What a post said from `fetched_at` (UTC) on, until the next version; the bronze row that proves it."""

    fetched_at: datetime
    connector: str
    batch_id: str
    row_number: int
    content_key: str
    title: str | None
    text: str


def edit_history(lake: Lake, post_key: str, event_date: date, sources: Mapping[str, Source]) -> list[Version]:
    """The versions of a post in the order they were received, each text once where it did not change in between.

    `event_date` is the post's day in silver.posts, under which all its versions lie. Empty for a post that bronze does not hold on that
    day, and for one that was withdrawn.
    """
    if post_key in withdrawn_keys(lake):
        return []
    secret = {f"{event_date:%Y-%m}": author_key_secret(lake.settings, f"{event_date:%Y-%m}")}
    found: list[Version] = []
    for connector in CONNECTOR_TABLES:
        names = lake.day(f"bronze.{connector}", event_date, ["source_id", "native_id"]).unique()
        ids = [name for source, name in names.iter_rows() if source in sources and key_of(sources[source].platform, name) == post_key]
        if not ids:
            continue
        rows = lake.day(f"bronze.{connector}", event_date).filter(pl.col("native_id").is_in(ids))
        posts = pl.DataFrame(pl.from_arrow(refine(rows.to_dicts(), connector, sources, secret).posts)).filter(post_key=post_key)
        found += [Version(**row) for row in posts.select(Version.__dataclass_fields__.keys()).to_dicts()]
    found.sort(key=lambda one: (one.fetched_at, one.batch_id, one.row_number))
    return [one for before, one in zip([None, *found], found, strict=False) if before is None or _differs(before, one)]


def _differs(before: Version, after: Version) -> bool:
    return (before.connector, before.content_key) != (after.connector, after.content_key)
