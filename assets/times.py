"""Times as sources write them, and the event day they give. Pure: no clock.

Belongs here: parsing a published time and placing it on a local civil day. Not here: Dagster partitions.
"""

import re
from datetime import UTC, date, datetime, timedelta
from email.utils import parsedate_to_datetime

from lake_config.settings import FIRST_EVENT_DATE, LOCAL_ZONE

_NUMBER = re.compile(r"\d{9,19}(\.\d+)?")
_DAY_FIRST = re.compile(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})(?:[ ,T]+(\d{1,2})[:h](\d{2})(?::(\d{2}))?)?")
_LATEST_EPOCH_SECONDS = 1e11
_TOLERANCE = timedelta(days=1)
"""A published time this far after the fetch is a clock that is wrong a little; later than that it is absurd."""


def parse_time(raw: str | None) -> datetime | None:
    """The UTC time meant by a source's text, or None where it means none.

    Understands RFC 822 (RSS), ISO 8601 with or without offset, day-first dates as written in Vietnam, and epoch seconds, milliseconds or
    microseconds. A time without zone is local (Asia/Ho_Chi_Minh).
    """
    text = (raw or "").strip()
    if not text:
        return None
    for reader in (_epoch, _iso, _day_first, _rfc822):
        try:
            found = reader(text)
            if found is not None:
                zoned = found if found.tzinfo else found.replace(tzinfo=LOCAL_ZONE)
                return zoned.astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def _epoch(text: str) -> datetime | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    while value > _LATEST_EPOCH_SECONDS:
        value /= 1000
    return datetime.fromtimestamp(value, tz=UTC)


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _day_first(text: str) -> datetime | None:
    match = _DAY_FIRST.fullmatch(text)
    if not match:
        return None
    day, month, year, hour, minute, second = (int(part or 0) for part in match.groups())
    return datetime(year, month, day, hour, minute, second, tzinfo=LOCAL_ZONE)


def _rfc822(text: str) -> datetime:
    return parsedate_to_datetime(text)


def is_plausible(published: datetime | None, fetched_at: datetime) -> bool:
    """Whether a published time can be that of a public post fetched at `fetched_at`."""
    if published is None:
        return False
    return published.astimezone(LOCAL_ZONE).date() >= FIRST_EVENT_DATE and published <= fetched_at + _TOLERANCE


def local_day(moment: datetime) -> date:
    """The local civil day of a moment."""
    return moment.astimezone(LOCAL_ZONE).date()


def event_day(published_raw: str | None, fetched_at: datetime) -> tuple[date, str]:
    """The event day of a post seen for the first time and where it comes from: 'published' or 'fetched'."""
    published = parse_time(published_raw)
    if published is not None and is_plausible(published, fetched_at):
        return local_day(published), "published"
    return local_day(fetched_at), "fetched"
