"""What the YouTube Data API v3 says and how to ask it: addresses, what an answer means, its parts as rows. Pure.

After developers.google.com/youtube/v3: docs/errors, determine_quota_cost, docs/commentThreads.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from assets.bronze.api_answer import BY_STATUS, Reading, Verdict, read_answer
from assets.bronze.json_parts import elements, inner, member, object_of

UNITS_PER_CALL = 1
"""Every list call made here (channels, playlistItems, videos, commentThreads, comments) costs one unit."""
DEFAULT_DAILY_UNITS = 10_000
VIDEOS_PER_CALL, ITEMS_PER_PAGE, COMMENTS_PER_PAGE = 50, 50, 100


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
    "keyInvalid": Verdict.CREDENTIALS,
    "keyExpired": Verdict.CREDENTIALS,
    "ipRefererBlocked": Verdict.CREDENTIALS,
    "accessNotConfigured": Verdict.CREDENTIALS,
    "backendError": Verdict.FAULT,
}


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
    """Understand an answer."""
    return read_answer(status, body, "items", _error, lambda value: value.get("nextPageToken"))


def _error(error: Mapping[str, Any], status: int | None) -> Reading:
    errors = error.get("errors")
    first = errors[0] if isinstance(errors, list) and errors and isinstance(errors[0], dict) else {}
    reason, message = str(first.get("reason", "")), str(error.get("message", ""))
    verdict = _REASONS.get(reason)
    if verdict is None:
        is_of_key = "API key" in message or "unregistered callers" in message
        verdict = Verdict.CREDENTIALS if is_of_key else BY_STATUS.get(status or 0, Verdict.FAULT)
    return Reading(verdict, detail=f"{error.get('code')} {reason}: {message}"[:250])


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


def whole_number(value: object) -> int | None:
    """A count, which the interface writes as a string; None where there is none (comments switched off)."""
    return int(str(value)) if str(value).isdigit() else None
