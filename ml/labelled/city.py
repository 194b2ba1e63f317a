"""The city corpus as labelled sets. Belongs here: from corpus posts to labelled texts. Not here: reading (`ml.corpus.reading`)."""

from collections.abc import Iterable, Mapping
from pathlib import Path

from ml.corpus.reading import FOLDER, CorpusPost, SecondLabel, read_challenge, read_posts, second_labels
from ml.labelled.texts import FLAGS, LabelledSet, LabelledText

TERMS = "written for this project, under its licence (Apache-2.0)"


def labelled(post: CorpusPost, second: SecondLabel | None = None) -> LabelledText:
    """The post with its labels; topics that the second labelling sees differently are disputed."""
    return LabelledText(
        text=post.text,
        context=post.parent,
        sentiment=post.sentiment,
        topics=frozenset(post.topics),
        disputed=frozenset(set(post.topics) ^ set(second.topics)) if second else frozenset(),
        flags={name: getattr(post, name) for name in FLAGS},
        phenomena=post.phenomena,
        story=post.story,
    )


def _all(posts: Iterable[CorpusPost], second: Mapping[str, SecondLabel]) -> tuple[LabelledText, ...]:
    return tuple(labelled(post, second.get(post.id)) for post in posts)


def city_corpus(folder: Path = FOLDER) -> LabelledSet:
    """Train and dev of the city corpus with settled labels. Raises ConfigError for a wrong line."""
    posts, second = read_posts(folder), second_labels(folder)
    return LabelledSet(
        name="city",
        what="posts, comments and headlines about the city, split by story",
        terms=TERMS,
        train=_all((post for post in posts if post.split == "train"), second),
        dev=_all((post for post in posts if post.split == "dev"), second),
    )


def challenge_set(folder: Path = FOLDER) -> LabelledSet:
    """The challenge set: only ever measured on, so it has no train half. Raises ConfigError for a wrong line."""
    return LabelledSet(
        name="challenge",
        what="hard cases by phenomenon and pairs where a small change turns the label",
        terms=TERMS,
        train=(),
        dev=_all(read_challenge(folder), {}),
    )
