"""The connector for export files: everything dropped under landing/exports/<source id>/ becomes bronze rows, exactly once.

Each file's position (rows landed so far) is a transaction id of the bronze table, committed with the rows, so a file of any size is taken
in chunks and goes on after a crash where it stopped.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from datetime import date
from itertools import islice
from typing import Any
from urllib.parse import unquote

import polars as pl
import pyarrow.dataset as pads
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError
from minio.datatypes import Object as S3Object

from assets.bronze.envelope import Batch, FetchAttempt, Item
from assets.bronze.export_packing import ENDINGS, ending_of, rows_of_file
from assets.bronze.export_rows import parse_row, row_items
from assets.bronze.landing import Clock, CollectReport, land, log_attempts, utc_now
from lake_config.errors import BadInputError
from lake_config.registry import Source
from lake_config.storage import Lake, Provenance

CONNECTOR = "exports"
BUCKET, PREFIX = "landing", "exports/"
MAP_METADATA = "column-map"
"""User metadata of a landing object: its column map as URL-quoted JSON."""
_CHUNK_ROWS = 50_000


def _rows(payloads: Iterable[bytes], payload_format: str, context: Mapping[str, Any]) -> Iterator[tuple[bytes, dict[str, Any]]]:
    for payload in payloads:
        try:
            yield payload, parse_row(payload, payload_format, context)
        except (ValueError, TypeError, RecursionError):
            yield payload, {}  # silver says why; the row stays


def _items(source: Source, listed: S3Object, data: bytes, given: Mapping[str, str] | None) -> Iterator[Item]:
    """The rows of a file as items."""
    payload_format, raw_context, payloads = rows_of_file(str(listed.object_name), data, given)
    rows = _rows(payloads, payload_format, json.loads(raw_context))
    return row_items(source.id, rows, payload_format, raw_context, listed.etag)


def first_days(table: DeltaTable, source_ids: Iterable[str], native_ids: Iterable[str]) -> dict[str, date]:
    """The event day under which each of these native ids was first landed by these sources; ids never landed are left out.

    Cost grows with the history of the exports table (two string columns are scanned), once per chunk of a file.
    """
    wanted = pl.Series("native_id", list(set(native_ids)), dtype=pl.String)
    columns = ["native_id", "event_date", "fetched_at", "row_number"]
    scan = table.to_pyarrow_dataset().scanner(columns=columns, filter=pads.field("source_id").isin(list(source_ids)))
    found = [
        part.filter(pl.col("native_id").is_in(wanted.implode()))
        for part in (pl.from_arrow(batch) for batch in scan.to_batches() if batch.num_rows)
        if isinstance(part, pl.DataFrame)
    ]
    if not found:
        return {}
    earliest = pl.concat(found).sort("fetched_at", "row_number").unique("native_id", keep="first", maintain_order=True)
    return dict(zip(earliest["native_id"], earliest["event_date"], strict=True))


def _chunks(items: Iterator[Item], size: int) -> Iterator[list[Item]]:
    while chunk := list(islice(items, size)):
        yield chunk


def position_ids(listed: S3Object) -> tuple[str, str]:
    """The transaction ids of a landing object: rows landed, and done. They hold its ETag: put again with other bytes it is another file."""
    name = f"{listed.object_name}@{str(listed.etag).strip(chr(34))}"
    return f"file-rows:{name}", f"file-done:{name}"


class _FileCollector:
    """Takes one landing object into bronze, from where an earlier run stopped."""

    def __init__(self, lake: Lake, source: Source, peers: tuple[str, ...], listed: S3Object, clock: Clock):
        self.lake, self.source, self.peers, self.listed, self.clock = lake, source, peers, listed, clock
        self.rows_app, self.done_app = position_ids(listed)

    def read(self) -> tuple[bytes, dict[str, str] | None]:
        with self.lake.objects.get_object(bucket_name=BUCKET, object_name=str(self.listed.object_name)) as response:
            data = response.read()
            raw = response.headers.get(f"x-amz-meta-{MAP_METADATA}")
        return data, json.loads(unquote(raw)) if raw else None

    def unreadable(self, data: bytes) -> Item:
        """One item standing for a file that cannot be cut into rows; its payload is the object's address and digest, the object stays."""
        key = str(self.listed.object_name)
        payload = json.dumps({"bucket": BUCKET, "key": key, "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}, sort_keys=True)
        return Item(self.source.id, f"file:{key}", payload.encode(), "file", "{}", etag=self.listed.etag)

    def take(self, report: CollectReport, provenance: Provenance) -> FetchAttempt:
        """Land what is not landed yet, chunk by chunk; the last chunk also commits that the file is done."""
        data, given = self.read()
        table = self.lake.open(f"bronze.{CONNECTOR}")
        done = table.transaction_version(self.rows_app) or 0
        detail = None
        try:
            items: list[Item] = list(_items(self.source, self.listed, data, given))
        except BadInputError as error:
            items, detail = [self.unreadable(data)], f"{BUCKET}/{self.listed.object_name}: {error}"
        landed_here, total = 0, len(items)
        for chunk in _chunks(iter(items[done:]), _CHUNK_ROWS):
            batch, now = Batch(), self.clock()
            known = first_days(table, self.peers, (item.native_id for item in chunk))
            for item in chunk:
                day = batch.add(item, now, known.get(item.native_id))
                known.setdefault(item.native_id, day)
            done += len(chunk)
            positions = {self.rows_app: done} | ({self.done_app: 1} if done == total else {})
            land(self.lake, table, batch, provenance, positions, report)
            landed_here += len(chunk)
        if total == 0:
            land(self.lake, table, Batch(), provenance, {self.done_app: 1}, report)
        outcome = "unreadable" if detail else "ok"
        return FetchAttempt(
            self.source.id, self.clock(), outcome, received_bytes=len(data), listed=total, landed=landed_here, detail=detail
        )


def pending_files(lake: Lake, table: DeltaTable, sources: Mapping[str, Source]) -> Iterator[tuple[Source | None, S3Object]]:
    """Landing objects not yet taken in, oldest first, each with its source (None where the registry knows no such id)."""
    listed = [o for o in lake.objects.list_objects(bucket_name=BUCKET, prefix=PREFIX, recursive=True) if not o.is_dir]
    for found in sorted(listed, key=lambda o: (o.last_modified, o.object_name)):
        key = str(found.object_name)
        if table.transaction_version(position_ids(found)[1]) is None:
            yield sources.get(key.removeprefix(PREFIX).split("/", 1)[0]), found


def collect(lake: Lake, sources: Iterable[Source], provenance: Provenance, clock: Clock = utc_now) -> CollectReport:
    """Land every file that waits in the landing bucket for one of the given sources.

    A file of an unknown source or with an unknown ending stays where it is, and the report says so. A second collector at work on the
    same file yields.
    """
    report = CollectReport(CONNECTOR)
    by_id = {source.id: source for source in sources}
    table = lake.open(f"bronze.{CONNECTOR}")
    for source, listed in pending_files(lake, table, by_id):
        key = str(listed.object_name)
        if source is None or ending_of(key) is None:
            why = "its folder is no source id that is being collected" if source is None else f"its ending is none of {', '.join(ENDINGS)}"
            folder = key.removeprefix(PREFIX).split("/", 1)[0]
            report.attempts.append(FetchAttempt(folder, clock(), "refused", detail=f"{BUCKET}/{key} waits: {why}"))
            continue
        peers = tuple(other.id for other in by_id.values() if other.platform == source.platform)
        try:
            report.attempts.append(_FileCollector(lake, source, peers, listed, clock).take(report, provenance))
        except CommitFailedError:
            now = lake.open(f"bronze.{CONNECTOR}")
            if all(now.transaction_version(app) == table.transaction_version(app) for app in position_ids(listed)):
                raise  # not another collector: a fault, to be tried again
            report.yielded = True
    log_attempts(lake, report, report.batches[0] if report.batches else "none", provenance)
    return report
