"""Terms of topics and places by day, and the rows that label texts."""

from collections.abc import Mapping
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from assets.gold.mentions import UnlabelledError, join_mentions
from assets.silver.opinions import NONE_LABEL, contents, rule_rows, sentiment_rows
from assets.silver.tagging import TermSet, topic_terms
from lake_config.registry import load_registry
from lake_config.storage import conform
from lake_config.tables.gold import SENTIMENTS
from lake_config.tables.silver import OPINIONS
from ml.sentiment import label_of
from quality.runner import failures, run_suite

REGISTRY = load_registry()
BEFORE = date(2025, 6, 30)


def test_topics_are_found_by_their_name_and_keywords() -> None:
    topics = topic_terms(REGISTRY)
    assert topics is topic_terms(REGISTRY)
    assert topics.task == "topic"
    assert set(topics.terms) == {topic.id for topic in REGISTRY.topics}
    assert topics.tagger.tags(["Kẹt xe ở chợ"]) == [["traffic"]]


@given(
    st.dictionaries(
        st.sampled_from("abc"), st.lists(st.sampled_from(["x", "y", "đường", "z z"]), min_size=1, max_size=3, unique=True), min_size=1
    )
)
def test_the_digest_names_the_set_of_terms_whatever_their_order(terms: dict[str, list[str]]) -> None:
    turned = {key: tuple(reversed(terms[key])) for key in reversed(list(terms))}
    frozen = {key: tuple(phrases) for key, phrases in terms.items()}
    digest = TermSet("topic", frozen).digest
    assert digest == TermSet("topic", turned).digest
    key = sorted(frozen)[0]
    assert digest != TermSet("topic", frozen | {key: (*frozen[key], "mới")}).digest


class Weighing:
    """A model whose probabilities are the text's length modulo three: known without running the real one."""

    model_id, weights_digest = "weighing", "a" * 64

    def score(self, texts: list[str]) -> NDArray[np.float64]:
        return np.array([np.roll([0.7, 0.2, 0.1], len(text) % 3) for text in texts]).reshape(-1, 3)


TERMS = TermSet("topic", {"traffic": ("kẹt xe",), "tet": ("Tết",)})
WORDS = st.lists(st.sampled_from(["kẹt", "xe", "Tết", "vui", "quá"]), max_size=6).map(" ".join)
TEXTS = st.dictionaries(st.integers(0, 10**9).map(lambda number: f"{number:064x}"), WORDS, max_size=8)


@given(TEXTS)
def test_each_text_gets_one_sentiment_and_at_least_one_of_every_other_label(texts: Mapping[str, str]) -> None:
    sentiment = sentiment_rows(texts, Weighing())
    topics = rule_rows(texts, TERMS)
    for table in (sentiment, topics):
        assert conform(OPINIONS, table).equals(table)
    assert sentiment["content_key"].to_pylist() == list(texts)
    for row, text in zip(sentiment.to_pylist(), texts.values(), strict=True):
        probabilities = [row[f"{name}_probability"] for name in SENTIMENTS]
        assert probabilities == list(Weighing().score([text])[0])
        assert row["label"] == label_of(probabilities)
    found: dict[str, set[str]] = {}
    for row in topics.to_pylist():
        assert row["negative_probability"] is row["neutral_probability"] is row["positive_probability"] is None
        found.setdefault(row["content_key"], set()).add(row["label"])
    assert found.keys() == texts.keys()
    for key, labels in found.items():
        words = texts[key].split()
        says_traffic = ("kẹt", "xe") in pairwise(words)
        assert ("traffic" in labels) == says_traffic
        assert (NONE_LABEL in labels) == (labels == {NONE_LABEL})


def test_label_rows_pass_their_suite() -> None:
    texts = {f"{number:064x}": "Tết vui" for number in range(3)}
    assert failures(run_suite(OPINIONS, sentiment_rows(texts, Weighing()))) == []


def test_contents_are_the_distinct_texts_of_posts() -> None:
    rows = [
        {"content_key": "b", "kind": "comment", "title": "của bài", "text": "lời bình"},
        {"content_key": "a", "kind": "article", "title": "Tít", "text": "Bài"},
        {"content_key": "a", "kind": "article", "title": "Tít", "text": "Bài"},
    ]
    assert list(contents(pl.DataFrame(rows)).items()) == [("a", "Tít\nBài"), ("b", "lời bình")]


POSTS = pl.DataFrame(
    [
        {
            "post_key": key,
            "content_key": content,
            "author_key": None,
            "source_kind": "video",
            "source_id": "s",
            "event_date": BEFORE,
            "event_hour": 1,
        }
        for key, content in (("1", "a"), ("2", "a"), ("3", "b"))
    ]
)


def labels(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema={"content_key": pl.String, "label": pl.String}, orient="row")


def places(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema={"post_key": pl.String, "label": pl.String}, orient="row")


def test_posts_of_one_text_share_its_labels_but_have_their_own_places() -> None:
    mentions = join_mentions(
        BEFORE,
        POSTS,
        labels(("a", "positive"), ("b", "negative")),
        labels(("a", "tet"), ("a", "traffic"), ("b", "none")),
        places(("1", "hcm"), ("1", "hcm-d-quan-1"), ("2", "none"), ("3", "none")),
        "m",
    )
    assert sorted(mentions.posts.select("post_key", "sentiment").iter_rows()) == [("1", "positive"), ("2", "positive"), ("3", "negative")]
    assert sorted(mentions.topics.select("post_key", "topic_id").iter_rows()) == [
        ("1", "tet"),
        ("1", "traffic"),
        ("2", "tet"),
        ("2", "traffic"),
        ("3", "none"),
    ]
    assert sorted(mentions.places.select("post_key", "place_id").iter_rows()) == [
        ("1", "hcm"),
        ("1", "hcm-d-quan-1"),
        ("2", "none"),
        ("3", "none"),
    ]


@pytest.mark.parametrize("lacking", [0, 1, 2])
def test_a_post_that_lacks_a_label_of_any_task_stops_the_figures(lacking: int) -> None:
    whole, part = labels(("a", "none"), ("b", "none")), labels(("a", "none"))
    sentiment, topics = (part if index == lacking else whole for index in range(2))
    named = places(("1", "none"), ("2", "none"), *([] if lacking == 2 else [("3", "none")]))
    with pytest.raises(UnlabelledError, match="2025-06-30: 1 labels are missing"):
        join_mentions(BEFORE, POSTS, sentiment, topics, named, "m")
