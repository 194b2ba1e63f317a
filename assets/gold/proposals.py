"""Topics that came up: reading five weeks of texts that no phrase of a topic tells, and the rows of gold.topic_proposals.

Belongs here: which texts, and the rows. Not here: what makes a proposal (ml/emerging.py). A proposal is never taken up by itself: a person
adds a topic to the registry, or does not.
"""

from collections.abc import Mapping, Sequence
from datetime import date, timedelta

import polars as pl
import pyarrow as pa
from deltalake import DeltaTable

from assets.content import content_of
from assets.publishing import publish
from assets.silver.posts import Gate, Stamp
from assets.silver.tombstones import TOMBSTONES, standing, withdrawn_keys
from assets.silver.versions import COLUMNS, latest
from lake_config.storage import Lake
from lake_config.tables.gold import TOPIC_PROPOSALS
from ml.emerging import Document, Proposal, propose

RECENT_DAYS, BEFORE_DAYS = 7, 28
TEXTS_A_DAY = 20_000
"""Distinct texts without such a phrase that are read of a day, the first in the order of their keys: hashes, so a fair sample."""
STATUS = "proposed"
_KEPT = ("content_key", "author_key", "kind", "title", "text")
_POST_COLUMNS = (*_KEPT, *COLUMNS)


def proposal_rows(day: date, proposals: Sequence[Proposal]) -> pa.Table:
    """The rows of gold.topic_proposals of a day. Pure."""
    rows = [
        {
            "event_date": day,
            "term": one.terms[0],
            "other_terms": "; ".join(one.terms[1:]),
            "mentions": one.mentions,
            "unique_texts": one.texts,
            "distinct_voices": one.voices,
            "texts_before": one.texts_before,
            "score": one.score,
            "example_keys": " ".join(one.example_keys),
            "status": STATUS,
        }
        for one in proposals
    ]
    return pa.Table.from_pylist(rows, schema=TOPIC_PROPOSALS.schema)


def documents(posts: pl.DataFrame) -> list[Document]:
    """The distinct texts of posts, by key. Pure."""
    grouped = posts.group_by("content_key").agg(
        pl.col("kind").first(), pl.col("title").first(), pl.col("text").first(), mentions=pl.len(), voices=pl.col("author_key").drop_nulls()
    )
    return [
        Document(key, content_of(kind, title, text), mentions, frozenset(voices))
        for key, kind, title, text, mentions, voices in grouped.sort("content_key").iter_rows()
    ]


def propose_day(lake: Lake, day: date, stamp: Stamp, gate: Gate) -> list[Proposal]:
    """Make the proposals of the week that ends on a local day, against the four weeks before it, and put them in that day's partition.

    Texts in which silver.topic_mentions found a phrase of a topic are left out, and withdrawn posts. Those to which the model alone gives a
    topic are read: it gives the nearest one to what it has never seen.
    """
    tables = {name: lake.open(name) for name in ("silver.posts", "silver.topic_mentions", TOMBSTONES)}
    first = day - timedelta(days=RECENT_DAYS - 1)
    recent = [first + timedelta(days=number) for number in range(RECENT_DAYS)]
    before = [first - timedelta(days=number) for number in range(1, BEFORE_DAYS + 1)]
    found = propose(_documents(lake, recent, tables), _documents(lake, before, tables))
    inputs = {name: table.version() for name, table in tables.items()}
    publish(lake, TOPIC_PROPOSALS.name, {day: proposal_rows(day, found)}, stamp, inputs, gate)
    return found


def _documents(lake: Lake, days: Sequence[date], tables: Mapping[str, DeltaTable]) -> list[Document]:
    withdrawn, parts = withdrawn_keys(lake, tables[TOMBSTONES]), []
    for day in sorted(days):  # a day at a time, so that only what is kept of it stays in memory
        said = lake.days("silver.topic_mentions", [day], ["post_key", "phrase"], tables["silver.topic_mentions"])
        told = said.filter(pl.col("phrase").is_not_null())
        posts = latest(standing(lake.days("silver.posts", [day], _POST_COLUMNS, tables["silver.posts"]), withdrawn))
        of_day = posts.join(said, on="post_key", how="semi").join(told, on="post_key", how="anti").select(_KEPT)
        keys = of_day["content_key"].unique().sort().head(TEXTS_A_DAY)
        parts.append(of_day.filter(pl.col("content_key").is_in(keys.implode())))
    return documents(pl.concat(parts))
