"""What posts name, and who answers: silver.place_mentions, silver.topic_mentions and silver.post_agencies, by event day.

They are overwritten by event day, and only posts that are new, or whose words or context changed, are linked again to places. Belongs
here: which posts, with what context, and the rows of places and agencies. Not here: how a name is linked (ml/places), which agency answers
(ml/agencies.py), the rows of topics (topics.py).
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Any

import polars as pl
import pyarrow as pa

from assets.content import content_of
from assets.publishing import PerDay, publish
from assets.silver.answered import with_contexts
from assets.silver.labels import NONE_LABEL, TextModel, labels_of_posts, sentiment_labellers, topic_labellers
from assets.silver.posts import Gate, Stamp
from assets.silver.tagging import topic_terms
from assets.silver.tombstones import TOMBSTONES, standing, withdrawn_keys
from assets.silver.topics import topic_rows
from assets.silver.versions import COLUMNS, latest
from lake_config.registry import Place, Registry
from lake_config.storage import Lake
from lake_config.tables.silver import PLACE_MENTIONS, POST_AGENCIES, TOPIC_MENTIONS
from ml.agencies import AgencyRules
from ml.agency_names import AgencyNames
from ml.places import Context, PlaceLinker

MODEL_ID = "place-links-1"
"""Name of the linking rules; the digest beside it also names the gazetteer."""
NOTHING = "nothing"
"""`how` of a post without any mention."""
_POST_COLUMNS = ("event_date", "content_key", "source_id", "kind", "parent_key", "title", "text", *COLUMNS)
_DAYS_AT_ONCE = 31


@dataclass
class PlacesReport:
    """Posts linked anew, rows of the three tables, and the event days that changed in any."""

    linked: int
    mentions: int
    causes: int
    routes: int
    days: set[date]


@lru_cache(maxsize=4)
def place_linker(places: tuple[Place, ...]) -> PlaceLinker:
    """The linker over these rows (built once: it takes about a second)."""
    return PlaceLinker(places)


def linker_digest(linker: PlaceLinker) -> str:
    """SHA-256 of the rules' name and the gazetteer: the 'weights digest' of place links."""
    return hashlib.sha256(f"{MODEL_ID} {linker.digest}".encode()).hexdigest()


def contexts(posts: pl.DataFrame, areas: Mapping[str, str | None]) -> list[Context]:
    """What is known of each post of one day beside its own words; `areas` gives the place id of each source."""
    found = with_contexts(posts).select("event_date", "context", "source_id")
    return [Context(day, title, areas.get(source_id)) for day, title, source_id in found.iter_rows()]


def context_key(content_key: str, context: Context, digest: str) -> str:
    """SHA-256 (64 hex digits) of all that the links of a post follow from."""
    return hashlib.sha256("\x1f".join([digest, content_key, context.title or "", context.area or ""]).encode()).hexdigest()


def mention_rows(posts: pl.DataFrame, held: pl.DataFrame, areas: Mapping[str, str | None], linker: PlaceLinker) -> tuple[pa.Table, int]:
    """The rows of silver.place_mentions for the latest posts of one day, and how many posts were linked anew. Pure.

    `held` are the rows that the table has of the day: those of a post whose words and context are the same are kept.
    """
    digest = linker_digest(linker)
    around = contexts(posts, areas)
    keys = [context_key(key, context, digest) for key, context in zip(posts["content_key"], around, strict=True)]
    marked = posts.with_columns(context_key=pl.Series(keys, dtype=pl.String), at=pl.int_range(pl.len()))
    kept = held.join(marked.select("post_key", "context_key"), on=["post_key", "context_key"], how="semi")
    new = marked.join(kept, on="post_key", how="anti")
    texts = [content_of(kind, title, text) for kind, title, text in new.select("kind", "title", "text").iter_rows()]
    found = linker.link(texts, [around[at] for at in new["at"]])
    rows: list[dict[str, Any]] = []
    for post, links in zip(new.select("event_date", "post_key", "content_key", "context_key").iter_rows(named=True), found, strict=True):
        common = post | {"model_id": MODEL_ID, "weights_digest": digest}
        if not links:
            rows.append(common | {"mention_number": 0, "how": NOTHING})
        rows += [
            common
            | {
                "mention_number": number,
                "surface": link.surface,
                "start_char": link.start,
                "end_char": link.end,
                "place_id": link.place_id,
                "how": link.how,
                "standing": link.standing,
            }
            for number, link in enumerate(links, start=1)
        ]
    made = pa.concat_tables([_table(kept), pa.Table.from_pylist(rows, schema=PLACE_MENTIONS.schema)])
    return made.sort_by([("post_key", "ascending"), ("mention_number", "ascending")]), len(new)


def _table(rows: pl.DataFrame) -> pa.Table:
    return rows.select(PLACE_MENTIONS.schema.names).to_arrow().cast(PLACE_MENTIONS.schema)


def places_of(mentions: pl.DataFrame) -> pl.DataFrame:
    """Rows (post_key, label) from rows of silver.place_mentions: each place of a post once, 'none' for a post without."""
    labels = mentions.select("post_key", label="place_id").unique()
    named = labels.drop_nulls("label")
    without = labels.join(named, on="post_key", how="anti").with_columns(label=pl.lit(NONE_LABEL))
    return pl.concat([named, without]).sort("post_key", "label")


