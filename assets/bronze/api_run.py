"""What the connectors of platform interfaces share: what they remember, and their commits. One `ApiRun` is one run of a connector.

Belongs here: which version of a post is new, the state and its commit with the rows, attempts and findings. Not here: any interface's
rules (graph_api.py, youtube_api.py).
"""

import copy
import hashlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime, timedelta
from typing import Any

from assets.bronze.committing import Committer
from assets.bronze.envelope import Batch, FetchAttempt, Item
from assets.bronze.landing import Clock, CollectReport, log_attempts
from assets.times import local_day
from lake_config.registry import Source
from lake_config.storage import Lake, Provenance

_VERSION_DIGITS = 16
_REMEMBER_DAYS = 60
"""A post that no answer has listed for so long is forgotten; coming back later, it lands again as a duplicate."""
_ROWS_AT_ONCE = 2_000
"""A commit is made when so many rows wait, and at the end: a long first reading that is killed keeps what it had."""
DAY, SAID, COUNTED, LANDED, LISTED = range(5)
"""What is remembered of a post: its event day, digests of what it says and of its counts, the days it was landed and listed."""


def _digest(values: Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(values).encode()).hexdigest()[:_VERSION_DIGITS]


class ApiRun:
    """The state of a connector during a run.

    `sources` (source id -> its position) and `shared` (for all sources: pauses) may be changed freely and hold what JSON holds; they are
    committed with the rows by `commit`. `is_over` says that another collector was faster and this one must stop.
    """

    def __init__(self, lake: Lake, connector: str, provenance: Provenance, clock: Clock) -> None:
        self.lake, self.connector, self.provenance, self.clock = lake, connector, provenance, clock
        self._committer = Committer(lake, connector, provenance)
        self.report = self._committer.report
        state = copy.deepcopy(self._committer.cursor.state)
        self.sources: dict[str, dict[str, Any]] = state.get("sources", {})
        self.shared: dict[str, Any] = state.get("shared", {})
        self._posts: dict[str, dict[str, list[str]]] = state.get("posts", {})
        self.landed: Counter[str] = Counter()
        """Rows committed so far, by source."""
        self._batch = Batch()
        self._attempts: list[FetchAttempt] = []
        self._last_attempt_at: datetime | None = None

    @property
    def is_over(self) -> bool:
        """Whether another collector committed meanwhile."""
        return self._committer.is_over

    def take(self, source: Source, item: Item, said: Sequence[Any], counts: Sequence[Any], fetched_at: datetime) -> bool:
        """Put an item into the batch when it is new; returns whether it is a new post or says something new.

        `said` is what makes a version: text and edit time. Where only `counts` changed, the item lands at most once a local day, so that
        likes do not fill the table with versions; what else a payload holds (etags, views) makes no version.
        """
        seen, today = self._posts.setdefault(source.platform, {}), local_day(fetched_at).isoformat()
        known, version, counted = seen.get(item.native_id), _digest([item.native_id, *said]), _digest(counts)
        if known is not None and known[LISTED] != today:
            known[LISTED] = today
        if known is not None and known[SAID] == version and (known[COUNTED] == counted or known[LANDED] == today):
            return False
        day = self._batch.add(item, fetched_at, date.fromisoformat(known[DAY]) if known else None)
        seen[item.native_id] = [day.isoformat(), version, counted, today, today]
        return known is None or known[SAID] != version

    @property
    def waiting(self) -> int:
        """Rows in the batch that are not committed yet."""
        return len(self._batch.rows)

    def attempt(self, attempt: FetchAttempt) -> None:
        """Note an attempt or a finding; no two of a batch bear the same time, which is part of their key."""
        at = attempt.fetched_at
        if self._last_attempt_at is not None and at <= self._last_attempt_at:
            at = self._last_attempt_at + timedelta(microseconds=1)
        self._last_attempt_at = at
        self._attempts.append(replace(attempt, fetched_at=at))

    def finding(self, source: Source, detail: str, status: int | None = None, outcome: str = "http_error") -> None:
        """Note something about a source that a person should know."""
        self.attempt(FetchAttempt(source.id, self.clock(), outcome, status, detail=detail[:300]))

    def commit_when_full(self) -> None:
        """Commit when enough rows wait."""
        if self.waiting >= _ROWS_AT_ONCE:
            self.commit()

    def commit(self) -> None:
        """Land the waiting rows and the state in one Delta commit; nothing where neither changed.

        A second collector that committed since this one read its position makes this run yield: its rows are dropped, the other has them.
        """
        state = self._state()
        if (self._batch.rows or state != self._committer.cursor.state) and self._committer.commit(self._batch, state):
            self.landed.update(row["source_id"] for row in self._batch.rows)
            self._batch = Batch()

    def close(self) -> CollectReport:
        """Commit what waits and write the attempts to bronze.fetch_log."""
        self.commit()
        self.report.attempts += self._attempts
        batch_id = self.report.batches[0] if self.report.batches else self._batch.batch_id
        log_attempts(self.lake, self.report, batch_id, self.provenance)
        return self.report

    def _state(self) -> dict[str, Any]:
        today = local_day(self.clock())
        posts = {
            platform: {key: row for key, row in rows.items() if (today - date.fromisoformat(row[LISTED])).days <= _REMEMBER_DAYS}
            for platform, rows in self._posts.items()
        }
        return {"sources": self.sources, "shared": self.shared, "posts": posts}
