"""The silver assets: posts and rejects from bronze, opinions and places from posts, and the nightly compaction."""

from collections.abc import Iterator
from functools import partial

import dagster as dg

from assets.silver.clusters import cluster_days
from assets.silver.opinions import label_days
from assets.silver.places import link_days
from assets.silver.posts import compact_days, refine_days, refresh_days
from assets.silver.tombstones import take_in_notices
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
from lake_config.storage import days_with_many_files
from lake_config.tables.bronze import CONNECTOR_TABLES
from quality.runner import QualityError

Results = Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]
_BRONZE = [
    dg.AssetDep(asset_key(f"bronze.{name}"), partition_mapping=dg.AllPartitionMapping()) for name in CONNECTOR_TABLES
]  # an event day may be fed by any collection day
_COMPACTED_AT_ONCE = 60


class RefineConfig(dg.Config):
    """How silver takes bronze in."""

    full_refresh: bool = False
    """Make the days anew from all of bronze instead of taking in what is new."""


@dg.multi_asset(
    name="refine_posts",
    specs=[
        table_spec("silver.posts", deps=_BRONZE, kinds=("silver", "polars")),
        table_spec("silver.rejects", deps=_BRONZE, kinds=("silver",)),
        table_spec("silver.tombstones", deps=_BRONZE, kinds=("silver",)),
    ],
    check_specs=[suite_spec("silver.posts"), suite_spec("silver.rejects"), suite_spec("silver.tombstones")],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="silver_posts",
)
def silver_posts(context: dg.AssetExecutionContext, config: RefineConfig, lake: LakeResource) -> Results:
    """Take in the bronze rows of the run's event days that silver has not seen, and every deletion notice of any day."""
    gate = QualityGate(context, lake.lake, ["silver.posts", "silver.rejects", "silver.tombstones"])
    sources = {source.id: source for source in lake.registry.sources}
    provenance = stamp(context, "silver.posts")
    try:
        noticed = take_in_notices(lake.lake, sources, stamp(context, "silver.tombstones"), gate)
        take_in = refresh_days if config.full_refresh else refine_days
        report = take_in(lake.lake, event_days(context), sources, provenance, gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    metadata = {"days_changed": len(report.days)}
    yield dg.MaterializeResult(asset_key=asset_key("silver.posts"), metadata={"dagster/partition_row_count": report.posts, **metadata})
    yield dg.MaterializeResult(asset_key=asset_key("silver.rejects"), metadata={"dagster/partition_row_count": report.rejects, **metadata})
    yield dg.MaterializeResult(asset_key=asset_key("silver.tombstones"), metadata={"dagster/partition_row_count": noticed})
    yield from gate.results()


@dg.multi_asset(
    name="label_texts",
    specs=[table_spec("silver.opinions", deps=["silver.posts", "silver.tombstones"], kinds=("silver", "onnx", "spacy"))],
    check_specs=[suite_spec("silver.opinions")],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="silver_opinions",
)
def silver_opinions(context: dg.AssetExecutionContext, lake: LakeResource, sentiment: ModelResource) -> Results:
    """Label the distinct texts of the run's event days that have no label of the current models."""
    gate = QualityGate(context, lake.lake, ["silver.opinions"])
    try:
        report = label_days(lake.lake, event_days(context), sentiment.model, lake.registry, stamp(context, "silver.opinions"), gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    yield dg.MaterializeResult(
        asset_key=asset_key("silver.opinions"),
        metadata={
            "dagster/partition_row_count": sum(report.labelled.values()),
            "distinct_texts": report.texts,
            "model_id": sentiment.model.model_id,
            **{f"labelled_{task}": count for task, count in report.labelled.items()},
        },
    )
    yield from gate.results()


@dg.multi_asset(
    name="link_places",
    specs=[
        table_spec("silver.place_mentions", deps=["silver.posts", "silver.tombstones"], kinds=("silver", "spacy")),
        table_spec("silver.topic_mentions", deps=["silver.posts", "silver.tombstones", "silver.opinions"], kinds=("silver",)),
        table_spec(
            "silver.post_agencies",
            deps=["silver.posts", "silver.tombstones", "silver.opinions", "silver.place_mentions"],
            kinds=("silver",),
        ),
    ],
    check_specs=[suite_spec("silver.place_mentions"), suite_spec("silver.topic_mentions"), suite_spec("silver.post_agencies")],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="silver_places",
)
def silver_places(context: dg.AssetExecutionContext, lake: LakeResource, sentiment: ModelResource) -> Results:
    """Link the places of the run's event days, say which phrases carry the topics, and name the agencies that answer for each post."""
    names = ["silver.place_mentions", "silver.topic_mentions", "silver.post_agencies"]
    gate = QualityGate(context, lake.lake, names)
    try:
        report = link_days(lake.lake, event_days(context), sentiment.model, lake.registry, partial(stamp, context), gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    changed = {"days_changed": len(report.days), "posts_linked": report.linked}
    for name, count in zip(names, (report.mentions, report.causes, report.routes), strict=True):
        yield dg.MaterializeResult(asset_key=asset_key(name), metadata={"dagster/partition_row_count": count, **changed})
    yield from gate.results()


@dg.multi_asset(
    name="find_copies",
    specs=[table_spec("silver.clusters", deps=["silver.posts", "silver.tombstones"], kinds=("silver", "polars"))],
    check_specs=[suite_spec("silver.clusters")],
    partitions_def=EVENT_DAYS,
    backfill_policy=dg.BackfillPolicy.single_run(),
    retry_policy=RETRY_FAULTS,
    pool="silver_clusters",
)
def silver_clusters(context: dg.AssetExecutionContext, lake: LakeResource) -> Results:
    """Put the posts of the run's event days into clusters of near copies, those of the days around included."""
    gate = QualityGate(context, lake.lake, ["silver.clusters"])
    try:
        report = cluster_days(lake.lake, event_days(context), stamp(context, "silver.clusters"), gate)
    except QualityError as error:
        gate.record()
        yield from gate.results()
        raise refused(error) from error
    gate.record()
    yield dg.MaterializeResult(
        asset_key=asset_key("silver.clusters"),
        metadata={"dagster/partition_row_count": report.rows, "days_changed": len(report.days), "texts_sketched": report.sketched},
    )
    yield from gate.results()


@dg.asset(
    key=dg.AssetKey(["maintenance", "posts_compaction"]),
    deps=[dg.AssetDep(asset_key("silver.posts"), partition_mapping=dg.AllPartitionMapping())],
    group_name="maintenance",
    owners=["team:data-engineering"],
    kinds={"delta", "python"},
    retry_policy=RETRY_FAULTS,
    pool="silver_posts",
)
def posts_compaction(context: dg.AssetExecutionContext, lake: LakeResource) -> dg.MaterializeResult[None]:
    """Rewrites event days of silver.posts that lie in several files to the latest version per post, oldest first, some a run."""
    waiting = days_with_many_files(lake.lake.open("silver.posts"))
    dropped = compact_days(lake.lake, waiting[:_COMPACTED_AT_ONCE], stamp(context, "silver.posts"))
    return dg.MaterializeResult(
        metadata={
            "days_rewritten": len(dropped),
            "older_versions_dropped": sum(dropped.values()),
            "days_left": len(waiting[_COMPACTED_AT_ONCE:]),
        }
    )


SILVER_ASSETS = [silver_posts, silver_opinions, silver_places, silver_clusters, posts_compaction]
