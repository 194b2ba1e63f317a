"""Driving `refine` over Delta: bronze rows not seen yet become silver.posts and silver.rejects, each with its position in its commit."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import pyarrow as pa
import pyarrow.compute as pc
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from assets.silver.increments import Bronze, Increment, increment
from assets.silver.refine import Refined, refine
from assets.silver.versions import latest
from lake_config.registry import Source
from lake_config.settings import author_key_secret
from lake_config.storage import Lake, Provenance, files_by_day
from lake_config.tables.bronze import CONNECTOR_TABLES

Gate = Callable[[str, Mapping[date, pa.Table]], None]
"""Called with a table's name and the rows about to be written, by event day; raises to refuse them all."""
Stamp = Callable[[Mapping[str, int]], Provenance]
"""Makes a commit's provenance from the versions of its inputs."""

_ROWS_AT_ONCE = 50_000
"""Bronze rows held in memory at once, unless a single day has more."""
_TABLES = ("silver.rejects", "silver.posts")
"""In the order of their commits: a post never appears before the rejects of its batch."""


@dataclass
class RefineReport:
    """Rows read from bronze and written to each silver table, and the event days that changed."""

    read: int = 0
    posts: int = 0
    rejects: int = 0
    days: set[date] = field(default_factory=set)

    def add(self, name: str, rows: pa.Table, days: Iterable[date]) -> None:
        """Count rows written to one of the two tables."""
        self.read += rows.num_rows
        self.days.update(days)
        if name == "silver.posts":
            self.posts += rows.num_rows
        else:
            self.rejects += rows.num_rows


def _refined(lake: Lake, parts: Sequence[Increment], sources: Mapping[str, Source]) -> Refined:
    months = {f"{part.day:%Y-%m}" for part in parts}
    keys = {month: author_key_secret(lake.settings, month) for month in sorted(months)}
    done = []
    for bronze in {part.bronze.name: part.bronze for part in parts}.values():
        files = [file for part in parts if part.bronze is bronze for file in part.files]
        done.append(refine(bronze.rows(files).to_dicts(), bronze.connector, sources, keys))
    return Refined(pa.concat_tables(one.posts for one in done), pa.concat_tables(one.rejects for one in done))


def _by_day(rows: pa.Table, days: Iterable[date]) -> dict[date, pa.Table]:
    """The rows of each of the given days, in their order; a day without rows has an empty table."""
    return {day: rows.filter(pc.equal(rows["event_date"], pa.scalar(day, pa.date32()))) for day in sorted(set(days))}


def _chunks(waiting: Mapping[str, Sequence[Increment]]) -> Iterator[dict[str, list[Increment]]]:
    """The increments of both tables, some days at a time."""
    by_day: dict[date, dict[str, list[Increment]]] = {}
    for name, parts in waiting.items():
        for part in parts:
            by_day.setdefault(part.day, {}).setdefault(name, []).append(part)
    chunk: dict[str, list[Increment]] = {name: [] for name in waiting}
    rows = 0
    for day in sorted(by_day):
        more = max(sum(part.row_count for part in parts) for parts in by_day[day].values())
        if rows and rows + more > _ROWS_AT_ONCE:
            yield chunk
            chunk, rows = {name: [] for name in waiting}, 0
        for name, parts in by_day[day].items():
            chunk[name] += parts
        rows += more
    if rows:
        yield chunk


def _reached(target: DeltaTable, parts: Sequence[Increment]) -> dict[str, int | None]:
    """How far a table has taken in bronze, by position id, on the snapshot `target`."""
    return {position: target.transaction_version(position) for part in parts for position in part.positions}


def _refuse_overtaken(name: str, before: Mapping[str, int | None], now: Mapping[str, int | None]) -> None:
    # The commit of an earlier portion brought the snapshot up to date, other runs' commits with it: the store would not refuse this one.
    if any(before[position] != version for position, version in now.items()):
        raise CommitFailedError(f"Another run took in days of {name} meanwhile; run again to take in what is left.")


