"""Driving `refine` over Delta: bronze rows not seen yet become silver.posts and silver.rejects, each with its position in its commit."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import pyarrow as pa

from assets.silver.increments import Increment, increment
from assets.silver.refine import Refined, refine
from assets.silver.versions import latest
from lake_config.registry import Source
from lake_config.settings import author_key_secret
from lake_config.storage import Lake, Provenance, day_files
from lake_config.tables.bronze import CONNECTOR_TABLES

Gate = Callable[[str, date, pa.Table], None]
"""Called with table name, event day and the rows about to be written; raises to refuse them."""


@dataclass(frozen=True)
class RefineReport:
    """Rows read from bronze and written to each silver table for one event day."""

    day: date
    read: int
    posts: int
    rejects: int


def _refined(lake: Lake, part: Increment, day: date, sources: Mapping[str, Source]) -> Refined:
    month = f"{day:%Y-%m}"
    keys = {month: author_key_secret(lake.settings, month)}
    return refine(part.rows().to_dicts(), part.connector, sources, keys)


def refine_day(
    lake: Lake, day: date, sources: Mapping[str, Source], provenance: Callable[[Mapping[str, int]], Provenance], gate: Gate
) -> RefineReport:
    """Take in what bronze has new for an event day.

    Each table has its own position, so that a crash between the two commits is made good by the next run: nothing lost, nothing twice.
    Rejects go first: a post never appears before the rejects of its batch.
    """
    read = written_posts = written_rejects = 0
    for connector in CONNECTOR_TABLES:
        rejects_at, posts_at = lake.open("silver.rejects"), lake.open("silver.posts")
        for_rejects = increment(lake, connector, day, rejects_at)
        for_posts = increment(lake, connector, day, posts_at)
        if not for_rejects.files and not for_posts.files:
            continue
        refined = _refined(lake, for_posts if for_posts.files else for_rejects, day, sources)
        if for_rejects.files:
            rejects = (refined if for_rejects.files == for_posts.files else _refined(lake, for_rejects, day, sources)).rejects
            gate("silver.rejects", day, rejects)
            lake.append(rejects_at, "silver.rejects", rejects, provenance({connector: for_rejects.version}), for_rejects.positions)
            written_rejects += rejects.num_rows
        if for_posts.files:
            gate("silver.posts", day, refined.posts)
            lake.append(posts_at, "silver.posts", refined.posts, provenance({connector: for_posts.version}), for_posts.positions)
            written_posts += refined.posts.num_rows
        read += refined.posts.num_rows + refined.rejects.num_rows
    return RefineReport(day, read, written_posts, written_rejects)


def refresh_day(
    lake: Lake, day: date, sources: Mapping[str, Source], provenance: Callable[[Mapping[str, int]], Provenance], gate: Gate
) -> RefineReport:
    """Make an event day anew from all of its bronze rows, replacing its silver partitions."""
    posts_at, rejects_at = lake.open("silver.posts"), lake.open("silver.rejects")
    parts = [increment(lake, connector, day, posts_at, is_full=True) for connector in CONNECTOR_TABLES]
    refined = [_refined(lake, part, day, sources) for part in parts]
    posts = pa.concat_tables([one.posts for one in refined])
    rejects = pa.concat_tables([one.rejects for one in refined])
    positions = {name: version for part in parts for name, version in part.positions.items()}
    stamp = provenance({part.connector: part.version for part in parts})
    gate("silver.rejects", day, rejects)
    gate("silver.posts", day, posts)
    lake.overwrite_day(rejects_at, "silver.rejects", day, rejects, stamp, positions)
    lake.overwrite_day(posts_at, "silver.posts", day, posts, stamp, positions)
    return RefineReport(day, posts.num_rows + rejects.num_rows, posts.num_rows, rejects.num_rows)


def compact_days(lake: Lake, days: Sequence[date], provenance: Callable[[Mapping[str, int]], Provenance]) -> dict[date, int]:
    """Rewrite each day that has older versions or several files to the latest version per post; returns rows dropped per rewritten day."""
    dropped: dict[date, int] = {}
    for day in days:
        at = lake.open("silver.posts")
        files = day_files(at, day)
        rows = lake.day("silver.posts", day, at=at)
        kept = latest(rows)
        if len(files) > 1 or len(kept) < len(rows):
            lake.overwrite_day(at, "silver.posts", day, kept.to_arrow(), provenance({"silver.posts": at.version()}), {})
            dropped[day] = len(rows) - len(kept)
    return dropped
