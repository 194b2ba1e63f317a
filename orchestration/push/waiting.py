"""Batches that wait for their commit: a bound on what they hold in memory, groups of them in one commit, an answer for each.

Belongs here: the queue and its one worker thread. Not here: HTTP (app.py), the commit itself (assets/bronze/provider_push.py).
"""

import asyncio
import math
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from assets.bronze.envelope import FetchAttempt
from assets.bronze.landing import CollectReport, log_attempts
from assets.bronze.provider_push import CONNECTOR, PushLander, Receipt
from assets.bronze.push_batch import PushedBatch, PushError
from lake_config.storage import ContractError

WAITING_BYTES = 64 * 1024**2
"""Bodies that are being received or wait for their commit. In memory a post costs about four times its bytes."""
LINGER_SECONDS = 0.4
"""A commit waits so long for company after its first batch: each commit is a file per event day, and they add up."""
GROUP_ROWS = 20_000
ANSWER_SECONDS = 30.0
"""After so long without a commit the provider is told to send the batch again; it may land meanwhile, once."""
SAVE_SECONDS, SAVE_COMMITS = 3600.0, 500
LOG_SECONDS = 60.0
_REOPEN_SECONDS = 2.0
_RETRY_STORE_SECONDS = 5

Answer = Receipt | PushError


def busy(seconds: int) -> PushError:
    """The answer when memory for waiting batches is used up."""
    return PushError(429, "too_much_waiting", f"More batches wait for their commit than are taken; send this one again in {seconds} s.")


def not_stored() -> PushError:
    """The answer when the store could not be written to, or not in time."""
    return PushError(
        503, "not_stored", f"The batch is not known to be stored; send it again, with the same Lake-Batch-Id, in {_RETRY_STORE_SECONDS} s."
    )


def retry_after(error: PushError, seconds: int) -> int | None:
    """Seconds after which a refused batch should be sent again; None where that would not help."""
    return {429: seconds, 503: _RETRY_STORE_SECONDS}.get(error.status)


class Lease:
    """Bytes of the bound on memory that one request holds."""

    def __init__(self, queue: "PushQueue") -> None:
        self._queue, self.held = queue, 0

    def grow_to(self, size: int) -> None:
        """Hold at least so many bytes. Raises PushError (429) when others hold too much."""
        more = size - self.held
        if more > 0:
            if self._queue.waiting_bytes + more > self._queue.bound_bytes and self._queue.waiting_bytes > self.held:
                raise busy(self._queue.retry_seconds)
            self._queue.waiting_bytes += more
            self.held = size

    def release(self) -> None:
        """Give all back."""
        self._queue.waiting_bytes -= self.held
        self.held = 0


@dataclass
class _Waiting:
    batch: PushedBatch
    answer: "asyncio.Future[Answer]"


@dataclass
class _Tally:
    """What a source sent since the log was last written."""

    batches: int = 0
    lines: int = 0
    landed: int = 0
    received_bytes: int = 0
    refused: int = 0
    complaint: str | None = None


