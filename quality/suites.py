"""What a right table looks like: one expectation suite per declared table, made from the declaration and the rules of that table.

Belongs here: the rules. Not here: running them (runner.py). Great Expectations is imported only when a suite is built: it takes seconds.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from lake_config.tables import Table
from lake_config.tables.bronze import FETCH_FINDINGS, FETCH_OUTCOMES
from lake_config.tables.gold import SENTIMENTS
from quality.gx import great_expectations
from quality.rejects import Reason

_SHA256 = r"^[0-9a-f]{64}$"
_SOURCE_KINDS = ["newspaper", "aggregator", "social_page", "video", "provider", "upload"]
_AGENCY_RULES = ["named", "function", "area", "above", "successor", "source_area", "no_topic", "outside", "no_agency"]
_ORIGINS = ["published", "first_seen", "fetched"]
_HASHES = (
    "payload_sha256",
    "post_key",
    "content_key",
    "skeleton_key",
    "cluster_key",
    "first_post_key",
    "weights_digest",
    "author_key",
    "parent_key",
    "context_key",
)
_NON_NEGATIVE_SUFFIXES = ("_count", "_weight", "_bytes", "_sources", "_attempts", "_failures", "_rows")
_NON_NEGATIVE = (
    "mentions",
    "unique_texts",
    "distinct_messages",
    "span_minutes",
    "burst_minutes",
    "posts_per_minute",
    "interval_variation",
    "distinct_voices",
    "landed",
    "kept",
    "superseded",
    "duplicate",
    "rejected",
    "withdrawn",
    "listed",
    "likes",
    "shares",
)
_SHARES = ("_share", "_share_low", "_share_high", "probability")
_TOLERANCE = 1e-9


@dataclass(frozen=True)
class Rules:
    """What a table's rows must satisfy beyond what follows from its columns' names and types.

    `equal` maps a check's name to (what is computed from the row, the column it must equal); `allowed` a column to its values;
    `may_be_empty` are hashes that are the empty string where there is nothing to hash.
    """

    allowed: Mapping[str, list[str]] = field(default_factory=dict)
    equal: Mapping[str, tuple[pl.Expr, str]] = field(default_factory=dict)
    may_be_empty: tuple[str, ...] = ()


def _sums() -> pl.Expr:
    return pl.sum_horizontal(f"{name}_count" for name in SENTIMENTS)


def _share_rules(name: str) -> dict[str, tuple[pl.Expr, str]]:
    share, low, high = f"{name}_share", f"{name}_share_low", f"{name}_share_high"
    return {
        f"{share}_recomputed": (pl.col(f"{name}_count") / pl.col("mentions"), share),
        f"{low}_at_most_share": (pl.min_horizontal(low, share), low),
        f"{high}_at_least_share": (pl.max_horizontal(high, share), high),
    }


_FIGURES = Rules(
    allowed={"source_kind": _SOURCE_KINDS},
    equal={
        "sum_of_sentiment_counts": (_sums(), "mentions"),
        **{check: rule for name in SENTIMENTS for check, rule in _share_rules(name).items()},
    },
)
_ENVELOPE_RULES = Rules(allowed={"event_date_origin": _ORIGINS})

RULES: Mapping[str, Rules] = {
    "bronze.news_feeds": _ENVELOPE_RULES,
    "bronze.news_articles": _ENVELOPE_RULES,
    "bronze.exports": _ENVELOPE_RULES,
    "bronze.page_posts": _ENVELOPE_RULES,
    "bronze.video_comments": _ENVELOPE_RULES,
    "bronze.provider_push": _ENVELOPE_RULES,
    "bronze.fetch_log": Rules(allowed={"outcome": list(FETCH_OUTCOMES), "finding": list(FETCH_FINDINGS)}),
    "silver.posts": Rules(allowed={"source_kind": _SOURCE_KINDS, "kind": ["article", "post", "comment"]}),
    "silver.rejects": Rules(allowed={"reason": [reason.value for reason in Reason]}),
    "silver.opinions": Rules(allowed={"task": ["sentiment", "topic", "constructive", "toxic", "spam"]}, may_be_empty=("context_key",)),
    "silver.place_mentions": Rules(allowed={"standing": ["current", "former", "future"]}),
    "silver.topic_mentions": Rules(allowed={"attitude": list(SENTIMENTS)}),
    "silver.post_agencies": Rules(allowed={"rule": _AGENCY_RULES}),
    "gold.sentiment_daily": _FIGURES,
    "gold.sentiment_hourly": _FIGURES,
    "gold.topic_daily": _FIGURES,
    "gold.place_daily": _FIGURES,
    "gold.cause_daily": Rules(equal={"sum_of_sentiment_counts": (_sums(), "mentions")}),
    "gold.topic_proposals": Rules(allowed={"status": ["proposed"]}),
    "gold.source_findings": Rules(allowed={"severity": ["error", "warn"]}),
    "gold.accounting": Rules(
        equal={"accounted_rows": (pl.sum_horizontal("kept", "superseded", "duplicate", "rejected", "withdrawn"), "landed")},
    ),
}


def check_columns(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The rows with the computed columns that the suite compares. Columns of text and bytes, which no rule reads, are left out."""
    rules = RULES.get(table.name, Rules())
    computed = [expression.alias(name) for name, (expression, _) in rules.equal.items()]
    return rows.with_columns(computed).drop("payload", "text", "title", "payload_context", "detail", "sketch", strict=False)


def expectations(table: Table) -> list[Any]:
    """The suite of a declared table."""
    gxe = great_expectations().expectations
    rules = RULES.get(table.name, Rules())
    dropped = {"payload", "text", "title", "payload_context", "detail", "sketch"}
    made: list[Any] = []
    for column in table.columns:
        if column.name in dropped:
            continue
        name = column.name
        if not column.nullable:
            made.append(gxe.ExpectColumnValuesToNotBeNull(column=name))
        if name in _HASHES:
            regex = f"{_SHA256}|^$" if name in rules.may_be_empty else _SHA256
            made.append(gxe.ExpectColumnValuesToMatchRegex(column=name, regex=regex))
        if name in _NON_NEGATIVE or name.endswith(_NON_NEGATIVE_SUFFIXES):
            made.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0))
        if name.endswith(_SHARES) or name in {"spam_score", "probability", "threshold", "similarity", "mean_similarity"}:
            made.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=1 + _TOLERANCE))
        if name == "event_hour":
            made.append(gxe.ExpectColumnValuesToBeBetween(column=name, min_value=0, max_value=23))
        if name in rules.allowed:
            made.append(gxe.ExpectColumnValuesToBeInSet(column=name, value_set=rules.allowed[name]))
    if len(table.key) == 1:
        made.append(gxe.ExpectColumnValuesToBeUnique(column=table.key[0]))
    elif table.key:
        made.append(gxe.ExpectCompoundColumnsToBeUnique(column_list=list(table.key)))
    made.extend(gxe.ExpectColumnPairValuesToBeEqual(column_A=name, column_B=against) for name, (_, against) in rules.equal.items())
    return made
