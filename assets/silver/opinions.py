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
from assets.silver.labels import NONE_LABEL, TextModel, labels_of
from assets.silver.posts import Gate, Stamp
from assets.silver.tagging import TermSet, topic_terms
from assets.silver.tombstones import standing, withdrawn_keys
from assets.silver.versions import COLUMNS, latest
from lake_config.registry import Registry
from lake_config.storage import Lake
from lake_config.tables.gold import SENTIMENTS
from lake_config.tables.silver import OPINIONS
from ml.sentiment import label_of

RULES_MODEL_ID = {"topic": "topic-phrases"}
_APP_ID = "labelling"
_DAYS_AT_ONCE = 31
"""Event days whose texts are read at once."""

Text = tuple[str, str | None]
"""A text and what it answers."""
Texts = Mapping[tuple[str, str], Text]
"""Texts by content_key and context_key."""


@dataclass(frozen=True)
class LabelReport:
    """Distinct texts of the days (each in each of its contexts, where the model reads them), and how many each task had still to label."""

    texts: int
    labelled: dict[str, int]


def texts_of(posts: pl.DataFrame, *, in_context: bool) -> dict[tuple[str, str], Text]:
    """The distinct texts of the latest posts of one day, sorted by key; each in each of its contexts with `in_context`, else once.

    `posts` has content_key and the columns that `with_contexts` wants.
    """
    read = with_contexts(posts) if in_context else posts.with_columns(context=pl.lit(None, pl.String), context_key=pl.lit(NO_CONTEXT))
    distinct = read.unique(["content_key", "context_key"], keep="first", maintain_order=True).sort("content_key", "context_key")
    columns = distinct.select("content_key", "context_key", "kind", "title", "text", "context")
    return {(key, above): (content_of(kind, title, text), context) for key, above, kind, title, text, context in columns.iter_rows()}


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


def rule_rows(texts: Mapping[str, str], terms: TermSet) -> pa.Table:
    """One row per text (by content_key) and label found in the schema of silver.opinions; label 'none' where nothing is found."""
    common = {"context_key": NO_CONTEXT, "task": terms.task, "model_id": RULES_MODEL_ID[terms.task], "weights_digest": terms.digest}
    found = zip(texts, terms.tagger.tags(list(texts.values())), strict=True)
    rows = [common | {"content_key": key, "label": label} for key, labels in found for label in labels or [NONE_LABEL]]
    return pa.Table.from_pylist(rows, schema=OPINIONS.schema)


def _days_texts(lake: Lake, posts_at: DeltaTable, days: Sequence[date], *, in_context: bool) -> Iterator[tuple[date, Texts]]:
    """The distinct texts of each event day, some days read at a time."""
    columns = ["event_date", "content_key", *CONTEXT_COLUMNS, *COLUMNS]
    withdrawn = withdrawn_keys(lake)
    for start in range(0, len(days), _DAYS_AT_ONCE):
        rows = standing(lake.days("silver.posts", days[start : start + _DAYS_AT_ONCE], columns, posts_at), withdrawn)
        for part in rows.partition_by("event_date"):
            yield part["event_date"][0], texts_of(latest(part), in_context=in_context)


def label_days(lake: Lake, days: Sequence[date], model: TextModel, registry: Registry, stamp: Stamp, gate: Gate) -> LabelReport:
    """Label every distinct text of the given event days that has no label of the current models yet, in one commit.

    The model says the sentiment, the topics it knows and its flags, in the context of what a text answers where it reads that; the phrases
    of the registry say the other topics. Two labellers at once cannot both commit (they name the same transaction id): the later one
    raises deltalake CommitFailedError, so no text is labelled twice by one model.
    """
    posts_at, at = lake.open("silver.posts"), lake.open("silver.opinions")
    texts: dict[tuple[str, str], Text] = {}
    first_day: date | None = None
    for day, of_day in _days_texts(lake, posts_at, days, in_context=model.reads_contexts):
        first_day = min(first_day or day, day)
        texts.update(of_day)
    keys = pl.Series([key for key, _ in texts], dtype=pl.String)
    known = set(labels_of(lake, at, "sentiment", model.weights_digest, keys).select("content_key", "context_key").iter_rows())
    unread = {key: texts[key] for key in sorted(texts) if key not in known}
    counts = dict.fromkeys(("sentiment", *(["topic"] if model.topic_ids else []), *model.flags), len(unread))
    made = [reading_rows(unread, model)] if unread else []
    terms = topic_terms(registry, model.topic_ids)
    if terms.terms:
        tagged = set(labels_of(lake, at, terms.task, terms.digest, keys)["content_key"])
        untagged = {key: text for (key, _), (text, _) in sorted(texts.items()) if key not in tagged}
        counts[terms.task] = max(counts.get(terms.task, 0), len(untagged))
        made += [rule_rows(untagged, terms)] if untagged else []
    if made and first_day is not None:
        rows = pa.concat_tables(made)
        gate("silver.opinions", {first_day: rows})
        lake.append(at, "silver.opinions", rows, stamp({"silver.posts": posts_at.version()}), {_APP_ID: time.time_ns()})
    return LabelReport(len(texts), counts)
