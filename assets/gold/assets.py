"""The gold assets: the account first, then the figures, so that no figure is published over an account that does not add up."""

from collections.abc import Iterator
from datetime import date

import dagster as dg

from assets.gold.build import FIGURES, GoldDays, publish
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
_SILVER = ["silver.posts", "silver.opinions", "silver.tombstones", "gold.accounting"]
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
    specs=[
        table_spec(name, deps=["silver.posts", "silver.opinions", "silver.tombstones", "gold.accounting"], kinds=("gold", "polars"))
        for name in FIGURES
    ],
    check_specs=[suite_spec(name) for name in FIGURES],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="gold",
)
def figures(context: dg.AssetExecutionContext, lake: LakeResource, sentiment: ModelResource) -> Results:
    """The figures of the run's event days."""
    gate = QualityGate(context, lake.lake, list(FIGURES))
    counts, changed = dict.fromkeys(FIGURES, 0), dict.fromkeys(FIGURES, 0)
    try:
        for days in _portions(context):
            gold = GoldDays(lake.lake, days, lake.registry, lake.settings.source_groups)
            for name, rows in gold.figures(sentiment.model).items():
                changed[name] += len(publish(lake.lake, name, rows, stamp(context, name), gold.inputs, gate))
                counts[name] += sum(part.num_rows for part in rows.values())
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    for name in FIGURES:
        yield dg.MaterializeResult(
            asset_key=asset_key(name), metadata={"dagster/partition_row_count": counts[name], "days_changed": changed[name]}
        )
    yield from gate.results()


QUALITY_RESULTS_SPEC = table_spec("gold.quality_results", deps=["gold.accounting", *FIGURES], kinds=("gold",), is_fresh=False)
"""Written by every gate along with the tables it checks."""

GOLD_ASSETS = [accounting, figures]
