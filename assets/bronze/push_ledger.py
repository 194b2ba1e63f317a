"""Which batches were pushed, and where posts without a usable time were first seen.

The truth is bronze.provider_push itself: every row names its batch and the digest of its body, so a batch and the word that it was taken
are one commit. bronze.push_ledger repeats that word, one row a batch, so that a server that starts need not read days of posts: it reads
the ledger, and of the posts only the commits that the ledger does not cover. A kill at any moment leaves the ledger behind, never wrong.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from assets.bronze.export_rows import DELETION
from assets.times import local_day
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES

DATA, LEDGER = "bronze.provider_push", "bronze.push_ledger"
POSITION = "provider_push"
"""The ledger's transaction id: the version of DATA that it covers."""
BATCH_DAYS = 7
"""For so long a batch id is known. Sent again later the batch lands again, and silver counts its posts as duplicates."""
POST_DAYS = 30
"""For so long the first day of a post without a usable time is known."""
_DATA_COLUMNS = ("source_id", "native_id", "event_date", "event_date_origin", "fetched_at", "batch_id", "payload_context", "payload_format")


@dataclass(frozen=True)
class Taken:
    """A batch that is in bronze. `bronze_batch_id` names its rows there; `undated` are its posts that stand on the day of receipt."""

    source_id: str
    provider_batch: str
    body_sha256: str
    bronze_batch_id: str
    row_count: int
    received_at: datetime
    undated: tuple[str, ...] = ()

    @property
    def key(self) -> tuple[str, str]:
        """Source and the provider's id."""
        return self.source_id, self.provider_batch


class Ledger:
    """What a server knows of earlier batches: `taken` by key; `first_day` of undated posts by platform and native id.

    `platforms` maps source ids to platforms. Memory: about 400 bytes for each batch of the last BATCH_DAYS days.
    """

    def __init__(self, lake: Lake, platforms: Mapping[str, str]):
        self.lake, self.platforms = lake, platforms
        self.taken: dict[tuple[str, str], Taken] = {}
        self.first_day: dict[tuple[str, str], date] = {}
        self._unsaved: dict[int, list[Taken]] = {}
        """Entries that the table may lack, by the version of DATA that holds them."""
        self.covered: int | None = None
        self._seen: int | None = None

    def load(self, now: datetime, at: DeltaTable) -> None:
        """Read the ledger's table, then the commits up to the snapshot `at` of the posts that it does not cover."""
        table = self.lake.open(LEDGER)
        self.covered = self._seen = table.transaction_version(POSITION)
        today = local_day(now)
        for row in self.lake.days(LEDGER, (today - timedelta(days=n) for n in range(POST_DAYS + 1)), at=table).iter_rows(named=True):
            undated = tuple(json.loads(row["undated"]))
            words = (row["source_id"], row["provider_batch"], row["body_sha256"], row["batch_id"], row["row_count"], row["received_at"])
            self._note(Taken(*words, undated))
        self._forget(now)
        self.catch_up(at)

    def catch_up(self, at: DeltaTable) -> None:
        """Read the batches of the commits that are not known yet, up to the snapshot `at`: another server's, or before this one started."""
        found = self.lake.read(DATA, self.lake.files_added(DATA, self._seen, at), _DATA_COLUMNS)
        for entry in _batches(found):
            self.note(entry, at.version())
        self._seen = at.version()

    def note(self, entry: Taken, version: int) -> None:
        """Enter a batch that lies in bronze in a version of DATA up to the given one, the newest that is known."""
        if entry.key not in self.taken or self.taken[entry.key].bronze_batch_id != entry.bronze_batch_id:
            self._note(entry)
            self._unsaved.setdefault(version, []).append(entry)
        self._seen = version

    def _note(self, entry: Taken) -> None:
        self.taken[entry.key] = entry
        for native_id in entry.undated:
            self.first_day.setdefault((self.platform(entry.source_id), native_id), local_day(entry.received_at))

    def platform(self, source_id: str) -> str:
        """The platform whose native ids a source's posts bear."""
        return self.platforms.get(source_id, source_id)

    @property
    def unsaved_versions(self) -> int:
        """Commits that a server starting now would have to read itself."""
        return len(self._unsaved)

    def save(self, provenance: Provenance, now: datetime) -> None:
        """Append what the table lacks, with the position it then covers, and forget what is too old.

        Another server that saves at the same time is no fault: what it covers need not be saved again.
        """
        table = self.lake.open(LEDGER)
        self.covered = table.transaction_version(POSITION)
        self._unsaved = {version: rows for version, rows in self._unsaved.items() if self.covered is None or version > self.covered}
        if self._unsaved:
            rows = [entry for version in sorted(self._unsaved) for entry in self._unsaved[version]]
            try:
                self.lake.append(table, LEDGER, _ledger_rows(rows), provenance, {POSITION: max(self._unsaved)})
            except CommitFailedError:
                return  # the other server's; the next saving looks again
            self._unsaved.clear()
        self._forget(now)

    def _forget(self, now: datetime) -> None:
        batches, posts = now - timedelta(days=BATCH_DAYS), local_day(now) - timedelta(days=POST_DAYS)
        self.taken = {key: entry for key, entry in self.taken.items() if entry.received_at > batches}
        self.first_day = {key: day for key, day in self.first_day.items() if day > posts}


def _batches(rows: pl.DataFrame) -> list[Taken]:
    found = []
    for (bronze_batch_id,), part in rows.group_by("batch_id", maintain_order=True):
        first = part.row(0, named=True)
        context = json.loads(first["payload_context"])
        is_undated = (pl.col("event_date_origin") == "fetched") & ~pl.col("payload_format").str.ends_with(DELETION)
        undated = part.filter(is_undated)["native_id"].unique(maintain_order=True)
        found.append(
            Taken(
                first["source_id"],
                context["batch"],
                context["body_sha256"],
                str(bronze_batch_id),
                len(part),
                first["fetched_at"],
                tuple(undated.to_list()),
            )
        )
    return found


def _ledger_rows(entries: Iterable[Taken]) -> pa.Table:
    rows = [
        {
            "event_date": local_day(entry.received_at),
            "source_id": entry.source_id,
            "provider_batch": entry.provider_batch,
            "body_sha256": entry.body_sha256,
            "batch_id": entry.bronze_batch_id,
            "row_count": entry.row_count,
            "received_at": entry.received_at,
            "undated": json.dumps(entry.undated, ensure_ascii=False),
        }
        for entry in entries
    ]
    return pa.Table.from_pylist(rows, schema=TABLES[LEDGER].schema)
