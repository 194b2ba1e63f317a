"""The connector for public pages through Facebook's Graph API: posts, comments, replies, and reaction counts, exactly once.

Posts are listed by time: from the newest known one back by the re-read window, so that edits, new comments and removals are seen; spans
that a run had to leave are taken up by the next. Within a run it goes by cursors, which Facebook does not promise to keep longer. The
token travels in a header only: no address that is logged holds it. Not here: what answers mean (graph_api.py), commits (api_run.py), the
order of reading (api_poll.py, discussions.py).
"""

import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from assets.bronze.api_answer import Query, Reading, Verdict
from assets.bronze.api_poll import PAUSE_SECONDS, SourcePoll, StopError, poll_all
from assets.bronze.api_run import ApiRun
from assets.bronze.fetching import Answer, Fetcher
from assets.bronze.graph_api import (
    COMMENT_FIELDS,
    PAGE_SIZE,
    POST_FIELDS,
    PageAddress,
    delay_seconds,
    must_pause,
    plan_windows,
    read,
    usage,
)
from assets.bronze.json_parts import inner, object_of
from assets.bronze.landing import Clock, CollectReport, utc_now
from assets.times import local_day, parse_time
from lake_config.registry import Source
from lake_config.storage import Lake, Provenance

CONNECTOR = "page_posts"
TOKEN_VARIABLE = "LAKE_GRAPH_TOKEN"  # noqa: S105 - the name of a variable
VERSION_VARIABLE = "LAKE_GRAPH_VERSION"
DEFAULT_VERSION = "v23.0"
REREAD_DAYS = 7
LONG_REREAD_DAYS = 45
"""Once a local day the listing goes back so far: posts that appear late under an old date, edits and comments of older posts."""
_CALLS_PER_SOURCE = 200
"""A run makes at most so many calls for one page; what is left is taken up by the next run."""
_REREAD_CALLS = 200
"""A run spends at most so many calls, over all pages, on comments whose posts show no change."""


def collect(
    lake: Lake, sources: Iterable[Source], provenance: Provenance, clock: Clock = utc_now, sleep: Callable[[float], object] = time.sleep
) -> CollectReport:
    """Read every given page once and land what is new, its position in the same commit.

    Sources name pages by url: <host>/<page id>. LAKE_GRAPH_TOKEN holds the access token, LAKE_GRAPH_VERSION the version of the interface.
    Never raises for what the host does: bronze.fetch_log says it. A second collector on the same table yields.
    """
    pages = list(sources)
    if not pages:
        return CollectReport(CONNECTOR)
    run = ApiRun(lake, CONNECTOR, provenance, clock)
    environment = lake.settings.environment
    token, version = environment.get(TOKEN_VARIABLE, "").strip(), environment.get(VERSION_VARIABLE) or DEFAULT_VERSION
    why_not = None if token else f"{TOKEN_VARIABLE} is not set: without an access token no page can be read"
    left = _Allowance()
    with Fetcher(lake.settings, polite=False, clock=clock) as client:
        poll_all(run, pages, lambda source: _Page(run, source, client, token, version, sleep, left), lambda: left.reread_calls, why_not)
    return run.close()


class _Allowance:
    """The calls that a run may still spend on re-reading, over all pages."""

    def __init__(self) -> None:
        self.reread_calls = _REREAD_CALLS


