"""When each source is asked again: sooner while it changes, later while it does not, much later while it fails.

What a connector knows of its sources' rhythm and of hosts lies in one object of the landing bucket, apart from its position: losing it
means that something is asked sooner or later than best, never that a post is lost or doubled.
"""

import gzip
import io
import json
import random
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from minio.error import S3Error

from assets.bronze.fetching.hosts import backoff_seconds
from lake_config.registry import Source
from lake_config.storage import Lake
from lake_config.tables.bronze import GONE

DEFAULT_MINUTES = 30
SOONEST_SECONDS = 300.0
"""No source is asked more often than this."""
LATEST_SECONDS = 86_400.0
"""No healthy source is asked less often than this; the most that a failing one is left alone for, unless it wishes for more."""
_SOONER, _LATER = 0.5, 1.5
_WIDEST = 8
"""Between an eighth of the registry's poll_minutes and eight times as much, within the two bounds above."""
_SPREAD = 0.1
_BUCKET = "landing"


@dataclass(frozen=True)
class Rhythm:
    """One source: when it is due (ISO, UTC), its present interval in seconds, failures in a row, the last local day it showed its list."""

    due: str
    interval: float
    failures: int = 0
    listed: str | None = None


def bounds(source: Source) -> tuple[float, float, float]:
    """Shortest, usual and longest interval of a source in seconds."""
    usual = (source.poll_minutes or DEFAULT_MINUTES) * 60.0
    shortest = min(max(usual / _WIDEST, SOONEST_SECONDS), LATEST_SECONDS)
    longest = max(shortest, min(usual * _WIDEST, LATEST_SECONDS))
    return shortest, min(max(usual, shortest), longest), longest


def next_rhythm(
    source: Source,
    known: Rhythm | None,
    outcome: str,
    *,
    is_changed: bool,
    now: datetime,
    retry_after: float | None = None,
    finding: str | None = None,
    draw: random.Random,
) -> Rhythm:
    """The rhythm after an attempt with this outcome (bronze.fetch_log) and finding.

    Change halves the interval, none lengthens it by half. A failure keeps it and waits for a growing pause; 410 Gone for the longest. A 304
    tells that there is no change and nothing else: the count of failures goes back to zero with a whole readable answer only.
    `retry_after` in seconds is the least that is waited.
    """
    shortest, usual, longest = bounds(source)
    before = known or Rhythm("", usual)
    interval, failures = min(max(before.interval, shortest), longest), before.failures
    if outcome in {"ok", "not_modified"}:
        interval = min(max(interval * (_SOONER if is_changed else _LATER), shortest), longest) if known else usual
        failures = 0 if outcome == "ok" else failures
        pause = interval * draw.uniform(1 - _SPREAD, 1 + _SPREAD)
    elif outcome == "postponed":
        pause = 0.0  # the host's own pause, below; a source is not worse for not having been asked
    else:
        failures += 1
        pause = LATEST_SECONDS if finding == GONE else backoff_seconds(failures, max(usual, SOONEST_SECONDS), LATEST_SECONDS, draw)
    if retry_after is not None:
        pause = max(pause, retry_after * draw.uniform(1.0, 1 + _SPREAD))
    return Rhythm((now + timedelta(seconds=max(pause, SOONEST_SECONDS))).isoformat(), interval, failures, before.listed)


@dataclass
class Polling:
    """What a connector remembers between its runs besides its position: rhythms by source id; hosts and robots.txt as JSON holds them."""

    rhythms: dict[str, Rhythm] = field(default_factory=dict)
    hosts: dict[str, Any] = field(default_factory=dict)
    robots: dict[str, Any] = field(default_factory=dict)

    def due(self, sources: Iterable[Source], now: datetime) -> list[Source]:
        """The sources whose time has come, those never asked among them."""
        moment = now.astimezone(UTC).isoformat()
        return [source for source in sources if (known := self.rhythms.get(source.id)) is None or known.due <= moment]

    def noted(self, source_id: str, rhythm: Rhythm, listed: str | None) -> None:
        """Take over a rhythm, and the local day (ISO) on which the source showed its list, where it did."""
        self.rhythms[source_id] = replace(rhythm, listed=listed or rhythm.listed)


def load_polling(lake: Lake, connector: str) -> Polling:
    """What was remembered; nothing where there is no object or it cannot be read."""
    try:
        with lake.objects.get_object(bucket_name=_BUCKET, object_name=_key(connector)) as response:
            known: Mapping[str, Any] = json.loads(gzip.decompress(response.read()))
    except S3Error as error:
        if error.code != "NoSuchKey":
            raise
        return Polling()
    rhythms = {source_id: Rhythm(*row) for source_id, row in known["rhythms"].items()}
    return Polling(rhythms, dict(known["hosts"]), dict(known["robots"]))


def save_polling(lake: Lake, connector: str, polling: Polling) -> None:
    """Remember for the next run; of two runs at once the later counts."""
    known = {
        "rhythms": {source_id: list(asdict(rhythm).values()) for source_id, rhythm in sorted(polling.rhythms.items())},
        "hosts": polling.hosts,
        "robots": polling.robots,
    }
    data = gzip.compress(json.dumps(known).encode(), compresslevel=3, mtime=0)
    lake.objects.put_object(bucket_name=_BUCKET, object_name=_key(connector), data=io.BytesIO(data), length=len(data))


def _key(connector: str) -> str:
    return f"polling/{connector}.json.gz"