@dataclass
class PushQueue:
    """The waiting batches of a server, and the one thread that lands them. Used from one event loop."""

    lander: PushLander
    bound_bytes: int = WAITING_BYTES
    linger_seconds: float = LINGER_SECONDS
    is_open: bool = False
    waiting_bytes: int = 0
    _waiting: deque[_Waiting] = field(default_factory=deque)
    _arrived: asyncio.Event = field(default_factory=asyncio.Event)
    _tallies: dict[str, _Tally] = field(default_factory=dict)
    _commit_seconds: float = 1.0
    _saved_at: float = field(default_factory=time.monotonic)
    _logged_at: float = field(default_factory=time.monotonic)
    _thread: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1, "lander"))

    @property
    def retry_seconds(self) -> int:
        """When a refused provider should come again: after the commit under way."""
        return max(1, math.ceil(self._commit_seconds))

    @contextmanager
    def lease(self) -> Iterator[Lease]:
        """Memory for one request, given back at its end."""
        held = Lease(self)
        try:
            yield held
        finally:
            held.release()

    async def land(self, batch: PushedBatch) -> Answer:
        """Wait until the batch lies in bronze, or for why it does not."""
        if not self.is_open:
            return not_stored()
        known = self.lander.known(batch)
        if known is not None:
            self._count(batch, known)
            return known
        entry = _Waiting(batch, asyncio.get_running_loop().create_future())
        self._waiting.append(entry)
        self._arrived.set()
        return await entry.answer

    def note_refusal(self, source_id: str, error: PushError) -> None:
        """Count a batch of a known provider that was refused, for bronze.fetch_log."""
        tally = self._tallies.setdefault(source_id, _Tally())
        tally.refused += 1
        tally.complaint = f"{error.status} {error.code}: {error}"[:300]

    async def run(self) -> None:
        """Open the table, then land group after group until cancelled."""
        loop = asyncio.get_running_loop()
        while not self.is_open:
            try:
                await loop.run_in_executor(self._thread, self.lander.open)
                self.is_open = True
            except Exception as error:  # whatever the store does: it is tried again until it answers
                _say(f"the store is not ready: {type(error).__name__}: {error}")
                await asyncio.sleep(_REOPEN_SECONDS)
        while True:
            try:
                await asyncio.wait_for(self._arrived.wait(), LOG_SECONDS)
            except TimeoutError:
                pass
            else:
                await self._gather()
                group = self._take()
                await self._answer(group, loop)
            await self._keep_books()

    async def close(self) -> None:
        """Write the books; to be called when nothing waits any more."""
        if self.is_open:
            await self._keep_books(is_last=True)
        self._thread.shutdown()

    async def _gather(self) -> None:
        """Wait for company, but not once a group is full."""
        until = time.monotonic() + self.linger_seconds
        while time.monotonic() < until and sum(len(entry.batch.items) for entry in self._waiting) < GROUP_ROWS:
            await asyncio.sleep(self.linger_seconds / 8)

    def _take(self) -> list[_Waiting]:
        group: list[_Waiting] = []
        rows = 0
        while self._waiting and (not group or rows + len(self._waiting[0].batch.items) <= GROUP_ROWS):
            group.append(self._waiting.popleft())
            rows += len(group[-1].batch.items)
        if not self._waiting:
            self._arrived.clear()
        return group

    async def _answer(self, group: Sequence[_Waiting], loop: asyncio.AbstractEventLoop) -> None:
        began = time.monotonic()
        answers = await loop.run_in_executor(self._thread, self._land, [entry.batch for entry in group])
        self._commit_seconds = time.monotonic() - began
        for entry, answer in zip(group, answers, strict=True):
            self._count(entry.batch, answer)
            if not entry.answer.done():  # the request may have given up
                entry.answer.set_result(answer)

    def _count(self, batch: PushedBatch, answer: Answer) -> None:
        if isinstance(answer, Receipt):
            tally = self._tallies.setdefault(batch.source_id, _Tally())
            tally.batches += 1
            tally.lines += len(batch.items)
            tally.landed += 0 if answer.is_repeated else answer.row_count
            tally.received_bytes += batch.size_bytes

    def _land(self, batches: Sequence[PushedBatch]) -> list[Answer]:
        """In the thread. A batch that no table can hold must not keep the others out, nor a store that fails end the server."""
        try:
            return self.lander.land(batches)
        except (ContractError, pa.ArrowException, ValueError, TypeError, OverflowError) as error:
            if len(batches) > 1:
                return [self._land([batch])[0] for batch in batches]
            _say(f"{batches[0].source_id}: batch {batches[0].batch_id} cannot be landed: {type(error).__name__}")
            return [PushError(400, "cannot_land", "The batch holds values that no table can hold; send its lines in smaller batches.")]
        except Exception as error:  # whatever the store does: the providers are told, and send again
            _say(f"{len(batches)} batches were not stored: {type(error).__name__}: {error}")
            return [not_stored() for _ in batches]

    async def _keep_books(self, *, is_last: bool = False) -> None:
        """Write the log of fetches and the ledger, now and then."""
        now, loop = time.monotonic(), asyncio.get_running_loop()
        if self._tallies and (is_last or now - self._logged_at >= LOG_SECONDS):
            tallies, self._tallies, self._logged_at = self._tallies, {}, now
            if not await loop.run_in_executor(self._thread, _kept, self._log, tallies):
                self._tallies = tallies | self._tallies
        if is_last or self.lander.ledger.unsaved_versions >= SAVE_COMMITS or now - self._saved_at >= SAVE_SECONDS:
            self._saved_at = now
            await loop.run_in_executor(self._thread, _kept, self._save, None)

    def _save(self, _: None) -> None:
        self.lander.ledger.save(self.lander.stamp("bronze.push_ledger"), self.lander.clock())

    def _log(self, tallies: Mapping[str, _Tally]) -> None:
        report = CollectReport(CONNECTOR)
        for source_id, tally in tallies.items():
            if tally.batches:
                counts = (200, tally.received_bytes, tally.lines, tally.landed)
                report.attempts.append(
                    FetchAttempt(source_id, self.lander.clock(), "ok", *counts, detail=f"{tally.batches} batches pushed")
                )
            if tally.refused:
                words = f"{tally.refused} batches refused, the last with {tally.complaint}"
                report.attempts.append(FetchAttempt(source_id, self.lander.clock(), "refused", detail=words))
        log_attempts(self.lander.lake, report, f"push-{time.time_ns()}", self.lander.stamp("bronze.fetch_log"))


def _kept(write: Callable[[Any], None], what: object) -> bool:
    """In the thread: whether the books were written. The batches are safe without them; they are written the next time."""
    try:
        write(what)
    except Exception as error:  # whatever the store does
        _say(f"the books wait: {type(error).__name__}: {error}")
        return False
    return True


def _say(message: str) -> None:
    sys.stderr.write(f"push: {message}\n")
    sys.stderr.flush()
