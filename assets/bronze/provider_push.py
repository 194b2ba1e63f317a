"""The connector for streams that providers push: waiting batches become one Delta commit, each batch exactly once.

Belongs here: landing batches (for the server, orchestration/push), and what the collecting run reports of them. Not here: HTTP, keys.
"""

import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import pyarrow as pa
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from assets.bronze.envelope import Batch
from assets.bronze.export_rows import DELETION
from assets.bronze.landing import Clock, CollectReport, utc_now
from assets.bronze.push_batch import PushedBatch, PushError
from assets.bronze.push_ledger import DATA, Ledger, Taken
from lake_config.registry import Source
from lake_config.storage import Lake, Provenance

CONNECTOR = "provider_push"
SEQUENCE = "push"
"""Transaction id of every commit of batches: of two servers on one snapshot only one can commit, the other looks again."""
_TRIES = 20


@dataclass(frozen=True)
class Receipt:
    """What is said of a batch that lies in bronze. `is_repeated`: it lay there before."""

    batch: PushedBatch
    row_count: int
    is_repeated: bool
    version: int | None = None


def collect(_lake: Lake, _sources: Iterable[Source], _provenance: Provenance, _clock: Clock = utc_now) -> CollectReport:
    """Nothing to fetch: the push server lands what providers send. The asset that calls this reports the event days it touched."""
    return CollectReport(CONNECTOR)


class PushLander:
    """Lands groups of batches. For one thread; several servers on one lake may each have one.

    `platforms` maps source ids to platforms; `stamp` makes the provenance of a commit. Nothing is read before `open`.
    """

    def __init__(self, lake: Lake, platforms: Mapping[str, str], stamp: Callable[[str], Provenance], clock: Clock = utc_now):
        self.lake, self.stamp, self.clock = lake, stamp, clock
        self.ledger = Ledger(lake, platforms)
        self._table: DeltaTable | None = None
        self._is_stale = False

    def open(self) -> None:
        """Read what was pushed before. Raises StoreError when the store does not answer."""
        table = self.lake.open(DATA)
        self.ledger.load(self.clock(), table)
        self._table = table

    def known(self, batch: PushedBatch) -> Receipt | PushError | None:
        """The answer to a batch that is known to lie in bronze; None for one that may be new. May be asked from another thread."""
        taken = self.ledger.taken.get(batch.key)
        return None if taken is None else _answer(batch, taken)

    def land(self, batches: Sequence[PushedBatch]) -> list[Receipt | PushError]:
        """Land those of the batches that are not in bronze yet, in one commit, and give each its answer, in their order.

        The same id with another body is answered by PushError (409). Raises what the store raises; whether the commit arrived is then
        looked up before the next one, so a batch sent again is never doubled.
        """
        answers: dict[int, Receipt | PushError] = {}
        for _ in range(_TRIES):
            table = self._current()
            fresh: dict[tuple[str, str], int] = {}
            for index, batch in enumerate(batches):
                if index not in answers:
                    answer = self.known(batch)
                    if answer is not None:
                        answers[index] = answer
                    else:
                        fresh.setdefault(batch.key, index)  # sent twice at once: the second is looked up after the first has landed
            if not fresh:
                return [answers[index] for index in range(len(batches))]
            landed = self._commit(table, [batches[index] for index in fresh.values()])
            if landed is not None:
                answers |= {index: Receipt(batches[index], len(batches[index].items), False, landed) for index in fresh.values()}
        raise CommitFailedError(f"Other servers committed to {DATA} {_TRIES} times meanwhile.")

    def _current(self) -> DeltaTable:
        """The table, brought up to date where its last commit went wrong or did not come back."""
        if self._table is None:
            self.open()
        elif self._is_stale:
            table = self.lake.open(DATA)
            self.ledger.catch_up(table)
            self._table, self._is_stale = table, False
        if self._table is None:
            raise CommitFailedError(f"{DATA} is not open.")
        return self._table

    def _commit(self, table: DeltaTable, batches: Sequence[PushedBatch]) -> int | None:
        """The version that holds the batches; None when another server was faster."""
        now = self.clock()
        parts, entries = [], []
        days: dict[tuple[str, str], date] = {}
        for batch in batches:
            part, entry = self._rows(batch, now, days)
            parts.append(part)
            entries.append(entry)
        self._is_stale = True  # until the commit is known to have arrived
        number = (table.transaction_version(SEQUENCE) or 0) + 1
        try:
            version = self.lake.append(table, DATA, pa.concat_tables(parts), self.stamp(DATA), {SEQUENCE: number})
        except CommitFailedError:
            return None
        if table.transaction_version(SEQUENCE) == number:  # no other server's commit came in between unseen
            self._is_stale = False
            for entry in entries:
                self.ledger.note(entry, version)
        return version

    def _rows(self, batch: PushedBatch, now: datetime, days: dict[tuple[str, str], date]) -> tuple[pa.Table, Taken]:
        """A batch in the envelope schema; `days` remembers the undated posts of the whole group."""
        rows, undated = Batch(uuid.uuid4().hex), []
        platform = self.ledger.platform(batch.source_id)
        for item in batch.items:
            key = (platform, item.native_id)
            day = rows.add(item, now, self.ledger.first_day.get(key, days.get(key)))
            if rows.rows[-1]["event_date_origin"] == "fetched" and not item.payload_format.endswith(DELETION):
                undated.append(item.native_id)
                days.setdefault(key, day)
        return rows.to_arrow(), Taken(
            batch.source_id, batch.batch_id, batch.body_sha256, rows.batch_id, len(batch.items), now, tuple(dict.fromkeys(undated))
        )


def _answer(batch: PushedBatch, known: Taken) -> Receipt | PushError:
    if known.body_sha256 == batch.body_sha256:
        return Receipt(batch, known.row_count, True)
    return PushError(
        409,
        "batch_id_reused",
        f"The batch {batch.batch_id} was taken at {known.received_at:%Y-%m-%dT%H:%M:%SZ} with another body; it stays as it was. Send"
        " what is new under a new Lake-Batch-Id.",
    )
