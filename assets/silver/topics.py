"""The cause: which listed phrases of a post carry its topics. Pure.

Belongs here: rows of silver.topic_mentions. Not here: who says the topics (labels.py), the phrases (lake_config/registry).
"""

from typing import Any

import polars as pl
import pyarrow as pa

from assets.content import content_of
from assets.silver.labels import NONE_LABEL
from lake_config.tables.silver import TOPIC_MENTIONS
from ml.matching import PhraseTagger


def topic_rows(posts: pl.DataFrame, topics: pl.DataFrame, sentiment: pl.DataFrame, tagger: PhraseTagger) -> pa.Table:
    """The rows of silver.topic_mentions for the latest posts of one day.

    `topics` and `sentiment` have (post_key, label), as `labels_of_posts` gives them. A phrase counts where its topic is one of the post's;
    a topic without such a phrase, and a post without a topic, have a row without phrase. The attitude is that of the whole text: reading
    the clause around the phrase was not measurably better (see docs/decisions.md).
    """
    said = dict(topics.drop_nulls("label").group_by("post_key").agg(pl.col("label").sort()).iter_rows())
    attitudes = dict(sentiment.select("post_key", "label").iter_rows())
    columns = posts.select("event_date", "post_key", "content_key", "kind", "title", "text").rows()
    found = tagger.find([content_of(kind, title, text) for *_, kind, title, text in columns])
    rows: list[dict[str, Any]] = []
    for (day, post_key, content_key, *_), phrases in zip(columns, found, strict=True):
        own: list[dict[str, Any]] = []
        for topic in said.get(post_key, [NONE_LABEL]):
            spans = [one for one in phrases if topic in one.tags]
            own += [{"topic_id": topic, "phrase": one.listed, "start_char": one.start, "end_char": one.end} for one in spans]
            own += [] if spans else [{"topic_id": topic}]
        common = {"event_date": day, "post_key": post_key, "content_key": content_key, "attitude": attitudes.get(post_key)}
        rows += [common | {"mention_number": number} | row for number, row in enumerate(own, start=1)]
    return pa.Table.from_pylist(rows, schema=TOPIC_MENTIONS.schema)
