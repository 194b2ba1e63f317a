"""What an answer of a platform interface means for the work, whatever the platform. Pure.

Belongs here: the verdicts and the way to one. Not here: which code or reason means what (graph_api.py, youtube_api.py).
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from assets.bronze.json_parts import elements, member

Query = dict[str, str | int | None]
"""The parameters of a call; those that are None are left out."""


class Verdict(StrEnum):
    """What an answer means for the work."""

    OK = "ok"
    CREDENTIALS = "credentials"
    RATE = "rate"
    QUOTA = "quota"
    PERMISSION = "permission"
    GONE = "gone"
    BAD_REQUEST = "bad_request"
    PAGE_TOKEN = "page_token"  # noqa: S105 - a word, no token
    COMMENTS_OFF = "comments_off"
    FAULT = "fault"
    UNREADABLE = "unreadable"


STOPS_ALL = frozenset({Verdict.CREDENTIALS, Verdict.RATE, Verdict.QUOTA})
"""After these no source of the interface can be read."""
STOPS = STOPS_ALL | {Verdict.PERMISSION, Verdict.FAULT, Verdict.UNREADABLE}
"""After these the source at hand cannot be read on."""
BY_STATUS: Mapping[int, Verdict] = {
    400: Verdict.BAD_REQUEST,
    401: Verdict.CREDENTIALS,
    403: Verdict.PERMISSION,
    404: Verdict.GONE,
    410: Verdict.GONE,
    429: Verdict.RATE,
}
"""What a status means where the body says nothing; any other is a fault."""


@dataclass(frozen=True)
class Reading:
    """An answer understood. `rows`: the raw texts of the listed items; `after`: where the next page begins; `detail`: for people."""

    verdict: Verdict
    rows: tuple[str, ...] = ()
    after: str | None = None
    detail: str = ""


def read_answer(
    status: int | None,
    body: bytes,
    rows: str,
    error: Callable[[Mapping[str, Any], int | None], Reading],
    after: Callable[[Mapping[str, Any]], object],
) -> Reading:
    """Understand an answer by its body first, then by its status: platforms send one error with several statuses.

    `rows` is the member that holds the items, `error` understands the object under "error", `after` finds the next page's token.
    """
    try:
        text = body.decode("utf-8")
        value = json.loads(text)
    except (ValueError, RecursionError):
        value = None
    if isinstance(value, dict) and isinstance(value.get("error"), dict):
        return error(value["error"], status)
    if status is None or not 200 <= status < 300:
        return Reading(BY_STATUS.get(status or 0, Verdict.FAULT), detail=f"HTTP {status}")
    if not isinstance(value, dict):
        return Reading(Verdict.UNREADABLE, detail="the answer is no JSON object")
    if not isinstance(value.get(rows, []), list):
        return Reading(Verdict.UNREADABLE, detail=f"{rows} is no list")
    following = after(value)
    return Reading(Verdict.OK, tuple(elements(member(text, rows))), following if isinstance(following, str) else None)
