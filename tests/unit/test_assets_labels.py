"""Terms of topics and places by day, and the rows that label texts."""

from collections.abc import Mapping, Sequence
from datetime import date
from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.gold.mentions import UnlabelledError, join_mentions
from assets.silver.answered import NO_CONTEXT, with_contexts
from assets.silver.labels import NONE_LABEL, READS_CONTEXTS, Labeller, joined, topic_labellers
from assets.silver.opinions import reading_rows, rule_rows, texts_of, without_contexts
from assets.silver.tagging import TermSet, topic_terms
from lake_config.registry import load_registry
from lake_config.storage import conform
from lake_config.tables.gold import SENTIMENTS
from lake_config.tables.silver import OPINIONS
from ml.language_model import Readings
from ml.normalise import content_key
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
    """A model whose answers follow from the length of text and context: known without running the real one."""

    model_id, weights_digest = "weighing", "a" * 64
    topic_ids: tuple[str, ...] = ("tet", "traffic")
    topic_thresholds = np.array([0.5, 0.5])
    flags = ("toxic",)
    flag_thresholds: Mapping[str, float] = {"toxic": 0.5}
    reads_contexts = True

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> Readings:
        sizes = [len(text) + len(context or "") for text, context in zip(texts, contexts or [None] * len(texts), strict=True)]
        sentiment = np.array([np.roll([0.7, 0.2, 0.1], size % 3) for size in sizes]).reshape(-1, 3)
        topics = np.array([[0.9 if size % 2 else 0.1, 0.8 if size % 4 == 3 else 0.2] for size in sizes]).reshape(-1, 2)
        toxic = np.array([0.6 if size % 5 == 0 else 0.4 for size in sizes])
        return Readings(sentiment, topics, {"toxic": toxic}, np.zeros(len(sizes), np.bool_))


TERMS = TermSet("topic", {"traffic": ("kẹt xe",), "tet": ("Tết",)})
WORDS = st.lists(st.sampled_from(["kẹt", "xe", "Tết", "vui", "quá"]), max_size=6).map(" ".join)
TEXTS = st.dictionaries(st.integers(0, 10**9).map(lambda number: f"{number:064x}"), WORDS, max_size=8)


@given(TEXTS)
def test_the_phrases_give_every_text_a_topic_or_none(texts: Mapping[str, str]) -> None:
    topics = rule_rows({(key, NO_CONTEXT): (text, None) for key, text in texts.items()}, TERMS)
    assert conform(OPINIONS, topics).equals(topics)
    found: dict[str, set[str]] = {}
    for row in topics.to_pylist():
        assert row["context_key"] == NO_CONTEXT
        assert row["probability"] is row["negative_probability"] is None
        found.setdefault(row["content_key"], set()).add(row["label"])
    assert found.keys() == texts.keys()
    for key, labels in found.items():
        words = texts[key].split()
        says_traffic = ("kẹt", "xe") in pairwise(words)
        assert ("traffic" in labels) == says_traffic
        assert (NONE_LABEL in labels) == (labels == {NONE_LABEL})


def test_the_phrases_of_what_a_text_answers_count_too() -> None:
    rows = rule_rows({("a", "x"): ("vui", "kẹt xe"), ("a", ""): ("vui", None), ("b", "x"): ("Tết", "kẹt xe dịp Tết")}, TERMS).to_pylist()
    found = [(row["content_key"], row["context_key"], row["label"]) for row in rows]
    assert found == [("a", "x", "traffic"), ("a", "", "none"), ("b", "x", "tet"), ("b", "x", "traffic")]


@given(TEXTS, st.sampled_from([None, "bài"]))
def test_a_model_gives_every_text_one_sentiment_its_topics_or_none_and_each_flag(texts: Mapping[str, str], context: str | None) -> None:
    above = content_key(context) if context else NO_CONTEXT
    table = reading_rows({(key, above): (text, context) for key, text in texts.items()}, Weighing())
    assert conform(OPINIONS, table).equals(table)
    for key, text in texts.items():
        read = Weighing().read([text], [context])
        rows = [row for row in table.to_pylist() if row["content_key"] == key]
        assert {(row["context_key"], row["weights_digest"]) for row in rows} == {(above, "a" * 64)}
        (sentiment,) = (row for row in rows if row["task"] == "sentiment")
        assert [sentiment[f"{name}_probability"] for name in SENTIMENTS] == list(read.sentiment[0])
        assert sentiment["label"] == label_of(read.sentiment[0])
        topics = {row["label"]: row["probability"] for row in rows if row["task"] == "topic"}
        held = {topic: value for topic, value in zip(Weighing.topic_ids, read.topics[0], strict=True) if value >= 0.5}
        assert topics == (held or {NONE_LABEL: None})
        (toxic,) = (row for row in rows if row["task"] == "toxic")
        assert (toxic["probability"], toxic["label"]) == (read.flags["toxic"][0], "yes" if read.flags["toxic"][0] >= 0.5 else "no")


def test_label_rows_pass_their_suite() -> None:
    texts = {(f"{number:064x}", above): ("Tết vui", None) for number in range(3) for above in (NO_CONTEXT, "b" * 64)}
    assert failures(run_suite(OPINIONS, reading_rows(texts, Weighing()))) == []


