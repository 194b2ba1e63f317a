"""What Facebook's Graph API says and how to ask it: addresses, what an answer means, how near the rate limit is. Pure.

After developers.facebook.com/docs/graph-api: guides/error-handling (codes), overview/rate-limiting (headers), results (paging).
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode, urlsplit

from assets.bronze.api_answer import Reading, Verdict, read_answer
from assets.bronze.json_parts import inner

POST_FIELDS = (
    "id,message,story,created_time,updated_time,permalink_url,from{id,name},shares,"
    "reactions.limit(0).summary(total_count),comments.limit(0).summary(total_count)"
)
COMMENT_FIELDS = "id,message,created_time,permalink_url,from{id,name},like_count,comment_count,parent{id}"
PAGE_SIZE = 100
SLOW_FROM_PERCENT, PAUSE_FROM_PERCENT = 50, 80
_LONGEST_DELAY_SECONDS = 5.0
_RATE_CODES = {4, 17, 32, 613, *range(80000, 80015)}
_TOKEN_CODES = {102, 104, 190, 463, 467}
_TRANSIENT_CODES = {1, 2, -1}
_GONE_SUBCODE = 33


@dataclass(frozen=True)
class PageAddress:
    """A page at a Graph host. `base` ends without a slash."""

    base: str
    page_id: str

    @classmethod
    def of(cls, url: str) -> "PageAddress":
        """From a registry url: host, perhaps a path, and last the page's id. Raises ValueError where there is no id."""
        parts = urlsplit(url)
        base, _, page_id = url.split("?", 1)[0].rstrip("/").rpartition("/")
        if parts.scheme not in {"http", "https"} or not parts.netloc or not page_id or base.endswith(":/"):
            raise ValueError(f"the address {url!r} does not end in a page's id")
        return cls(base, page_id)

    def edge(self, version: str, name: str, edge: str, **query: str | int | None) -> str:
        """The address of an edge (posts, comments) of an object, or of the object itself where edge is empty. Never holds the token."""
        path = "/".join(part for part in (self.base, version, name, edge) if part)
        return f"{path}?{urlencode({key: value for key, value in query.items() if value is not None}, safe='(){},.')}"


def read(status: int | None, body: bytes) -> Reading:
    """Understand an answer."""
    return read_answer(status, body, "data", _error, _after)


def _after(value: Mapping[str, Any]) -> object:
    # A cursor comes with the last page as well; only `next` says that there is another.
    return inner(value, "paging", "cursors").get("after") if "next" in inner(value, "paging") else None


def _error(error: Mapping[str, Any], _: int | None) -> Reading:
    code, subcode = error.get("code"), error.get("error_subcode")
    named = f"error {code}" + (f"/{subcode}" if subcode is not None else "")
    detail = f"{named} {error.get('type', '')}: {error.get('message', '')}"[:250]
    if code in _RATE_CODES:
        verdict = Verdict.RATE
    elif code in _TOKEN_CODES:
        verdict = Verdict.CREDENTIALS
    elif code == 803 or (code == 100 and subcode == _GONE_SUBCODE):
        verdict = Verdict.GONE
    elif code == 100:
        verdict = Verdict.BAD_REQUEST
    elif isinstance(code, int) and (code in {3, 10} or 200 <= code <= 299):
        verdict = Verdict.PERMISSION
    elif code in _TRANSIENT_CODES or error.get("is_transient"):
        verdict = Verdict.FAULT
    else:
        verdict = Verdict.BAD_REQUEST
    return Reading(verdict, detail=detail)


def usage(headers: Mapping[str, str]) -> tuple[int, int]:
    """How much of the rate limit is used, in per cent (the highest of all counters), and the minutes the platform asks to wait."""
    lower = {name.lower(): value for name, value in headers.items()}
    percent, minutes = 0, 0
    for name in ("x-app-usage", "x-business-use-case-usage", "x-page-usage"):
        try:
            found = json.loads(lower.get(name, "{}"))
        except ValueError:
            continue
        cases = [case for group in found.values() if isinstance(group, list) for case in group] if isinstance(found, dict) else []
        for case in [found, *cases]:
            if isinstance(case, dict):
                numbers = {key: value for key, value in case.items() if isinstance(value, int | float)}
                minutes = max(minutes, int(numbers.pop("estimated_time_to_regain_access", 0)))
                percent = max([percent, *(int(value) for value in numbers.values())])
    return percent, minutes


def delay_seconds(percent: int) -> float:
    """How long to wait before the next call: nothing up to half of the limit, then ever longer up to the point where the run pauses."""
    share = (percent - SLOW_FROM_PERCENT) / (PAUSE_FROM_PERCENT - SLOW_FROM_PERCENT)
    return round(_LONGEST_DELAY_SECONDS * min(max(share, 0.0), 1.0), 3)


def must_pause(percent: int, *, is_refused: bool) -> bool:
    """Whether no further call may be made for a while."""
    return is_refused or percent >= PAUSE_FROM_PERCENT


def plan_windows(left: list[list[int | None]], newest: int | None, reread_seconds: int) -> list[list[int | None]]:
    """The spans of time [since, until] to list, newest first, in epoch seconds (until None: up to now).

    The first goes back from the newest known post by the re-read window, all the way on a first reading; then come the spans that earlier
    runs had to leave, without what the first covers.
    """
    start = max(newest - reread_seconds, 0) if newest is not None else 0
    older = [(since, min(until, start)) for since, until in left if until is not None and since is not None and since < start]
    windows: list[list[int | None]] = [[start, None]]
    windows += [[since, until] for since, until in sorted(older, key=lambda span: span[1], reverse=True)]
    return windows
