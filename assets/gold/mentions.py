"""The labelled mentions of one event day: what every gold table counts."""

from dataclasses import dataclass
from datetime import date

import polars as pl

from assets.silver.opinions import Scorer, labels_of
from assets.silver.tagging import term_sets
from assets.silver.versions import latest
from lake_config.errors import LakeError
from lake_config.registry import Registry
from lake_config.storage import Lake


class UnlabelledError(LakeError):
    """Texts of the day have no label of the current model: the figures would leave them out."""


@dataclass(frozen=True)
class DayMentions:
    """One row per post (latest version) with its sentiment; and the posts' topics and places, one row per pair."""

    day: date
    posts: pl.DataFrame
    topics: pl.DataFrame
    places: pl.DataFrame
    model_id: str
    inputs: dict[str, int]


def read_mentions(lake: Lake, day: date, model: Scorer, registry: Registry) -> DayMentions:
    """Read and join silver.posts and silver.opinions of one day. Raises UnlabelledError when labels are missing."""
    posts_at, opinions_at = lake.open("silver.posts"), lake.open("silver.opinions")
    posts = latest(lake.day("silver.posts", day, at=posts_at))
    keys = posts["content_key"]
    topic_terms, place_terms = term_sets(registry, day)
    sentiment = labels_of(opinions_at, "sentiment", model.weights_digest, keys)
    joined = posts.join(sentiment.select("content_key", sentiment="label"), on="content_key", how="left")
    topics = _pairs(posts, labels_of(opinions_at, "topic", topic_terms.digest, keys), "topic_id")
    places = _pairs(posts, labels_of(opinions_at, "place", place_terms.digest, keys), "place_id")
    missing = joined["sentiment"].null_count() + topics["topic_id"].null_count() + places["place_id"].null_count()
    if missing:
        raise UnlabelledError(f"{day}: {missing} labels are missing in silver.opinions; materialize silver/opinions for that day first.")
    extended = joined.select("post_key", "content_key", "author_key", "source_kind", "source_id", "event_date", "event_hour", "sentiment")
    return DayMentions(
        day=day,
        posts=extended,
        topics=extended.join(topics, on="post_key"),
        places=extended.join(places, on="post_key"),
        model_id=model.model_id,
        inputs={"silver.posts": posts_at.version(), "silver.opinions": opinions_at.version()},
    )


def _pairs(posts: pl.DataFrame, labels: pl.DataFrame, name: str) -> pl.DataFrame:
    return (
        posts.select("post_key", "content_key")
        .join(labels.select("content_key", "label"), on="content_key", how="left")
        .select("post_key", pl.col("label").alias(name))
    )
