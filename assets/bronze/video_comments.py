"""The connector for YouTube Data API v3: channels -> their uploads -> videos -> comment threads -> replies, exactly once, within the quota.

Every call is one unit, reserved before it is made (quota.py). What the day's units did not reach is said in bronze.fetch_log and comes
first in the next run. The key travels in a header only. Not here: what answers mean (youtube_api.py), commits (api_run.py), the order of
reading (api_poll.py, discussions.py).
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from assets.bronze.api_answer import Query, Reading, Verdict
from assets.bronze.api_poll import PAUSE_SECONDS, SourcePoll, StopError, poll_all
from assets.bronze.api_run import ApiRun
from assets.bronze.fetching import Answer, Fetcher
from assets.bronze.json_parts import inner, object_of
from assets.bronze.landing import Clock, CollectReport, utc_now
from assets.bronze.quota import QuotaLedger, next_reset, quota_day
from assets.bronze.youtube_api import (
    COMMENTS_PER_PAGE,
    DEFAULT_DAILY_UNITS,
    ITEMS_PER_PAGE,
    UNITS_PER_CALL,
    VIDEOS_PER_CALL,
    ChannelAddress,
    read,
    thread_of,
    whole_number,
)
from assets.times import local_day, parse_time
from lake_config.registry import Source
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance

CONNECTOR = "video_comments"
KEY_VARIABLE = "LAKE_YOUTUBE_KEY"
UNITS_VARIABLE = "LAKE_YOUTUBE_DAILY_UNITS"
REREAD_DAYS = 14
LONG_REREAD_DAYS = 45
"""Once a local day the listing goes back so far: videos that were made public late, and comments on older ones."""
REREAD_SHARE = 0.25
"""So much of the day's units goes at most into comments whose videos show no change: an edited comment changes no count."""
_REREAD = "reread"


def daily_units(settings: Settings) -> int | None:
    """The units a day that LAKE_YOUTUBE_DAILY_UNITS allows; None when it is no whole number from 1 to 10 million."""
    raw = settings.environment.get(UNITS_VARIABLE, str(DEFAULT_DAILY_UNITS)).strip()
    return int(raw) if raw.isdigit() and 1 <= int(raw) <= 10**7 else None


def collect(lake: Lake, sources: Iterable[Source], provenance: Provenance, clock: Clock = utc_now) -> CollectReport:
    """Read every given channel once, those first that were left out last, and land what is new with the position in one commit.

    Sources name channels by url: <interface>/channels?id=<channel id>. LAKE_YOUTUBE_KEY holds the API key, LAKE_YOUTUBE_DAILY_UNITS the
    units a day. Never raises for what the host does: bronze.fetch_log says it. A second collector on the same table yields.
    """
    channels = list(sources)
    if not channels:
        return CollectReport(CONNECTOR)
    run = ApiRun(lake, CONNECTOR, provenance, clock)
    key, units = lake.settings.environment.get(KEY_VARIABLE, "").strip(), daily_units(lake.settings)
    why_not = None
    if not key:
        why_not = f"{KEY_VARIABLE} is not set: without an API key no channel can be read"
    elif units is None:
        why_not = f"{UNITS_VARIABLE} is no whole number from 1 to 10000000"
    ledger = QuotaLedger(lake, hashlib.sha256(f"quota/{key}".encode()).hexdigest()[:16], units or 0, clock)
    most = int((units or 0) * REREAD_SHARE)
    with Fetcher(lake.settings, polite=False, clock=clock) as client:
        poll_all(
            run, channels, lambda source: _Channel(run, source, client, key, ledger), lambda: most - _reread_today(run)["units"], why_not
        )
    return run.close()


def _reread_today(run: ApiRun) -> dict[str, Any]:
    """The units that re-reading took on the present quota day, as the committed state counts them."""
    today = quota_day(run.clock()).isoformat()
    found: dict[str, Any] = run.shared.get(_REREAD, {})
    return found if found.get("day") == today else {"day": today, "units": 0}


