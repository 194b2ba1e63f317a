"""One page or channel in one run, and the order in which a run goes through all of them. Shared by page_posts and video_comments.

Belongs here: what a stop means, which source comes first, the secret's way, the reading of one discussion page by page, the line in the
fetch log. Not here: an interface's addresses and rules (page_posts.py, video_comments.py), commits (api_run.py).
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from assets.bronze.api_answer import STOPS, STOPS_ALL, Reading, Verdict
from assets.bronze.api_run import ApiRun
from assets.bronze.discussions import EVERYTHING, Discussions
from assets.bronze.envelope import FetchAttempt, Item, storable
from assets.bronze.fetching import Answer, Fetcher
from assets.times import parse_time
from lake_config.registry import Source
from lake_config.registry.models import DEMO_CITY
from lake_config.tables.bronze import GONE

PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 600, 86_400
_PAUSED_UNTIL = "paused_until"
_LEFT_OUT = "left_out"
_MOST_TRIES = 9


class StopError(Exception):
    """No further call for this source in this run; `is_for_all` says for no source at all."""

    def __init__(self, detail: str, outcome: str, status: int | None = None, *, is_for_all: bool = False) -> None:
        super().__init__(detail)
        self.detail, self.outcome, self.status, self.is_for_all = detail, outcome, status, is_for_all


class SourcePoll(ABC):
    """One source in one run. `state` is what the cursor keeps of it; `discussions` are part of that."""

    noun: str
    comment_format: str
    post_format: str

    def __init__(self, run: ApiRun, source: Source, client: Fetcher, secret: str, fresh: Mapping[str, Any]) -> None:
        self.run, self.source, self.client, self.secret = run, source, client, secret
        self.state = run.sources.setdefault(source.id, {**fresh, "discussions": {}})
        self.discussions = Discussions(self.state["discussions"])
        self.calls = self.listed = self.received = self.reread = self.not_reread = 0
        self.notes: list[str] = []
        self.stop: StopError | None = None
        self.found: str | None = None

    @abstractmethod
    def read(self) -> None:
        """List what is new and read the comments that are due. Raises StopError."""

    @abstractmethod
    def headers(self) -> dict[str, str]:
        """The headers that carry the secret."""

    @abstractmethod
    def understand(self, answer: Answer) -> Reading:
        """What an answer means."""

    @abstractmethod
    def comments_page(self, name: str, token: str | None) -> tuple[Reading, Answer]:
        """One page of the comments below a post or video."""

    @abstractmethod
    def take_comments(self, row: str, name: str, answer: Answer, *, is_whole: bool) -> bool:
        """Take one row of such a page, and what hangs on it; returns whether it brought anything new."""

    def before_call(self) -> None:  # noqa: B027 - most interfaces have no quota
        """Called before each call. Raises StopError where none may be made."""

    def after_call(self, reading: Reading, answer: Answer) -> None:
        """Called after each call; asked to wait, the run waits."""
        if reading.verdict is Verdict.RATE:
            self.pause(PAUSE_SECONDS, answer.retry_after)

    def attempt_to(self, work: Callable[[], None]) -> None:
        """Do a part of the work; a stop is kept in `stop`, for the log and for the sources that follow."""
        try:
            work()
        except StopError as error:
            self.stop = self.stop or error

    def address_of_source(self, base: Callable[[str], Any]) -> Any:
        """The source's address as `base` reads it (an object with `base`). Raises StopError where no call may be made to it."""
        try:
            address = base((self.source.url or "").replace(DEMO_CITY, self.run.lake.settings.demo_city_url))
        except ValueError as error:
            raise StopError(str(error), "refused") from error
        if not (address.base.startswith("https://") or self.source.allow_private):
            raise StopError("a secret is not sent over plain http; give an https address", "refused")
        self.base: str = address.base
        until = parse_time(self.run.shared.get(_PAUSED_UNTIL, {}).get(self.base))
        if until is not None and until > self.run.clock():
            raise StopError(f"near or over the rate limit: no call before {until:%Y-%m-%d %H:%M} UTC", "refused", is_for_all=True)
        return address

    def pause(self, seconds: float, asked: float | None = None) -> str:
        """No call to this interface for so long, or for as long as it asked, in seconds; returns that in words."""
        until = self.run.clock() + timedelta(seconds=min(max(seconds, asked or 0), LONGEST_PAUSE_SECONDS))
        self.run.shared.setdefault(_PAUSED_UNTIL, {})[self.base] = until.isoformat()
        return f"no call before {until:%Y-%m-%d %H:%M} UTC"

    def get(self, url: str) -> tuple[Reading, Answer]:
        """Ask once. Raises StopError for what leaves nothing more to do for this source."""
        self.before_call()
        self.calls += 1
        answer = self.client.get(self.source, url, headers=self.headers())
        self.received += len(answer.body)
        # That one post is gone says nothing of its source; that the interface has moved does.
        self.found = self.found or (answer.finding if answer.finding != GONE else None)
        if answer.outcome not in {"ok", "http_error"}:
            raise StopError(self.safe(answer.detail or answer.outcome), answer.outcome, answer.status)
        reading = self.understand(answer)
        self.after_call(reading, answer)
        if reading.verdict in STOPS:
            raise self.stop_of(reading, answer)
        return reading, answer

    def need(self, found: tuple[Reading, Answer]) -> tuple[Reading, Answer]:
        """A reading without which the work cannot go on. Raises StopError unless it is one."""
        if found[0].verdict is not Verdict.OK:
            raise self.stop_of(*found)
        return found

    def stop_of(self, reading: Reading, answer: Answer) -> StopError:
        """The stop that an answer means."""
        outcome = "unreadable" if reading.verdict is Verdict.UNREADABLE else "http_error"
        return StopError(self.safe(reading.detail), outcome, answer.status, is_for_all=reading.verdict in STOPS_ALL)

    def safe(self, detail: str) -> str:
        """The words without the secret."""
        return detail.replace(self.secret, "[secret]")

    def read_due(self) -> None:
        """Read the comments that are due. Raises StopError."""
        for name in self.discussions.due():
            self.read_comments(name)
            self.run.commit_when_full()

    def read_again(self, name: str) -> None:
        """Read all comments of a discussion anew, though nothing shows a change."""
        self.discussions.rows[name]["todo"] = EVERYTHING
        self.attempt_to(lambda: self.read_comments(name))
        self.reread += self.stop is None
        self.run.commit_when_full()

    def read_comments(self, name: str) -> None:
        """Read the comments of one discussion from where an earlier reading stopped. Raises StopError."""
        row, has_begun_again = self.discussions.rows[name], False
        is_whole = row["todo"] == EVERYTHING
        row["tries"] = min(row["tries"] + 1, _MOST_TRIES)
        while True:
            reading, answer = self.comments_page(name, row["next"])
            if reading.verdict in {Verdict.BAD_REQUEST, Verdict.PAGE_TOKEN} and row["next"] and not has_begun_again:
                row["next"], has_begun_again = None, True  # no platform keeps a page token for ever
                continue
            if reading.verdict is Verdict.GONE:
                self.removed(name, reading.detail, answer.status)
                return
            if reading.verdict is Verdict.COMMENTS_OFF:
                self.run.finding(self.source, f"comments are switched off: {self.noun} {name}", answer.status)
                is_whole = True  # asked again when another reading is due
                break
            self.need((reading, answer))
            news = [self.take_comments(part, name, answer, is_whole=is_whole) for part in reading.rows]
            row["next"] = reading.after
            if reading.after is None or not (is_whole or any(news)):
                break
        self.discussions.finished(name, self.run.clock().timestamp(), is_whole=is_whole)

    def removed(self, name: str, detail: str, status: int | None) -> None:
        """A post or video is no longer at its platform: a finding, once."""
        self.run.finding(self.source, f"gone at the platform: {self.noun} {name} ({self.safe(detail)})", status)
        self.discussions.forget(name)

    def take(self, item: Item, said: Sequence[Any], counts: Sequence[Any], answer: Answer) -> bool:
        """Take one post, video or comment; returns whether it is new or says something new."""
        self.listed += 1
        if self.secret.encode() in item.payload:
            self.run.finding(self.source, f"{item.native_id}: the payload repeats the secret and is not stored", outcome="refused")
            return False
        return self.run.take(self.source, item, said, counts, answer.fetched_at)

    def item(self, row: str, name: object, published: object, url: str | None, context: Mapping[str, str]) -> Item:
        """A row of an answer as an item: a comment where it has a context. What gives no id is named by its bytes."""
        payload = storable(row).encode()
        item = Item(
            source_id=self.source.id,
            native_id=storable(str(name or "")),
            payload=payload,
            payload_format=self.comment_format if context else self.post_format,
            payload_context=json.dumps(context, sort_keys=True),
            url=storable(url) if url else None,
            published_at=storable(str(published)) if published is not None else None,
            http_status=200,
        )
        return item if item.native_id else Item(**{**vars(item), "native_id": f"sha256:{item.payload_sha256}"})

    def log(self) -> None:
        """Write the line of this source for the fetch log, after the last commit."""
        stop, notes = self.stop, list(self.notes)
        if stop is not None:
            waiting = len(self.discussions.due())
            notes.insert(0, stop.detail + (f"; left out: comments of {waiting} discussions" if waiting else ""))
        if self.reread or self.not_reread:
            notes.append(f"re-read {self.reread} older discussions, {self.not_reread} left for later")
        self.run.attempt(
            FetchAttempt(
                self.source.id,
                self.run.clock(),
                stop.outcome if stop else "ok",
                stop.status if stop else 200,
                received_bytes=self.received,
                listed=self.listed,
                landed=self.run.landed[self.source.id],
                detail="; ".join(notes)[:300] or None,
                finding=self.found,
            )
        )