def agency_rows(
    posts: pl.DataFrame,
    topics: pl.DataFrame,
    places: pl.DataFrame,
    areas: Mapping[str, str | None],
    rules: AgencyRules,
    names: AgencyNames,
) -> pa.Table:
    """The rows of silver.post_agencies for the latest posts of one day. Pure.

    `names` finds the agencies that the posts name; `topics` and `places` have (post_key, label), the latter as `places_of` gives
    them; a post that no agency answers for has one row with agency 'none'.
    """
    topics_of = dict(topics.group_by("post_key").agg("label").iter_rows())
    named = dict(places.group_by("post_key").agg("label").iter_rows())
    rows: list[dict[str, Any]] = []
    texts = [content_of(kind, title, text) for kind, title, text in posts.select("kind", "title", "text").iter_rows()]
    found = names.find(texts, posts["event_date"])
    columns = posts.select("event_date", "post_key", "content_key", "source_id")
    for (day, post_key, content_key, source_id), agencies in zip(columns.iter_rows(), found, strict=True):
        said = [topic for topic in topics_of.get(post_key, []) if topic not in {NONE_LABEL, None}]
        where = [place for place in named.get(post_key, []) if place != NONE_LABEL]
        routes = rules.routes(said, where, areas.get(source_id), day, agencies)
        common = {"event_date": day, "post_key": post_key, "content_key": content_key}
        rows += [
            common | {"agency_id": route.agency_id, "rule": route.rule, "topic_id": route.topic_id, "place_id": route.place_id}
            for route in routes
        ]
        if not routes:
            reason = "no_topic" if not said else "outside" if where else "no_agency"
            rows.append(common | {"agency_id": NONE_LABEL, "rule": reason, "topic_id": NONE_LABEL, "place_id": NONE_LABEL})
    return pa.Table.from_pylist(rows, schema=POST_AGENCIES.schema)


class _Linking:
    """The linker, the rules and the areas of one registry."""

    def __init__(self, registry: Registry, model: TextModel) -> None:
        self.linker = place_linker(registry.places)
        self.rules = AgencyRules(registry, self.linker.gazetteer)
        self.names = AgencyNames(registry.agencies)
        self.areas = {source.id: source.area for source in registry.sources}
        self.labellers = {"topic": topic_labellers(model, registry), "sentiment": sentiment_labellers(model)}
        self.tagger = topic_terms(registry).tagger


def link_days(
    lake: Lake, days: Iterable[date], model: TextModel, registry: Registry, stamp: Callable[[str], Stamp], gate: Gate
) -> PlacesReport:
    """Make the three tables of the given event days; days whose rows are the same are left alone. `stamp` gives each table's.

    The topics are those of silver.opinions by `model` and the registry: label the days first, for a text without is routed to nobody.
    """
    linking, report, listed = _Linking(registry, model), PlacesReport(0, 0, 0, 0, set()), sorted(set(days))
    for start in range(0, len(listed), _DAYS_AT_ONCE):
        _link_portion(lake, listed[start : start + _DAYS_AT_ONCE], linking, stamp, gate, report)
    return report


def _link_portion(
    lake: Lake, days: Sequence[date], linking: _Linking, stamp: Callable[[str], Stamp], gate: Gate, report: PlacesReport
) -> None:
    posts_at, opinions_at, tombstones = (lake.open(name) for name in ("silver.posts", "silver.opinions", TOMBSTONES))
    rows = PerDay(standing(lake.days("silver.posts", days, _POST_COLUMNS, posts_at), withdrawn_keys(lake, tombstones)))
    posts = {day: latest(rows[day]) for day in days}
    held = PerDay(lake.days(PLACE_MENTIONS.name, days))
    read = pl.concat([with_contexts(part).select("post_key", "content_key", "context_key") for part in posts.values()])
    topics, sentiment = (labels_of_posts(lake, opinions_at, task, linking.labellers[task], read) for task in ("topic", "sentiment"))
    mentions, causes, routes = dict[date, pa.Table](), dict[date, pa.Table](), dict[date, pa.Table]()
    for day, of_day in posts.items():
        mentions[day], linked = mention_rows(of_day, held[day], linking.areas, linking.linker)
        named = places_of(pl.DataFrame(pl.from_arrow(mentions[day])))
        routes[day] = agency_rows(of_day, topics, named, linking.areas, linking.rules, linking.names)
        causes[day] = topic_rows(of_day, topics, sentiment, linking.tagger)
        report.linked += linked
        report.causes += causes[day].num_rows
        report.mentions += mentions[day].num_rows
        report.routes += routes[day].num_rows
    inputs = {"silver.posts": posts_at.version(), TOMBSTONES: tombstones.version()}
    report.days.update(publish(lake, PLACE_MENTIONS.name, mentions, stamp(PLACE_MENTIONS.name), inputs, gate))
    inputs |= {"silver.opinions": opinions_at.version()}
    report.days.update(publish(lake, TOPIC_MENTIONS.name, causes, stamp(TOPIC_MENTIONS.name), inputs, gate))
    inputs |= {PLACE_MENTIONS.name: lake.open(PLACE_MENTIONS.name).version()}
    report.days.update(publish(lake, POST_AGENCIES.name, routes, stamp(POST_AGENCIES.name), inputs, gate))
