"""Which posts are near copies of each other: silver.clusters, by event day.

Who belongs together follows from the posts of the day alone, in the order of their time: the same posts give the same clusters, whenever
and in whatever portions they came. The name of a cluster is a fact: it stays as the cluster grows, and a day's new clusters take the names
of those they are near copies of on the days around (LOOK_AROUND_DAYS before and after), so that a message spread over midnight is one.
Sketches are kept with the rows: a run reads those of seven days, however much the lake holds, and makes them of new texts only.

Belongs here: which posts are placed, what a cluster is called, and the rows. Not here: what a copy is (ml/near_copies.py).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta

import numpy as np
import polars as pl
import pyarrow as pa

from assets.content import content_of
from assets.publishing import PerDay, publish
from assets.silver.posts import Gate, Stamp
from assets.silver.tombstones import TOMBSTONES, standing, withdrawn_keys
from assets.silver.versions import COLUMNS, latest
from lake_config.storage import Lake
from lake_config.tables.silver import CLUSTERS
from ml.near_copies import SKETCH_ID, VALUES, Sketches, has_sketch, nearest, place, sketches
from ml.normalise import content_key, skeleton

LOOK_AROUND_DAYS = 3
"""Copies of a message come within hours, mostly; between slow ones lies a weekend. Each day more costs a run its sketches."""
_POST_COLUMNS = ("event_date", "content_key", "skeleton_key", "kind", "title", "text", "published_at", *COLUMNS)
_NAMED_COLUMNS = ("event_date", "post_key", "cluster_key", "first_post_key", "sketch", "model_id")
_NO_WORDS = content_key("")
"""skeleton_key of emoji, links or signs alone: such texts are copies only when they are equal."""
_DAYS_AT_ONCE = 7
_STORED = np.dtype("<u2")
"""How a value of a sketch lies in the table, whatever the machine."""


@dataclass(frozen=True)
class Named:
    """Clusters of a day, or of several: their names and the sketches of the texts that lead them, shape (names, VALUES)."""

    names: Sequence[str]
    of: Sketches


@dataclass
class ClustersReport:
    """Texts sketched, rows of the days, and the event days that changed."""

    sketched: int = 0
    rows: int = 0
    days: list[date] = field(default_factory=list)


def named_clusters(rows: pl.DataFrame) -> Named:
    """The clusters with a sketch among rows of silver.clusters of one day, by name."""
    leading = rows.filter((pl.col("model_id") == SKETCH_ID) & (pl.col("post_key") == pl.col("first_post_key"))).drop_nulls("sketch")
    ordered = leading.sort("cluster_key")
    return Named(ordered["cluster_key"].to_list(), _unpacked(ordered["sketch"].to_list()))


def _unpacked(packed: Sequence[bytes]) -> Sketches:
    return np.frombuffer(b"".join(packed), dtype=_STORED).astype(np.uint16).reshape(len(packed), VALUES)


def cluster_rows(posts: pl.DataFrame, held: pl.DataFrame, around: Sequence[Named]) -> tuple[pa.Table, int]:
    """The rows of silver.clusters for the latest posts of one day, and how many texts were sketched for them. Pure.

    `held` are the rows that the table has of the day; `around` the clusters of the days around it, in their order. Posts whose time of
    publication is unknown come after the others: when they were received says nothing of them.
    """
    timed = posts.with_columns(
        words_key=pl.when(pl.col("skeleton_key") == _NO_WORDS).then("content_key").otherwise("skeleton_key"),
    ).sort("published_at", "post_key", nulls_last=True)
    ours = held.filter(pl.col("model_id") == SKETCH_ID).select("post_key", "content_key", "sketch", held_name="cluster_key")
    known = timed.join(ours, on=["post_key", "content_key"], how="left", maintain_order="left")
    texts, count = _sketched(known)
    placed = _placed(texts)
    joined = known.join(placed, on="words_key", maintain_order="left")
    names = _names(joined, texts, around)
    rows = joined.with_columns(
        cluster_key=pl.col("leader").replace_strict(names, return_dtype=pl.String),
        first_post_key=pl.col("post_key").first().over("leader"),
        is_first=pl.int_range(pl.len()).over("words_key") == 0,
        model_id=pl.lit(SKETCH_ID),
    )
    rows = rows.with_columns(sketch=pl.when("is_first").then("text_sketch")).sort("post_key")
    return rows.select(CLUSTERS.schema.names).to_arrow().cast(CLUSTERS.schema), count


def _sketched(known: pl.DataFrame) -> tuple[pl.DataFrame, int]:
    """The distinct texts (words_key, text_sketch or null) in their order, and how many sketches had to be made."""
    had = dict(known.drop_nulls("sketch").select("words_key", "sketch").iter_rows())
    distinct = known.unique("words_key", keep="first", maintain_order=True)
    rows = distinct.select("words_key", "kind", "title", "text").iter_rows()
    shapes = {key: skeleton(content_of(kind, title, text)) for key, kind, title, text in rows if key not in had}
    new = {key: shape for key, shape in shapes.items() if has_sketch(shape)}
    had |= {key: sketch.astype(_STORED).tobytes() for key, sketch in zip(new, sketches(list(new.values())), strict=True)}
    packed = [had.get(key) for key in distinct["words_key"]]
    return distinct.select("words_key", text_sketch=pl.Series(packed, dtype=pl.Binary)), len(new)


def _placed(texts: pl.DataFrame) -> pl.DataFrame:
    """The texts with the words_key of the text that leads their cluster, and their similarity to it."""
    long = texts.drop_nulls("text_sketch")
    keys, found = long["words_key"].to_list(), place(_unpacked(long["text_sketch"].to_list()))
    led = long.select(
        "words_key",
        leader=pl.Series([keys[one.leader] for one in found], dtype=pl.String),
        similarity=pl.Series([one.similarity for one in found], dtype=pl.Float64),
    )
    return texts.join(led, on="words_key", how="left", maintain_order="left").with_columns(
        leader=pl.col("leader").fill_null(pl.col("words_key")), similarity=pl.col("similarity").fill_null(1.0)
    )


def _names(rows: pl.DataFrame, texts: pl.DataFrame, around: Sequence[Named]) -> dict[str, str]:
    """The name of each cluster, by the words_key of its leading text, each name once.

    It is the one that the cluster's earliest post had already, else that of the nearest cluster around, else the leading text's words_key.
    """
    clusters = rows.group_by("leader", maintain_order=True).agg(held_name=pl.col("held_name").drop_nulls().first())
    held = dict(clusters.iter_rows())
    had = {name for name in held.values() if name is not None}
    names = {leader: leader for leader in held if leader in had}
    taken = set(names)
    for leader, name in held.items():
        if leader not in names and name is not None and name not in taken:
            names[leader] = name
            taken.add(name)
    new = [leader for leader in held if leader not in names]
    own = set(new)
    for leader, name in zip(new, _names_around(new, texts, around), strict=True):
        is_free = name is not None and name not in taken and (name not in own or name == leader)
        names[leader] = name if name is not None and is_free else leader
        taken.add(names[leader])
    return names


def _names_around(leaders: Sequence[str], texts: pl.DataFrame, around: Sequence[Named]) -> list[str | None]:
    sketch_of = dict(texts.iter_rows())
    packed = [(at, sketch_of[leader]) for at, leader in enumerate(leaders) if sketch_of[leader] is not None]
    names = [name for clusters in around for name in clusters.names]
    others = np.concatenate([np.empty((0, VALUES), dtype=np.uint16), *(clusters.of for clusters in around)])
    found: list[str | None] = [None] * len(leaders)
    for (at, _), near in zip(packed, nearest(_unpacked([sketch for _, sketch in packed]), others), strict=True):
        found[at] = names[near.leader] if near is not None else None
    return found


def cluster_days(lake: Lake, days: Iterable[date], stamp: Stamp, gate: Gate) -> ClustersReport:
    """Make silver.clusters of the given event days, in their order; days whose rows are the same are left alone."""
    report, listed = ClustersReport(), sorted(set(days))
    for start in range(0, len(listed), _DAYS_AT_ONCE):
        _cluster_portion(lake, listed[start : start + _DAYS_AT_ONCE], stamp, gate, report)
    return report


def _around(day: date) -> Iterator[date]:
    return (day + timedelta(days=distance) for distance in range(-LOOK_AROUND_DAYS, LOOK_AROUND_DAYS + 1) if distance)


def _cluster_portion(lake: Lake, days: Sequence[date], stamp: Stamp, gate: Gate, report: ClustersReport) -> None:
    posts_at, tombstones, at = (lake.open(name) for name in ("silver.posts", TOMBSTONES, CLUSTERS.name))
    posts = PerDay(standing(lake.days("silver.posts", days, _POST_COLUMNS, posts_at), withdrawn_keys(lake, tombstones)))
    held = PerDay(lake.days(CLUSTERS.name, days, at=at))
    compared = {other for day in days for other in _around(day)}
    rows = PerDay(lake.days(CLUSTERS.name, compared, _NAMED_COLUMNS, at))
    named = {day: named_clusters(rows[day]) for day in compared}
    made = dict[date, pa.Table]()
    for day in days:
        made[day], count = cluster_rows(latest(posts[day]), held[day], [named[other] for other in _around(day)])
        named[day] = named_clusters(pl.DataFrame(pl.from_arrow(made[day])))
        report.sketched += count
        report.rows += made[day].num_rows
    inputs = {"silver.posts": posts_at.version(), TOMBSTONES: tombstones.version(), CLUSTERS.name: at.version()}
    report.days += publish(lake, CLUSTERS.name, made, stamp, inputs, gate)
