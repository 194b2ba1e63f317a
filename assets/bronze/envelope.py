"""The envelope every connector fills, and the batch it lands as one Delta commit."""

import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any

import pyarrow as pa

from assets.times import event_day, local_day
from lake_config.tables.bronze import ENVELOPE, FETCH_LOG


def storable(text: str) -> str:
    """The text with lone surrogates, which JSON can carry and no table can, written out as escapes."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


@dataclass(frozen=True)
class Item:
    """One post as it lies in what was fetched. `payload` is its raw bytes; the rest is what the envelope needs to name and place it."""

    source_id: str
    native_id: str
    payload: bytes
    payload_format: str
    payload_context: str
    url: str | None = None
    published_at: str | None = None
    http_status: int | None = None
    etag: str | None = None
    last_modified: str | None = None

    @property
    def payload_sha256(self) -> str:
        """SHA-256 of the raw bytes, hexadecimal."""
        return hashlib.sha256(self.payload).hexdigest()


@dataclass(frozen=True)
class FetchAttempt:
    """One attempt to fetch a source, for bronze.fetch_log."""

    source_id: str
    fetched_at: datetime
    outcome: str
    http_status: int | None = None
    received_bytes: int = 0
    listed: int = 0
    landed: int = 0
    detail: str | None = None
    finding: str | None = None


@dataclass
class Batch:
    """What one connector run lands in one commit. `first_days` remembers the event day under which a post was first seen."""

    batch_id: str = field(default_factory=lambda: uuid.uuid4().hex)
    rows: list[dict[str, Any]] = field(default_factory=list)

    def add(self, item: Item, fetched_at: datetime, first_day: date | None = None) -> date:
        """Add one item; returns its event day: that of its first version where one is known, so that a post never moves between days."""
        day, origin = event_day(item.published_at, fetched_at)
        if first_day is not None and first_day != day:
            day, origin = first_day, "first_seen"
        self.rows.append(
            {
                "source_id": item.source_id,
                "native_id": item.native_id,
                "url": item.url,
                "fetched_at": fetched_at,
                "published_at": item.published_at,
                "event_date": day,
                "event_date_origin": origin,
                "http_status": item.http_status,
                "etag": item.etag,
                "last_modified": item.last_modified,
                "batch_id": self.batch_id,
                "row_number": len(self.rows),
                "payload": item.payload,
                "payload_sha256": item.payload_sha256,
                "payload_format": item.payload_format,
                "payload_context": item.payload_context,
            }
        )
        return day

    def absorb(self, other: "Batch") -> None:
        """Take over the rows of another batch, numbered on from here."""
        start = len(self.rows)
        self.rows += [{**row, "batch_id": self.batch_id, "row_number": start + number} for number, row in enumerate(other.rows)]

    @property
    def event_days(self) -> list[date]:
        """Event days with rows in this batch, sorted."""
        return sorted({row["event_date"] for row in self.rows})

    def to_arrow(self) -> pa.Table:
        """The batch in the envelope schema (lake_config.tables.bronze.ENVELOPE)."""
        return pa.Table.from_pylist(self.rows, schema=pa.schema([pa.field(c.name, c.type, c.nullable) for c in ENVELOPE]))


def log_table(connector: str, batch_id: str, attempts: Sequence[FetchAttempt]) -> pa.Table:
    """The attempts in the schema of bronze.fetch_log."""
    rows = [
        {**vars(attempt), "event_date": local_day(attempt.fetched_at), "connector": connector, "batch_id": batch_id} for attempt in attempts
    ]
    return pa.Table.from_pylist(rows, schema=FETCH_LOG.schema)
