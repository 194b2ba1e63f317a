"""The labelled mentions of one event day: what every gold table counts."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from lake_config.errors import LakeError


class UnlabelledError(LakeError):
    """Texts of the day have no label of the current model: the figures would leave them out."""


_KEPT = (
    *("post_key", "content_key", "author_key", "source_kind", "source_id", "event_date", "event_hour", "sentiment"),
    *("cluster_key", "similarity", "is_long", "kind", "published_at"),
)


@dataclass(frozen=True)
class DayMentions:
    """One row per post (latest version) with its sentiment and cluster; and the posts' topics and places, one row per pair."""

    day: date
    posts: pl.DataFrame
    topics: pl.DataFrame
    places: pl.DataFrame
    model_id: str


def join_mentions(
    day: date,
    posts: pl.DataFrame,
    sentiment: pl.DataFrame,
    topics: pl.DataFrame,
    places: pl.DataFrame,
    clusters: pl.DataFrame,
    model_id: str,
) -> DayMentions:
    """The mentions of one day: its posts (latest version each) joined with their labels and places, all as rows (post_key, label), and with
    their clusters (rows of silver.clusters). Pure.

    Raises UnlabelledError when a text has no label of a task, or a post no row of places or no cluster.
    """
    joined = posts.join(sentiment.select("post_key", sentiment="label"), on="post_key", how="left")
    by_topic, by_place = _pairs(posts, topics, "topic_id"), _pairs(posts, places, "place_id")
    missing = joined["sentiment"].null_count() + by_topic["topic_id"].null_count() + by_place["place_id"].null_count()
    if missing:
        where = "silver.opinions or silver.place_mentions"
        raise UnlabelledError(f"{day}: {missing} labels are missing in {where}; materialize both for that day first.")
    of_cluster = clusters.select(
        "post_key", "content_key", "cluster_key", "similarity", is_long=pl.col("sketch").is_not_null().any().over("cluster_key")
    )
    clustered = joined.join(of_cluster, on=["post_key", "content_key"], how="left")
    if clustered["cluster_key"].null_count():
        lacking = clustered["cluster_key"].null_count()
        raise UnlabelledError(f"{day}: {lacking} posts are missing in silver.clusters; materialize it for that day first.")
    extended = clustered.select(_KEPT)
    return DayMentions(
        day=day,
        posts=extended,
        topics=extended.join(by_topic, on="post_key"),
        places=extended.join(by_place, on="post_key"),
        model_id=model_id,
    )


def _pairs(posts: pl.DataFrame, labels: pl.DataFrame, name: str) -> pl.DataFrame:
    return posts.select("post_key").join(labels.select("post_key", pl.col("label").alias(name)), on="post_key", how="left")
