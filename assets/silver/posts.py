"""Driving `refine` over Delta: bronze rows not seen yet become silver.posts and silver.rejects, each with its position in its commit."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa

from assets.silver.increments import Increment, increment, position_id
from assets.silver.refine import Refined, refine
from assets.silver.versions import latest
from lake_config.registry import Source
from lake_config.settings import author_key_secret
from lake_config.storage import Lake, Provenance, day_files
from lake_config.tables.bronze import CONNECTOR_TABLES

Gate = Callable[[str, Mapping[date, pa.Table]], None]
"""Called with a table's name and the rows about to be written, by event day; raises to refuse them all."""
Stamp = Callable[[Mapping[str, int]], Provenance]
"""Makes a commit's provenance from the versions of its inputs."""

_FLUSH_ROWS = 50_000
"""Rows held in memory before they are checked and written."""


@dataclass
class RefineReport:
    """Rows read from bronze and written to each silver table, and the event days that changed."""

    read: int = 0
    posts: int = 0
    rejects: int = 0
    days: set[date] = field(default_factory=set)


@dataclass(frozen=True)
class _Write:
    """Rows for one day of one table, and the position they were read from and reach."""

    table: str
    day: date
    rows: pa.Table
    since: int | None
    part: Increment


def _refined(lake: Lake, part: Increment, day: date, sources: Mapping[str, Source]) -> Refined:
    month = f"{day:%Y-%m}"
    keys = {month: author_key_secret(lake.settings, month)}
    return refine(part.rows().to_dicts(), part.connector, sources, keys)


def _writes(lake: Lake, day: date, connector: str, sources: Mapping[str, Source]) -> Iterator[_Write]:
    """What the two tables have still to take in. Rejects go first: a post never appears before the rejects of its batch."""
    rejects_at, posts_at = lake.open("silver.rejects"), lake.open("silver.posts")
    position = position_id(connector, day)
    for_rejects, for_posts = increment(lake, connector, day, rejects_at), increment(lake, connector, day, posts_at)
    refined = _refined(lake, for_posts, day, sources) if for_posts.files else None
    if for_rejects.files:
        same = refined is not None and for_rejects.files == for_posts.files
        rejects = (refined if same and refined else _refined(lake, for_rejects, day, sources)).rejects
        yield _Write("silver.rejects", day, rejects, rejects_at.transaction_version(position), for_rejects)
    if refined is not None:
        yield _Write("silver.posts", day, refined.posts, posts_at.transaction_version(position), for_posts)


def _flush(lake: Lake, writes: Sequence[_Write], stamp: Stamp, gate: Gate, report: RefineReport) -> None:
    for name in ("silver.rejects", "silver.posts"):
        by_day: dict[date, list[pa.Table]] = {}
        for write in writes:
            if write.table == name:
                by_day.setdefault(write.day, []).append(write.rows)
        gate(name, {day: pa.concat_tables(parts) for day, parts in by_day.items()})
    for write in writes:
        at = lake.open(write.table)
        if at.transaction_version(position_id(write.part.connector, write.day)) != write.since:
            continue  # another run took these rows in meanwhile
        inputs = {f"bronze.{write.part.connector}": write.part.version}
        lake.append(at, write.table, write.rows, stamp(inputs), write.part.positions)
        report.days.add(write.day)
        if write.table == "silver.posts":
            report.posts += write.rows.num_rows
        else:
            report.rejects += write.rows.num_rows
    report.read = report.posts + report.rejects


def refine_days(lake: Lake, days: Sequence[date], sources: Mapping[str, Source], stamp: Stamp, gate: Gate) -> RefineReport:
    """Take in what bronze has new for the given event days.

    Each table has its own position per connector and day, so a crash between two commits is made good by the next run: nothing lost,
    nothing twice. Two runs on the same day cannot both commit a position: the later one raises deltalake CommitFailedError or skips.
    """
    report = RefineReport()
    pending: list[_Write] = []
    for day in days:
        for connector in CONNECTOR_TABLES:
            pending.extend(_writes(lake, day, connector, sources))
        if sum(write.rows.num_rows for write in pending) >= _FLUSH_ROWS:
            _flush(lake, pending, stamp, gate, report)
            pending = []
    _flush(lake, pending, stamp, gate, report)
    return report


def refresh_day(lake: Lake, day: date, sources: Mapping[str, Source], stamp: Stamp, gate: Gate) -> RefineReport:
    """Make an event day anew from all of its bronze rows, replacing its silver partitions."""
    rejects_at, posts_at = lake.open("silver.rejects"), lake.open("silver.posts")
    parts = [increment(lake, connector, day, posts_at, is_full=True) for connector in CONNECTOR_TABLES]
    refined = [_refined(lake, part, day, sources) for part in parts]
    posts = pa.concat_tables([one.posts for one in refined])
    rejects = pa.concat_tables([one.rejects for one in refined])
    positions = {name: version for part in parts for name, version in part.positions.items()}
    provenance = stamp({f"bronze.{part.connector}": part.version for part in parts})
    gate("silver.rejects", {day: rejects})
    gate("silver.posts", {day: posts})
    lake.overwrite_day(rejects_at, "silver.rejects", day, rejects, provenance, positions)
    lake.overwrite_day(posts_at, "silver.posts", day, posts, provenance, positions)
    return RefineReport(posts.num_rows + rejects.num_rows, posts.num_rows, rejects.num_rows, {day})


def compact_days(lake: Lake, days: Sequence[date], stamp: Stamp) -> dict[date, int]:
    """Rewrite each day that has older versions or several files to the latest version per post; returns rows dropped per rewritten day."""
    dropped: dict[date, int] = {}
    for day in days:
        at = lake.open("silver.posts")
        files = day_files(at, day)
        rows = lake.day("silver.posts", day, at=at)
        kept = latest(rows)
        if len(files) > 1 or len(kept) < len(rows):
            lake.overwrite_day(at, "silver.posts", day, kept.to_arrow(), stamp({"silver.posts": at.version()}), {})
            dropped[day] = len(rows) - len(kept)
    return dropped
