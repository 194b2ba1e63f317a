"""Which row of a post is the post: the latest of its fullest versions per post_key. Pure; the one place that decides it.

An article's page and its feed entry are versions of one post. The page gives the full text, so the latest page wins over every feed entry,
also over one fetched later; among rows of equal fullness the latest wins. An edit that only the feed shows becomes the post with the page's
next visit, which such an entry brings forward.
"""

from collections.abc import Collection

import polars as pl

ORDER = ("fetched_at", "batch_id", "row_number")
"""Versions of a post in the order they were received; ties within a batch by row."""
COLUMNS = ("post_key", "connector", *ORDER)
"""What `latest` needs to know of a row."""
_FULLER = ("news_articles",)
"""Connectors whose rows give a post's full text where others give its summary."""
_PRECEDENCE = pl.col("connector").is_in(_FULLER)


def _in_order(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows, the one that is the post last of its post."""
    return rows.sort(_PRECEDENCE, *ORDER)


def latest(posts: pl.DataFrame) -> pl.DataFrame:
    """The row that is the post, per post_key of silver.posts rows (with COLUMNS), sorted by post_key."""
    return _in_order(posts).unique("post_key", keep="last", maintain_order=True).sort("post_key")


def account(rows: pl.DataFrame, withdrawn: Collection[str] = ()) -> pl.DataFrame:
    """How the accepted rows of each connector divide: columns connector, kept, superseded, duplicate, withdrawn.

    Every row of a post whose post_key is among the `withdrawn` ones is withdrawn, deletion notice or version; for the others:

    `rows` has COLUMNS and payload_sha256. Of a post's rows one is kept, as `latest` says; a row whose version (payload)
    another row of the post already stands for is a duplicate; every further version is superseded. The kept row counts for the connector it
    came by, and the others each for theirs.
    """
    ordered = _in_order(rows).with_columns(is_withdrawn=pl.col("post_key").is_in(list(withdrawn)))
    stands = ~pl.col("is_withdrawn")
    is_kept = pl.int_range(pl.len()).over("post_key") == pl.len().over("post_key") - 1
    # Walking back from the kept row, the first row of each version stands for it; earlier ones repeat it.
    newest_of_version = pl.int_range(pl.len()).over("post_key", "payload_sha256") == pl.len().over("post_key", "payload_sha256") - 1
    marked = ordered.with_columns(is_kept=is_kept, is_duplicate=~newest_of_version)
    return (
        marked.group_by("connector")
        .agg(
            kept=(stands & pl.col("is_kept")).sum().cast(pl.Int64),
            superseded=(stands & ~pl.col("is_kept") & ~pl.col("is_duplicate")).sum().cast(pl.Int64),
            duplicate=(stands & pl.col("is_duplicate")).sum().cast(pl.Int64),
            withdrawn=pl.col("is_withdrawn").sum().cast(pl.Int64),
        )
        .sort("connector")
    )
