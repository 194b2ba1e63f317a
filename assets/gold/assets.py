"""The gold assets: the account first, then the figures, so that no figure is published over an account that does not add up."""

from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.gold.build import FIGURES, GoldDays
from assets.gold.proposals import propose_day
from assets.publishing import publish
from assets.support import (
    EVENT_DAYS,
    RETRY_FAULTS,
    LakeResource,
    ModelResource,
    QualityGate,
    asset_key,
    event_days,
    refused,
    stamp,
    suite_spec,
    table_spec,
)
from assets.times import local_day
from quality.runner import QualityError

HEARD_SPEC = dg.AssetCheckSpec(
    "every_source_is_heard",
    asset=asset_key("gold.source_findings"),
    description="No expected source fell silent, collapsed, does not answer or was not asked on the newest day of the run; warns only.",
)
EVENT_DAY, BEGUN = "lake/event_day", "lake/findings_begun"
"""Metadata of that check and of the table's materialization: the day they speak of, and the ids of the sources whose findings of severity
error began on it."""
_FINDINGS_SHOWN = 50
Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]
_SILVER = [
    "silver.posts",
    "silver.opinions",
    "silver.place_mentions",
    "silver.topic_mentions",
    "silver.clusters",
    "silver.tombstones",
    "gold.accounting",
]
_DAYS_AT_ONCE = 31
"""Event days whose keys are held in memory at once."""


def _portions(context: dg.AssetExecutionContext) -> Iterator[list[date]]:
    days = event_days(context)
    for start in range(0, len(days), _DAYS_AT_ONCE):
        yield days[start : start + _DAYS_AT_ONCE]


@dg.multi_asset(
    name="account",
    specs=[table_spec("gold.accounting", deps=["silver.posts", "silver.rejects", "silver.tombstones"], kinds=("gold",))],
    check_specs=[suite_spec("gold.accounting")],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="gold",
)
def accounting(context: dg.AssetExecutionContext, lake: LakeResource) -> Results:
    """The account of the run's event days. Its suite holds the equation; when it fails, nothing is published."""
    gate = QualityGate(context, lake.lake, ["gold.accounting"])
    changed, count = 0, 0
    try:
        for days in _portions(context):
            gold = GoldDays(lake.lake, days, lake.registry, lake.settings.source_groups)
            rows = gold.accounting()
            changed += len(publish(lake.lake, "gold.accounting", rows, stamp(context, "gold.accounting"), gold.inputs, gate))
            count += sum(part.num_rows for part in rows.values())
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    yield dg.MaterializeResult(
        asset_key=asset_key("gold.accounting"), metadata={"dagster/partition_row_count": count, "days_changed": changed}
    )
    yield from gate.results()


@dg.multi_asset(
    name="figures",
    specs=[table_spec(name, deps=_SILVER, kinds=("gold", "polars")) for name in FIGURES],
    check_specs=[*(suite_spec(name) for name in FIGURES), HEARD_SPEC],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="gold",
)
def figures(context: dg.AssetExecutionContext, lake: LakeResource, sentiment: ModelResource) -> Results:
    """The figures of the run's event days."""
    gate = QualityGate(context, lake.lake, list(FIGURES))
    counts, changed = dict.fromkeys(FIGURES, 0), dict.fromkeys(FIGURES, 0)
    newest: dict[date, pa.Table] = {}
    try:
        for days in _portions(context):
            gold = GoldDays(lake.lake, days, lake.registry, lake.settings.source_groups)
            made = gold.figures(sentiment.model)
            newest = made["gold.source_findings"]
            for name, rows in made.items():
                changed[name] += len(publish(lake.lake, name, rows, stamp(context, name), gold.inputs, gate))
                counts[name] += sum(part.num_rows for part in rows.values())
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    check = heard(newest)
    for name in FIGURES:
        told = {key: check.metadata[key] for key in (EVENT_DAY, BEGUN)} if name == "gold.source_findings" else {}
        yield dg.MaterializeResult(
            asset_key=asset_key(name), metadata={"dagster/partition_row_count": counts[name], "days_changed": changed[name], **told}
        )
    yield from gate.results()
    yield check


def heard(by_day: Mapping[date, pa.Table]) -> dg.AssetCheckResult:
    """The check that every expected source is heard, from gold.source_findings of a run's days: what the newest of them says counts."""
    day = max(by_day, default=None)
    found = pl.DataFrame(pl.from_arrow(by_day[day])) if day is not None else pl.DataFrame()
    severe = found.filter(severity="error") if len(found) else found
    lines = [
        f"* {row['source_name']} ({row['source_id']}): {row['finding']} since {row['since']}: {row['detail']}"
        for row in found.sort("severity", "source_id").head(_FINDINGS_SHOWN).iter_rows(named=True)
    ] if len(found) else []  # fmt: skip
    return dg.AssetCheckResult(
        passed=severe.is_empty(),
        asset_key=asset_key("gold.source_findings"),
        check_name=HEARD_SPEC.name,
        severity=dg.AssetCheckSeverity.WARN,
        metadata={
            EVENT_DAY: day.isoformat() if day else "none",
            "errors": len(severe),
            "warnings": len(found) - len(severe),
            BEGUN: dg.MetadataValue.json([] if found.is_empty() else sorted(severe.filter(since=day)["source_id"].to_list())),
            "findings": dg.MetadataValue.md("\n".join(lines) or "none"),
        },
    )


@dg.multi_asset(
    name="propose_topics",
    specs=[
        table_spec(
            "gold.topic_proposals",
            deps=[
                dg.AssetDep(asset_key(name), partition_mapping=dg.AllPartitionMapping())
                for name in ("silver.posts", "silver.topic_mentions", "silver.tombstones")
            ],
            kinds=("gold",),
        ).replace_attributes(group_name="maintenance")
    ],
    check_specs=[suite_spec("gold.topic_proposals")],
    retry_policy=RETRY_FAULTS,
    pool="gold",
)
def topic_proposals(context: dg.AssetExecutionContext, lake: LakeResource) -> Results:
    """Subjects that came up in the week that ended yesterday (local), among texts that no phrase of a topic tells; by night."""
    gate = QualityGate(context, lake.lake, ["gold.topic_proposals"])
    day = local_day(datetime.now(UTC)) - timedelta(days=1)
    try:
        found = propose_day(lake.lake, day, stamp(context, "gold.topic_proposals"), gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    yield dg.MaterializeResult(
        asset_key=asset_key("gold.topic_proposals"), metadata={"event_day": day.isoformat(), "proposals": len(found)}
    )
    yield from gate.results()


QUALITY_RESULTS_SPEC = table_spec("gold.quality_results", deps=["gold.accounting", *FIGURES], kinds=("gold",), is_fresh=False)
"""Written by every gate along with the tables it checks."""

GOLD_ASSETS = [accounting, figures, topic_proposals]
