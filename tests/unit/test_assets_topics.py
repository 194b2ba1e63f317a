"""The cause: which phrases carry a post's topics, and how gold counts them."""

from datetime import date

import polars as pl

from assets.gold.figures import NO_PHRASE, causes
from assets.silver.topics import topic_rows
from lake_config.storage import conform
from lake_config.tables.silver import TOPIC_MENTIONS
from ml.matching import PhraseTagger
from quality.runner import failures, run_suite

DAY = date(2026, 5, 1)
TAGGER = PhraseTagger({"traffic": ("kẹt xe", "ngập đường"), "flooding": ("ngập đường", "triều cường")})


def of_posts(*pairs: tuple[str, str | None]) -> pl.DataFrame:
    return pl.DataFrame([(f"{int(key):064x}", label) for key, label in pairs], ["post_key", "label"], orient="row")


def posts(*texts: str) -> pl.DataFrame:
    rows = [(DAY, f"{at:064x}", f"{at + 100:064x}", "post", None, text) for at, text in enumerate(texts, 1)]
    names = ("post_key", "content_key", "kind", "title", "text")
    schema = {"event_date": pl.Date} | dict.fromkeys(names, pl.String)
    return pl.DataFrame(rows, schema, orient="row")


TEXTS = posts("Ket xe, ket xe", "Kẹt xe vì ngập đường!", "Vui quá", "Đứng cả tiếng")
TOPICS = of_posts(("1", "traffic"), ("2", "flooding"), ("2", "traffic"), ("3", "none"), ("4", "traffic"))
SENTIMENT = of_posts(("1", "negative"), ("2", "negative"), ("3", "positive"), ("4", None))


def test_each_topic_of_a_post_has_its_phrases_or_one_row_without() -> None:
    table = topic_rows(TEXTS, TOPICS, SENTIMENT, TAGGER)
    assert conform(TOPIC_MENTIONS, table).equals(table)
    assert failures(run_suite(TOPIC_MENTIONS, table)) == []
    found = pl.DataFrame(pl.from_arrow(table)).select(pl.col("post_key").str.tail(1), *TOPIC_MENTIONS.schema.names[3:])
    assert found.rows() == [
        ("1", 1, "traffic", "kẹt xe", 0, 6, "negative"),
        ("1", 2, "traffic", "kẹt xe", 8, 14, "negative"),
        ("2", 1, "flooding", "ngập đường", 10, 20, "negative"),
        ("2", 2, "traffic", "kẹt xe", 0, 6, "negative"),
        ("2", 3, "traffic", "ngập đường", 10, 20, "negative"),
        ("3", 1, "none", None, None, None, "positive"),
        ("4", 1, "traffic", None, None, None, None),
    ]


def test_gold_counts_each_mention_once_a_phrase() -> None:
    said = pl.DataFrame(pl.from_arrow(topic_rows(TEXTS, TOPICS, SENTIMENT, TAGGER)))
    labelled = TEXTS.select("event_date", "post_key", "content_key").with_columns(
        author_key=pl.Series([None, "x", "y", "x"]),
        sentiment=pl.Series(["negative", "negative", "positive", "neutral"]),
        cluster_key=pl.Series(["c", "c", "d", "e"]),
    )
    found = causes(said, labelled, {"traffic": "Giao thông"}, "m")
    counts = ("topic_name", "phrase", "mentions", "unique_texts", "distinct_voices", "negative_count", "neutral_count", "positive_count")
    assert found.select(counts).rows() == [
        ("flooding", "ngập đường", 1, 1, 1, 1, 0, 0),
        ("Giao thông", NO_PHRASE, 1, 1, 1, 0, 1, 0),
        ("Giao thông", "kẹt xe", 2, 2, 1, 2, 0, 0),
        ("Giao thông", "ngập đường", 1, 1, 1, 1, 0, 0),
    ]
    assert found["distinct_messages"].to_list() == [1, 1, 1, 1]
    assert causes(said.clear(), labelled, {}, "m").is_empty()
