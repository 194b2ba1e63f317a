"""Making the gold rows of one event day, table by table, and publishing them by overwriting the day."""

from collections.abc import Mapping
from datetime import date

import polars as pl
import pyarrow as pa

from assets.gold.accounting import accounting_rows
from assets.gold.figures import sentiment_by
from assets.gold.mentions import DayMentions, read_mentions
from assets.gold.sources import DayRows, coverage, read_landed, source_health
from assets.silver.opinions import NONE_LABEL, Scorer
from assets.silver.posts import Gate, Stamp
from lake_config.registry import Registry, Source
from lake_config.storage import Lake, conform
from lake_config.tables import TABLES

NO_TOPIC, NO_PLACE = "Không thuộc chủ đề nào", "Không nhắc địa bàn"


def _rows(name: str, frame: pl.DataFrame) -> pa.Table:
    declared = TABLES[name]
    if frame.is_empty():
        return declared.schema.empty_table()
    return conform(declared, frame.select(declared.schema.names).to_arrow())


def sentiment_daily(mentions: DayMentions, health: pl.DataFrame) -> pa.Table:
    """gold.sentiment_daily of one day. Kinds of source that stayed silent have no row; their coverage is in gold.source_daily."""
    counted = sentiment_by(mentions.posts, ["event_date", "source_kind"], mentions.model_id)
    if counted.is_empty():
        return _rows("gold.sentiment_daily", counted)
    covered = counted.join(coverage(health), on="source_kind", how="left")
    # A kind whose sources have all left the registry, or changed their kind in it, since they spoke: nothing of it is expected.
    return _rows("gold.sentiment_daily", covered.with_columns(pl.col("expected_sources", "live_sources").fill_null(0)))


def sentiment_hourly(mentions: DayMentions) -> pa.Table:
    """gold.sentiment_hourly of one day."""
    return _rows("gold.sentiment_hourly", sentiment_by(mentions.posts, ["event_date", "event_hour", "source_kind"], mentions.model_id))


def by_label(name: str, rows: pl.DataFrame, dimension: str, names: Mapping[str, str], model_id: str) -> pa.Table:
    """gold.topic_daily or gold.place_daily of one day; `names` gives the Vietnamese name of each id."""
    counted = sentiment_by(rows, ["event_date", f"{dimension}_id", "source_kind"], model_id)
    if not counted.is_empty():
        label = pl.col(f"{dimension}_id")
        counted = counted.with_columns(label.replace_strict(dict(names), default=label).alias(f"{dimension}_name"))
    return _rows(name, counted)


class GoldDay:
    """Builds the gold tables of one event day from one reading of silver and bronze."""

    def __init__(self, lake: Lake, day: date, registry: Registry, collected: Mapping[str, Source]):
        self.lake, self.day, self.registry = lake, day, registry
        self.sources = {source.id: source for source in registry.sources}
        self.collected = [source for source in collected.values() if source.is_valid_on(day)]
        self.landed = read_landed(lake, day)
        self.rejects = lake.day("silver.rejects", day)
        self.inputs = {name: lake.open(name).version() for name in ("silver.rejects", "silver.posts")}

    def accounting(self) -> pa.Table:
        """gold.accounting of the day."""
        posts = self.lake.day("silver.posts", self.day)
        return _rows("gold.accounting", accounting_rows(self.day, self.landed, self.rejects, posts, self.sources))

    def health(self, posts: pl.DataFrame) -> pl.DataFrame:
        """gold.source_daily of the day as a frame; `posts` are the latest posts of the day."""
        log = self.lake.day("bronze.fetch_log", self.day, ["source_id", "outcome"])
        return source_health(self.day, self.collected, self.sources, DayRows(posts, self.landed, self.rejects, log))

    def figures(self, model: Scorer) -> tuple[dict[str, pa.Table], dict[str, int]]:
        """The figure tables of the day by name, and the versions of their inputs."""
        mentions = read_mentions(self.lake, self.day, model, self.registry)
        kept = self.lake.day("silver.posts", self.day, ["source_id", "post_key", "fetched_at", "batch_id", "row_number"])
        current = kept.sort("fetched_at", "batch_id", "row_number").unique("post_key", keep="last", maintain_order=True)
        health = self.health(current)
        topics = {topic.id: topic.name_vi for topic in self.registry.topics} | {NONE_LABEL: NO_TOPIC}
        places = {place.id: place.name_vi for place in self.registry.places} | {NONE_LABEL: NO_PLACE}
        tables = {
            "gold.sentiment_daily": sentiment_daily(mentions, health),
            "gold.sentiment_hourly": sentiment_hourly(mentions),
            "gold.topic_daily": by_label("gold.topic_daily", mentions.topics, "topic", topics, mentions.model_id),
            "gold.place_daily": by_label("gold.place_daily", mentions.places, "place", places, mentions.model_id),
            "gold.source_daily": _rows("gold.source_daily", health),
        }
        return tables, mentions.inputs


def publish(lake: Lake, name: str, by_day: Mapping[date, pa.Table], stamp: Stamp, inputs: Mapping[str, int], gate: Gate) -> list[date]:
    """Pass the gate, then replace each day; returns the days rewritten.

    A day that already holds exactly these rows is left alone: no new version without a change.
    """
    gate(name, by_day)
    changed = []
    for day, rows in by_day.items():
        at = lake.open(name)
        if not lake.day(name, day, at=at).equals(pl.DataFrame(pl.from_arrow(rows))):
            lake.overwrite_day(at, name, day, rows, stamp(inputs), {})
            changed.append(day)
    return changed
