"""What is posted again and again: gold.copies_daily, clusters of near copies with how many voices they have and how they came. Pure.

Belongs here: the counts of a cluster and the two signs. Not here: what a copy is (ml/near_copies.py). A sign says that a message deserves a
look before its mentions are taken for so many people; it says nothing of any person, and nothing is left out of any figure because of it.
"""

import polars as pl

MIN_MENTIONS = 3
"""Smaller clusters have no row."""
MIN_TIMED = 10
"""Mentions with a known time of publication below which neither sign is given: fewer show no pattern."""
BURST_SHARE, BURST_MINUTES = 0.8, 60.0
"""Coordinated: this share of the timed mentions came within so many minutes,"""
COORDINATED_VOICES, COORDINATED_SIMILARITY, COORDINATED_LARGEST = 8, 0.8, 0.5
"""by so many voices or more, none of which has more than half, in texts that are on average so similar, none of them a news article."""
BOT_VOICES, BOT_VARIATION = 3, 0.4
"""Bot-like: at most so many voices, and intervals whose standard deviation is at most so much of their mean (about 1 by chance)."""


def copies(mentions: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """One row per cluster of MIN_MENTIONS or more of one day, without the topic's name.

    `mentions`: post_key, event_date, cluster_key, similarity, is_long (its cluster's text is long enough to be compared), content_key,
    author_key, source_id, kind, published_at (null where unknown), sentiment. `topics`: rows (post_key, topic_id).
    """
    large = mentions.filter(pl.len().over("cluster_key") >= MIN_MENTIONS)
    counted = large.group_by("event_date", "cluster_key").agg(
        mentions=pl.len().cast(pl.Int64),
        unique_texts=pl.col("content_key").n_unique().cast(pl.Int64),
        distinct_voices=pl.col("author_key").drop_nulls().n_unique().cast(pl.Int64),
        distinct_sources=pl.col("source_id").n_unique().cast(pl.Int64),
        article_count=(pl.col("kind") == "article").sum().cast(pl.Int64),
        largest_voice_share=pl.col("author_key").drop_nulls().unique_counts().max() / pl.col("author_key").count(),
        mean_similarity=pl.col("similarity").mean(),
        negative_share=(pl.col("sentiment") == "negative").mean(),
        first_seen_at=pl.col("published_at").min(),
        is_long=pl.col("is_long").any(),
    )
    rows = counted.join(_times(large), on="cluster_key", how="left").join(_main_topic(large, topics), on="cluster_key", how="left")
    enough = pl.col("timed") >= MIN_TIMED
    return rows.with_columns(
        cluster_code=pl.col("cluster_key").str.head(8),
        posts_per_minute=pl.col("timed") / pl.col("span_minutes").clip(lower_bound=1.0),
        is_coordinated=(
            enough
            & pl.col("is_long")
            & (pl.col("article_count") == 0)
            & (pl.col("burst_minutes") <= BURST_MINUTES)
            & (pl.col("distinct_voices") >= COORDINATED_VOICES)
            & (pl.col("mean_similarity") >= COORDINATED_SIMILARITY)
            & (pl.col("largest_voice_share") <= COORDINATED_LARGEST)
        ).fill_null(value=False),
        is_bot_like=(
            enough & pl.col("distinct_voices").is_between(1, BOT_VOICES) & (pl.col("interval_variation") <= BOT_VARIATION)
        ).fill_null(value=False),
    ).sort("event_date", "cluster_key")


def _times(mentions: pl.DataFrame) -> pl.DataFrame:
    """By cluster: how many times of publication are known, and for two or more their span, burst and the variation of their intervals."""
    at = pl.col("published_at").drop_nulls().sort().dt.epoch("us") / 60e6
    timed = mentions.group_by("cluster_key").agg(timed=at.count().cast(pl.Int64), minutes=at, gaps=at.diff().drop_nulls())
    several = pl.col("timed") >= 2
    burst = [_burst(minutes) for minutes in timed["minutes"].to_list()]
    return timed.select(
        "cluster_key",
        "timed",
        span_minutes=pl.when(several).then(pl.col("minutes").list.max() - pl.col("minutes").list.min()),
        burst_minutes=pl.Series(burst, dtype=pl.Float64),
        interval_variation=pl.when(pl.col("gaps").list.mean() > 0).then(pl.col("gaps").list.std(ddof=0) / pl.col("gaps").list.mean()),
    )


def _burst(minutes: list[float]) -> float | None:
    """The shortest time, in minutes, within which BURST_SHARE of the times lie; null for fewer than two."""
    if len(minutes) < 2:
        return None
    need = max(2, -int(-len(minutes) * BURST_SHARE // 1))
    return min(last - first for first, last in zip(minutes, minutes[need - 1 :], strict=False))


def _main_topic(mentions: pl.DataFrame, topics: pl.DataFrame) -> pl.DataFrame:
    """By cluster the topic that most of its mentions are about, 'none' only where none has another; at a tie the first by id."""
    about = topics.join(mentions.select("post_key", "cluster_key"), on="post_key")
    counted = about.group_by("cluster_key", "topic_id").agg(count=-pl.len().cast(pl.Int64), is_none=(pl.col("topic_id") == "none").first())
    return counted.sort("is_none", "count", "topic_id").unique("cluster_key", keep="first", maintain_order=True).drop("count", "is_none")
