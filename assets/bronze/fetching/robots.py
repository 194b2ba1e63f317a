"""What a host's robots.txt allows (RFC 9309), asked for once a day and host."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from protego import Protego

from assets.bronze.fetching.answer import Answer

AGENT = "LangNghe"
"""The product token by which robots.txt files name this reader."""
MAX_BYTES = 512 * 1024
"""RFC 9309, section 2.5: at least 500 KiB must be read; what lies beyond is not."""
MAX_DELAY_SECONDS = 60.0
_KEEP = timedelta(hours=24)
"""RFC 9309, section 2.4: a file is not relied on for longer."""
_TRY_AGAIN = timedelta(minutes=30)
_REMEMBER_CHARACTERS = 20_000


@dataclass(frozen=True)
class Rules:
    """The rules of one host. `text` is None where they could not be had and nothing may be fetched (RFC 9309, section 2.3.1.4).

    `fault` then says why, for people.
    """

    text: str | None
    until: datetime
    parsed: Protego | None = None
    fault: str | None = None

    def allows(self, url: str) -> bool:
        """Whether this reader may ask for the address."""
        return self.parsed is not None and bool(self.parsed.can_fetch(url, AGENT))

    @property
    def delay(self) -> float | None:
        """Seconds between requests as the host wishes them, within reason; None where it says nothing."""
        wish = self.parsed.crawl_delay(AGENT) if self.parsed else None
        return None if wish is None else min(float(wish), MAX_DELAY_SECONDS)


def rules_of(answer: Answer) -> Rules:
    """The rules that the answer to a request for robots.txt gives.

    A client error (4xx, 429 apart) or an answer that is no text means that there are no rules; a server error, 429 or no answer that
    nothing may be fetched until it is known.
    """
    if answer.outcome == "ok":
        text = "" if b"\0" in answer.body[:1000] else answer.body[:MAX_BYTES].decode("utf-8", errors="replace").removeprefix("\ufeff")
        return _rules("" if text.lstrip()[:1] == "<" else text, answer.fetched_at + _KEEP)
    if answer.outcome == "http_error" and answer.status is not None and 400 <= answer.status < 500 and answer.status != 429:
        return _rules("", answer.fetched_at + _KEEP)
    if answer.outcome in {"refused", "unreadable"}:  # a redirect into nowhere, a body of gigabytes: no rules are to be had there
        return _rules("", answer.fetched_at + _KEEP)
    return Rules(None, answer.fetched_at + _TRY_AGAIN, fault=answer.detail)


def _rules(text: str, until: datetime) -> Rules:
    return Rules(text, until, Protego.parse(text))


class Robots:
    """The rules of all hosts met so far. `fetch` asks for a robots.txt; its second argument says whether it may lead to private
    addresses.
    """

    def __init__(self, fetch: Callable[[str, bool], Awaitable[Answer]], clock: Callable[[], datetime]):
        self._fetch, self._clock = fetch, clock
        self._known: dict[str, Rules] = {}
        self._asking: dict[str, asyncio.Lock] = {}

    async def rules(self, url: str, allow_private: bool) -> Rules:
        """The rules for the host of an address."""
        parts = urlsplit(url)
        origin = f"{parts.scheme}://{parts.netloc}"
        async with self._asking.setdefault(origin, asyncio.Lock()):
            known = self._known.get(origin)
            if known is None or known.until <= self._clock():
                known = self._known[origin] = rules_of(await self._fetch(f"{origin}/robots.txt", allow_private))
            return known

    def state(self) -> dict[str, Any]:
        """What the next process should know: origin -> [text, until (ISO, UTC)]. Very long files are asked for anew."""
        now = self._clock()
        return {
            origin: [rules.text, rules.until.isoformat()]
            for origin, rules in sorted(self._known.items())
            if rules.text is not None and rules.until > now and len(rules.text) <= _REMEMBER_CHARACTERS
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Take over what an earlier process knew."""
        for origin, (text, until) in state.items():
            self._known[origin] = _rules(text, datetime.fromisoformat(until))