def refine_days(lake: Lake, days: Sequence[date], sources: Mapping[str, Source], stamp: Stamp, gate: Gate) -> RefineReport:
    """Take in what bronze has new for the given event days: one commit per table for as many days as fit into memory.

    Each table has its own position per connector and day, so a crash between two commits is made good by the next run: nothing lost,
    nothing twice. Two runs on the same day cannot both commit its position: the later one raises deltalake CommitFailedError.
    """
    report = RefineReport()
    bronze = [Bronze(lake, connector) for connector in CONNECTOR_TABLES]
    targets = {name: lake.open(name) for name in _TABLES}
    waiting = {
        name: [part for day in sorted(set(days)) for one in bronze if (part := increment(one, day, at)).files]
        for name, at in targets.items()
    }
    reached = {name: _reached(targets[name], parts) for name, parts in waiting.items()}
    for chunk in _chunks(waiting):
        refined: dict[tuple[tuple[str, ...], ...], Refined] = {}  # the two tables wait for the same files, unless a run died between them
        rows: dict[str, pa.Table] = {}
        for name, parts in chunk.items():
            if parts:
                files = tuple(part.files for part in parts)
                if files not in refined:
                    refined[files] = _refined(lake, parts, sources)
                rows[name] = refined[files].posts if name == "silver.posts" else refined[files].rejects
        for name, table in rows.items():
            gate(name, {day: part for day, part in _by_day(table, (p.day for p in chunk[name])).items() if part.num_rows})
        for name, table in rows.items():
            _refuse_overtaken(name, reached[name], _reached(targets[name], chunk[name]))
            positions = {key: version for part in chunk[name] for key, version in part.positions.items()}
            inputs = {part.bronze.name: part.bronze.version for part in chunk[name]}
            lake.append(targets[name], name, table, stamp(inputs), positions)
            report.add(name, table, (part.day for part in chunk[name]))
    return report


def refresh_days(lake: Lake, days: Sequence[date], sources: Mapping[str, Source], stamp: Stamp, gate: Gate) -> RefineReport:
    """Make event days anew from all of their bronze rows, replacing their silver partitions, some days at a time."""
    report = RefineReport()
    bronze = [Bronze(lake, connector) for connector in CONNECTOR_TABLES]
    targets = {name: lake.open(name) for name in _TABLES}
    parts = [increment(one, day, targets["silver.posts"], is_full=True) for day in sorted(set(days)) for one in bronze]
    reached = {name: _reached(at, parts) for name, at in targets.items()}
    for chunk in _chunks({"silver.posts": parts}):
        taken = chunk["silver.posts"]
        refined = _refined(lake, taken, sources)
        positions = {key: version for part in taken for key, version in part.positions.items()}
        provenance = stamp({one.name: one.version for one in bronze})
        tables = {"silver.rejects": refined.rejects, "silver.posts": refined.posts}
        by_day = {name: _by_day(table, (part.day for part in taken)) for name, table in tables.items()}
        for name in _TABLES:
            gate(name, {day: rows for day, rows in by_day[name].items() if rows.num_rows})
        for name in _TABLES:
            _refuse_overtaken(name, reached[name], _reached(targets[name], taken))
            lake.overwrite_days(targets[name], name, by_day[name], provenance, positions)
            report.add(name, tables[name], (part.day for part in taken))
    return report


def compact_days(lake: Lake, days: Sequence[date], stamp: Stamp) -> dict[date, int]:
    """Rewrite each day that has older versions or several files to the latest version per post; returns rows dropped per rewritten day."""
    dropped: dict[date, int] = {}
    at = lake.open("silver.posts")
    for day in days:
        files = files_by_day(at).get(day, {})
        rows = lake.read("silver.posts", files)
        kept = latest(rows)
        if len(files) > 1 or len(kept) < len(rows):
            lake.overwrite_day(at, "silver.posts", day, kept.to_arrow(), stamp({"silver.posts": at.version()}), {})
            dropped[day] = len(rows) - len(kept)
    return dropped
