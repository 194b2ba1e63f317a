"""Figures and source health: pure functions against independent counts."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from math import isclose
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.gold.build import by_label, sentiment_daily, sentiment_hourly
from assets.gold.figures import SOURCE_KIND_NAMES, Z_95, sentiment_by, wilson
from assets.gold.mentions import DayMentions
from assets.gold.sources import DayRows, coverage, source_health
from lake_config.registry import Source, load_registry
from lake_config.tables import TABLES
from lake_config.tables.gold import SENTIMENTS
from quality.runner import failures, run_suite

DAY = date(2024, 2, 13)
START = datetime(2024, 2, 13, 3, 0, tzinfo=UTC)
SOURCES = {source.id: source for source in load_registry().sources}
Row = dict[str, Any]


def wilson_by_bisection(count: int, total: int) -> tuple[float, float]:
    """The shares p at which the observed share lies Z_95 standard errors away: (observed - p)^2 = z^2 p (1 - p) / n, solved exactly."""
    observed, z2 = Fraction(count, total), Fraction(Z_95) ** 2

    def is_outside(p: Fraction) -> bool:
        return (observed - p) ** 2 > z2 * p * (1 - p) / total

    def edge(outside: Fraction, inside: Fraction) -> float:
        if not is_outside(outside):
            return float(outside)
        for _ in range(60):
            middle = (outside + inside) / 2
            outside, inside = (middle, inside) if is_outside(middle) else (outside, middle)
        return float(inside)

    return edge(Fraction(0), observed), edge(Fraction(1), observed)


@given(st.integers(1, 5000).flatmap(lambda total: st.tuples(st.integers(0, total), st.just(total))))
def test_wilson_against_the_equation_it_solves(pair: tuple[int, int]) -> None:
    count, total = pair
    low, high = wilson(count, total)
    assert 0 <= low <= count / total <= high <= 1
    for value, wanted in zip((low, high), wilson_by_bisection(count, total), strict=True):
        assert isclose(value, wanted, rel_tol=0, abs_tol=1e-12)


def test_wilson_of_known_figures() -> None:
    assert wilson(0, 0) == (0.0, 1.0)
    assert wilson(0, 10) == (0.0, pytest.approx(0.27753, abs=1e-5))
    assert wilson(10, 10) == (pytest.approx(0.72247, abs=1e-5), 1.0)
    assert wilson(81, 263) == (pytest.approx(0.25529, abs=1e-5), pytest.approx(0.36621, abs=1e-5))  # Newcombe 1998, table I


MENTION = st.fixed_dictionaries(
    {
        "content_key": st.sampled_from("tuv"),
        "cluster_key": st.sampled_from("cd"),
        "author_key": st.sampled_from(["1", "2", None]),
        "source_kind": st.sampled_from(list(SOURCE_KIND_NAMES)),
        "event_hour": st.integers(0, 23),
        "sentiment": st.sampled_from(SENTIMENTS),
        "labels": st.sets(st.sampled_from(["traffic", "tet", "none"]), min_size=1),
    }
)


def day_mentions(rows: list[Row]) -> DayMentions:
    posts = [
        {k: v for k, v in row.items() if k != "labels"} | {"post_key": str(n), "source_id": "s", "event_date": DAY}
        for n, row in enumerate(rows)
    ]
    pairs = [
        post | {"topic_id": label, "place_id": label} for post, row in zip(posts, rows, strict=True) for label in sorted(row["labels"])
    ]
    schema = {"content_key": pl.String, "author_key": pl.String, "source_kind": pl.String, "event_hour": pl.Int64, "sentiment": pl.String}
    schema |= {"cluster_key": pl.String}
    schema |= {"post_key": pl.String, "source_id": pl.String, "event_date": pl.Date}
    pair_frame = pl.DataFrame(pairs, schema=schema | {"topic_id": pl.String, "place_id": pl.String})
    return DayMentions(DAY, pl.DataFrame(posts, schema=schema), pair_frame, pair_frame, "m")


@given(st.lists(MENTION, max_size=12))
def test_the_figures_are_the_counts(rows: list[Row]) -> None:
    mentions = day_mentions(rows)
    health = pl.DataFrame([{"source_kind": "newspaper", "is_expected": True, "is_live": False, "coverage_weight": 2.5}])
    tables = {
        "gold.sentiment_daily": (sentiment_daily(mentions, health), ("source_kind",)),
        "gold.sentiment_hourly": (sentiment_hourly(mentions, health), ("event_hour", "source_kind")),
        "gold.topic_daily": (
            by_label("gold.topic_daily", mentions.topics, "topic", {"tet": "Tết"}, "m", health),
            ("topic_id", "source_kind"),
        ),
        "gold.place_daily": (by_label("gold.place_daily", mentions.places, "place", {}, "m", health), ("place_id", "source_kind")),
    }
    for name, (table, dimensions) in tables.items():
        assert table.schema == TABLES[name].schema
        found = table.to_pylist()
        expanded = [row | {"n": n, "topic_id": label, "place_id": label} for n, row in enumerate(rows) for label in row["labels"]]
        for row in found:
            group = [one for one in expanded if all(one[d] == row[d] for d in dimensions)]
            assert row["mentions"] == len({one["n"] for one in group})
            assert row["unique_texts"] == len({one["content_key"] for one in group})
            assert row["distinct_messages"] == len({one["cluster_key"] for one in group})
            assert row["distinct_voices"] == len({one["author_key"] for one in group} - {None})
            assert row["source_kind_name"] == SOURCE_KIND_NAMES[row["source_kind"]]
            assert row["coverage_share"] == (0.0 if row["source_kind"] == "newspaper" else None)
            for sentiment in SENTIMENTS:
                count = len({one["n"] for one in group if one["sentiment"] == sentiment})
                assert row[f"{sentiment}_count"] == count
                assert row[f"{sentiment}_share"] == count / row["mentions"]
                assert (row[f"{sentiment}_share_low"], row[f"{sentiment}_share_high"]) == wilson(count, row["mentions"])
        assert len(found) == len({tuple(one[d] for d in dimensions) for one in expanded})
    daily = tables["gold.sentiment_daily"][0].to_pylist()
    assert sum(row["mentions"] for row in daily) == len(rows)
    assert all(
        (row["expected_sources"], row["expected_weight"], row["live_weight"])
        == ((1, 2.5, 0.0) if row["source_kind"] == "newspaper" else (0, 0.0, 0.0))
        for row in daily
    )


def test_the_figures_pass_their_suites() -> None:
    rows = [
        {"content_key": "a" * 64, "author_key": None, "source_kind": kind, "event_hour": 5, "sentiment": sentiment, "labels": {"none"}}
        for kind in SOURCE_KIND_NAMES
        for sentiment in SENTIMENTS
    ]
    mentions = day_mentions(rows)
    health = pl.DataFrame([{"source_kind": "video", "is_expected": False, "is_live": True, "coverage_weight": 0.0}])
    tables = {"gold.sentiment_daily": sentiment_daily(mentions, health), "gold.sentiment_hourly": sentiment_hourly(mentions, health)}
    for name, table in tables.items():
        outcomes = run_suite(TABLES[name], table)
        assert outcomes
        assert failures(outcomes) == []


def test_names_stand_beside_ids() -> None:
    rows = [
        {
            "content_key": "a",
            "author_key": None,
            "source_kind": "video",
            "event_hour": 1,
            "sentiment": "neutral",
            "labels": {"tet", "traffic"},
        }
    ]
    health = pl.DataFrame([{"source_kind": "video", "is_expected": False, "is_live": True, "coverage_weight": 0.0}])
    table = by_label("gold.topic_daily", day_mentions(rows).topics, "topic", {"tet": "Tết"}, "m", health)
    assert dict(zip(table["topic_id"].to_pylist(), table["topic_name"].to_pylist(), strict=True)) == {"tet": "Tết", "traffic": "traffic"}


def test_no_mentions_no_rows() -> None:
    assert sentiment_by(
        pl.DataFrame(
            schema={
                "source_kind": pl.String,
                "post_key": pl.String,
                "content_key": pl.String,
                "cluster_key": pl.String,
                "author_key": pl.String,
                "sentiment": pl.String,
            }
        ),
        ["source_kind"],
        "m",
    ).is_empty()


PAPER, AGGREGATOR = SOURCES["demo-saigon-sang"], SOURCES["demo-tin-nhanh-phuong-nam"]
PROVIDER, UPLOAD = SOURCES["demo-provider"], SOURCES["upload"]


def health_of(
    collected: list[Source],
    posts: Sequence[str] = (),
    landed: Sequence[str] = (),
    rejects: Sequence[str] = (),
    log: Sequence[tuple[str, str]] = (),
) -> dict[str, Row]:
    times = pl.Series([START + timedelta(minutes=n) for n in range(len(posts))], dtype=pl.Datetime("us", "UTC"))
    rows = DayRows(
        posts=pl.DataFrame({"source_id": pl.Series(list(posts), dtype=pl.String), "fetched_at": times}),
        landed=pl.DataFrame({"source_id": list(landed)}, schema={"source_id": pl.String}),
        rejects=pl.DataFrame({"source_id": list(rejects)}, schema={"source_id": pl.String}),
        log=pl.DataFrame(list(log), schema={"source_id": pl.String, "outcome": pl.String}, orient="row").with_columns(
            finding=pl.lit(None, dtype=pl.String)
        ),
    )
    return {row["source_id"]: row for row in source_health(DAY, collected, SOURCES, rows).daily.to_dicts()}


def test_a_source_is_alive_by_a_post_or_by_a_fetch_that_worked() -> None:
    found = health_of(
        [PAPER, AGGREGATOR, PROVIDER, UPLOAD],
        posts=[PROVIDER.id, PROVIDER.id],
        landed=[PROVIDER.id] * 3,
        rejects=[PROVIDER.id],
        log=[
            (PAPER.id, "unreachable"),
            (PAPER.id, "not_modified"),
            (AGGREGATOR.id, "http_error"),
            (AGGREGATOR.id, "unreadable"),
            (AGGREGATOR.id, "refused"),
        ],
    )
    assert found.keys() == {PAPER.id, AGGREGATOR.id, PROVIDER.id}
    assert {key: (row["is_expected"], row["is_live"]) for key, row in found.items()} == {
        PAPER.id: (True, True),
        AGGREGATOR.id: (True, False),
        PROVIDER.id: (False, True),
    }
    provider = found[PROVIDER.id]
    assert (provider["mentions"], provider["landed"], provider["rejected"], provider["last_fetched_at"]) == (
        2,
        3,
        1,
        START + timedelta(minutes=1),
    )
    assert (found[AGGREGATOR.id]["fetch_attempts"], found[AGGREGATOR.id]["fetch_failures"], found[PAPER.id]["fetch_failures"]) == (3, 3, 1)


def test_a_source_that_is_no_longer_collected_keeps_its_name_and_one_unknown_is_named_so() -> None:
    found = health_of([], posts=[PAPER.id, "gone"])
    assert (found[PAPER.id]["source_name"], found[PAPER.id]["source_kind"], found[PAPER.id]["is_expected"]) == (
        PAPER.name,
        "newspaper",
        False,
    )
    assert (found["gone"]["source_name"], found["gone"]["source_kind"]) == ("gone", "unknown")


def test_a_day_without_anything_expected_or_seen_has_no_rows() -> None:
    assert health_of([PROVIDER, UPLOAD]) == {}


STATES = st.lists(
    st.tuples(st.sampled_from(["newspaper", "video"]), st.booleans(), st.booleans(), st.sampled_from([0.25, 1.0, 40.0])),
    min_size=1,
    max_size=8,
)


@given(STATES)
def test_coverage_is_the_weight_of_the_live_among_the_expected(states: list[tuple[str, bool, bool, float]]) -> None:
    frame = pl.DataFrame(states, schema=["source_kind", "is_expected", "is_live", "coverage_weight"], orient="row")
    found = {row.pop("source_kind"): row for row in coverage(frame).to_dicts()}
    for kind in {kind for kind, _, _, _ in states}:
        expected = [(is_live, weight) for other, is_expected, is_live, weight in states if other == kind and is_expected]
        whole, live = sum(weight for _, weight in expected), sum(weight for is_live, weight in expected if is_live)
        assert found[kind] == {
            "expected_sources": len(expected),
            "live_sources": sum(is_live for is_live, _ in expected),
            "expected_weight": whole,
            "live_weight": live,
            "coverage_share": pytest.approx(live / whole) if expected else None,
        }
