"""Which row of a post is the post: the latest version per post_key. Pure; the one place that decides it."""

import polars as pl

ORDER = ("fetched_at", "batch_id", "row_number")
"""Versions of a post in the order they were received; ties within a batch by row."""


def latest(posts: pl.DataFrame) -> pl.DataFrame:
    """The latest version per post_key of silver.posts rows, sorted by post_key."""
    return posts.sort(*ORDER).unique("post_key", keep="last", maintain_order=True).sort("post_key")


def account(rows: pl.DataFrame) -> pl.DataFrame:
    """How the accepted rows of each connector divide: columns connector, kept, superseded, duplicate.

    `rows` has connector, post_key, payload_sha256 and ORDER. Of a post's rows one is kept, the latest; a row whose version (payload)
    another row of the post already stands for is a duplicate; every further version is superseded. The kept row counts for the connector it
    came by, and the others each for theirs.
    """
    ordered = rows.sort(*ORDER)
    is_kept = pl.int_range(pl.len()).over("post_key") == pl.len().over("post_key") - 1
    # Walking back from the kept row, the first row of each version stands for it; earlier ones repeat it.
    newest_of_version = pl.int_range(pl.len()).over("post_key", "payload_sha256") == pl.len().over("post_key", "payload_sha256") - 1
    marked = ordered.with_columns(is_kept=is_kept, is_duplicate=~newest_of_version)
    return (
        marked.group_by("connector")
        .agg(
            kept=pl.col("is_kept").sum().cast(pl.Int64),
            superseded=(~pl.col("is_kept") & ~pl.col("is_duplicate")).sum().cast(pl.Int64),
            duplicate=pl.col("is_duplicate").sum().cast(pl.Int64),
        )
        .sort("connector")
    )
