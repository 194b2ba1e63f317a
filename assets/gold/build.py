"""Making the gold rows of event days, table by table."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import polars as pl
import pyarrow as pa

from assets.gold.accounting import accounting_rows
from assets.gold.copies import copies
from assets.gold.expectation import HISTORY_DAYS
from assets.gold.figures import causes, sentiment_by
from assets.gold.findings import hours_over, judge
from assets.gold.mentions import DayMentions, join_mentions
from assets.gold.past import DAILY, HOURLY, History
from assets.gold.sources import ALIVE, DayHealth, DayRows, coverage, source_health
from assets.publishing import PerDay
from assets.silver.answered import COLUMNS as CONTEXT_COLUMNS
from assets.silver.answered import NO_CONTEXT, with_contexts
from assets.silver.labels import NONE_LABEL, READS_CONTEXTS, TextModel, labels_of_posts, sentiment_labellers, topic_labellers
from assets.silver.places import places_of
from assets.silver.tombstones import TOMBSTONES, standing, withdrawn_keys
from assets.silver.versions import COLUMNS, latest
from lake_config.registry import Registry
from lake_config.storage import Lake, conform
from lake_config.tables import TABLES
from lake_config.tables.bronze import CONNECTOR_TABLES

FIGURES = (
    "gold.sentiment_daily",
    "gold.sentiment_hourly",
    "gold.topic_daily",
    "gold.place_daily",
    "gold.cause_daily",
    "gold.copies_daily",
    "gold.source_daily",
    "gold.source_hourly",
    "gold.source_findings",
)
_LANDED_COLUMNS = ("event_date", "source_id", "native_id", "fetched_at", "batch_id", "row_number", "payload_sha256")
_POST_COLUMNS = ("event_date", "event_hour", "source_id", "source_kind", "content_key", "author_key", "kind", "published_at", *COLUMNS)
_CLUSTER_COLUMNS = ("event_date", "post_key", "content_key", "cluster_key", "similarity", "sketch")
NO_TOPIC, NO_PLACE = "Không thuộc chủ đề nào", "Không nhắc địa bàn"


def _rows(name: str, frame: pl.DataFrame) -> pa.Table:
    declared = TABLES[name]
    if frame.is_empty():
        return declared.schema.empty_table()
    return conform(declared, frame.select(declared.schema.names).to_arrow())


def _covered(counted: pl.DataFrame, daily: pl.DataFrame) -> pl.DataFrame:
    """The rows with the coverage of their kind of source, from rows of gold.source_daily."""
    joined = counted.join(coverage(daily), on="source_kind", how="left", maintain_order="left")
    # A kind whose sources have all left the registry, or changed their kind in it, since they spoke: nothing of it is expected.
    return joined.with_columns(pl.col("expected_sources", "live_sources", "expected_weight", "live_weight").fill_null(0))


def sentiment_daily(mentions: DayMentions, daily: pl.DataFrame) -> pa.Table:
    """gold.sentiment_daily of one day. Kinds of source that stayed silent have no row; their coverage is in gold.source_daily."""
    counted = sentiment_by(mentions.posts, ["event_date", "source_kind"], mentions.model_id)
    return _rows("gold.sentiment_daily", counted if counted.is_empty() else _covered(counted, daily))


def sentiment_hourly(mentions: DayMentions, daily: pl.DataFrame) -> pa.Table:
    """gold.sentiment_hourly of one day; the coverage is that of the day."""
    counted = sentiment_by(mentions.posts, ["event_date", "event_hour", "source_kind"], mentions.model_id)
    return _rows("gold.sentiment_hourly", counted if counted.is_empty() else _covered(counted, daily))


def by_label(name: str, rows: pl.DataFrame, dimension: str, names: Mapping[str, str], model_id: str, daily: pl.DataFrame) -> pa.Table:
    """gold.topic_daily or gold.place_daily of one day; `names` gives the Vietnamese name of each id."""
    counted = sentiment_by(rows, ["event_date", f"{dimension}_id", "source_kind"], model_id)
    if not counted.is_empty():
        label = pl.col(f"{dimension}_id")
        counted = _covered(counted.with_columns(label.replace_strict(dict(names), default=label).alias(f"{dimension}_name")), daily)
    return _rows(name, counted)


def copies_daily(mentions: DayMentions, topics: Mapping[str, str]) -> pa.Table:
    """gold.copies_daily of one day; `topics` gives the Vietnamese name of each id."""
    found = copies(mentions.posts, mentions.topics.select("post_key", "topic_id"))
    label = pl.col("topic_id")
    return _rows("gold.copies_daily", found.with_columns(topic_name=label.replace_strict(dict(topics), default=label)))


class GoldDays:
    """Builds the gold tables of several event days from one reading of silver and bronze. `inputs` are the versions that were read.

    `groups`: the groups of sources that are on, as in LAKE_SOURCES; which sources were collected on a day follows from it and the registry.
    `now` says how much of the current day can be judged (default: the clock); of earlier days nothing depends on it.
    """

    def __init__(self, lake: Lake, days: Iterable[date], registry: Registry, groups: Collection[str], now: datetime | None = None):
        self.lake, self.days, self.registry = lake, sorted(set(days)), registry
        self.sources = {source.id: source for source in registry.sources}
        self.groups, self.now = groups, now or datetime.now(UTC)
        self.inputs: dict[str, int] = {}
        self.landed = PerDay(self._landed())
        self.rejects = PerDay(self._read("silver.rejects"))
        tombstones = lake.open(TOMBSTONES)
        self.inputs[TOMBSTONES] = tombstones.version()
        self.withdrawn = withdrawn_keys(lake, tombstones)
        self.posts = PerDay(standing(self._read("silver.posts", _POST_COLUMNS), self.withdrawn))

    def _read(self, name: str, columns: Sequence[str] | None = None) -> pl.DataFrame:
        at = self.lake.open(name)
        self.inputs[name] = at.version()
        return self.lake.days(name, self.days, columns, at)

    def _landed(self) -> pl.DataFrame:
        """The landed bronze rows over all connectors, without their payload, with a column connector."""
        parts = [self._read(f"bronze.{name}", _LANDED_COLUMNS).with_columns(connector=pl.lit(name)) for name in CONNECTOR_TABLES]
        return pl.concat(parts)

    def accounting(self) -> dict[date, pa.Table]:
        """gold.accounting by day."""
        return {
            day: _rows(
                "gold.accounting", accounting_rows(day, self.landed[day], self.rejects[day], self.posts[day], self.sources, self.withdrawn)
            )
            for day in self.days
        }

    def _history(self) -> History:
        """What gold holds of the weeks before the days, and of days between them, but not of the days themselves."""
        first, last = self.days[0] - timedelta(days=HISTORY_DAYS), self.days[-1]
        wanted = [day for day in (first + timedelta(days=n) for n in range((last - first).days)) if day not in self.days]
        found = []
        for name, columns in (("gold.source_hourly", HOURLY), ("gold.source_daily", DAILY)):
            at = self.lake.open(name)
            self.inputs[name] = at.version()
            rows = self.lake.days(name, wanted, columns, at)
            found.append({part["event_date"][0]: part for part in rows.partition_by("event_date")})
        return History(*found)

    def health(self) -> dict[date, DayHealth]:
        """gold.source_daily and gold.source_findings by day, as frames. Days are judged in their order: each is history to the next."""
        if not self.days:
            return {}
        log = PerDay(self._read("bronze.fetch_log", ["event_date", "source_id", "outcome", "finding"]))
        history, found = self._history(), {}
        for day in self.days:
            collected = list(self.registry.collected(self.groups, day).values())
            rows = DayRows(latest(self.posts[day]), self.landed[day], self.rejects[day], log[day])
            answered = dict(rows.log.group_by("source_id").agg(pl.col("outcome").is_in(ALIVE).any()).iter_rows())
            history.hourly[day] = self.hourly[day]
            hours = hours_over(day, self.now)
            judged = judge(day, history.past(day, collected, answered), hours)
            not_asked = history.not_asked(day, answered.keys(), collected) if hours == 24 else frozenset[str]()
            found[day] = source_health(day, collected, self.sources, rows, judged, not_asked)
            if not found[day].daily.is_empty():
                history.daily[day] = found[day].daily.select(DAILY)
        return found

    @cached_property
    def hourly(self) -> dict[date, pl.DataFrame]:
        """gold.source_hourly by day, as frames."""
        by = ["event_date", "event_hour", "source_id"]
        return {day: latest(self.posts[day]).group_by(by).agg(mentions=pl.len().cast(pl.Int64)).sort(by) for day in self.days}

    def _in_context(self) -> dict[date, pl.DataFrame]:
        """The latest posts by day with the key of what they answer."""
        columns = ("event_date", *COLUMNS, *CONTEXT_COLUMNS)
        at = self.lake.open("silver.posts", self.inputs["silver.posts"])
        words = PerDay(standing(self.lake.days("silver.posts", self.days, columns, at), self.withdrawn))
        found = {}
        for day in self.days:
            keys = with_contexts(latest(words[day])).select("post_key", "context_key")
            found[day] = latest(self.posts[day]).join(keys, on="post_key", how="left", maintain_order="left")
        return found

    def mentions(self, model: TextModel) -> dict[date, DayMentions]:
        """The labelled mentions by day. Raises UnlabelledError when labels are missing."""
        opinions_at = self.lake.open("silver.opinions")
        self.inputs["silver.opinions"] = opinions_at.version()
        current = (
            self._in_context()
            if READS_CONTEXTS
            else {day: latest(self.posts[day]).with_columns(context_key=pl.lit(NO_CONTEXT)) for day in self.days}
        )
        texts = pl.concat([posts.select("post_key", "content_key", "context_key") for posts in current.values()])
        sentiment, topics = (
            labels_of_posts(self.lake, opinions_at, task, labellers, texts)
            for task, labellers in (("sentiment", sentiment_labellers(model)), ("topic", topic_labellers(model, self.registry)))
        )
        places = PerDay(self._read("silver.place_mentions", ["event_date", "post_key", "content_key", "place_id"]))
        clusters = PerDay(self._read("silver.clusters", _CLUSTER_COLUMNS))
        return {
            day: join_mentions(day, posts, sentiment, topics, places_of(places[day]), clusters[day], model.model_id)
            for day, posts in current.items()
        }

    def figures(self, model: TextModel) -> dict[str, dict[date, pa.Table]]:
        """The figure tables by name and day."""
        topics = {topic.id: topic.name_vi for topic in self.registry.topics} | {NONE_LABEL: NO_TOPIC}
        places = {place.id: place.name_vi for place in self.registry.places} | {NONE_LABEL: NO_PLACE}
        health, mentions = self.health(), self.mentions(model)
        said = PerDay(self._read("silver.topic_mentions", ["event_date", "post_key", "topic_id", "phrase"]))
        made: dict[str, dict[date, pa.Table]] = {name: {} for name in FIGURES}
        for day, of_day in mentions.items():
            daily = health[day].daily
            made["gold.sentiment_daily"][day] = sentiment_daily(of_day, daily)
            made["gold.sentiment_hourly"][day] = sentiment_hourly(of_day, daily)
            made["gold.topic_daily"][day] = by_label("gold.topic_daily", of_day.topics, "topic", topics, of_day.model_id, daily)
            made["gold.place_daily"][day] = by_label("gold.place_daily", of_day.places, "place", places, of_day.model_id, daily)
            made["gold.cause_daily"][day] = _rows("gold.cause_daily", causes(said[day], of_day.posts, topics, of_day.model_id))
            made["gold.copies_daily"][day] = copies_daily(of_day, topics)
            made["gold.source_daily"][day] = _rows("gold.source_daily", daily)
            made["gold.source_hourly"][day] = _rows("gold.source_hourly", self.hourly[day])
            made["gold.source_findings"][day] = _rows("gold.source_findings", health[day].findings)
        return made
