"""When sources are asked again."""

import random
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.fetching.polling import LATEST_SECONDS, SOONEST_SECONDS, Polling, Rhythm, bounds, next_rhythm
from lake_config.registry import load_registry
from lake_config.tables.bronze import FETCH_OUTCOMES

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SOURCE = load_registry().source("demo-saigon-sang").model_copy(update={"poll_minutes": 60})


def after(known: Rhythm | None, outcome: str, *, is_changed: bool = False, seed: int = 1, **more: float | str) -> tuple[Rhythm, float]:
    found = next_rhythm(SOURCE, known, outcome, is_changed=is_changed, now=NOW, draw=random.Random(seed), **more)
    return found, (datetime.fromisoformat(found.due) - NOW).total_seconds()


def test_change_brings_the_next_visit_forward_and_none_puts_it_off_within_bounds() -> None:
    shortest, usual, longest = bounds(SOURCE)
    assert (shortest, usual, longest) == (450.0, 3600.0, 28_800.0)
    rhythm, wait = after(None, "ok", is_changed=True)
    assert rhythm.interval == usual
    assert usual * 0.9 <= wait <= usual * 1.1
    for _ in range(10):
        rhythm, wait = after(rhythm, "ok", is_changed=True)
    assert rhythm.interval == shortest
    for _ in range(20):
        rhythm, wait = after(rhythm, "not_modified")
    assert rhythm.interval == longest
    assert longest * 0.9 <= wait <= longest * 1.1


def test_a_304_is_not_a_recovery() -> None:
    rhythm, _ = after(None, "unreadable")
    rhythm, first = after(rhythm, "http_error")
    assert rhythm.failures == 2
    rhythm, _ = after(rhythm, "not_modified")
    assert rhythm.failures == 2
    rhythm, later = after(rhythm, "http_error")
    assert rhythm.failures == 3
    assert later > first
    assert after(rhythm, "ok")[0].failures == 0


def test_failures_wait_longer_and_longer_and_what_is_gone_the_longest() -> None:
    rhythm, waits = None, []
    for _ in range(30):
        rhythm, wait = after(rhythm, "unreachable")
        waits.append(wait)
    assert waits[0] <= 3600 < waits[3]
    assert waits[-1] <= LATEST_SECONDS
    assert after(None, "http_error", finding="gone")[1] == LATEST_SECONDS
    assert len({after(None, "unreachable", seed=seed)[1] for seed in range(9)}) == 9


def test_the_wish_of_a_host_is_the_least_that_is_waited() -> None:
    assert after(None, "http_error", retry_after=200_000.0)[1] >= 200_000
    rhythm, wait = after(Rhythm("", 900.0, 2, "2026-02-28"), "postponed", retry_after=500.0)
    assert (rhythm.interval, rhythm.failures, rhythm.listed) == (900.0, 2, "2026-02-28")
    assert 500 <= wait <= 550


@given(st.lists(st.tuples(st.sampled_from(FETCH_OUTCOMES), st.booleans()), max_size=30), st.integers(1, 10_000), st.integers(0, 99))
def test_no_history_leads_out_of_bounds(history: list[tuple[str, bool]], minutes: int, seed: int) -> None:
    source, draw, rhythm = SOURCE.model_copy(update={"poll_minutes": minutes}), random.Random(seed), None
    shortest, _, longest = bounds(source)
    for outcome, is_changed in history:
        rhythm = next_rhythm(source, rhythm, outcome, is_changed=is_changed, now=NOW, draw=draw)
        wait = (datetime.fromisoformat(rhythm.due) - NOW).total_seconds()
        assert SOONEST_SECONDS <= wait <= LATEST_SECONDS * 1.1
        assert shortest <= rhythm.interval <= longest


@pytest.mark.parametrize(("minutes", "is_due"), [(-1, False), (0, True), (5, True)])
def test_due_sources(minutes: int, is_due: bool) -> None:
    polling = Polling({SOURCE.id: Rhythm(NOW.isoformat(), 900.0)})
    new = SOURCE.model_copy(update={"id": "new"})
    assert polling.due([SOURCE, new], NOW + timedelta(minutes=minutes)) == ([SOURCE, new] if is_due else [new])
