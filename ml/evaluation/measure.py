"""Measuring a model on labelled sets. Belongs here: the figures that a set gets. Not here: words (`ml.evaluation.card`).

Texts are read alone, as `./lake score` reads them; again without diacritics; and, where the set has titles or posts that its texts answer,
with them, as the lake reads comments.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ml.evaluation.metrics import (
    Figure,
    ManyLabels,
    Matrix,
    accuracy,
    calibration_error,
    confusion,
    f1_by_class,
    macro_f1,
    many_labels,
    weighted_f1,
    with_interval,
)
from ml.evaluation.reader import Reader, Reading, read_as_the_lake
from ml.labelled.texts import FLAGS, LABELS, LabelledSet, LabelledText

FLAG_THRESHOLD = 0.5
PAIR_STORY = "x-pair-"
"""Stories of the challenge set that are minimal pairs: two texts, one small change, two labels."""


@dataclass(frozen=True)
class Sentiment:
    """Sentiment on n texts. Shares, F1 and ECE are between 0 and 1; `confusion` has rows true and columns predicted, in order of `classes`.

    For a set with two classes neutral is no choice: the more probable of the two counts, and `called_neutral` is the share of texts that
    the model, free to choose, would call neutral.
    """

    texts: int
    classes: tuple[str, ...]
    accuracy: Figure
    macro_f1: Figure
    weighted_f1: Figure
    calibration_error: float
    f1_by_class: dict[str, float]
    true_share: dict[str, float]
    predicted_share: dict[str, float]
    confusion: list[list[int]]
    called_neutral: float
    deep_share: float


@dataclass(frozen=True)
class Phenomenon:
    """How many texts show a phenomenon, the share whose sentiment is right, and the same for the texts without diacritics."""

    texts: int
    right: float
    right_unaccented: float


@dataclass(frozen=True)
class Flag:
    """A yes/no label on the texts that have it: count, count of yes, F1 of yes, and accuracy."""

    texts: int
    yes: int
    f1: Figure
    accuracy: float


@dataclass(frozen=True)
class Measured:
    """All figures of one set; None or empty where the set, or the model, has no such labels. `lost_unaccented` is in F1, 0 to 1."""

    name: str
    what: str
    terms: str
    sentiment: Sentiment | None
    unaccented: Sentiment | None
    with_context: Sentiment | None
    lost_unaccented: float | None
    topics: ManyLabels | None
    topics_with_context: ManyLabels | None
    flags: dict[str, Flag]
    phenomena: dict[str, Phenomenon]
    pairs: int
    pairs_right: float


def _probabilities(one: LabelledSet, reading: Reading) -> Matrix:
    """Of the classes that the set's annotators could choose from; they sum to 1."""
    columns = reading.sentiment[:, [LABELS.index(label) for label in one.classes]]
    scaled: Matrix = columns / columns.sum(axis=1, keepdims=True)
    return scaled


def _true(one: LabelledSet, texts: Sequence[LabelledText]) -> list[int]:
    return [one.classes.index(text.sentiment) for text in texts if text.sentiment]


def sentiment_of(one: LabelledSet, texts: Sequence[LabelledText], reading: Reading) -> Sentiment:
    """The figures of a reading of `texts`, which all have a sentiment that is among the set's classes. Raises ValueError otherwise."""
    probabilities, true = _probabilities(one, reading), _true(one, texts)
    matrix = confusion(true, probabilities.argmax(axis=1).tolist(), len(one.classes))

    def named(values: Matrix) -> dict[str, float]:
        return {label: float(value) for label, value in zip(one.classes, values, strict=True)}

    return Sentiment(
        texts=len(true),
        classes=one.classes,
        accuracy=with_interval(matrix, accuracy),
        macro_f1=with_interval(matrix, macro_f1),
        weighted_f1=with_interval(matrix, weighted_f1),
        calibration_error=calibration_error(probabilities, true),
        f1_by_class=named(f1_by_class(matrix)),
        true_share=named(matrix.sum(axis=1) / len(true)),
        predicted_share=named(matrix.sum(axis=0) / len(true)),
        confusion=[[int(count) for count in row] for row in matrix],
        called_neutral=float((reading.sentiment.argmax(axis=1) == LABELS.index("neutral")).mean()),
        deep_share=float(reading.deep.mean()),
    )


