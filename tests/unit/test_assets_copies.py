"""gold.copies_daily: what is counted of a message that is posted again and again, and when it bears one of the two signs."""

import random
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

from assets.gold.build import copies_daily
from assets.gold.copies import MIN_TIMED, copies
from assets.gold.mentions import DayMentions
from lake_config.tables.gold import COPIES_DAILY
from quality.runner import failures, run_suite

DAY = date(2026, 3, 2)
NOON = datetime(2026, 3, 2, 5, tzinfo=UTC)
SCHEMA = {
    "event_date": pl.Date,
    "post_key": pl.String,
    "cluster_key": pl.String,
    "content_key": pl.String,
    "author_key": pl.String,
    "source_id": pl.String,
    "kind": pl.String,
    "sentiment": pl.String,
    "similarity": pl.Float64,
    "is_long": pl.Boolean,
    "published_at": pl.Datetime("us", "UTC"),
}
NO_TOPICS = pl.DataFrame(schema={"post_key": pl.String, "topic_id": pl.String})
Row = dict[str, object]


def posts(count: int, *, voices: int, every: float = 1.0, cluster: str = "c", **more: object) -> list[Row]:
    """So many posts of one cluster, by turns by so many voices, so many minutes apart."""
    return [
        {
            "event_date": DAY,
            "post_key": f"{cluster}{number}",
            "cluster_key": f"{ord(cluster):064x}",
            "content_key": f"{cluster}{number % 4}",
            "author_key": f"{number % voices:064x}" if voices else None,
            "source_id": "page",
            "kind": "comment",
            "sentiment": "negative" if number % 2 else "neutral",
            "similarity": 0.9,
            "is_long": True,
            "published_at": NOON + timedelta(minutes=every * number),
            **more,
        }
        for number in range(count)
    ]


def found(rows: Sequence[Row], topics: Sequence[tuple[str, str]] | None = None) -> list[dict[str, object]]:
    frame = pl.DataFrame(list(rows), schema=SCHEMA)
    about = [(str(row["post_key"]), "none") for row in rows] if topics is None else list(topics)
    topic_frame = pl.DataFrame(about, schema={"post_key": pl.String, "topic_id": pl.String}, orient="row")
    table = copies_daily(DayMentions(DAY, frame, topic_frame, topic_frame, "m"), {"traffic": "Giao thông", "none": "Không"})
    assert table.schema == COPIES_DAILY.schema
    return table.to_pylist()


def signs(rows: Sequence[Row]) -> tuple[object, object]:
    (row,) = found(rows)
    return row["is_coordinated"], row["is_bot_like"]


def test_a_cluster_is_counted_with_its_voices_and_times() -> None:
    rows = posts(5, voices=2, every=3.0) + posts(2, voices=1, cluster="d")
    rows[0]["author_key"] = None
    (row,) = found(rows, [("c0", "none"), ("c1", "none"), ("c2", "none"), ("c3", "traffic")])
    assert failures(run_suite(COPIES_DAILY, pa.Table.from_pylist([row], schema=COPIES_DAILY.schema))) == []
    assert row == {
        "event_date": DAY,
        "cluster_key": f"{ord('c'):064x}",
        "cluster_code": "00000000",
        "topic_id": "traffic",
        "topic_name": "Giao thông",
        "mentions": 5,
        "unique_texts": 4,
        "distinct_voices": 2,
        "distinct_sources": 1,
        "article_count": 0,
        "largest_voice_share": 0.5,
        "mean_similarity": pytest.approx(0.9),
        "negative_share": 0.4,
        "first_seen_at": NOON,
        "span_minutes": 12.0,
        "burst_minutes": 9.0,
        "posts_per_minute": pytest.approx(5 / 12),
        "interval_variation": 0.0,
        "is_coordinated": False,
        "is_bot_like": False,
    }


def test_without_times_and_voices_nothing_is_made_up() -> None:
    (row,) = found(posts(20, voices=0, published_at=None))
    unknown = ("largest_voice_share", "first_seen_at", "span_minutes", "burst_minutes", "posts_per_minute", "interval_variation")
    assert [row[name] for name in unknown] == [None] * len(unknown)
    assert (row["is_coordinated"], row["is_bot_like"]) == (False, False)
    (row,) = found(posts(20, voices=5, published_at=NOON))
    assert (row["span_minutes"], row["posts_per_minute"], row["interval_variation"]) == (0.0, 20.0, None)
    assert found([]) == []


def test_many_voices_with_one_text_within_the_hour_look_coordinated() -> None:
    campaign = posts(30, voices=30, every=1.5)
    assert signs(campaign) == (True, False)
    straggler = [*campaign[:-1], campaign[-1] | {"published_at": NOON + timedelta(hours=9)}]
    assert signs(straggler) == (True, False)


@pytest.mark.parametrize(
    "innocent",
    [
        posts(30, voices=30, every=20.0),
        posts(29, voices=29) + posts(1, voices=1, kind="article", post_key="news"),
        posts(30, voices=30, similarity=0.7),
        posts(30, voices=30, is_long=False),
        posts(MIN_TIMED - 1, voices=9),
        posts(30, voices=7, every=1.0),
    ],
    ids=["slow", "news", "each in own words", "a few words", "few", "few voices"],
)
def test_what_people_do_by_themselves_does_not(innocent: list[Row]) -> None:
    assert signs(innocent) == (False, False)


@pytest.mark.parametrize("voices", [1, 3])
def test_few_voices_by_the_clock_look_like_a_bot(voices: int) -> None:
    jitter = random.Random(3)
    bot = posts(24, voices=voices, every=30.0, is_long=False)
    shaken = [row | {"published_at": NOON + timedelta(minutes=30 * at + jitter.uniform(-5, 5))} for at, row in enumerate(bot)]
    assert signs(bot) == signs(shaken) == (False, True)
    assert signs(posts(24, voices=4, every=30.0)) == (False, False)


def test_one_who_repeats_at_any_time_seldom_looks_like_a_bot() -> None:
    chance, marked = random.Random(7), 0
    for _ in range(300):
        times = sorted(chance.uniform(0, 900) for _ in range(MIN_TIMED))
        rows = [row | {"published_at": NOON + timedelta(minutes=at)} for row, at in zip(posts(MIN_TIMED, voices=1), times, strict=True)]
        (row,) = copies(pl.DataFrame(rows, schema=SCHEMA), NO_TOPICS).to_dicts()
        marked += row["is_bot_like"]
    assert marked <= 6
