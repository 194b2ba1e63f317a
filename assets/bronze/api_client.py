"""Asking a platform interface with a secret in a header: what every request of page_posts and video_comments goes through.

No redirect is followed, for the secret must not go to another host; no proxy or netrc of the environment is used; no cookie is kept.
Belongs here: one request and what became of it. Not here: what the answer means (graph_api.py, youtube_api.py).
"""

import ipaddress
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Self

import httpx

from assets.bronze.landing import Clock
from lake_config.registry import Source

_USER_AGENT = "LangNghe/0.1 (public posts reader)"
_TIMEOUT_SECONDS = 20.0
_WHOLE_ANSWER_SECONDS = 60.0
_MAX_BODY_BYTES = 20 * 1024 * 1024


@dataclass(frozen=True)
class Answer:
    """What became of a request. outcome: ok (2xx), http_error, unreachable, refused or unreadable; body: decoded, also of an http_error."""

    outcome: str
    fetched_at: datetime
    status: int | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    detail: str | None = None


class _RefusedError(Exception):
    """What a host offers is not taken."""


class ApiClient:
    """A context manager around one HTTP client."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._http = httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=False, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def get(self, source: Source, url: str, *, headers: Mapping[str, str]) -> Answer:
        """Ask once. Never raises for what a host does; a detail never holds a header."""
        try:
            if not source.allow_private:
                _refuse_private(httpx.URL(url))
            self._http.cookies.clear()
            with self._http.stream("GET", url, headers={"User-Agent": _USER_AGENT, **headers}) as response:
                body = _read_body(response)
                outcome = "ok" if response.is_success else "http_error"
                return Answer(outcome, self._clock(), response.status_code, dict(response.headers), body)
        except _RefusedError as error:
            return Answer("refused", self._clock(), detail=str(error))
        except httpx.DecodingError as error:
            return Answer("unreadable", self._clock(), detail=f"the body is not encoded as it says: {error}"[:300])
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            return Answer("unreachable", self._clock(), detail=f"{type(error).__name__}: {error}"[:300])


def _read_body(response: httpx.Response) -> bytes:
    chunks, size, started = [], 0, time.monotonic()
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > _MAX_BODY_BYTES:
            raise _RefusedError(f"body over {_MAX_BODY_BYTES} bytes")
        if time.monotonic() - started > _WHOLE_ANSWER_SECONDS:
            raise _RefusedError(f"the body took longer than {_WHOLE_ANSWER_SECONDS:g} s")
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse_private(url: httpx.URL) -> None:
    try:
        found = socket.getaddrinfo(url.host, url.port or 443, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # the request itself will say that the name leads nowhere
    if any(not ipaddress.ip_address(str(entry[4][0]).split("%", 1)[0]).is_global for entry in found):
        raise _RefusedError(f"{url.host} is not a public address; set allow_private in the registry if it is meant")
