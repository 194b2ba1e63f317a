"""Shares with their counts and interval. Pure: from labelled mentions to rows of the gold sentiment tables."""

from collections.abc import Mapping, Sequence
from math import sqrt

import polars as pl

from lake_config.tables.gold import SENTIMENTS

Z_95 = 1.959963984540054
"""The 97.5 % point of the standard normal distribution."""

SOURCE_KIND_NAMES = {
    "newspaper": "Báo điện tử",
    "aggregator": "Trang tổng hợp",
    "social_page": "Trang cộng đồng",
    "video": "Bình luận video",
    "provider": "Mạng xã hội (nhà cung cấp)",
    "upload": "Tệp tải lên",
}


def wilson(count: int, total: int, z: float = Z_95) -> tuple[float, float]:
    """Wilson score interval of a share (Wilson 1927, formula of section 4 in Brown, Cai and DasGupta 2001); (0, 1) for total 0."""
    if total == 0:
        return 0.0, 1.0
    share = count / total
    centre = (share + z * z / (2 * total)) / (1 + z * z / total)
    half = z / (1 + z * z / total) * sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    return (0.0 if count == 0 else max(0.0, centre - half)), (1.0 if count == total else min(1.0, centre + half))


def sentiment_by(mentions: pl.DataFrame, dimensions: Sequence[str], model_id: str) -> pl.DataFrame:
    """Counts, shares and 95 % intervals by the given dimensions.

    `mentions`: one row per mention (and per topic or place where that is a dimension) with post_key, content_key, cluster_key, author_key,
    sentiment and the dimensions. The result is sorted by the dimensions; shares are 0 to 1.
    """
    grouped = mentions.group_by(dimensions).agg(
        mentions=pl.col("post_key").n_unique().cast(pl.Int64),
        unique_texts=pl.col("content_key").n_unique().cast(pl.Int64),
        distinct_messages=pl.col("cluster_key").n_unique().cast(pl.Int64),
        distinct_voices=pl.col("author_key").drop_nulls().n_unique().cast(pl.Int64),
        **{f"{name}_count": (pl.col("sentiment") == name).sum().cast(pl.Int64) for name in SENTIMENTS},
    )
    rows = grouped.sort(dimensions).to_dicts()
    for row in rows:
        for name in SENTIMENTS:
            count, total = row[f"{name}_count"], row["mentions"]
            row[f"{name}_share"] = count / total
            row[f"{name}_share_low"], row[f"{name}_share_high"] = wilson(count, total)
    if not rows:
        return pl.DataFrame()
    named = pl.DataFrame(rows, infer_schema_length=None)
    return named.with_columns(
        source_kind_name=pl.col("source_kind").replace_strict(SOURCE_KIND_NAMES, default=pl.col("source_kind")), model_id=pl.lit(model_id)
    )


NO_PHRASE = "(không có cụm từ trong danh mục)"


def causes(topic_mentions: pl.DataFrame, posts: pl.DataFrame, names: Mapping[str, str], model_id: str) -> pl.DataFrame:
    """Rows of gold.cause_daily of one day, from rows of silver.topic_mentions and labelled mentions (DayMentions.posts).

    The attitude counted is that of the mention, so that both tables agree; `names` gives the Vietnamese name of each topic.
    """
    pairs = topic_mentions.filter(pl.col("topic_id") != "none").with_columns(pl.col("phrase").fill_null(NO_PHRASE))
    said = pairs.select("post_key", "topic_id", "phrase").unique().join(posts, on="post_key")
    return (
        said.group_by("event_date", "topic_id", "phrase")
        .agg(
            mentions=pl.col("post_key").n_unique().cast(pl.Int64),
            unique_texts=pl.col("content_key").n_unique().cast(pl.Int64),
            distinct_messages=pl.col("cluster_key").n_unique().cast(pl.Int64),
            distinct_voices=pl.col("author_key").drop_nulls().n_unique().cast(pl.Int64),
            **{f"{name}_count": (pl.col("sentiment") == name).sum().cast(pl.Int64) for name in SENTIMENTS},
        )
        .with_columns(topic_name=pl.col("topic_id").replace_strict(dict(names), default=pl.col("topic_id")), model_id=pl.lit(model_id))
        .sort("topic_id", "phrase")
    )