def _topics(reader: Reader, texts: Sequence[LabelledText], reading: Reading) -> ManyLabels | None:
    rows = [row for row, text in enumerate(texts) if text.topics is not None]
    if not reader.topic_ids or not rows:
        return None
    true = np.array([[topic in (texts[row].topics or ()) for topic in reader.topic_ids] for row in rows])
    return many_labels(true, reading.topics[rows] >= reader.topic_thresholds, reader.topic_ids)


def _flags(texts: Sequence[LabelledText], reading: Reading) -> dict[str, Flag]:
    found = {}
    for name in FLAGS:
        rows = [row for row, text in enumerate(texts) if name in text.flags]
        if not rows or name not in reading.flags:
            continue
        true = np.array([texts[row].flags[name] for row in rows])
        predicted = reading.flags[name][rows] >= FLAG_THRESHOLD
        f1 = many_labels(true[:, None], predicted[:, None], (name,)).micro
        found[name] = Flag(len(rows), int(true.sum()), f1, float((true == predicted).mean()))
    return found


def _phenomena(texts: Sequence[LabelledText], right: Sequence[bool], bare: Sequence[bool]) -> dict[str, Phenomenon]:
    rows: dict[str, list[int]] = {}
    for row, text in enumerate(texts):
        for phenomenon in text.phenomena:
            rows.setdefault(phenomenon, []).append(row)
    return {
        name: Phenomenon(len(found), float(np.mean([right[row] for row in found])), float(np.mean([bare[row] for row in found])))
        for name, found in sorted(rows.items())
    }


def _pairs(texts: Sequence[LabelledText], right: Sequence[bool]) -> tuple[int, float]:
    """How many minimal pairs there are, and the share in which both texts are right."""
    both: dict[str, bool] = {}
    for text, is_right in zip(texts, right, strict=True):
        if text.story.startswith(PAIR_STORY):
            both[text.story] = both.get(text.story, True) and is_right
    return len(both), float(np.mean(list(both.values()))) if both else 0.0


def measure(reader: Reader, one: LabelledSet) -> Measured:
    """All figures of the set's dev half. Raises ValueError for a set without texts."""
    texts = one.dev
    alone = read_as_the_lake(reader, texts)
    made = Measured(
        one.name, one.what, one.terms, None, None, None, None,
        topics=_topics(reader, texts, alone), topics_with_context=None, flags=_flags(texts, alone), phenomena={}, pairs=0, pairs_right=0.0,
    )  # fmt: skip
    has_sentiment = all(text.sentiment for text in texts)
    if any(text.context for text in texts) and (has_sentiment or made.topics):
        together = read_as_the_lake(reader, texts, contexts=True)
        made = replace(
            made,
            topics_with_context=_topics(reader, texts, together),
            with_context=sentiment_of(one, texts, together) if has_sentiment else None,
        )
    if not has_sentiment:
        return made
    bare = read_as_the_lake(reader, texts, unaccented=True)
    plain, unaccented, true = sentiment_of(one, texts, alone), sentiment_of(one, texts, bare), np.array(_true(one, texts))
    right = (_probabilities(one, alone).argmax(axis=1) == true).tolist()
    right_bare = (_probabilities(one, bare).argmax(axis=1) == true).tolist()
    pairs, pairs_right = _pairs(texts, right)
    return replace(
        made,
        sentiment=plain,
        unaccented=unaccented,
        lost_unaccented=plain.macro_f1.value - unaccented.macro_f1.value,
        phenomena=_phenomena(texts, right, right_bare),
        pairs=pairs,
        pairs_right=pairs_right,
    )
