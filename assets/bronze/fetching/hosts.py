"""What one host may be burdened with: one request at a time, a pause after each, and none at all while it fails or asked to be left alone.

Times are seconds of the loop's clock in a process, and UTC where they are handed on to the next process.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from assets.bronze.fetching.answer import Answer

FAILURES_TO_OPEN = 5
"""So many failures of a host in a row open its circuit."""
_FIRST_PAUSE_SECONDS = 60.0
MAX_PAUSE_SECONDS = 6 * 3600.0
MAX_RETRY_AFTER_SECONDS = 7 * 86400.0
_BURDENED = frozenset({429, 500, 502, 503, 504})


def backoff_seconds(failures: int, first: float, limit: float, draw: random.Random) -> float:
    """A pause that doubles with each failure after the first, with jitter: between half of it and the whole, so that hosts and sources
    that failed together are not asked together again.
    """
    whole = min(limit, first * 2.0 ** min(failures - 1, 60))
    return whole * draw.uniform(0.5, 1.0)


@dataclass
class _Host:
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    free_at: float = 0.0
    failures: int = 0
    closed_until: datetime | None = None


class Hosts:
    """The hosts of one process. A circuit opens after FAILURES_TO_OPEN failures in a row, or at once on Retry-After.

    When its pause is over, one request tries whether the host is well: success closes the circuit, failure opens it for twice as long.
    """

    def __init__(self, draw: random.Random | None = None):
        self._hosts: dict[str, _Host] = {}
        self._draw = draw or random.Random()  # noqa: S311 - jitter, no secret

    @asynccontextmanager
    async def turn(self, host: str, delay: float) -> AsyncIterator[None]:
        """Wait for one's turn at a host; `delay` is the pause, in seconds, that is kept after the request."""
        known = self._hosts.setdefault(host, _Host())
        async with known.lock:
            loop = asyncio.get_running_loop()
            if (wait := known.free_at - loop.time()) > 0:
                await asyncio.sleep(wait)
            try:
                yield
            finally:
                known.free_at = loop.time() + delay

    def closed_until(self, host: str, now: datetime) -> datetime | None:
        """Until when nothing is asked of a host (UTC); None when it may be asked."""
        known = self._hosts.get(host)
        return known.closed_until if known and known.closed_until and known.closed_until > now else None

    def heard(self, host: str, answer: Answer) -> None:
        """Learn from an answer. A refusal by this side says nothing of the host; a 304 shows that it answers, as a 404 does."""
        if answer.outcome in {"refused", "postponed"}:
            return
        known = self._hosts.setdefault(host, _Host())
        if answer.outcome != "unreachable" and answer.status not in _BURDENED:
            known.failures, known.closed_until = 0, None
            return
        known.failures += 1
        pause = 0.0
        if known.failures >= FAILURES_TO_OPEN:
            pause = backoff_seconds(known.failures - FAILURES_TO_OPEN + 1, _FIRST_PAUSE_SECONDS, MAX_PAUSE_SECONDS, self._draw)
        if answer.retry_after is not None:
            pause = max(pause, min(answer.retry_after, MAX_RETRY_AFTER_SECONDS))
        if pause:
            known.closed_until = answer.fetched_at + timedelta(seconds=pause)

    def state(self) -> dict[str, Any]:
        """What the next process should know: host -> [failures in a row, closed until (ISO, UTC) or null]. Holds what JSON holds."""
        return {
            host: [known.failures, known.closed_until.isoformat() if known.closed_until else None]
            for host, known in sorted(self._hosts.items())
            if known.failures or known.closed_until
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what an earlier process knew."""
        for host, (failures, until) in state.items():
            known = self._hosts.setdefault(host, _Host())
            known.failures, known.closed_until = failures, datetime.fromisoformat(until) if until else None
