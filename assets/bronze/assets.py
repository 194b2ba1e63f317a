"""The bronze assets: one per connector, partitioned by collection day, and the fetch log they share."""

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import dagster as dg
import polars as pl
import pyarrow as pa

from assets.bronze import exports, news_articles, news_feeds, page_posts, provider_push, video_comments
from assets.bronze.landing import CollectReport
from assets.silver.tombstones import days_of_withdrawn
from assets.support import (
    COLLECTION_DAYS,
    RETRY_FAULTS,
    TABLE_VERSION,
    TOUCHED_DAYS,
    LakeResource,
    QualityGate,
    asset_key,
    note_rows,
    stamp,
    suite_spec,
    table_spec,
)
from lake_config.registry import Source
from lake_config.storage import Lake, Provenance

Collector = Callable[[Lake, Iterable[Source], Provenance], CollectReport]

COLLECTORS: dict[str, Collector] = {
    "news_feeds": news_feeds.collect,
    "news_articles": news_articles.collect,
    "exports": exports.collect,
    "page_posts": page_posts.collect,
    "video_comments": video_comments.collect,
    "provider_push": provider_push.collect,
}
"""Connector name -> what collects for it."""
_READS = {"news_articles": ["bronze.news_feeds"]}
"""Connectors that go by what another one landed, and so come after it."""

_PUSHED = ("provider_push",)
"""Connectors whose rows a server lands as they come."""

SCHEDULED: dict[str, Collector] = {"news_feeds": partial(news_feeds.collect, only_due=True)}
"""As COLLECTORS, for runs that a schedule asked for."""
SCHEDULE_TAG = "dagster/schedule_name"
_SHOWN = 100
"""Failures and findings of a run that Dagster shows."""


def _landed_rows(lake: Lake, name: str, report: CollectReport) -> dict[Any, pa.Table]:
    """The rows just landed, by event day, for the (not blocking) check of what came in."""
    found = {}
    for day in sorted(report.event_days):
        rows = lake.day(name, day)
        found[day] = rows.filter(pl.col("batch_id").is_in(report.batches)).to_arrow()
    return found


def _reported_version(context: dg.AssetExecutionContext, name: str) -> int | None:
    """The table version up to which touched days were reported; None when none ever were."""
    event = context.instance.get_latest_materialization_event(asset_key(name))
    materialization = event.asset_materialization if event else None
    value = materialization.metadata.get(TABLE_VERSION) if materialization else None
    return int(str(value.value)) if value is not None else None


def _bronze_asset(connector: str) -> dg.AssetsDefinition:
    name = f"bronze.{connector}"

    @dg.multi_asset(
        name=f"collect_{connector}",
        specs=[table_spec(name, deps=_READS.get(connector, []), kinds=("bronze",))],
        check_specs=[suite_spec(name, is_blocking=False)],
        partitions_def=COLLECTION_DAYS,
        retry_policy=RETRY_FAULTS,
        pool=f"collect_{connector}",
    )
    def bronze(context: dg.AssetExecutionContext, collector: LakeResource) -> Iterator[dg.MaterializeResult[None] | dg.AssetCheckResult]:
        sources = [source for source in collector.collected.values() if source.connector == connector]
        # A person who materialises by hand wants all sources asked now; the schedule asks those whose time has come.
        collect = SCHEDULED.get(connector) if SCHEDULE_TAG in context.run.tags else None
        report = (collect or COLLECTORS[connector])(collector.lake, sources, stamp(context, name)({}))
        for attempt in report.failures[:_SHOWN]:  # all of them are in bronze.fetch_log
            context.log.warning(f"{attempt.source_id}: {attempt.outcome}: {attempt.detail}")
        if report.attempts:
            note_rows(context, "bronze.fetch_log", len(report.attempts))
        gate = QualityGate(context, collector.lake, [name], is_blocking=False)
        gate(name, _landed_rows(collector.lake, name, report))
        # Not only this run's days: a run killed between its commit and its report must not leave its days unknown downstream.
        table = collector.lake.open(name)
        reported = _reported_version(context, name)
        touched = collector.lake.days_added(name, reported, table)
        known = {source.id: source for source in collector.registry.sources}
        touched |= days_of_withdrawn(collector.lake, connector, reported, table, known)
        yield dg.MaterializeResult(
            asset_key=asset_key(name),
            metadata={
                # What is pushed lands between the runs: a run reports what came since the one before.
                "dagster/partition_row_count": collector.lake.rows_added(name, reported, table) if connector in _PUSHED else report.landed,
                TOUCHED_DAYS: dg.MetadataValue.json([day.isoformat() for day in sorted(touched)]),
                TABLE_VERSION: table.version(),
                "sources": len(sources),
                "attempts": len(report.attempts),
                "failed_attempts": len(report.failures),
                "yielded_to_another_collector": report.yielded,
                "failures": dg.MetadataValue.json([f"{a.source_id}: {a.detail}" for a in report.failures[:_SHOWN]]),
                "findings": dg.MetadataValue.json([f"{a.source_id}: {a.finding}" for a in report.attempts if a.finding][:_SHOWN]),
            },
        )
        yield from gate.results()

    return bronze


FETCH_LOG_SPEC = table_spec("bronze.fetch_log", deps=[f"bronze.{name}" for name in COLLECTORS], kinds=("bronze",), is_fresh=False)
"""Written by the collectors along with their data."""

PUSH_LEDGER_SPEC = table_spec("bronze.push_ledger", deps=["bronze.provider_push"], kinds=("bronze",), is_fresh=False)
"""Written by the push server, after what it indexes."""

BRONZE_ASSETS = [_bronze_asset(connector) for connector in COLLECTORS]
