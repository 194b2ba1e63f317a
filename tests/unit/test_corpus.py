"""The city corpus: what its files promise, how labels are settled, how agreement is counted."""

import json
from collections import Counter
from pathlib import Path

import pytest

from lake_config.errors import ConfigError
from lake_config.registry import load_registry
from ml.corpus.agreement import agreement, sentiment_agreement
from ml.corpus.reading import FOLDER, CorpusPost, as_line, first_labelled, read_challenge, read_posts, second_labels, settled
from ml.normalise import content_key


@pytest.fixture(scope="module")
def posts() -> list[CorpusPost]:
    return read_posts()


@pytest.fixture(scope="module")
def challenge() -> list[CorpusPost]:
    return read_challenge()


def test_there_are_as_many_as_promised(posts: list[CorpusPost], challenge: list[CorpusPost]) -> None:
    assert len(posts) >= 4000
    assert len(challenge) >= 600
    assert {post.split for post in challenge} == {"dev"}


def test_no_text_stands_twice_nor_in_both_sets(posts: list[CorpusPost], challenge: list[CorpusPost]) -> None:
    keys = [content_key(post.text) for post in (*posts, *challenge)]
    assert [key for key, count in Counter(keys).items() if count > 1] == []
    ids = [post.id for post in (*posts, *challenge)]
    assert len(set(ids)) == len(ids)


def test_a_story_stands_in_one_split(posts: list[CorpusPost]) -> None:
    splits: dict[str, set[str]] = {}
    for post in posts:
        splits.setdefault(post.story, set()).add(post.split)
    assert [story for story, found in splits.items() if len(found) > 1] == []
    dev = sum(post.split == "dev" for post in posts)
    assert 0.1 < dev / len(posts) < 0.2


def test_topics_are_those_of_the_registry_and_each_is_covered(posts: list[CorpusPost]) -> None:
    counted = Counter(topic for post in posts for topic in post.topics)
    known = {topic.id for topic in load_registry().topics}
    assert set(counted) <= known
    assert {topic: counted[topic] for topic in known if counted[topic] < 100} == {}


def test_places_are_written_in_the_text(posts: list[CorpusPost], challenge: list[CorpusPost]) -> None:
    assert [(post.id, place) for post in (*posts, *challenge) for place in post.places if place not in post.text] == []


def test_every_post_was_labelled_twice_and_every_difference_settled(posts: list[CorpusPost]) -> None:
    first, second, final = first_labelled(), second_labels(), settled()
    assert {post.id for post in first} == set(second)
    differ = {post.id for post in first if post.sentiment != second[post.id].sentiment}
    assert differ <= set(final)
    assert {post.id: post.sentiment for post in posts if post.id in final} == {key: row.sentiment for key, row in final.items()}


def test_the_two_labellings_were_not_copied_from_each_other() -> None:
    found = sentiment_agreement(first_labelled(), second_labels())
    alpha = found["all"].alpha
    assert alpha is not None
    assert 0.6 < alpha < 0.99


def test_agreement_of_a_known_case() -> None:

    found = agreement(["a", "a", "a", "b"], ["b", "b", "a", "b"])
    assert (found.posts, found.same) == (4, 0.5)
    counts = {"a": 4, "b": 4}
    observed, expected = 4 / 8, 2 * counts["a"] * counts["b"] / (8 * 7)
    assert found.alpha == pytest.approx(1 - observed / expected)
    assert agreement(["a", "a"], ["a", "a"]).alpha is None
    with pytest.raises(ValueError, match="same units"):
        agreement(["a"], [])


def _copy(folder: Path, posts: list[CorpusPost], second: list[dict[str, object]], final: list[dict[str, object]]) -> Path:
    (folder / "posts.jsonl").write_text("".join(as_line(post) + "\n" for post in posts), encoding="utf-8")
    for name, rows in (("second_labels", second), ("settled", final)):
        (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_difference_that_is_not_settled_is_named(tmp_path: Path) -> None:
    post = first_labelled()[0]
    other = "positive" if post.sentiment != "positive" else "negative"
    second: list[dict[str, object]] = [{"id": post.id, "sentiment": other, "topics": {}}]
    with pytest.raises(ConfigError, match=post.id):
        read_posts(_copy(tmp_path, [post], second, []))
    final: list[dict[str, object]] = [{"id": post.id, "sentiment": other, "reason": "the last clause decides"}]
    assert [row.sentiment for row in read_posts(_copy(tmp_path, [post], second, final))] == [other]


def test_a_wrong_line_is_named(tmp_path: Path) -> None:
    lines = (FOLDER / "posts.jsonl").read_text("utf-8").splitlines()[:3]
    wrong = json.loads(lines[2]) | {"sentiment": "glad"}
    (tmp_path / "posts.jsonl").write_text("\n".join([*lines[:2], json.dumps(wrong)]) + "\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"posts\.jsonl, line 3, sentiment"):
        first_labelled(tmp_path)
