"""Times as sources write them, and the event day they give. Pure: no clock.

Belongs here: parsing a published time and placing it on a local civil day. Not here: Dagster partitions.
"""

import re
from datetime import UTC, date, datetime, time, timedelta
from email.utils import parsedate_to_datetime

from lake_config.settings import FIRST_EVENT_DATE, LOCAL_ZONE

_NUMBER = re.compile(r"\d{9,19}(\.\d+)?")
_COMPACT = re.compile(r"20\d{10}(\d{2})?")
"""As epoch such a number would be a time in the 1970s or after 2500."""
_DAY_FIRST = re.compile(
    r"(?:(?:thứ \w+|chủ nhật)[, ]+)?(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})"
    r"(?:[ ,T]+(\d{1,2})[:h](\d{2})(?::(\d{2}))?(?: ([+-]\d{4}))?)?",
    re.IGNORECASE,
)
_NAMED_OFFSET = re.compile(r"\s*\(?\b(?:GMT|UTC)\s?([+-])(\d{1,2})(?::?(\d{2}))?\)?$")
_SPACE_BEFORE_OFFSET = re.compile(r"(?<=\d) (?=[+-]\d{2}:?\d{2}$)")
_FIRST_MOMENT = datetime.combine(FIRST_EVENT_DATE, time(), LOCAL_ZONE)
_LATEST_EPOCH_SECONDS = 1e11
_TOLERANCE = timedelta(days=1)
"""A published time this far after the fetch is a clock that is wrong a little; later than that it is absurd."""


def parse_time(raw: str | None) -> datetime | None:
    """The UTC time meant by a source's text, or None where it means none.

    Understands RFC 822 (RSS), ISO 8601 with or without offset, day-first dates as written in Vietnam, digits run together
    (20240213080500), epoch seconds, milliseconds or microseconds, and offsets written GMT+7. A time without zone is local
    (Asia/Ho_Chi_Minh).
    """
    text = _NAMED_OFFSET.sub(lambda m: f" {m[1]}{m[2]:0>2}{m[3] or '00'}", (raw or "").strip())
    if not text:
        return None
    for reader in (_compact, _epoch, _iso, _day_first, _rfc822):
        try:
            found = reader(text)
            if found is not None:
                zoned = found if found.tzinfo else found.replace(tzinfo=LOCAL_ZONE)
                return zoned.astimezone(UTC)
        except (ValueError, OverflowError, TypeError, IndexError):
            continue
    return None


def _compact(text: str) -> datetime | None:
    if not _COMPACT.fullmatch(text):
        return None
    return datetime.strptime(text.ljust(14, "0"), "%Y%m%d%H%M%S").replace(tzinfo=LOCAL_ZONE)


def _epoch(text: str) -> datetime | None:
    if not _NUMBER.fullmatch(text):
        return None
    value = float(text)
    while value > _LATEST_EPOCH_SECONDS:
        value /= 1000
    return datetime.fromtimestamp(value, tz=UTC)


def _iso(text: str) -> datetime:
    return datetime.fromisoformat(_SPACE_BEFORE_OFFSET.sub("", text))


def _day_first(text: str) -> datetime | None:
    match = _DAY_FIRST.fullmatch(text)
    if not match:
        return None
    day, month, year, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    zone = datetime.strptime(match[7], "%z").tzinfo if match[7] else LOCAL_ZONE
    return datetime(year, month, day, hour, minute, second, tzinfo=zone)


def _rfc822(text: str) -> datetime:
    found = parsedate_to_datetime(text)
    return found.replace(tzinfo=UTC) if text.endswith("-0000") else found  # RFC 5322: the time is UTC, the writer's zone unknown


def is_plausible(published: datetime | None, fetched_at: datetime) -> bool:
    """Whether a published time can be that of a public post fetched at `fetched_at`."""
    if published is None:
        return False
    # Compared as moments: 9999-12-31 UTC, which systems write for "never", has no local day.
    return _FIRST_MOMENT <= published <= fetched_at + _TOLERANCE


def local_day(moment: datetime) -> date:
    """The local civil day of a moment."""
    return moment.astimezone(LOCAL_ZONE).date()


def event_day(published_raw: str | None, fetched_at: datetime) -> tuple[date, str]:
    """The event day of a post seen for the first time and where it comes from: 'published' or 'fetched'."""
    published = parse_time(published_raw)
    if published is not None and is_plausible(published, fetched_at):
        return local_day(published), "published"
    return local_day(fetched_at), "fetched"
