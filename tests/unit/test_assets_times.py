"""Published times as sources write them, and the event day they give."""

from datetime import UTC, date, datetime, timedelta, timezone
from email.utils import format_datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.times import event_day, is_plausible, local_day, parse_time
from lake_config.settings import FIRST_EVENT_DATE, LOCAL_ZONE

EIGHT_LOCAL = datetime(2024, 2, 13, 1, 0, tzinfo=UTC)
FETCHED = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
MOMENTS = st.integers(1_420_200_000, 1_924_800_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None))
OFFSETS = st.integers(-12 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))


@pytest.mark.parametrize(
    "raw",
    [
        "Tue, 13 Feb 2024 08:00:00 +0700",
        "Tue, 13 Feb 2024 08:00:00 GMT+7",
        "Tue, 13 Feb 2024 10:00:00 GMT+9",
        "Tue, 13 Feb 2024 06:30:00 UTC+05:30",
        "Tue, 13 Feb 2024 01:00:00 GMT",
        "Tue, 13 Feb 2024 01:00:00 -0000",
        "Tue, 13 Feb 2024 08:00:00",
        "13 Feb 2024 08:00 +0700",
        "2024-02-13T08:00:00+07:00",
        "2024-02-13T01:00:00Z",
        "2024-02-13T01:00:00.000000000Z",
        "2024-02-13 08:00:00",
        "2024-02-13 08:00:00 +0700",
        "  2024-02-13T08:00  ",
        "13/02/2024 08:00",
        "13-2-2024 8:00",
        "13.02.2024, 8h00",
        "13/02/2024 08:00:00",
        "13/02/2024 08:00 (GMT+7)",
        "Thứ ba, 13/02/2024, 08:00 (GMT+7)",
        "13/02/2024 10:00 (GMT+9)",
        "20240213080000",
        "202402130800",
        "1707786000",
        "1707786000.0",
        "1707786000000",
        "1707786000000000",
        "1707786000000000000",
    ],
)
def test_every_form_of_one_moment(raw: str) -> None:
    assert parse_time(raw) == EIGHT_LOCAL


@pytest.mark.parametrize(
    "raw",
    [
        None,
        "",
        "   ",
        "hôm qua",
        "2024",
        "31/02/2024",
        "13/13/2024",
        "2024-02-30",
        "0001-01-01T00:00:00",
        "12",
        "-1707786000",
        "20241399000000",
    ],
)
def test_what_means_no_time(raw: str | None) -> None:
    parsed = parse_time(raw)
    assert parsed is None or not is_plausible(parsed, FETCHED)


def test_a_date_alone_is_the_start_of_the_local_day() -> None:
    for raw in ("2024-02-13", "13/02/2024", "20240213"):
        parsed = parse_time(raw)
        assert parsed is not None
        assert parsed.astimezone(LOCAL_ZONE) == datetime(2024, 2, 13, tzinfo=LOCAL_ZONE)


@given(MOMENTS, OFFSETS)
def test_formats_with_an_offset_come_back_exactly(moment: datetime, zone: timezone) -> None:
    written = moment.replace(tzinfo=zone)
    assert parse_time(format_datetime(written)) == written
    assert parse_time(written.isoformat()) == written
    for unit in (1, 1000, 1_000_000):
        assert parse_time(str(int(written.timestamp()) * unit)) == written


@given(MOMENTS)
def test_formats_without_zone_are_local(moment: datetime) -> None:
    local = moment.replace(tzinfo=LOCAL_ZONE)
    for form in ("%Y-%m-%d %H:%M:%S", "%d/%m/%Y %H:%M:%S", "%d.%m.%Y, %H:%M:%S", "%Y%m%d%H%M%S"):
        assert parse_time(moment.strftime(form)) == local


DATE_LIKE = st.text("0123456789/-:. +TZGMTUChvthứbaJanFeb,()", max_size=40)


@given(st.one_of(st.text(max_size=60), DATE_LIKE, st.from_regex(r"\d{1,20}(\.\d+)?")), MOMENTS)
def test_any_text_gives_a_day_and_never_an_exception(raw: str, fetched: datetime) -> None:
    fetched = fetched.replace(tzinfo=UTC)
    parsed = parse_time(raw)
    assert parsed is None or parsed.utcoffset() == timedelta(0)
    day, origin = event_day(raw, fetched)
    assert FIRST_EVENT_DATE <= day <= local_day(fetched + timedelta(days=1))
    if origin == "published":
        assert parsed is not None
        assert day == parsed.astimezone(LOCAL_ZONE).date()
    else:
        assert (day, origin) == (local_day(fetched), "fetched")
        assert not is_plausible(parsed, fetched)


@pytest.mark.parametrize(
    ("raw", "day", "origin"),
    [
        ("2024-02-29T17:00:00Z", date(2024, 3, 1), "published"),  # midnight in the city
        ("2024-02-29T16:59:59Z", date(2024, 2, 29), "published"),
        ("2024-03-02T03:00:00Z", date(2024, 3, 2), "published"),  # a day ahead: a clock that is a little wrong
        ("2024-03-02T03:00:01Z", date(2024, 3, 1), "fetched"),
        ("2014-12-31T16:59:59Z", date(2024, 3, 1), "fetched"),
        ("2014-12-31T17:00:00Z", date(2015, 1, 1), "published"),
        ("Thu, 01 Jan 1970 00:00:00 GMT", date(2024, 3, 1), "fetched"),
        ("2099-12-31T23:59:00+07:00", date(2024, 3, 1), "fetched"),
        ("9999-12-31T23:59:59Z", date(2024, 3, 1), "fetched"),
        ("0", date(2024, 3, 1), "fetched"),
        (None, date(2024, 3, 1), "fetched"),
    ],
)
def test_event_day_falls_back_where_the_date_is_absurd(raw: str | None, day: date, origin: str) -> None:
    assert event_day(raw, FETCHED) == (day, origin)
