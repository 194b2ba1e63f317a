"""Fault switches of the demo city: what is to go wrong with answers under a path, set over /_control/faults and used by tests.

    POST /_control/faults {"faults": [{"path": "/graph/", "kind": "429", "retry_after": 5, "times": 2}]}

sets them all anew; an empty list mends everything. Belongs here: the kinds and what they do to an answer. Not here: sockets (server.py).
"""

import gzip
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.demo_city.article_pages import ARTICLE_FAULTS, spoil_article
from orchestration.demo_city.feed_faults import FEED_FAULTS, spoil_feed
from orchestration.demo_city.graph import graph_error
from orchestration.demo_city.pages import Page, json_page
from orchestration.demo_city.youtube import youtube_error

STATUSES = ("400", "401", "403", "404", "410", "429", "500", "503")
KINDS = (
    *STATUSES,
    *("slow", "truncated", "wrong_type", "html", "gzip", "bad_gzip", "graph_error", "youtube_error"),
    *dict.fromkeys((*ARTICLE_FAULTS, *FEED_FAULTS)),
)
_HTML = b"<!DOCTYPE html><html><head><title>B\xe1\xba\xa3o tr\xc3\xac</title></head><body>B\xe1\xba\xa3o tr\xc3\xac</body></html>"
_FOR_EVER = 10**9


@dataclass
class Fault:
    """One switch. path: how a request's path (with its query) must begin; skip: answers let through first; times: answers spoiled.

    kind: an HTTP status (with retry_after in seconds, where given); slow (seconds before the second half of the body); truncated
    (Content-Length promises more than comes); wrong_type (image/png); html (a page of maintenance, status 200); gzip (rightly encoded);
    bad_gzip (said to be, is not); graph_error (code, subcode) and youtube_error (reason);
    ARTICLE_FAULTS are for article pages, FEED_FAULTS for RSS feeds; their validators then go with the changed body.
    """

    path: str
    kind: str
    times: int = _FOR_EVER
    skip: int = 0
    retry_after: int | None = None
    seconds: float = 1.0
    code: int = 1
    subcode: int | None = None
    reason: str = "backendError"


class FaultSwitches:
    """The switches in force; safe for the server's threads."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()

    def set(self, given: object) -> list[Fault]:
        """Replace all switches by a list of their fields. Raises ValueError naming what is wrong."""
        if not isinstance(given, list):
            raise ValueError("faults is no list; expected a list of switches, empty to mend all")  # noqa: TRY004 - one error for all input
        made = [_fault(one) for one in given]
        with self._lock:
            self._faults = made
        return made

    def take(self, path: str) -> Fault | None:
        """The first switch that spoils this answer, counted down; None when it goes out as it should."""
        with self._lock:
            for fault in self._faults:
                if path.startswith(fault.path) and fault.times > 0:
                    if fault.skip > 0:
                        fault.skip -= 1
                        continue
                    fault.times -= 1
                    return fault
        return None


def _fault(given: object) -> Fault:
    if not isinstance(given, dict):
        raise ValueError(f"{given!r} is no switch; expected an object with path and kind")  # noqa: TRY004 - as above
    try:
        fault = Fault(**given)
    except TypeError as error:
        raise ValueError(f"a switch cannot be read: {error}") from error
    if fault.kind not in KINDS:
        raise ValueError(f"kind is {fault.kind!r}; expected one of {', '.join(KINDS)}")
    return fault


def spoil(page: Page, fault: Fault) -> Page:
    """The answer as the switch makes it."""
    if fault.kind in STATUSES:
        headers: Mapping[str, str] = {} if fault.retry_after is None else {"Retry-After": str(fault.retry_after)}
        return replace(json_page({"error": f"fault switch: {fault.kind}"}, int(fault.kind)), headers=headers)
    if fault.kind in {"graph_error", "youtube_error"}:
        answer = graph_error(fault.code, None, fault.subcode) if fault.kind == "graph_error" else youtube_error(fault.reason)
        return replace(json_page(answer.value, answer.status), headers=answer.headers)
    if fault.kind in FEED_FAULTS and "rss" in page.media_type:
        body, media_type = spoil_feed(page.body, fault.kind)
        return replace(page, body=body, media_type=media_type, validated=None)
    if fault.kind in ARTICLE_FAULTS:
        body, media_type = spoil_article(page.body, fault.kind)
        return replace(page, body=body, media_type=media_type, validated=None)
    changes: dict[str, dict[str, Any]] = {
        "slow": {"pause_seconds": fault.seconds},
        "truncated": {"is_cut": True},
        "wrong_type": {"media_type": "image/png"},
        "html": {"body": _HTML, "media_type": "text/html; charset=utf-8", "items": None},
        "gzip": {"body": gzip.compress(page.body, mtime=0), "headers": {**page.headers, "Content-Encoding": "gzip"}},
        "bad_gzip": {"headers": {**page.headers, "Content-Encoding": "gzip"}},
    }
    return replace(page, **changes[fault.kind])
