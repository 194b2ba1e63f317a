"""What the YouTube Data API v3 says and how to ask it: addresses, what an answer means, its parts as rows. Pure.

After developers.google.com/youtube/v3: docs/errors, determine_quota_cost, docs/commentThreads.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from assets.bronze.json_parts import elements, member

UNITS_PER_CALL = 1
"""Every list call made here (channels, playlistItems, videos, commentThreads, comments) costs one unit."""
DEFAULT_DAILY_UNITS = 10_000
VIDEOS_PER_CALL, ITEMS_PER_PAGE, COMMENTS_PER_PAGE = 50, 50, 100


class Verdict(StrEnum):
    """What an answer means for the work."""

    OK = "ok"
    QUOTA = "quota"
    RATE = "rate"
    KEY = "key"
    COMMENTS_OFF = "comments_off"
    GONE = "gone"
    PAGE_TOKEN = "page_token"  # noqa: S105 - a word, no token
    REFUSED = "refused"
    FAULT = "fault"
    UNREADABLE = "unreadable"


_REASONS = {
    "quotaExceeded": Verdict.QUOTA,
    "dailyLimitExceeded": Verdict.QUOTA,
    "rateLimitExceeded": Verdict.RATE,
    "userRateLimitExceeded": Verdict.RATE,
    "commentsDisabled": Verdict.COMMENTS_OFF,
    "videoNotFound": Verdict.GONE,
    "playlistNotFound": Verdict.GONE,
    "commentNotFound": Verdict.GONE,
    "channelNotFound": Verdict.GONE,
    "invalidPageToken": Verdict.PAGE_TOKEN,
    "keyInvalid": Verdict.KEY,
    "keyExpired": Verdict.KEY,
    "ipRefererBlocked": Verdict.KEY,
    "accessNotConfigured": Verdict.KEY,
    "backendError": Verdict.FAULT,
}


@dataclass(frozen=True)
class Reading:
    """An answer understood. `rows`: the raw texts of its items; `following`: the next page's token; `detail`: for people."""

    verdict: Verdict
    value: Mapping[str, Any]
    rows: tuple[str, ...] = ()
    following: str | None = None
    detail: str = ""


@dataclass(frozen=True)
class ChannelAddress:
    """A channel at an interface. `base` ends without a slash: https://www.googleapis.com/youtube/v3."""

    base: str
    channel_id: str

    @classmethod
    def of(cls, url: str) -> "ChannelAddress":
        """From a registry url: <base>/channels?id=<channel id>. Raises ValueError for another one."""
        parts = urlsplit(url)
        found = parse_qs(parts.query).get("id", [])
        base = url.split("?", 1)[0]
        if parts.scheme not in {"http", "https"} or not parts.netloc or not base.endswith("/channels") or len(found) != 1:
            raise ValueError(f"the address {url!r} is not of the form https://www.googleapis.com/youtube/v3/channels?id=<channel id>")
        return cls(base.removesuffix("/channels"), found[0])

    def list_url(self, resource: str, **query: str | int | None) -> str:
        """The address of a list call. Never holds the key."""
        return f"{self.base}/{resource}?{urlencode({key: value for key, value in query.items() if value is not None}, safe=',')}"


def read(status: int | None, body: bytes) -> Reading:
    """Understand an answer by its body first, then by its status."""
    try:
        text = body.decode("utf-8")
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        return _error(value["error"], status)
    if status is None or not 200 <= status < 300:
        return Reading(_by_status(status), {}, detail=f"HTTP {status}")
    if not isinstance(value, dict) or not isinstance(value.get("items", []), list):
        return Reading(Verdict.UNREADABLE, {}, detail="the answer is no JSON object with items")
    following = value.get("nextPageToken")
    return Reading(Verdict.OK, value, tuple(elements(member(text, "items"))), following if isinstance(following, str) else None)


def _by_status(status: int | None) -> Verdict:
    return {401: Verdict.KEY, 404: Verdict.GONE, 410: Verdict.GONE, 429: Verdict.RATE, 400: Verdict.REFUSED, 403: Verdict.REFUSED}.get(
        status or 0, Verdict.FAULT
    )


def _error(error: Mapping[str, Any], status: int | None) -> Reading:
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    reason, message = str(first.get("reason", "")), str(error.get("message", ""))
    verdict = _REASONS.get(reason)
    if verdict is None:
        verdict = Verdict.KEY if "API key" in message or "unregistered callers" in message else _by_status(status)
    return Reading(verdict, {"reason": reason}, detail=f"{error.get('code')} {reason}: {message}"[:250])


@dataclass(frozen=True)
class Thread:
    """A thread of comments: the raw text of the top one, of those replies that came with it, and how many replies there are."""

    top: str
    top_id: str
    replies: tuple[str, ...]
    reply_count: int

    @property
    def is_complete(self) -> bool:
        """Whether all replies came with it."""
        return len(self.replies) >= self.reply_count


def thread_of(row: str) -> Thread | None:
    """A commentThread's parts, each as received; None for what is no thread."""
    top = member(row, "snippet", "topLevelComment")
    value = object_of(top) if top else {}
    if top is None or not value:
        return None
    count = inner(object_of(row), "snippet").get("totalReplyCount")
    replies = tuple(elements(member(row, "replies", "comments")))
    return Thread(top, str(value.get("id") or ""), replies, count if isinstance(count, int) else len(replies))


def object_of(row: str) -> Mapping[str, Any]:
    """The JSON object of a text; an empty one where it is something else."""
    value = json.loads(row)
    return value if isinstance(value, dict) else {}


def inner(value: object, *path: str) -> Mapping[str, Any]:
    """The object at a path of keys; an empty one where the path leads nowhere or to something else."""
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value if isinstance(value, dict) else {}


def whole_number(value: object) -> int | None:
    """A count, which the interface writes as a string; None where there is none (comments switched off)."""
    return int(str(value)) if str(value).isdigit() else None
