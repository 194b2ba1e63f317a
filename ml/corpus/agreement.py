"""How well two labellings agree: Krippendorff's alpha. Belongs here: the figure and its table. Not here: where labels come from.

alpha = 1 - observed / expected disagreement, nominal level (Krippendorff, Content Analysis, chapter 12), by the library `krippendorff`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import krippendorff
import numpy as np

from ml.corpus.reading import CorpusPost, SecondLabel


@dataclass(frozen=True)
class Agreement:
    """`posts` labelled twice, the share of them (0 to 1) with the same label, and alpha.

    Alpha is 1 for full agreement, 0 for what chance gives, and None where only one label occurs at all.
    """

    posts: int
    same: float
    alpha: float | None


def agreement(first: Sequence[str], second: Sequence[str]) -> Agreement:
    """The agreement of two labellings of the same units, in the same order. Raises ValueError for unequal or empty sequences."""
    if len(first) != len(second) or not first:
        raise ValueError(f"two labellings of the same units are needed, got {len(first)} and {len(second)} labels")
    values = sorted({*first, *second})
    same = sum(a == b for a, b in zip(first, second, strict=True)) / len(first)
    if len(values) < 2:
        return Agreement(len(first), same, None)
    codes = np.array([[values.index(label) for label in labels] for labels in (first, second)])
    return Agreement(len(first), same, float(krippendorff.alpha(reliability_data=codes, level_of_measurement="nominal")))


def sentiment_agreement(posts: Sequence[CorpusPost], second: dict[str, SecondLabel]) -> dict[str, Agreement]:
    """The agreement on sentiment over all posts labelled twice ("all") and by phenomenon, most posts first."""
    twice = [post for post in posts if post.id in second]
    groups: dict[str, list[CorpusPost]] = {"all": twice}
    for post in twice:
        for phenomenon in post.phenomena:
            groups.setdefault(phenomenon, []).append(post)
    ordered = sorted(groups.items(), key=lambda entry: -len(entry[1]))
    return {
        name: agreement([post.sentiment for post in group], [second[post.id].sentiment for post in group])
        for name, group in ordered
        if group
    }
