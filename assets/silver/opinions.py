"""Labelling texts: which texts of a day have no label yet, and the rows that label them."""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import partial
from typing import Protocol

import numpy as np
import polars as pl
import pyarrow as pa
from deltalake import DeltaTable
from numpy.typing import NDArray

from assets.content import content_of
from assets.silver.posts import Gate, Stamp
from assets.silver.tagging import TermSet, topic_terms
from assets.silver.tombstones import standing, withdrawn_keys
from assets.silver.versions import COLUMNS, latest
from lake_config.registry import Registry
from lake_config.storage import Lake
from lake_config.tables.gold import SENTIMENTS
from lake_config.tables.silver import OPINIONS
from ml.sentiment import label_of

NONE_LABEL = "none"
RULES_MODEL_ID = {"topic": "topic-phrases"}
_APP_ID = "labelling"
_DAYS_AT_ONCE = 31
"""Event days whose texts are read at once."""


class Scorer(Protocol):
    """What labelling needs of a sentiment model."""

    model_id: str
    weights_digest: str

    def score(self, texts: list[str]) -> NDArray[np.float64]:
        """Probabilities, shape (n, 3), in the order negative, neutral, positive."""
        ...


@dataclass(frozen=True)
class LabelReport:
    """Distinct texts of the days, and how many of them each task had still to label."""

    texts: int
    labelled: dict[str, int]


def contents(posts: pl.DataFrame) -> dict[str, str]:
    """content_key -> content of latest posts (columns content_key, kind, title, text), sorted by key."""
    distinct = posts.unique("content_key", keep="first", maintain_order=True).sort("content_key")
    return {row["content_key"]: content_of(row["kind"], row["title"], row["text"]) for row in distinct.iter_rows(named=True)}


def sentiment_rows(texts: Mapping[str, str], model: Scorer) -> pa.Table:
    """One row per text in the schema of silver.opinions, task 'sentiment'."""
    probabilities = model.score(list(texts.values()))
    columns = {f"{name}_probability": probabilities[:, i] for i, name in enumerate(SENTIMENTS)}
    labels = [label_of(row) for row in probabilities]
    return _rows(list(texts), "sentiment", labels, model.model_id, model.weights_digest, columns)


def rule_rows(texts: Mapping[str, str], terms: TermSet) -> pa.Table:
    """One row per text and label found in the schema of silver.opinions; label 'none' where nothing is found."""
    keys, labels = [], []
    for key, found in zip(texts, terms.tagger.tags(list(texts.values())), strict=True):
        for label in found or [NONE_LABEL]:
            keys.append(key)
            labels.append(label)
    return _rows(keys, terms.task, labels, RULES_MODEL_ID[terms.task], terms.digest, {})


def _rows(
    keys: list[str], task: str, labels: list[str], model_id: str, digest: str, probabilities: Mapping[str, NDArray[np.float64]]
) -> pa.Table:
    count = len(keys)
    columns = {
        "content_key": keys,
        "task": [task] * count,
        "label": labels,
        "model_id": [model_id] * count,
        "weights_digest": [digest] * count,
    }
    nothing = pa.nulls(count, pa.float64())
    given = {f"{name}_probability": probabilities.get(f"{name}_probability", nothing) for name in SENTIMENTS}
    return pa.Table.from_pydict(columns | given, schema=OPINIONS.schema)


def labels_of(lake: Lake, at: DeltaTable, task: str, digest: str, keys: pl.Series) -> pl.DataFrame:
    """Labels already known: rows (content_key, label, model_id) of one task and weights for the given texts, each once."""
    columns = ["content_key", "label", "model_id", "weights_digest"]
    rows = lake.read("silver.opinions", at.file_uris(file_pruning_predicate=[("task", "=", task)]), columns)
    wanted = rows.filter((pl.col("weights_digest") == digest) & pl.col("content_key").is_in(keys.implode()))
    return wanted.select("content_key", "label", "model_id").unique().sort("content_key", "label")


def _texts(lake: Lake, posts_at: DeltaTable, days: Sequence[date]) -> Iterator[tuple[date, dict[str, str]]]:
    """The distinct texts of each event day, some days read at a time."""
    columns = ["event_date", "content_key", "kind", "title", "text", *COLUMNS]
    withdrawn = withdrawn_keys(lake)
    for start in range(0, len(days), _DAYS_AT_ONCE):
        rows = standing(lake.days("silver.posts", days[start : start + _DAYS_AT_ONCE], columns, posts_at), withdrawn)
        for part in rows.partition_by("event_date"):
            yield part["event_date"][0], contents(latest(part))


def label_days(lake: Lake, days: Sequence[date], model: Scorer, registry: Registry, stamp: Stamp, gate: Gate) -> LabelReport:
    """Label every distinct text of the given event days that has no label of the current models yet, in one commit.

    Two labellers at once cannot both commit (they name the same transaction id): the later one raises deltalake CommitFailedError, so no
    text is labelled twice by one model.
    """
    posts_at, at = lake.open("silver.posts"), lake.open("silver.opinions")
    topics = topic_terms(registry)
    by_task: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    labellers: dict[tuple[str, str], Callable[[Mapping[str, str]], pa.Table]] = {}
    first_day: dict[str, date] = {}
    for day, texts in _texts(lake, posts_at, days):
        for key in texts:
            first_day.setdefault(key, day)
        by_task["sentiment", model.weights_digest].update(texts)
        labellers["sentiment", model.weights_digest] = lambda part: sentiment_rows(part, model)
        by_task[topics.task, topics.digest].update(texts)
        labellers[topics.task, topics.digest] = partial(rule_rows, terms=topics)
    made: list[pa.Table] = []
    counts: dict[str, int] = {}
    for (task, digest), texts in by_task.items():
        known = set(labels_of(lake, at, task, digest, pl.Series(list(texts), dtype=pl.String))["content_key"])
        missing = {key: texts[key] for key in sorted(texts) if key not in known}
        counts[task] = counts.get(task, 0) + len(missing)
        if missing:
            made.append(labellers[task, digest](missing))
    if made:
        rows = pa.concat_tables(made)
        gate("silver.opinions", {min(first_day.values()): rows})
        lake.append(at, "silver.opinions", rows, stamp({"silver.posts": posts_at.version()}), {_APP_ID: time.time_ns()})
    return LabelReport(len(first_day), counts)
