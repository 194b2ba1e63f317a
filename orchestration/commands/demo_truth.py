"""What the demo city knows to be true, beside what the lake measured.

Belongs here: the comparison and the self-check of a demo lake. Not here: starting it (demo.py), the city itself (demo_city/).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
import polars as pl

from assets.silver.answered import COLUMNS as CONTEXT_COLUMNS
from assets.silver.answered import with_contexts
from assets.silver.labels import labels_of_posts, sentiment_labellers
from assets.silver.versions import COLUMNS, latest
from lake_config.settings import Settings
from lake_config.storage import Lake
from lake_config.tables.gold import SENTIMENTS
from ml.language_model import LanguageModel
from ml.normalise import post_key
from orchestration.demo_city import plan

_SECONDS = 30.0


@dataclass(frozen=True)
class ShareComparison:
    """One share over a period: as the city knows it and as gold says it, 0 to 1, with gold's n."""

    period: str
    label: str
    true_share: float
    measured_share: float
    mentions: int

    @property
    def error_points(self) -> float:
        """Measured minus true, in percentage points."""
        return 100 * (self.measured_share - self.true_share)


def city_truth(settings: Settings) -> dict[str, Any]:
    """The truth of the city in its present round, asked of its own server."""
    answer = httpx.get(f"{settings.demo_city_url}/_control/truth", timeout=_SECONDS, trust_env=False)
    answer.raise_for_status()
    found: dict[str, Any] = answer.json()
    return found


def compare_shares(truth: Mapping[str, Any], daily: pl.DataFrame) -> list[ShareComparison]:
    """True and measured sentiment shares for the Tết week and for all event days.

    `daily` has event_date, mentions and the three counts of gold.sentiment_daily.
    """
    found = []
    for period, first, last in (("Tết week", *plan.TET_WEEK), ("all days", plan.FIRST_DAY, plan.LAST_DAY)):
        rows = [row for row in truth["rows"] if row["event_date"] not in {None, "None"}]
        within = [row["sentiment"] for row in rows if first <= date.fromisoformat(row["event_date"]) <= last]
        counted = daily.filter(pl.col("event_date").is_between(first, last))
        total = int(counted["mentions"].sum())
        for label in SENTIMENTS:
            measured = int(counted[f"{label}_count"].sum()) / total if total else 0.0
            found.append(ShareComparison(period, label, within.count(label) / len(within), measured, total))
    return found


def label_accuracy(lake: Lake, truth: Mapping[str, Any]) -> tuple[float, int]:
    """The share of the city's posts whose measured sentiment is the true one, and their number."""
    posts = lake.open("silver.posts")
    days = {date.fromisoformat(str(part["event_date"])) for part in posts.partitions()}
    rows = latest(lake.days("silver.posts", days, ["event_date", "content_key", *CONTEXT_COLUMNS, *COLUMNS], posts))
    current = pl.concat([with_contexts(part) for part in rows.partition_by("event_date")])
    labels = labels_of_posts(lake, lake.open("silver.opinions"), "sentiment", sentiment_labellers(LanguageModel.load()), current)
    told = truth["rows"]
    keys = [post_key(row["platform"], row["native_id"]) for row in told]
    true = pl.DataFrame({"post_key": keys, "truth": [row["sentiment"] for row in told]})
    joined = true.join(labels, on="post_key")
    return int((joined["truth"] == joined["label"]).sum()) / max(len(joined), 1), len(joined)


def account_faults(truth: Mapping[str, Any], accounting: pl.DataFrame, by_source: pl.DataFrame, connectors: Mapping[str, str]) -> list[str]:
    """Where gold.accounting does not add up, or gold differs from what the city knows that it served; empty when all is right.

    `by_source` is gold.source_daily; `connectors` maps the demo's source ids to their connector: other posts in the lake
    do not count.
    """
    explained = pl.sum_horizontal("kept", "superseded", "duplicate", "rejected", "withdrawn")
    wrong = accounting.filter(explained != pl.col("landed"))
    faults = [f"{row['event_date']} {row['connector']}: the account does not add up" for row in wrong.iter_rows(named=True)]
    for connector, expected in truth["account"].items():
        rows = by_source.filter(pl.col("source_id").is_in([source for source, name in connectors.items() if name == connector]))
        of_connector = accounting.filter(pl.col("connector") == connector)
        found = {"kept": int(rows["mentions"].sum()), "rejected": int(rows["rejected"].sum())}
        if rows["landed"].sum() == of_connector["landed"].sum():
            found["superseded"] = int(of_connector["superseded"].sum())
        wrong_counts = {name: count for name, count in found.items() if count != expected[name]}
        faults += [f"{connector}: {name} is {count}, the city served {expected[name]}" for name, count in wrong_counts.items()]
    return faults
