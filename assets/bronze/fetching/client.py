"""Requests within limits: addresses checked before each hop, bodies bounded, redirects followed here, no cookies, no environment.

Never raises for what a host does: the answer says it.
"""

import asyncio
import email.utils
import ssl
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self
from urllib.parse import urljoin

import aiohttp
from aiohttp.abc import AbstractResolver

from assets.bronze.fetching.answer import Answer
from assets.bronze.fetching.hosts import Hosts
from assets.bronze.fetching.robots import AGENT, Robots
from assets.bronze.fetching.robots import MAX_BYTES as MAX_ROBOTS_BYTES
from assets.bronze.fetching.safety import PublicResolver, RefusedError, checked_url
from assets.bronze.fetching.unpacking import ACCEPTED, Unpacker, UnreadableError
from lake_config.tables.bronze import GONE, MOVED_HOST, MOVED_PERMANENTLY, ROBOTS_DISALLOW

Headers = Mapping[str, str]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_FOR_GOOD = frozenset({301, 308})
_PIECE = 64 * 1024


@dataclass(frozen=True)
class Limits:
    """What one request may cost: seconds for its whole answer and redirects, for connecting, between two pieces; bytes; redirects.

    `delay` is the pause in seconds after each request to a host whose robots.txt wishes for none; `at_once` bounds all requests in flight.
    """

    whole: float = 60.0
    connect: float = 10.0
    read: float = 20.0
    max_bytes: int = 10 * 1024 * 1024
    redirects: int = 5
    delay: float = 1.0
    at_once: int = 64


@dataclass(frozen=True)
class _Request:
    """What holds for a request and all its redirects."""

    allow_private: bool
    is_polite: bool
    headers: Headers
    max_bytes: int


