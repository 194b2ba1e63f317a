"""Counts of the city corpus and the agreement of its two labellings. Belongs here: figures of the files. Not here: models."""

import hashlib
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from ml.corpus.agreement import Agreement, sentiment_agreement
from ml.corpus.reading import FOLDER, first_labelled, read_challenge, read_posts, second_labels, settled

FILES = ("posts.jsonl", "second_labels.jsonl", "settled.jsonl", "challenge.jsonl")


@dataclass(frozen=True)
class Counts:
    """Texts of train, dev and challenge set, by sentiment, phenomenon, topic and kind, in this order of columns."""

    total: tuple[int, int, int]
    labels: dict[str, tuple[int, int, int]]
    phenomena: dict[str, tuple[int, int, int]]
    topics: dict[str, tuple[int, int, int]]
    kinds: dict[str, tuple[int, int, int]]


@dataclass(frozen=True)
class CorpusFacts:
    """What the corpus files hold: their SHA-256, counts with settled labels, agreement on sentiment, and how many labels were settled."""

    digests: dict[str, str]
    counts: Counts
    agreement: dict[str, Agreement]
    settled: int


def _count(names: Iterable[tuple[int, str]]) -> dict[str, tuple[int, int, int]]:
    counted = Counter(names)
    found = {name for _, name in counted}
    rows = {name: (counted[0, name], counted[1, name], counted[2, name]) for name in found}
    return dict(sorted(rows.items(), key=lambda row: (-sum(row[1]), row[0])))


def corpus_facts(folder: Path = FOLDER) -> CorpusFacts:
    """The facts of the corpus in a folder. Raises ConfigError for a wrong line."""
    posts = read_posts(folder)
    parts = [[post for post in posts if post.split == split] for split in ("train", "dev")] + [read_challenge(folder)]
    placed = [(column, post) for column, part in enumerate(parts) for post in part]
    return CorpusFacts(
        digests={name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in FILES},
        counts=Counts(
            total=(len(parts[0]), len(parts[1]), len(parts[2])),
            labels=_count(((column, post.sentiment) for column, post in placed)),
            phenomena=_count(((column, name) for column, post in placed for name in post.phenomena)),
            topics=_count(((column, name) for column, post in placed for name in post.topics or ("none",))),
            kinds=_count(((column, post.kind) for column, post in placed)),
        ),
        agreement=sentiment_agreement(first_labelled(folder), second_labels(folder)),
        settled=len(settled(folder)),
    )
