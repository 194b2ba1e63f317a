"""The platform interfaces of the demo city as one: routing, tokens, rate limits, the daily quota, and the log of what each call served.

Belongs here: what outlives one call. Not here: the interfaces' own rules (graph.py, youtube.py), faults (faults.py).
"""

import threading
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from zoneinfo import ZoneInfo

from orchestration.demo_city.api_answers import ApiAnswer, ApiError
from orchestration.demo_city.api_data import CHANNELS, PAGES, Holdings, page_holdings, video_holdings
from orchestration.demo_city.city import City
from orchestration.demo_city.graph import graph_answer, graph_error, usage_headers
from orchestration.demo_city.youtube import youtube_answer, youtube_error

PREFIXES = ("/graph/", "/youtube/v3/")
DAILY_UNITS = 10_000
HOURLY_CALLS = 4_800
_PACIFIC = ZoneInfo("America/Los_Angeles")
_LOG_LENGTH = 50_000
_SECRETS = ("access_token", "key")


def without_secrets(path: str) -> str:
    """The path with its query, keys and tokens taken out: a log must not hold them."""
    bare, _, query = path.partition("?")
    kept = "&".join(part for part in query.split("&") if part and part.split("=", 1)[0] not in _SECRETS)
    return f"{bare}?{kept}" if kept else bare


class CityApis:
    """Both interfaces in the present round; safe for the server's threads.

    `log`: every call with path (without secrets), status, units it cost, and (id, digest) of what it served. `gone`: ids the platform has
    removed. `without_comments`: videos whose comments are off.
    """

    def __init__(self, city: City, base_url: str) -> None:
        self.city, self.base_url = city, base_url
        self.log: deque[dict[str, Any]] = deque(maxlen=_LOG_LENGTH)
        self.gone: frozenset[str] = frozenset()
        self.without_comments: frozenset[str] = frozenset()
        self.daily_units, self.hourly_calls = DAILY_UNITS, HOURLY_CALLS
        self._spent: dict[date, int] = {}
        self._calls: dict[datetime, int] = {}
        self._lock = threading.Lock()
        self._holdings: dict[tuple[object, ...], Holdings] = {}

    def configure(self, given: object) -> dict[str, Any]:
        """Set what the body names of gone, without_comments (lists of ids), daily_units, hourly_calls; counters start anew.

        Returns the settings in force. Raises ValueError.
        """
        if not isinstance(given, dict) or set(given) - {"gone", "without_comments", "daily_units", "hourly_calls"}:
            raise ValueError("expected an object with gone, without_comments, daily_units or hourly_calls")
        with self._lock:
            for name in ("gone", "without_comments"):
                if name in given:
                    setattr(self, name, frozenset(map(str, given[name])))
            for name in ("daily_units", "hourly_calls"):
                if name in given:
                    setattr(self, name, int(given[name]))
            self._spent, self._calls = {}, {}
        return {
            "gone": sorted(self.gone),
            "without_comments": sorted(self.without_comments),
            "daily_units": self.daily_units,
            "hourly_calls": self.hourly_calls,
        }

    def holdings(self, name: str, round_: int) -> Holdings:
        """What 'graph' or 'youtube' holds in a round."""
        key = (name, round_, self.gone)
        if key not in self._holdings:
            make = page_holdings if name == "graph" else video_holdings
            self._holdings[key] = make(self.city, round_, self.gone)
        return self._holdings[key]

    def truth(self, round_: int) -> dict[str, Any]:
        """How many posts, comments and replies each page and channel holds in a round."""
        return {
            name: {
                owner: sum(entry.owner == owner for entry in self.holdings(name, round_).entries.values())
                for owner in (PAGES if name == "graph" else CHANNELS)
            }
            for name in ("graph", "youtube")
        }

    def answer(self, path: str, headers: Mapping[str, str], round_: int) -> ApiAnswer:
        """The answer to GET path (with its query)."""
        parts = urlsplit(path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        try:
            if parts.path.startswith("/graph/"):
                return self._graph(parts.path, query, headers, round_)
            return self._youtube(parts.path, query, headers, round_)
        except ApiError as error:
            return error.answer

    def record(self, path: str, status: int, answer: ApiAnswer, round_: int, *, is_whole: bool) -> None:
        """Log a call as it was answered; of an answer that a fault spoiled nothing counts as served."""
        served = answer.served if is_whole else ()
        row = {"path": without_secrets(path), "status": status, "units": answer.units, "served": served, "round": round_}
        with self._lock:
            self.log.append(row)

    def served(self, prefix: str) -> set[tuple[str, str]]:
        """Every (id, digest) that whole answers under a path carried."""
        with self._lock:
            return {mark for row in self.log if row["path"].startswith(prefix) for mark in row["served"]}

    def _graph(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], round_: int) -> ApiAnswer:
        steps = path.removeprefix("/graph/").strip("/").split("/")
        scheme, _, given = headers.get("Authorization", "").partition(" ")
        token = query.get("access_token") or (given if scheme in {"Bearer", "OAuth"} and given else None)
        hour = datetime.now(UTC).replace(minute=0, second=0, microsecond=0)
        with self._lock:
            calls = self._calls[hour] = self._calls.get(hour, 0) + 1
        percent = calls * 100 // max(self.hourly_calls, 1)
        page = next((owner for step in steps for owner in PAGES if step.startswith(owner)), next(iter(PAGES)))
        usage = usage_headers(min(percent, 100), page, 30 if percent > 100 else 0)
        try:
            found = (
                graph_error(4, subcode=1504022)
                if percent > 100
                else graph_answer(self.holdings("graph", round_), steps, query, token, self.base_url)
            )
        except ApiError as error:
            found = error.answer
        return replace(found, headers={**found.headers, **usage, "facebook-api-version": steps[0]})

    def _youtube(self, path: str, query: Mapping[str, str], headers: Mapping[str, str], round_: int) -> ApiAnswer:
        key = query.get("key") or headers.get("X-Goog-Api-Key")
        today = datetime.now(UTC).astimezone(_PACIFIC).date()
        resource = path.removeprefix("/youtube/v3/").strip("/")
        with self._lock:
            if self._spent.get(today, 0) >= self.daily_units:
                return youtube_error("quotaExceeded")
            try:
                found = youtube_answer(self.holdings("youtube", round_), resource, query, key, self.without_comments)
            except ApiError as error:
                found = replace(error.answer, units=1)  # a call that fails costs a unit too
            self._spent[today] = self._spent.get(today, 0) + found.units
        return found