class Client:
    """An asynchronous client; use as an asynchronous context manager. `resolver` resolves names (default: the system's)."""

    def __init__(
        self, *, clock: Callable[[], datetime], contact: str = "", limits: Limits | None = None, resolver: AbstractResolver | None = None
    ):
        self.limits, self.clock, self.hosts = limits or Limits(), clock, Hosts()
        self.robots = Robots(self._robots_txt, clock)
        self._agent = f"{AGENT}/1.0" + (f" (+{contact})" if contact else "")
        self._resolver = resolver
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Self:
        self._slots = asyncio.Semaphore(self.limits.at_once)
        # Two sessions: a connection that was opened to a private address must never be used again for a source that may not go there.
        self._public = await self._stack.enter_async_context(self._session(PublicResolver(self._resolver)))
        self._private = await self._stack.enter_async_context(self._session(self._resolver))
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()

    def _session(self, resolver: AbstractResolver | None) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, resolver=resolver, use_dns_cache=False, keepalive_timeout=3),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            trust_env=False,
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=self.limits.connect, sock_read=self.limits.read),
        )

    async def get(
        self, url: str, *, allow_private: bool = False, polite: bool = True, headers: Headers | None = None, max_bytes: int | None = None
    ) -> Answer:
        """Ask for an address. `polite`: robots.txt, turns and circuits of its host are obeyed (interfaces have their own rules).

        `headers` go to the host of `url` only, not where it redirects to.
        """
        return await self._follow(url, _Request(allow_private, polite, headers or {}, max_bytes or self.limits.max_bytes))

    async def _robots_txt(self, url: str, allow_private: bool) -> Answer:
        request = _Request(allow_private, is_polite=False, headers={}, max_bytes=MAX_ROBOTS_BYTES * 2)
        return await self._follow(url, request, self.limits.delay)

    async def _follow(self, url: str, request: _Request, delay: float | None = None) -> Answer:
        """Ask and follow redirects. `delay`: seconds to leave a host alone after each request, None to take no turns at all."""
        current, left, finding = url, self.limits.whole, None
        try:
            first_host = host = checked_url(url, allow_private=request.allow_private)
        except RefusedError as error:
            return self._no("refused", str(error), url)
        for _ in range(self.limits.redirects + 1):
            if request.is_polite:
                not_asked, delay = await self._leave(host, current, request.allow_private)
                if not_asked is not None:
                    return replace(not_asked, finding=not_asked.finding or finding)
            own = request if host == first_host else replace(request, headers={})
            answer, spent = await self._hop(host, current, own, left, delay)
            left -= spent
            if answer.status not in _REDIRECTS or "location" not in answer.headers:
                return replace(answer, finding=GONE if answer.status == 410 else finding)
            try:
                target, next_host = _target(current, answer.headers["location"], host, request.allow_private)
            except RefusedError as error:
                return replace(self._no("refused", str(error), current), finding=finding)
            if next_host.removeprefix("www.") != host.removeprefix("www."):
                finding = MOVED_HOST
            elif answer.status in _FOR_GOOD and finding is None:
                finding = MOVED_PERMANENTLY
            current, host = target, next_host
        return replace(self._no("refused", f"more than {self.limits.redirects} redirects", current), finding=finding)

    async def _leave(self, host: str, url: str, allow_private: bool) -> tuple[Answer | None, float]:
        """The answer where a host's circuit or robots.txt forbids to ask, and the pause in seconds that it wishes for."""
        if (until := self.hosts.closed_until(host, self.clock())) is not None:
            return self._postponed(host, until, url), 0.0
        rules = await self.robots.rules(url, allow_private)
        if rules.text is None:
            return self._no("unreachable", f"the robots.txt of {host} cannot be had, so nothing may be asked: {rules.fault}", url), 0.0
        if not rules.allows(url):
            return replace(self._no("refused", f"the robots.txt of {host} does not allow it", url), finding=ROBOTS_DISALLOW), 0.0
        return None, self.limits.delay if rules.delay is None else rules.delay

    async def _hop(self, host: str, url: str, request: _Request, left: float, delay: float | None) -> tuple[Answer, float]:
        """One request without redirects, and the seconds it took."""
        loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            if delay is not None:
                await stack.enter_async_context(self.hosts.turn(host, delay))
                if (until := self.hosts.closed_until(host, self.clock())) is not None:
                    return self._postponed(host, until, url), 0.0
            await stack.enter_async_context(self._slots)
            started = loop.time()
            answer = await self._ask(url, request, left)
            if delay is not None:
                self.hosts.heard(host, answer)
        return answer, loop.time() - started

    async def _ask(self, url: str, request: _Request, left: float) -> Answer:
        session = self._private if request.allow_private else self._public
        sent = {"User-Agent": self._agent, "Accept-Encoding": ACCEPTED, **request.headers}
        try:
            async with asyncio.timeout(max(left, 0.001)), session.get(url, headers=sent, allow_redirects=False) as response:
                return await self._read(url, response, request.max_bytes)
        except RefusedError as error:
            return self._no("refused", str(error), url)
        except UnreadableError as error:
            return self._no("unreadable", str(error), url)
        except TimeoutError as error:
            if isinstance(error, aiohttp.ServerTimeoutError):
                return self._no("unreachable", "no answer in time", url)
            return self._no("refused", f"the whole answer took longer than {self.limits.whole:g} s", url)
        except (aiohttp.ClientError, OSError, ValueError, ssl.CertificateError) as error:
            if isinstance(refused := error.__cause__, RefusedError):
                return self._no("refused", str(refused), url)
            return self._no("unreachable", _reason(error), url)

    async def _read(self, url: str, response: aiohttp.ClientResponse, max_bytes: int) -> Answer:
        headers = {name.lower(): _latin(value) for name, value in response.headers.items()}
        status, wait = response.status, _seconds(headers.get("retry-after"), self.clock())
        if status == 304 or status in _REDIRECTS:
            return Answer(
                "not_modified" if status == 304 else "http_error", self.clock(), status, headers, final_url=url, detail=f"HTTP {status}"
            )
        unpacker = Unpacker(headers.get("content-encoding", ""), max_bytes)
        async for piece in response.content.iter_chunked(_PIECE):
            unpacker.feed(piece)
        answer = Answer("ok", self.clock(), status, headers, unpacker.body(), url, retry_after=wait)
        return answer if 200 <= status < 300 else replace(answer, outcome="http_error", detail=f"HTTP {status}")

    def _postponed(self, host: str, until: datetime, url: str) -> Answer:
        answer = self._no("postponed", f"{host} is left alone until {until:%Y-%m-%d %H:%M:%S} UTC, after failures or at its wish", url)
        return replace(answer, retry_after=(until - self.clock()).total_seconds())

    def _no(self, outcome: str, detail: str, url: str) -> Answer:
        return Answer(outcome, self.clock(), final_url=url, detail=detail)


def _target(url: str, location: str, host: str, allow_private: bool) -> tuple[str, str]:
    """Where a redirect leads, and the host there. Raises RefusedError where it must not be followed."""
    try:
        target = urljoin(url, location)
    except ValueError:
        raise RefusedError(f"{host} redirects to what is no address") from None
    if url.startswith("https:") and target.startswith("http:"):
        raise RefusedError(f"{host} redirects from https to http, where nothing proves who answers")
    return target, checked_url(target, allow_private=allow_private)


def _reason(error: Exception) -> str:
    """What went wrong, without the address: its query may hold a token."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError | ssl.CertificateError):
        return "its certificate does not prove who it is"
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return "its name leads nowhere"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"no connection: {error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the body was cut off"
    return f"no whole answer: {type(error).__name__}"


def _latin(value: str) -> str:
    """Bytes beyond ASCII in a header, which aiohttp hands on as halves of characters, as the letters of Latin-1 (RFC 9110, section 5.5)."""
    return value if value.isascii() else value.encode("utf-8", "surrogateescape").decode("latin-1")


def _seconds(value: str | None, now: datetime) -> float | None:
    """Retry-After in seconds (RFC 9110, section 10.2.3: seconds or a date); None where there is none that can be read."""
    if value is None:
        return None
    text = value.strip()
    if text.isascii() and text.isdigit():
        return float(text[:12])
    try:
        moment = email.utils.parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, ((moment if moment.tzinfo else moment.replace(tzinfo=UTC)) - now).total_seconds())