def poll_all(
    run: ApiRun, sources: Sequence[Source], start: Callable[[Source], SourcePoll], reread_calls: Callable[[], int], why_not: str | None
) -> None:
    """Read every source, those first that an earlier run left out; then read old discussions again, as far as `reread_calls` goes.

    `why_not`: why no call can be made at all. What is left out is said in the fetch log, source by source.
    """
    first = run.shared.get(_LEFT_OUT, [])
    ordered = sorted(sources, key=lambda source: first.index(source.id) if source.id in first else len(first))
    polls: list[SourcePoll] = []
    stopped, left_out = why_not, []
    for source in ordered:
        if run.is_over:
            break
        if stopped is not None:
            left_out.append(source.id)
            continue
        poll = start(source)
        polls.append(poll)
        poll.attempt_to(poll.read)
        stopped = poll.stop.detail if poll.stop is not None and poll.stop.is_for_all else None
        run.commit_when_full()
    if stopped is None:
        _read_again(run, polls, reread_calls)
    if left_out or first:
        run.shared[_LEFT_OUT] = left_out
    run.commit()
    for poll in polls:
        poll.log()
    names = {source.id: source for source in ordered}
    for source_id in left_out:
        run.finding(names[source_id], f"left out: {stopped}", outcome="refused")


def _read_again(run: ApiRun, polls: Sequence[SourcePoll], reread_calls: Callable[[], int]) -> None:
    """Re-read discussions that show no change, over all sources that read longest ago first."""
    now = run.clock().timestamp()
    waiting = sorted(
        (read, number, name) for number, poll in enumerate(polls) if poll.stop is None for read, name in poll.discussions.stale(now)
    )
    for _, number, name in waiting:
        poll = polls[number]
        if poll.stop is None and not run.is_over and reread_calls() > 0:
            poll.read_again(name)
        else:
            poll.not_reread += 1
