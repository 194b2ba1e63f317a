"""The one form of a labelled text and of a set of them. Belongs here: these types. Not here: reading files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from ml.corpus.reading import Sentiment

LABELS: tuple[Sentiment, ...] = get_args(Sentiment)
"""The three classes in the order of every column of probabilities: negative, neutral, positive."""
FLAGS = ("constructive", "toxic", "spam")
"""The three yes/no labels, in the order of a model's flag logits."""


@dataclass(frozen=True)
class LabelledText:
    """A text, the title or post it answers, and what is known of it.

    None or a missing flag means not labelled, never "no". `disputed` are topics that only one of two annotators gave.
    """

    text: str
    context: str | None = None
    sentiment: Sentiment | None = None
    topics: frozenset[str] | None = None
    disputed: frozenset[str] = frozenset()
    flags: Mapping[str, bool] = field(default_factory=dict)
    phenomena: tuple[str, ...] = ()
    story: str = ""


@dataclass(frozen=True)
class LabelledSet:
    """A named set: what it is and under which terms, in words; `classes` are the sentiments its annotators could choose from."""

    name: str
    what: str
    terms: str
    train: tuple[LabelledText, ...]
    dev: tuple[LabelledText, ...]
    classes: tuple[Sentiment, ...] = LABELS
