"""The gold assets: the account first, then the figures, so that no figure is published over an account that does not add up."""

from collections.abc import Iterator

import dagster as dg

from assets.gold.build import GoldDay, publish
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
from quality.runner import QualityError

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]
FIGURES = ("gold.sentiment_daily", "gold.sentiment_hourly", "gold.topic_daily", "gold.place_daily", "gold.source_daily")


@dg.multi_asset(
    name="account",
    specs=[table_spec("gold.accounting", deps=["silver.posts", "silver.rejects"], kinds=("gold",))],
    check_specs=[suite_spec("gold.accounting")],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="gold",
)
def accounting(context: dg.AssetExecutionContext, lake: LakeResource) -> Results:
    """The account of the run's event days. Its suite holds the equation; when it fails, nothing is published."""
    gate = QualityGate(context, lake.lake, ["gold.accounting"])
    days = {day: GoldDay(lake.lake, day, lake.registry, lake.collected) for day in event_days(context)}
    rows = {day: gold.accounting() for day, gold in days.items()}
    inputs = next(iter(days.values())).inputs
    try:
        changed = publish(lake.lake, "gold.accounting", rows, stamp(context, "gold.accounting"), inputs, gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    count = sum(part.num_rows for part in rows.values())
    yield dg.MaterializeResult(
        asset_key=asset_key("gold.accounting"), metadata={"dagster/partition_row_count": count, "days_changed": len(changed)}
    )
    yield from gate.results()


@dg.multi_asset(
    name="figures",
    specs=[table_spec(name, deps=["silver.posts", "silver.opinions", "gold.accounting"], kinds=("gold", "polars")) for name in FIGURES],
    check_specs=[suite_spec(name) for name in FIGURES],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="gold",
)
def figures(context: dg.AssetExecutionContext, lake: LakeResource, sentiment: ModelResource) -> Results:
    """The figures of the run's event days."""
    gate = QualityGate(context, lake.lake, list(FIGURES))
    by_table: dict[str, dict] = {name: {} for name in FIGURES}  # type: ignore[type-arg]
    inputs: dict[str, int] = {}
    for day in event_days(context):
        tables, inputs = GoldDay(lake.lake, day, lake.registry, lake.collected).figures(sentiment.model)
        for name, rows in tables.items():
            by_table[name][day] = rows
    changed = {}
    try:
        for name in FIGURES:
            changed[name] = publish(lake.lake, name, by_table[name], stamp(context, name), inputs, gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    for name in FIGURES:
        count = sum(rows.num_rows for rows in by_table[name].values())
        yield dg.MaterializeResult(
            asset_key=asset_key(name), metadata={"dagster/partition_row_count": count, "days_changed": len(changed[name])}
        )
    yield from gate.results()


QUALITY_RESULTS_SPEC = table_spec("gold.quality_results", deps=["gold.accounting", *FIGURES], kinds=("gold",), is_fresh=False)
"""Written by every gate along with the tables it checks."""

GOLD_ASSETS = [accounting, figures]