class _Page(SourcePoll):
    """One page in one run.

    Its state, beside the discussions: newest (epoch seconds of the newest post), long (day of the last long look back), left (spans of time
    not listed yet).
    """

    noun, post_format, comment_format = "post", "graph_post", "graph_comment"

    def __init__(
        self,
        run: ApiRun,
        source: Source,
        client: Fetcher,
        token: str,
        version: str,
        sleep: Callable[[float], object],
        allowance: _Allowance,
    ) -> None:
        super().__init__(run, source, client, token, {"newest": None, "long": None, "left": []})
        self.version, self.sleep, self.allowance = version, sleep, allowance
        self.is_paused = self.is_reading_again = False
        self.start = 0

    def read(self) -> None:
        """List posts, read comments that are due, look for removed posts."""
        self.address: PageAddress = self.address_of_source(PageAddress.of)
        listed = self._list_posts()
        self.read_due()
        self._find_removed(listed)
        self.discussions.forget_older(self.state["newest"])

    def read_again(self, name: str) -> None:
        """As in SourcePoll, counted against the run's allowance."""
        before = self.calls
        super().read_again(name)
        self.allowance.reread_calls -= self.calls - before

    def headers(self) -> dict[str, str]:
        """The access token."""
        return {"Authorization": f"Bearer {self.secret}"}

    def understand(self, answer: Answer) -> Reading:
        """By the rules of the Graph API."""
        return read(answer.status, answer.body)

    def before_call(self) -> None:
        """Stop near the rate limit and after many calls."""
        if self.is_paused or self.calls >= _CALLS_PER_SOURCE:
            detail = f"stopped after {self.calls} calls; the rest follows with a later run"
            raise StopError(detail, "ok", 200, is_for_all=self.is_paused)

    def after_call(self, reading: Reading, answer: Answer) -> None:
        """Slow down before the limit, pause near it."""
        percent, minutes = usage(answer.headers)
        if must_pause(percent, is_refused=reading.verdict is Verdict.RATE):
            self.is_paused = True  # what this answer holds is still taken
            self.notes.append(f"{percent} % of the rate limit used: {self.pause(max(PAUSE_SECONDS, minutes * 60), answer.retry_after)}")
        elif delay := delay_seconds(percent):
            self.sleep(delay)

    def _list_posts(self) -> set[str]:
        """List the windows; returns the ids in the first of them."""
        today = local_day(self.run.clock()).isoformat()
        reread_days = LONG_REREAD_DAYS if self.state["long"] != today else REREAD_DAYS
        windows = plan_windows(self.state["left"], self.state["newest"], reread_days * 86_400)
        self.state["left"], listed = windows[1:], set[str]()
        self.start = windows[0][0] or 0
        for number, (since, until) in enumerate(windows):
            found = self._list_window(since, until)
            if number:
                self.state["left"].remove([since, until])
            else:
                listed, self.state["long"] = found, today
        return listed

    def _list_window(self, since: int | None, until: int | None) -> set[str]:
        after, oldest, found = None, until, set[str]()
        window: Query = {"fields": POST_FIELDS, "limit": PAGE_SIZE, "since": since or None, "until": until}
        try:
            while True:
                reading, answer = self.need(self.get(self.address.edge(self.version, self.address.page_id, "posts", **window, after=after)))
                for row in reading.rows:
                    created = self._take_post(row, answer)
                    if created is not None:
                        oldest = created if oldest is None else min(oldest, created)
                        self.state["newest"] = max(self.state["newest"] or 0, created)
                    found.add(str(object_of(row).get("id")))
                after = reading.after
                if after is None:
                    return found
        except StopError:
            # The first window is not among those left yet; of an older one what is listed is cut off.
            if [since, until] in self.state["left"]:
                self.state["left"].remove([since, until])
            if oldest is not None:
                self.state["left"].append([since, oldest])
            raise

    def _take_post(self, row: str, answer: Answer) -> int | None:
        """Take one listed post; returns its time in epoch seconds, None where it gives none."""
        value = object_of(row)
        count = inner(value, "comments", "summary").get("total_count")
        counts = [count, inner(value, "reactions", "summary").get("total_count"), value.get("shares")]
        self._take(row, value, {}, [value.get("message"), value.get("story")], counts, answer)
        created = parse_time(str(value.get("created_time")))
        if created is None or not value.get("id"):
            return None
        seconds = int(created.timestamp())
        self.discussions.note(str(value["id"]), seconds, [count, value.get("updated_time")], has_comments=count != 0)
        return seconds

    def comments_page(self, name: str, token: str | None) -> tuple[Reading, Answer]:
        """Comments and replies, newest first."""
        query: Query = {"fields": COMMENT_FIELDS, "filter": "stream", "order": "reverse_chronological", "limit": PAGE_SIZE, "after": token}
        return self.get(self.address.edge(self.version, name, "comments", **query))

    def take_comments(self, row: str, name: str, answer: Answer, *, is_whole: bool) -> bool:
        """One comment or reply."""
        del is_whole  # a stream holds the replies as well
        value = object_of(row)
        counts = [value.get("like_count"), value.get("comment_count")]
        return self._take(row, value, {"post_id": name}, [value.get("message")], counts, answer)

    def _take(
        self, row: str, value: Mapping[str, Any], context: Mapping[str, str], said: list[Any], counts: list[Any], answer: Answer
    ) -> bool:
        url = value.get("permalink_url")
        item = self.item(row, value.get("id"), value.get("created_time"), url if isinstance(url, str) else None, context)
        return self.take(item, said, counts, answer)

    def _find_removed(self, listed: set[str]) -> None:
        """Ask for each known post of the window that is no longer listed."""
        for post_id in self.discussions.unlisted(self.start, listed):
            reading, answer = self.get(self.address.edge(self.version, post_id, "", fields="id"))
            if reading.verdict is Verdict.GONE:
                self.removed(post_id, reading.detail, answer.status)
