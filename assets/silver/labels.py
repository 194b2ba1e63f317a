"""The labels of posts, read from silver.opinions.

Belongs here: which labeller's rows hold for a post. Not here: making labels (opinions.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import polars as pl
from deltalake import DeltaTable
from numpy.typing import NDArray

from assets.silver.answered import NO_CONTEXT
from assets.silver.tagging import topic_terms
from lake_config.registry import Registry
from lake_config.storage import Lake
from ml.language_model import Readings

NONE_LABEL = "none"
READS_CONTEXTS = False
"""Off until the labels and the figures of a day are sure to see the same contexts: with it on, three texts of the demo city had none. Read
with what it answers, a post's sentiment is also rather less often right than alone (the card of the model has both)."""


class TextModel(Protocol):
    """What labelling needs of a language model, see ml.language_model.LanguageModel."""

    model_id: str
    weights_digest: str
    topic_ids: tuple[str, ...]
    topic_thresholds: NDArray[np.float64]
    flags: tuple[str, ...]
    flag_thresholds: dict[str, float]

    @property
    def reads_contexts(self) -> bool:
        """Whether what it says of a text depends on what the text answers."""
        ...

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> Readings:
        """What it says of each text."""
        ...


@dataclass(frozen=True)
class Labeller:
    """Who labels texts, by digest, and whether it looks at what a text answers."""

    digest: str
    reads_contexts: bool


def sentiment_labellers(model: TextModel) -> list[Labeller]:
    """Who says the sentiment of a text."""
    return [Labeller(model.weights_digest, reads_contexts=READS_CONTEXTS and model.reads_contexts)]


def topic_labellers(model: TextModel, registry: Registry) -> list[Labeller]:
    """Who says the topics of a text: the model those it knows, and the registry's phrases all of them.

    Together they were measured better than either alone (see docs/decisions.md), and a topic added without training has its phrases.
    """
    head = sentiment_labellers(model) if model.topic_ids else []
    return [*head, Labeller(topic_terms(registry).digest, reads_contexts=READS_CONTEXTS)]


def labels_of(lake: Lake, at: DeltaTable, task: str, digest: str, keys: pl.Series) -> pl.DataFrame:
    """Labels already known: rows (content_key, context_key, label) of one task and weights for the given texts, each once."""
    columns = ["content_key", "context_key", "label", "weights_digest"]
    rows = lake.read("silver.opinions", at.file_uris(file_pruning_predicate=[("task", "=", task)]), columns)
    wanted = rows.filter((pl.col("weights_digest") == digest) & pl.col("content_key").is_in(keys.implode()))
    return wanted.select("content_key", "context_key", "label").unique().sort("content_key", "context_key", "label")


def labels_of_posts(lake: Lake, at: DeltaTable, task: str, labellers: Sequence[Labeller], posts: pl.DataFrame) -> pl.DataFrame:
    """Rows (post_key, label) of one task for posts (post_key, content_key, context_key), each pair once.

    The label is null where a labeller has not read the text yet, 'none' where no labeller found anything.
    """
    keys = posts["content_key"].unique()
    return joined(posts, [(labeller, labels_of(lake, at, task, labeller.digest, keys)) for labeller in labellers])


def joined(posts: pl.DataFrame, said: Sequence[tuple[Labeller, pl.DataFrame]]) -> pl.DataFrame:
    """As `labels_of_posts`, from the rows (content_key, context_key, label) of each labeller."""
    texts = posts.select("post_key", "content_key", "context_key")
    parts = []
    for labeller, rows in said:
        seen = texts if labeller.reads_contexts else texts.with_columns(context_key=pl.lit(NO_CONTEXT))
        parts.append(seen.join(rows, on=["content_key", "context_key"], how="left").select("post_key", "label"))
    labels = pl.concat(parts).unique()
    label, post = pl.col("label"), "post_key"
    is_open = label.is_null().any().over(post)
    is_named = (label != NONE_LABEL).any().over(post)
    kept = pl.when(is_open).then(label.is_null()).otherwise((label != NONE_LABEL) | ~is_named)
    return labels.filter(kept).sort("post_key", "label")