def post(key: str, content: str, kind: str, title: str | None, text: str, parent: str | None = None) -> dict[str, str | None]:
    return {"post_key": key, "content_key": content, "kind": kind, "title": title, "text": text, "parent_key": parent}


TALK = pl.DataFrame(
    [
        post("1", "b", "comment", "của bài", "lời bình"),
        post("2", "b", "comment", None, "lời bình", "3"),
        post("3", "a", "article", "Tít", "Bài"),
        post("4", "a", "article", "Tít", "Bài"),
        post("5", "c", "post", None, "x" * 300),
        post("6", "b", "comment", None, "lời bình", "5"),
        post("7", "b", "comment", "", "lời bình", "hôm qua"),
    ],
    schema_overrides={"parent_key": pl.String},
)


def test_a_comment_is_read_under_its_title_or_its_parents() -> None:
    found = with_contexts(TALK)
    assert found["context"].to_list() == ["của bài", "Tít", None, None, None, "x" * 200, None]
    assert found["context_key"].to_list() == [content_key(text) if text else NO_CONTEXT for text in found["context"].to_list()]


def test_a_text_is_read_once_and_once_in_each_context_by_who_reads_it() -> None:
    read = texts_of(TALK)
    assert without_contexts(read) == {("a", ""): ("Tít\nBài", None), ("b", ""): ("lời bình", None), ("c", ""): ("x" * 300, None)}
    assert len(read) == 6
    assert {context for (key, _), (_, context) in read.items() if key == "b"} == {"của bài", "Tít", "x" * 200, None}


def test_the_labels_of_a_post_are_those_of_all_who_label_it() -> None:
    posts = pl.DataFrame(
        [("1", "b", "x"), ("2", "b", ""), ("3", "a", ""), ("4", "c", "")], ["post_key", "content_key", "context_key"], orient="row"
    )
    schema = ["content_key", "context_key", "label"]
    head = pl.DataFrame([("b", "x", "tet"), ("b", "", "none"), ("a", "", "none"), ("c", "", "tet")], schema, orient="row")
    rules = pl.DataFrame([("b", "", "metro"), ("a", "", "none")], schema, orient="row")
    said = [(Labeller("a" * 64, reads_contexts=True), head), (Labeller("b" * 64, reads_contexts=False), rules)]
    assert joined(posts, said).rows() == [("1", "metro"), ("1", "tet"), ("2", "metro"), ("3", "none"), ("4", None)]


def test_phrases_say_topics_beside_the_model_and_alone_where_it_knows_none() -> None:
    model = Weighing()
    phrases = Labeller(topic_terms(REGISTRY).digest, reads_contexts=READS_CONTEXTS)
    assert topic_labellers(model, REGISTRY) == [Labeller("a" * 64, reads_contexts=READS_CONTEXTS), phrases]
    model.topic_ids = ()
    assert topic_labellers(model, REGISTRY) == [phrases]


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
            "kind": "comment",
            "published_at": None,
        }
        for key, content in (("1", "a"), ("2", "a"), ("3", "b"))
    ]
)


def clusters(*keys: str) -> pl.DataFrame:
    rows = POSTS.filter(pl.col("post_key").is_in(keys)).with_columns(cluster_key=pl.col("content_key"), similarity=pl.lit(1.0))
    return rows.with_columns(sketch=pl.when(pl.col("post_key") == "1").then(pl.lit(b"x")))


def of_posts(*pairs: tuple[str, str]) -> pl.DataFrame:
    return pl.DataFrame(list(pairs), schema={"post_key": pl.String, "label": pl.String}, orient="row")


def test_each_post_is_joined_with_its_labels_and_places() -> None:
    mentions = join_mentions(
        BEFORE,
        POSTS,
        of_posts(("1", "positive"), ("2", "positive"), ("3", "negative")),
        of_posts(("1", "tet"), ("1", "traffic"), ("2", "tet"), ("2", "traffic"), ("3", "none")),
        of_posts(("1", "hcm"), ("1", "hcm-d-quan-1"), ("2", "none"), ("3", "none")),
        clusters("1", "2", "3"),
        "m",
    )
    assert sorted(mentions.posts.select("post_key", "sentiment").iter_rows()) == [("1", "positive"), ("2", "positive"), ("3", "negative")]
    assert mentions.posts.sort("post_key").select("cluster_key", "is_long").rows() == [("a", True), ("a", True), ("b", False)]
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
    whole, part = of_posts(*((key, "none") for key in "123")), of_posts(("1", "none"), ("2", "none"))
    sentiment, topics = (part if index == lacking else whole for index in range(2))
    named = of_posts(("1", "none"), ("2", "none"), *([] if lacking == 2 else [("3", "none")]))
    with pytest.raises(UnlabelledError, match="2025-06-30: 1 labels are missing"):
        join_mentions(BEFORE, POSTS, sentiment, topics, named, clusters("1", "2", "3"), "m")


def test_a_post_without_a_cluster_stops_the_figures() -> None:
    whole = of_posts(*((key, "none") for key in "123"))
    with pytest.raises(UnlabelledError, match=r"2025-06-30: 1 posts are missing in silver\.clusters"):
        join_mentions(BEFORE, POSTS, whole, whole, whole, clusters("1", "3"), "m")
