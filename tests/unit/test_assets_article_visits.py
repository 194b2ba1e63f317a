"""When article pages are visited: at once, then farther and farther apart, anew after a change, and no page twice."""

from datetime import UTC, date, datetime, timedelta

from assets.bronze.article_visits import INTERVALS, Entry, Visits

NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
ENTRY = Entry("bao.vn", "1", "https://bao.vn/1", date(2024, 3, 1), None, "v1")
SOURCES = {"bao.vn": "bao-articles"}


def test_visits_grow_apart_and_end_and_begin_anew_with_a_new_entry() -> None:
    visits, now = Visits(), NOW
    assert visits.listed([ENTRY, ENTRY], SOURCES, now) == 1
    for interval in (*INTERVALS, None):
        (due,) = visits.due(SOURCES, now, 10)
        due.page.visited(now)
        visits = Visits.of(visits.state(now))
        assert visits.due(SOURCES, now, 10) == []
        if interval is not None:
            assert visits.due(SOURCES, now + interval - timedelta(seconds=1), 10) == []
            now += interval
    assert visits.due(SOURCES, now + timedelta(days=20), 10) == []
    later = Entry("bao.vn", "1", "https://bao.vn/1", date(2024, 3, 1), None, "v2")
    assert (visits.listed([ENTRY], SOURCES, now), visits.listed([later], SOURCES, now)) == (0, 1)
    assert len(visits.due(SOURCES, now, 10)) == 1


def test_one_address_listed_under_two_ids_is_one_page_and_old_pages_are_forgotten() -> None:
    visits = Visits()
    twin = Entry("bao.vn", "2", "https://bao.vn/1", date(2024, 3, 1), None, "v1")
    assert visits.listed([ENTRY, twin], SOURCES, NOW) == 1
    visits.due(SOURCES, NOW, 10)[0].page.visited(NOW, is_last=True)
    assert visits.state(NOW + timedelta(days=29))["pages"] != {}
    assert visits.state(NOW + timedelta(days=31))["pages"] == {}