class _Channel(SourcePoll):
    """One channel in one run.

    Its state, beside the discussions: uploads (the playlist's id), newest (epoch seconds of the newest video), long (day of the last long
    look back), rest (the page token from which older videos are still to be listed, in a dict; None when all are), replies (video ->
    thread -> replies read).
    """

    noun, post_format, comment_format = "video", "youtube_video", "youtube_comment"

    def __init__(self, run: ApiRun, source: Source, client: Fetcher, key: str, ledger: QuotaLedger) -> None:
        super().__init__(run, source, client, key, {"uploads": None, "newest": None, "long": None, "rest": {"token": None}, "replies": {}})
        self.ledger, self.start = ledger, 0

    def read(self) -> None:
        """List new videos and the rest of the old ones, read comments that are due."""
        self.address: ChannelAddress = self.address_of_source(ChannelAddress.of)
        if self.state["uploads"] is None:
            self.state["uploads"] = self._uploads()
        today = local_day(self.run.clock()).isoformat()
        if self.state["newest"] is not None:
            listed = self._list_new(today)
            self._list_rest()
            self._find_removed(listed)
        else:
            self._list_rest()
            self.state["long"] = today
        self.read_due()
        self.discussions.forget_older(self.state["newest"])
        self.state["replies"] = {name: counts for name, counts in self.state["replies"].items() if name in self.discussions.rows}

    def read_again(self, name: str) -> None:
        """As in SourcePoll, counted against the day's share."""
        before = self.calls
        super().read_again(name)
        count = _reread_today(self.run)
        self.run.shared[_REREAD] = {**count, "units": count["units"] + (self.calls - before) * UNITS_PER_CALL}

    def headers(self) -> dict[str, str]:
        """The API key."""
        return {"X-Goog-Api-Key": self.secret}

    def understand(self, answer: Answer) -> Reading:
        """By the rules of the YouTube Data API."""
        return read(answer.status, answer.body)

    def before_call(self) -> None:
        """Reserve the call's unit."""
        if not self.ledger.spend(UNITS_PER_CALL):
            reset = f"{next_reset(self.run.clock()):%Y-%m-%d %H:%M} UTC"
            raise StopError(f"the daily units of the key are spent; they come anew at {reset}", "refused", is_for_all=True)

    def after_call(self, reading: Reading, answer: Answer) -> None:
        """Wait for the next quota day where the platform says that the units are spent, by others with the same key perhaps."""
        super().after_call(reading, answer)
        if reading.verdict is Verdict.QUOTA:
            self.ledger.exhaust()
            now = self.run.clock()
            self.pause(max(PAUSE_SECONDS, (next_reset(now) - now).total_seconds()))

    def _uploads(self) -> str:
        url = self.address.list_url("channels", part="contentDetails", id=self.address.channel_id)
        reading, answer = self.need(self.get(url))
        row = object_of(reading.rows[0]) if reading.rows else {}
        found = inner(row, "contentDetails", "relatedPlaylists").get("uploads")
        if not isinstance(found, str):
            raise StopError(f"no channel {self.address.channel_id} at the platform", "http_error", answer.status)
        return found

    def _list_new(self, today: str) -> set[str]:
        """List from the newest video back to the start of the re-read window; returns the ids listed."""
        days = LONG_REREAD_DAYS if self.state["long"] != today else REREAD_DAYS
        self.start = start = self.state["newest"] - days * 86_400
        token, found, newest = None, set[str](), self.state["newest"]
        while True:
            times, token = self._list_page(token)
            found |= set(times)
            newest = max([newest, *times.values()])
            if token is None or all(seconds < start for seconds in times.values()):
                self.state["newest"], self.state["long"] = newest, today  # only now: a listing that stops midway is made again
                return found

    def _list_rest(self) -> None:
        """List what older videos are left, page by page; the position moves on when a page's videos are taken."""
        has_begun_again = False
        while self.state["rest"] is not None:
            try:
                times, token = self._list_page(self.state["rest"]["token"])
            except _PageTokenError as error:
                if has_begun_again:
                    raise StopError("the platform refuses its own page token", "http_error", 400) from error
                self.state["rest"], has_begun_again = {"token": None}, True
                continue
            self.state["newest"] = max([self.state["newest"] or 0, *times.values()])
            self.state["rest"] = None if token is None else {"token": token}

    def _list_page(self, token: str | None) -> tuple[dict[str, int], str | None]:
        """One page of the uploads and its videos; returns their times in epoch seconds and the next page's token."""
        query: Query = {"part": "contentDetails", "playlistId": self.state["uploads"], "maxResults": ITEMS_PER_PAGE, "pageToken": token}
        found = self.get(self.address.list_url("playlistItems", **query))
        if found[0].verdict is Verdict.PAGE_TOKEN and token is not None:
            raise _PageTokenError
        reading, _ = self.need(found)
        ids = [inner(object_of(row), "contentDetails").get("videoId") for row in reading.rows]
        return self._take_videos([name for name in ids if isinstance(name, str)]), reading.after

    def _take_videos(self, ids: Sequence[str]) -> dict[str, int]:
        """Ask for videos by id and take them; returns the times of those that exist."""
        times: dict[str, int] = {}
        for at in range(0, len(ids), VIDEOS_PER_CALL):
            url = self.address.list_url("videos", part="snippet,statistics", id=",".join(ids[at : at + VIDEOS_PER_CALL]))
            reading, answer = self.need(self.get(url))
            for row in reading.rows:
                value = object_of(row)
                snippet, statistics = inner(value, "snippet"), inner(value, "statistics")
                count = whole_number(statistics.get("commentCount"))
                said = [snippet.get("title"), snippet.get("description")]
                self._take(row, value, {}, said, [statistics.get("likeCount"), count], answer)
                if value.get("id"):
                    video_id, created = str(value["id"]), parse_time(str(snippet.get("publishedAt")))
                    times[video_id] = int(created.timestamp()) if created else 0
                    # Without a count comments are switched off.
                    self.discussions.note(video_id, times[video_id], [count], has_comments=bool(count))
        return times

    def _find_removed(self, listed: set[str]) -> None:
        missing = self.discussions.unlisted(self.start, listed)
        found = self._take_videos(missing) if missing else {}
        for video_id in (name for name in missing if name not in found):
            self.removed(video_id, "no longer listed by videos.list", 200)

    def comments_page(self, name: str, token: str | None) -> tuple[Reading, Answer]:
        """Threads, newest first, with the first replies of each."""
        query: Query = {"part": "snippet,replies", "videoId": name, "order": "time", "maxResults": COMMENTS_PER_PAGE, "pageToken": token}
        return self.get(self.address.list_url("commentThreads", **query))

    def take_comments(self, row: str, name: str, answer: Answer, *, is_whole: bool) -> bool:
        """One thread: its comment and all replies."""
        thread = thread_of(row)
        if thread is None:
            return self._take(row, object_of(row), {"video_id": name}, [row], [], answer)
        is_news = self._take_comment(thread.top, name, answer)
        replies = [self._take_comment(reply, name, answer) for reply in thread.replies]
        counts = self.state["replies"].setdefault(name, {})
        if not thread.is_complete and (is_whole or counts.get(thread.top_id) != thread.reply_count):
            replies += self._read_replies(thread.top_id, name)
            counts[thread.top_id] = thread.reply_count
        return is_news or any(replies)

    def _read_replies(self, thread_id: str, video_id: str) -> list[bool]:
        news, token = list[bool](), None
        while True:
            query: Query = {"part": "snippet", "parentId": thread_id, "maxResults": COMMENTS_PER_PAGE, "pageToken": token}
            reading, answer = self.get(self.address.list_url("comments", **query))
            if reading.verdict is not Verdict.OK:
                self.run.finding(self.source, self.safe(f"replies to {thread_id}: {reading.detail}"), answer.status)
                return news
            news += [self._take_comment(row, video_id, answer) for row in reading.rows]
            token = reading.after
            if token is None:
                return news

    def _take_comment(self, row: str, video_id: str, answer: Answer) -> bool:
        value = object_of(row)
        snippet = inner(value, "snippet")
        said = [snippet.get("textOriginal"), snippet.get("textDisplay"), snippet.get("updatedAt")]
        return self._take(row, value, {"video_id": video_id}, said, [snippet.get("likeCount")], answer)

    def _take(
        self, row: str, value: Mapping[str, Any], context: Mapping[str, str], said: list[Any], counts: list[Any], answer: Answer
    ) -> bool:
        name = value.get("id")
        where = f"watch?v={context['video_id']}&lc={name}" if context else f"watch?v={name}"
        url = f"https://{self.source.platform}/{where}" if name else None
        return self.take(self.item(row, name, inner(value, "snippet").get("publishedAt"), url, context), said, counts, answer)


class _PageTokenError(Exception):
    """The platform knows a page token no longer."""
