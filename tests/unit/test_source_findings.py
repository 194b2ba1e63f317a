"""Silent sources: simulated histories against the stated error rates, and the rules one by one on counts that a reader can follow."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from math import isnan

import numpy as np
import numpy.typing as npt
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import nbinom

from assets.gold.expectation import HISTORY_DAYS, MIN_DAYS, at_most, learn
from assets.gold.findings import ALPHA, LULL_FLOOR, STALLED_ALPHA, Judged, Past, hours_over, judge
from assets.gold.past import History
from assets.gold.sources import DEFAULT_WEIGHT, LEAST_WEIGHT, DayRows, coverage, source_health
from lake_config.registry import Source, load_registry

DAY = date(2024, 1, 15)
DAYS = HISTORY_DAYS + 1
SOURCES = {source.id: source for source in load_registry().sources}
PAPERS = [source for source in SOURCES.values() if source.group == "demo" and source.kind == "newspaper"]
BY_HOUR = np.array([1, 1, 0, 0, 0, 2, 6, 10, 12, 12, 11, 10, 8, 8, 9, 10, 10, 8, 6, 5, 5, 4, 3, 2]) / 143
BY_WEEKDAY = np.array([1.05, 1.1, 1.1, 1.05, 1.05, 0.85, 0.8])
Counts = npt.NDArray[np.int64]


def simulated(means: Sequence[float], *, days: int = DAYS, steadiness: float = 10.0, seed: int = 1) -> Counts:
    """Counts [source, day, hour] of sources that are well: by hour and weekday, with days that differ by chance and by event."""
    draw = np.random.default_rng(seed)
    weekdays = BY_WEEKDAY[np.arange(days) % 7]
    day_means = np.array(means)[:, None] * weekdays * draw.gamma(steadiness, 1 / steadiness, (len(means), days))
    return np.asarray(draw.poisson(day_means[:, :, None] * BY_HOUR), dtype=np.int64)


def constant(per_day: int, days: int = DAYS) -> Counts:
    """One source with the same posts at noon each day."""
    counts = np.zeros((1, days, 24), dtype=np.int64)
    counts[:, :, 12] = per_day
    return counts


def past(counts: Counts, asked: npt.NDArray[np.bool_] | None = None) -> Past:
    everywhere = np.ones(counts.shape[:2], dtype=bool)
    return Past([str(n) for n in range(len(counts))], counts, everywhere if asked is None else asked, ~everywhere)


def found(counts: Counts, hours: int = 24) -> dict[str, str]:
    return {finding.source_id: finding.finding for finding in judge(DAY, past(counts), hours).findings}


def test_false_alarms_are_as_rare_as_stated() -> None:
    kinds: Counter[str] = Counter()
    judged = 0
    for seed, steadiness in enumerate((4.0, 10.0, 1e6)):
        means = np.exp(np.linspace(np.log(0.3), np.log(200), 300))
        counts = simulated(list(means), days=DAYS + 40, steadiness=steadiness, seed=seed)
        for day in range(40):
            kinds.update(finding.finding for finding in judge(DAY, past(counts[:, day : day + DAYS]), 24).findings)
            judged += len(means)
    # 36,000 source-days: 3.6 alarms are allowed for on average, 12 would come once in 5,000 such trials.
    assert kinds["silence"] + kinds["collapse"] < 12 * (judged * ALPHA) / 3.6
    assert kinds["stalled"] < 2 * judged * STALLED_ALPHA


@pytest.mark.parametrize(("mean", "kinds"), [(30.0, {"silence", "stalled"}), (60.0, {"silence"}), (200.0, {"silence"})])
def test_silence_is_found_within_the_day(mean: float, kinds: set[str]) -> None:
    counts = simulated([mean] * 20 + [20.0] * 80)
    counts[:20, -1] = 0
    findings = found(counts)
    assert set(findings) == {str(n) for n in range(20)}
    assert set(findings.values()) <= kinds


def test_a_small_source_is_given_more_time() -> None:
    counts = simulated([5.0] * 10 + [20.0] * 90, days=DAYS + 10, seed=3)
    counts[:10, HISTORY_DAYS + 1 :] = 0
    first: dict[str, int] = {}
    for day in range(1, 11):
        for source_id in found(counts[:, day : day + DAYS]):
            first.setdefault(source_id, day)
    small = [first[str(n)] for n in range(10)]
    assert min(small) > 1
    assert max(small) <= 7


def test_collapse_is_found_and_a_weak_day_is_not() -> None:
    counts = simulated([80.0] * 10 + [20.0] * 90, seed=4)
    weak = counts.copy()
    counts[:10, -3:] = np.random.default_rng(4).binomial(counts[:10, -3:], 0.03)
    assert {source_id for source_id, kind in found(counts).items() if kind in {"collapse", "silence"}} == {str(n) for n in range(10)}
    weak[:10, -1] = np.random.default_rng(4).binomial(weak[:10, -1], 0.7)
    assert found(weak) == {}


def test_a_lull_that_all_share_is_no_wave_of_findings() -> None:
    counts = simulated(list(np.linspace(5, 150, 200)), seed=5)
    counts[:, -4:] = np.random.default_rng(5).binomial(counts[:, -4:], 0.35)
    assert set(found(counts).values()) <= {"stalled"}
    assert len(found(counts)) <= 2  # without regard to the lull nearly all would be found
    counts[100:103, -4:] = 0
    assert {"100", "101", "102"} <= set(found(counts))


def test_when_all_fall_silent_that_is_no_lull() -> None:
    counts = simulated([100.0] * 50, seed=6)
    counts[:, -1] = 0
    assert len(found(counts)) >= 45
    assert 0 < LULL_FLOOR < 1


def test_night_hours_and_hours_to_come_are_not_missed() -> None:
    counts = simulated([200.0] * 30, seed=7)
    counts[:3, -1, 5:] = 0
    assert found(counts, hours=5) == {}
    assert set(found(counts, hours=12)) == {"0", "1", "2"}


def test_a_new_source_is_not_judged() -> None:
    counts = simulated([50.0] * 10, seed=8)
    asked = np.zeros(counts.shape[:2], dtype=bool)
    asked[:, -MIN_DAYS:] = True  # the judged day and one day too few before it
    counts[:, :-MIN_DAYS] = 0
    counts[:, -1] = 0
    judged = judge(DAY, past(counts, asked), 24)
    assert judged.findings == []
    assert all(isnan(value) for value in judged.usual.values())
    asked[:, -MIN_DAYS - 1] = True
    assert not any(isnan(value) for value in judge(DAY, past(counts, asked), 24).usual.values())


def test_a_source_is_well_again_with_its_first_usual_day() -> None:
    counts = simulated([60.0] * 10 + [20.0] * 40, seed=9)
    counts[:10, -6:-1] = 0
    assert found(counts) == {}


def test_days_on_which_it_was_not_asked_are_neither_history_nor_silence() -> None:
    counts, asked = constant(20), np.ones((1, DAYS), dtype=bool)
    counts[0, -10:] = 0
    asked[0, -10:] = False
    assert judge(DAY, past(counts, asked), 24).findings == []
    assert judge(DAY, past(counts, asked), 24).usual == {"0": 20.0}


def test_a_finding_says_since_when_and_by_how_much() -> None:
    counts = constant(40)
    counts[0, -3:] = 0
    (finding,) = judge(DAY, past(counts), 24).findings
    assert (finding.finding, finding.severity, finding.since) == ("silence", "error", DAY - timedelta(days=2))
    assert finding.seen is not None
    assert finding.expected is not None
    assert finding.probability is not None
    assert finding.threshold is not None
    assert finding.seen < finding.expected
    assert finding.probability < finding.threshold < ALPHA


def test_a_feed_that_answers_and_brings_nothing_for_longer_than_ever_is_suspect() -> None:
    counts = np.zeros((1, DAYS, 24), dtype=np.int64)
    counts[0, :, 9] = 2
    counts[0, 3::7] = 0  # a quiet day a week is usual
    counts[0, -8:] = 0
    (finding,) = judge(DAY, past(counts), 24).findings
    assert (finding.finding, finding.severity, finding.since) == ("stalled", "warn", DAY - timedelta(days=7))
    quiet_before = counts.copy()
    quiet_before[0, 8:18] = 0
    assert "stalled" not in {one.finding for one in judge(DAY, past(quiet_before), 24).findings}


def test_a_source_that_never_spoke_is_mute() -> None:
    (finding,) = judge(DAY, past(np.zeros((1, DAYS, 24), dtype=np.int64)), 24).findings
    assert (finding.finding, finding.severity) == ("mute", "warn")


def test_one_great_event_is_no_habit() -> None:
    counts = constant(10)
    counts[0, 28, 12] = 900
    profile = learn(counts[:, :-1], np.ones((1, HISTORY_DAYS), dtype=bool))
    assert profile.by_day[0] == pytest.approx([10.0] * 7)


def test_the_profile_is_that_of_the_hour_of_the_week() -> None:
    counts = np.zeros((1, DAYS, 24), dtype=np.int64)
    counts[0, 0::7, 8] = 6  # the judged day's weekday, at eight
    counts[0, 2::7, 20] = 3
    by_hour = learn(counts[:, :-1], np.ones((1, HISTORY_DAYS), dtype=bool)).by_hour[0]
    assert by_hour[0, 8] == pytest.approx(6)
    assert by_hour[2, 20] == pytest.approx(3)
    assert by_hour.sum() == pytest.approx(9)


@given(st.integers(0, 200), st.floats(0.1, 500), st.floats(0.5, 20))
def test_the_tail_is_that_of_the_negative_binomial(seen: int, mean: float, size: float) -> None:
    exact = nbinom.cdf(seen, size, size / (size + mean))
    assert at_most(np.array([seen]), np.array([mean]), np.array([size]))[0] == pytest.approx(exact, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2024, 1, 14, 17, 0, tzinfo=UTC), 0),  # midnight in the city
        (datetime(2024, 1, 14, 17, 59, tzinfo=UTC), 0),
        (datetime(2024, 1, 14, 19, 0, tzinfo=UTC), 1),
        (datetime(2024, 1, 15, 17, 30, tzinfo=UTC), 23),
        (datetime(2024, 1, 15, 18, 0, tzinfo=UTC), 24),
        (datetime(2024, 3, 1, tzinfo=UTC), 24),
        (datetime(2024, 1, 10, tzinfo=UTC), 0),
    ],
)
def test_the_hours_that_can_be_judged(now: datetime, hours: int) -> None:
    assert hours_over(DAY, now) == hours


def day_rows(posts: Sequence[str] = (), log: Sequence[tuple[str, str, str | None]] = ()) -> DayRows:
    times = pl.Series([datetime(2024, 1, 15, tzinfo=UTC)] * len(posts), dtype=pl.Datetime("us", "UTC"))
    nobody = pl.DataFrame(schema={"source_id": pl.String})
    schema = {"source_id": pl.String, "outcome": pl.String, "finding": pl.String}
    named = pl.DataFrame({"source_id": pl.Series(list(posts), dtype=pl.String), "fetched_at": times})
    return DayRows(named, nobody, nobody, pl.DataFrame(list(log), schema=schema, orient="row"))


def test_the_attempts_of_a_day_are_findings_too() -> None:
    moved, gone, well, lost = PAPERS[:4]
    log = [
        (moved.id, "ok", "moved_host"),
        (moved.id, "not_modified", "moved_host"),
        (gone.id, "http_error", "gone"),
        (well.id, "ok", None),
        (well.id, "unreachable", None),
    ]
    health = source_health(DAY, PAPERS[:4], SOURCES, day_rows(log=log), not_asked=frozenset({lost.id, well.id}))
    rows = {(row["source_id"], row["finding"]): row["severity"] for row in health.findings.to_dicts()}
    assert rows == {
        (moved.id, "moved_host"): "warn",
        (gone.id, "gone"): "error",
        (gone.id, "unreachable"): "error",
        (lost.id, "not_asked"): "error",
    }
    assert set(health.findings["finding_name"]) == {"Chuyển sang máy chủ khác", "Đã đóng", "Không trả lời", "Không được hỏi"}


def test_a_304_is_no_proof_of_life_where_posts_are_missing() -> None:
    silent, well, new = PAPERS[:3]
    counts = np.concatenate([constant(90), constant(10)])
    counts[0, -1] = 0
    everywhere = np.ones(counts.shape[:2], dtype=bool)
    judged = judge(DAY, Past([silent.id, well.id], counts, everywhere, ~everywhere), 24)
    log = [(source.id, "not_modified", None) for source in (silent, well, new)]
    health = source_health(DAY, [silent, well, new], SOURCES, day_rows([well.id], log), judged)
    daily = {row["source_id"]: row for row in health.daily.to_dicts()}
    assert {source_id: row["is_live"] for source_id, row in daily.items()} == {silent.id: False, well.id: True, new.id: True}
    assert [daily[one.id]["expected_mentions"] for one in (silent, well, new)] == [pytest.approx(90), pytest.approx(10), None]
    # Without history a source weighs as the median of its kind.
    assert daily[new.id]["coverage_weight"] == pytest.approx(50)
    assert coverage(health.daily)["coverage_share"].to_list() == [pytest.approx(60 / 150)]


def test_weights_without_any_history_are_equal() -> None:
    daily = source_health(DAY, PAPERS, SOURCES, day_rows(log=[(PAPERS[0].id, "ok", None)])).daily
    assert set(daily["coverage_weight"]) == {DEFAULT_WEIGHT}
    assert coverage(daily)["coverage_share"].to_list() == [pytest.approx(1 / len(PAPERS))]


def test_a_source_that_brings_next_to_nothing_still_weighs_something() -> None:
    judged = Judged({PAPERS[0].id: 0.0, PAPERS[1].id: 8.0}, [])
    daily = source_health(DAY, PAPERS[:2], SOURCES, day_rows(), judged).daily
    assert sorted(daily["coverage_weight"]) == [pytest.approx(LEAST_WEIGHT), 8.0]


def history_day(day: date, rows: Sequence[tuple[str, int, int, int, bool]]) -> pl.DataFrame:
    columns = ["source_id", "mentions", "fetch_attempts", "fetch_failures", "is_live"]
    return pl.DataFrame(rows, schema=columns, orient="row").with_columns(event_date=pl.lit(day))


def test_the_past_is_gathered_by_source_day_and_hour() -> None:
    polled, delivered = PAPERS[0], SOURCES["demo-provider"].model_copy(update={"expected": True})
    yesterday, before = DAY - timedelta(days=1), DAY - timedelta(days=5)
    hourly = pl.DataFrame(
        [(before, 7, delivered.id, 4), (before, 9, polled.id, 2), (before, 9, "stranger", 8)],
        schema=["event_date", "event_hour", "source_id", "mentions"],
        orient="row",
    )
    history = History(
        {before: hourly},
        {before: history_day(before, [(polled.id, 2, 3, 0, True)]), yesterday: history_day(yesterday, [(polled.id, 0, 3, 1, False)])},
    )
    gathered = history.past(DAY, [polled, delivered, SOURCES["upload"]], {polled.id: True})
    assert list(gathered.ids) == sorted([polled.id, delivered.id])
    at = {source_id: n for n, source_id in enumerate(gathered.ids)}
    assert gathered.counts[at[polled.id], -6, 9] == 2
    assert gathered.counts[at[delivered.id], -6, 7] == 4
    assert gathered.counts.sum() == 6
    assert gathered.asked[at[polled.id]].nonzero()[0].tolist() == [HISTORY_DAYS - 5, HISTORY_DAYS - 1, HISTORY_DAYS]
    assert gathered.asked[at[delivered.id]].nonzero()[0].tolist() == list(range(HISTORY_DAYS - 5, DAYS))
    assert gathered.was_dead[at[polled.id]].nonzero()[0].tolist() == [HISTORY_DAYS - 1]


def test_who_was_asked_before_and_not_today() -> None:
    often, seldom = PAPERS[0], PAPERS[1].model_copy(update={"poll_minutes": 720})
    yesterday = DAY - timedelta(days=1)
    rows = [(one.id, 1, 2, 0, True) for one in (often, seldom)]
    history = History({}, {yesterday: history_day(yesterday, rows)})
    everyone: list[Source] = [often, seldom]
    assert history.not_asked(DAY, [], everyone) == {often.id}
    assert history.not_asked(DAY, [often.id], everyone) == frozenset()
    assert history.not_asked(DAY + timedelta(days=8), [], everyone) == frozenset()
