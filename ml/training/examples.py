"""What is trained on: labelled texts as targets in the order of the logits, by group. Belongs here: targets. Not here: tokens, drawing.

Columns of a target: 3 sentiments, the topics, 3 flags. A weight of 0 stands for "not labelled".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lake_config.errors import BadInputError
from ml.labelled.city import challenge_set, city_corpus
from ml.labelled.own_csv import own_set
from ml.labelled.shared import shared_sets
from ml.labelled.texts import FLAGS, LABELS, LabelledSet, LabelledText
from ml.masking import mask_pii
from ml.normalise import content_key, normalise
from ml.recipes.recipe import Group, Job

UNKNOWN = -1
_DISPUTED = {True: 0.5, False: 0.35}
"""Target of a topic that one annotator gave and the other did not: by whether the first one gave it. Its weight is halved."""

Row = NDArray[np.float32]


@dataclass(frozen=True)
class Example:
    """A text with its targets. `sentiment` is a place in LABELS or UNKNOWN; `chosen` masks the classes its annotators could choose from.

    `topics`, `flags`: targets 0 to 1; `topic_weights`, `flag_weights`: 0 where not labelled.
    """

    text: str
    context: str | None
    sentiment: int
    chosen: tuple[bool, ...]
    topics: Row
    topic_weights: Row
    flags: Row
    flag_weights: Row


@dataclass(frozen=True)
class Gathered:
    """Examples by group, how many texts each set gave, and the names of sets whose data is absent."""

    groups: dict[Group, list[Example]]
    sets: dict[str, int]
    absent: list[str]


def example(text: LabelledText, classes: Sequence[str], topics: Sequence[str]) -> Example:
    """The targets of a text, normalised and masked as the lake does it; `topics` are the columns."""
    targets, weights = np.zeros(len(topics), np.float32), np.zeros(len(topics), np.float32)
    if text.topics is not None:
        weights[:] = 1.0
        for column, topic in enumerate(topics):
            targets[column] = topic in text.topics
            if topic in text.disputed:
                targets[column], weights[column] = _DISPUTED[topic in text.topics], 0.5
    return Example(
        text=mask_pii(normalise(text.text)),
        context=mask_pii(normalise(text.context)) if text.context else None,
        sentiment=LABELS.index(text.sentiment) if text.sentiment else UNKNOWN,
        chosen=tuple(label in classes for label in LABELS),
        topics=targets,
        topic_weights=weights,
        flags=np.array([text.flags.get(name, False) for name in FLAGS], np.float32),
        flag_weights=np.array([name in text.flags for name in FLAGS], np.float32),
    )


def group_of(one: LabelledSet) -> Group:
    """Sentiment sets of others are shared, those with flags alone are auxiliary."""
    return "shared" if any(text.sentiment for text in one.train) else "auxiliary"


def gather(job: Job) -> Gathered:
    """All examples of a job. Raises BadInputError for a wrong file of the city's own, or a data set that is not in its form."""
    city = city_corpus(job.corpus)
    posts = city.train
    if job.posts is not None:
        if not 0 < job.posts <= len(posts):
            raise BadInputError(f"The corpus has {len(posts)} posts to train on, {job.posts} were asked for.")
        order = np.random.default_rng(job.recipe.seed).permutation(len(posts))[: job.posts]  # smaller draws are part of larger ones
        posts = tuple(posts[place] for place in order)
    chosen: list[tuple[Group, LabelledSet]] = [("city", replace(city, train=posts))]
    if job.own_csv:
        measured = {content_key(text.text) for text in (*city.dev, *challenge_set(job.corpus).dev)}
        own = own_set(job.own_csv, job.topics)
        chosen.append(("city", replace(own, train=tuple(text for text in own.train if content_key(text.text) not in measured))))
    absent: list[str] = []
    if set(job.recipe.shares) - {"city"}:
        found, absent = shared_sets(job.shared)
        chosen += [(group_of(one), one) for one in found if job.recipe.shares.get(group_of(one))]
    groups: dict[Group, list[Example]] = {}
    sets: Counter[str] = Counter()
    for group, one in chosen:
        made = [example(text, one.classes, job.topics) for text in one.train]
        groups.setdefault(group, []).extend(given for given in made if given.text)
        sets[one.name] += len(made)
    return Gathered(groups, dict(sets), absent)


def shares(wanted: dict[Group, float], groups: dict[Group, list[Example]]) -> dict[Group, float]:
    """The part of each group that has examples; what absent ones would have had goes to the others in proportion. They sum to 1."""
    present = {group: share for group, share in wanted.items() if share and groups.get(group)}
    total = sum(present.values())
    return {group: share / total for group, share in present.items()}
