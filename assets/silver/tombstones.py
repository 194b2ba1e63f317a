"""Deletion notices: what a provider withdrew, and so is not counted, labelled or shown any more, on whatever day and by whatever connector.

A notice is a bronze row whose payload_format ends in DELETION (assets/bronze/export_rows.py). Each becomes a row of silver.tombstones;
readers leave out every post that one names. Notices are taken in for all days at once, before any day is refined: a day made anew for a
notice's sake must not be made before the notice is known. The text itself stays in bronze and silver until it is erased.
"""

from collections.abc import Collection, Iterable, Mapping
from datetime import date

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from assets.bronze.export_rows import DELETION
from assets.silver.posts import Gate, Stamp
from lake_config.registry import Source
from lake_config.storage import Lake
from lake_config.tables.bronze import CONNECTOR_TABLES
from lake_config.tables.silver import TOMBSTONES as TABLE
from ml.normalise import post_key

TOMBSTONES = TABLE.name
NOTICING = ("exports", "provider_push")
"""Connectors by which notices come."""
_COLUMNS = ("event_date", "source_id", "native_id", "batch_id", "row_number", "payload_sha256", "fetched_at", "payload_format")
_FILES_AT_ONCE = 500
_QUIET_COMMITS = 20
"""Without notices the position is moved on only so often: each move is a commit."""
_TRIES = 10


def notices(lake: Lake, connector: str, files: Iterable[str]) -> pl.DataFrame:
    """The deletion notices among the rows of these bronze files, without their payload."""
    listed = sorted(files)
    parts = [
        lake.read(f"bronze.{connector}", listed[start : start + _FILES_AT_ONCE], _COLUMNS).filter(
            pl.col("payload_format").str.ends_with(DELETION)
        )
        for start in range(0, max(len(listed), 1), _FILES_AT_ONCE)
    ]
    return pl.concat(parts)


def named_posts(found: pl.DataFrame, sources: Mapping[str, Source]) -> list[str]:
    """The post_key that each notice names. A source that the registry has forgotten is its own platform."""
    platforms = {source_id: source.platform for source_id, source in sources.items()}
    pairs = found.select("source_id", "native_id").iter_rows()
    return [post_key(platforms.get(source_id, source_id), native_id) for source_id, native_id in pairs]


def tombstone_rows(found: pl.DataFrame, connector: str, sources: Mapping[str, Source]) -> pa.Table:
    """The notices of a connector in the schema of silver.tombstones. Pure."""
    platforms = [sources[source_id].platform if source_id in sources else source_id for source_id in found["source_id"]]
    rows = found.with_columns(
        connector=pl.lit(connector),
        post_key=pl.Series(named_posts(found, sources), dtype=pl.String),
        platform=pl.Series(platforms, dtype=pl.String),
    )
    return rows.select(TABLE.schema.names).to_arrow().cast(TABLE.schema)


def take_in_notices(lake: Lake, sources: Mapping[str, Source], stamp: Stamp, gate: Gate) -> int:
    """Take in the notices that bronze has and silver.tombstones lacks, of all days; returns how many were new.

    Rows and positions are one commit, so that each notice is taken in once, whatever dies; another run that does the same is waited out.
    """
    for _ in range(_TRIES):
        try:
            return _take_in(lake, sources, stamp, gate)
        except CommitFailedError:
            continue
    raise CommitFailedError(f"Other runs committed to {TOMBSTONES} {_TRIES} times meanwhile; run again.")


def _take_in(lake: Lake, sources: Mapping[str, Source], stamp: Stamp, gate: Gate) -> int:
    at = lake.open(TOMBSTONES)
    parts, positions, inputs, is_due = [TABLE.schema.empty_table()], dict[str, int](), dict[str, int](), False
    for connector in NOTICING:
        name, position = f"bronze.{connector}", f"notices/{connector}"
        bronze, since = lake.open(name), at.transaction_version(position)
        version = bronze.version()
        if since is not None and since >= version:
            continue
        found = notices(lake, connector, lake.files_added(name, since, bronze))
        parts.append(tombstone_rows(found, connector, sources))
        positions[position] = inputs[name] = version
        is_due = is_due or len(found) > 0 or version - (since or 0) >= _QUIET_COMMITS
    rows = pa.concat_tables(parts)
    if rows.num_rows:
        gate(TOMBSTONES, _by_day(rows))
    if is_due:
        lake.append(at, TOMBSTONES, rows, stamp(inputs), positions)
    return int(rows.num_rows)


def _by_day(rows: pa.Table) -> dict[date, pa.Table]:
    days = sorted(set(rows["event_date"].to_pylist()))
    return {day: rows.filter(pc.equal(rows["event_date"], pa.scalar(day, pa.date32()))) for day in days}


def withdrawn_keys(lake: Lake, at: DeltaTable | None = None) -> frozenset[str]:
    """The post_keys of all tombstones, at the latest version or on the snapshot `at`."""
    table = at or lake.open(TOMBSTONES)
    return frozenset(lake.read(TOMBSTONES, table.file_uris(), ["post_key"])["post_key"])


def standing(posts: pl.DataFrame, withdrawn: Collection[str]) -> pl.DataFrame:
    """The rows of silver.posts whose post was not withdrawn."""
    return posts.filter(~pl.col("post_key").is_in(list(withdrawn))) if withdrawn else posts


def days_of_withdrawn(lake: Lake, connector: str, since: int | None, at: DeltaTable, sources: Mapping[str, Source]) -> set[date]:
    """The event days that hold rows of posts named by notices which the commits after version `since` of a connector's bronze brought.

    A provider's notice need not say when its post was published. Reads three columns of all of bronze, and only when there are notices.
    """
    if connector not in NOTICING or (since is not None and since >= at.version()):
        return set()
    found = notices(lake, connector, lake.files_added(f"bronze.{connector}", since, at))
    if found.is_empty():
        return set()
    wanted, ids = set(named_posts(found, sources)), pads.field("native_id").isin(found["native_id"].unique().to_list())
    days: set[date] = set()
    for name in CONNECTOR_TABLES:
        dataset = lake.open(f"bronze.{name}").to_pyarrow_dataset()
        rows = pl.DataFrame(pl.from_arrow(dataset.to_table(columns=["source_id", "native_id", "event_date"], filter=ids)))
        days |= {day for day, key in zip(rows["event_date"], named_posts(rows, sources), strict=True) if key in wanted}
    return days
