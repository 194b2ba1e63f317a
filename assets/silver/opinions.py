"""Labelling texts: which texts of a day have no label yet, and the rows that label them."""

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from assets.content import content_of
from assets.silver.answered import COLUMNS as CONTEXT_COLUMNS
from assets.silver.answered import NO_CONTEXT, with_contexts
from assets.silver.labels import NONE_LABEL, READS_CONTEXTS, TextModel, labels_of, sentiment_labellers
from assets.silver.posts import Gate, Stamp
from assets.silver.tagging import PHRASES_ID, TermSet, topic_terms
from assets.silver.tombstones import standing, withdrawn_keys
from assets.silver.versions import COLUMNS, latest
from lake_config.registry import Registry
from lake_config.storage import Lake
from lake_config.tables.gold import SENTIMENTS
from lake_config.tables.silver import OPINIONS
from ml.sentiment import label_of

_APP_ID = "labelling"
_KEY = ("content_key", "context_key")
_DAYS_AT_ONCE = 31
"""Event days whose texts are read at once."""

Text = tuple[str, str | None]
"""A text and what it answers."""
Texts = Mapping[tuple[str, str], Text]
"""Texts by content_key and context_key."""


@dataclass(frozen=True)
class LabelReport:
    """Distinct texts of the days, each in each of its contexts, and how many each task had still to label."""

    texts: int
    labelled: dict[str, int]


def texts_of(posts: pl.DataFrame) -> dict[tuple[str, str], Text]:
    """The distinct texts of the latest posts of one day, each in each of its contexts, sorted by key.

    `posts` has content_key and the columns that `with_contexts` wants.
    """
    distinct = with_contexts(posts).unique(["content_key", "context_key"], keep="first", maintain_order=True)
    columns = distinct.sort("content_key", "context_key").select("content_key", "context_key", "kind", "title", "text", "context")
    return {(key, above): (content_of(kind, title, text), context) for key, above, kind, title, text, context in columns.iter_rows()}


def without_contexts(texts: Texts) -> dict[tuple[str, str], Text]:
    """Each of the texts once, for who does not look at what they answer."""
    return {(key, NO_CONTEXT): (text, None) for (key, _), (text, _) in texts.items()}


def reading_rows(texts: Texts, model: TextModel) -> pa.Table:
    """What the model says of the texts, in the schema of silver.opinions.

    One row per text of task 'sentiment' and of each of the model's flags, and one per topic that reaches its threshold ('none' where none
    does) of task 'topic', where the model knows topics.
    """
    read = model.read([text for text, _ in texts.values()], [context for _, context in texts.values()])
    rows: list[dict[str, object]] = []
    for at, (content, context) in enumerate(texts):
        common: dict[str, object] = {
            "content_key": content,
            "context_key": context,
            "model_id": model.model_id,
            "weights_digest": model.weights_digest,
        }
        shares = {f"{name}_probability": float(read.sentiment[at, column]) for column, name in enumerate(SENTIMENTS)}
        rows.append(common | shares | {"task": "sentiment", "label": label_of(read.sentiment[at])})
        if model.topic_ids:
            told = zip(model.topic_ids, read.topics[at].tolist(), model.topic_thresholds.tolist(), strict=True)
            found = [{"label": topic, "probability": value} for topic, value, least in told if value >= least]
            rows += [common | {"task": "topic"} | label for label in found or [{"label": NONE_LABEL}]]
        for flag in model.flags:
            value = float(read.flags[flag][at])
            label = "yes" if value >= model.flag_thresholds[flag] else "no"
            rows.append(common | {"task": flag, "label": label, "probability": value})
    return pa.Table.from_pylist(rows, schema=OPINIONS.schema)


def rule_rows(texts: Texts, terms: TermSet) -> pa.Table:
    """One row per text and label in the schema of silver.opinions: those whose phrases the text or what it answers says, else 'none'."""
    said = terms.tagger.tags([text for text, _ in texts.values()])
    above = terms.tagger.tags([context or "" for _, context in texts.values()])
    rows = [
        {
            "content_key": key,
            "context_key": context_key,
            "task": terms.task,
            "label": label,
            "model_id": PHRASES_ID,
            "weights_digest": terms.digest,
        }
        for (key, context_key), own, others in zip(texts, said, above, strict=True)
        for label in dict.fromkeys([*own, *others]) or [NONE_LABEL]
    ]
    return pa.Table.from_pylist(rows, schema=OPINIONS.schema)


def _days_texts(lake: Lake, posts_at: DeltaTable, days: Sequence[date]) -> Iterator[tuple[date, Texts]]:
    """The distinct texts of each event day, some days read at a time."""
    columns = ["event_date", "content_key", *CONTEXT_COLUMNS, *COLUMNS]
    withdrawn = withdrawn_keys(lake)
    for start in range(0, len(days), _DAYS_AT_ONCE):
        rows = standing(lake.days("silver.posts", days[start : start + _DAYS_AT_ONCE], columns, posts_at), withdrawn)
        for part in rows.partition_by("event_date"):
            yield part["event_date"][0], texts_of(latest(part))


def label_days(lake: Lake, days: Sequence[date], model: TextModel, registry: Registry, stamp: Stamp, gate: Gate) -> LabelReport:
    """Label every distinct text of the given event days that has no label of the current models yet, in one commit.

    The model says the sentiment, the topics it knows and its flags, in the context of what a text answers where it reads that; the phrases
    of the registry say topics too. Two labellers at once cannot both commit (they name the same transaction id): the later one
    raises deltalake CommitFailedError, so no text is labelled twice by one model.
    """
    posts_at, at = lake.open("silver.posts"), lake.open("silver.opinions")
    texts: dict[tuple[str, str], Text] = {}
    first_day: date | None = None
    for day, of_day in _days_texts(lake, posts_at, days):
        first_day = min(first_day or day, day)
        texts.update(of_day if READS_CONTEXTS else without_contexts(of_day))
    terms = topic_terms(registry)
    (reader,) = sentiment_labellers(model)
    unread = _unlabelled(lake, at, "sentiment", reader.digest, texts if reader.reads_contexts else without_contexts(texts))
    untagged = _unlabelled(lake, at, terms.task, terms.digest, texts)
    counts = dict.fromkeys(("sentiment", *model.flags), len(unread))
    counts[terms.task] = max(len(untagged), len(unread) if model.topic_ids else 0)
    made = [*([reading_rows(unread, model)] if unread else []), *([rule_rows(untagged, terms)] if untagged else [])]
    if made and first_day is not None:
        rows = pa.concat_tables(made)
        gate("silver.opinions", {first_day: rows})
        lake.append(at, "silver.opinions", rows, stamp({"silver.posts": posts_at.version()}), {_APP_ID: time.time_ns()})
    return LabelReport(len(texts), counts)


def _unlabelled(lake: Lake, at: DeltaTable, task: str, digest: str, texts: Texts) -> dict[tuple[str, str], Text]:
    """Those of the texts that a labeller has not labelled, sorted by key."""
    known = set(labels_of(lake, at, task, digest, pl.Series([key for key, _ in texts], dtype=pl.String)).select(_KEY).iter_rows())
    return {key: texts[key] for key in sorted(texts) if key not in known}
