"""The sensors: refine exactly the event days that bronze touched; tell people of failed runs and of sources
that fell silent.

Sensors read Dagster's event log and their cursor, never the store.
"""

import json
import logging
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg
import httpx

from assets.bronze.assets import COLLECTORS
from assets.gold.assets import BEGUN, EVENT_DAY
from assets.support import asset_key
from orchestration.event_days import ranges, run_request
from orchestration.jobs import REFINE
from orchestration.runs import LOOK_BACK, close_dead_runs, not_refined, note_touches, touches

WEBHOOK = "LAKE_ALERT_WEBHOOK"
_EVENTS_AT_ONCE = 200
_PATIENCE = timedelta(minutes=15)
_TOLD_KEPT = 2_000
"""Source-days that have been told of: a day is refined many times, and said once."""


@dg.sensor(job=REFINE, minimum_interval_seconds=15, default_status=dg.DefaultSensorStatus.RUNNING)
def touched_event_days(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Requests the refine job for the event days touched since the last look, late days included, unless a command has refined them."""
    positions: dict[str, int] = json.loads(context.cursor) if context.cursor else {}
    touched: dict[date, float] = {}
    for connector in COLLECTORS:
        seen = context.instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=asset_key(f"bronze.{connector}"), after_storage_id=positions.get(connector)),
            limit=_EVENTS_AT_ONCE,
            ascending=True,
        )
        for record in seen.records:
            note_touches(touched, record)
            positions[connector] = record.storage_id
    cursor = json.dumps(positions, sort_keys=True)
    days = not_refined(context.instance, touched)
    requests = [run_request(first, last, f"{cursor}:{first}:{last}") for first, last in ranges(days)]
    return dg.SensorResult(run_requests=requests, cursor=cursor)


@dg.sensor(job=REFINE, minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.RUNNING)
def left_behind(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """The standing check that nothing stays unrefined: closes the runs of killed commands, and asks again, once an hour, for event days
    that were touched a quarter of an hour ago or earlier and that no run has finished or is at work on.
    """
    closed = close_dead_runs(context.instance)
    if closed:
        context.log.warning(f"Runs of killed commands closed: {', '.join(closed)}")
    now = datetime.now(UTC)
    touched = {day: at for day, at in touches(context.instance, now - LOOK_BACK).items() if at < (now - _PATIENCE).timestamp()}
    days = not_refined(context.instance, touched, is_underway_left=False)
    requests = [run_request(first, last, f"left:{now:%Y-%m-%dT%H}:{first}:{last}") for first, last in ranges(days)]
    return dg.SensorResult(run_requests=requests)


def alert_text(context: dg.RunFailureSensorContext) -> Mapping[str, str]:
    """What the webhook gets: JSON with run, job, partitions and the error's first line; never data."""
    run = context.dagster_run
    return {
        "text": f"Run {run.run_id} of job {run.job_name} failed: {context.failure_event.message}".splitlines()[0][:500],
        "run_id": run.run_id,
        "job": run.job_name,
        "partition": run.tags.get("dagster/partition") or run.tags.get("dagster/asset_partition_range_start", ""),
    }


@dg.run_failure_sensor(default_status=dg.DefaultSensorStatus.RUNNING, monitor_all_code_locations=False)
def failure_alert(context: dg.RunFailureSensorContext) -> None:
    """Posts to the webhook in LAKE_ALERT_WEBHOOK when a run has failed; without one the failure is in the log and the UI only."""
    _tell(context.log, alert_text(context))


@dg.sensor(minimum_interval_seconds=300, default_status=dg.DefaultSensorStatus.RUNNING)
def silent_sources(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Posts to the webhook in LAKE_ALERT_WEBHOOK which sources fell silent, once for each source and day; without one it is in the UI only.

    A message that cannot be delivered is tried again with the next tick.
    """
    cursor: dict[str, Any] = json.loads(context.cursor) if context.cursor else {}
    seen = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=asset_key("gold.source_findings"), after_storage_id=cursor.get("at")),
        limit=_EVENTS_AT_ONCE,
        ascending=True,
    )
    told: list[str] = cursor.get("told", [])
    fresh: dict[str, None] = {}
    for record in seen.records:
        metadata = record.asset_materialization.metadata if record.asset_materialization else {}
        ids = metadata[BEGUN].value if BEGUN in metadata else []
        fresh |= dict.fromkeys(f"{metadata[EVENT_DAY].value} {source_id}" for source_id in (ids if isinstance(ids, list) else []))
        cursor["at"] = record.storage_id
    new = [one for one in fresh if one not in told]
    if new:
        _tell(context.log, {"text": f"{len(new)} sources fell silent or do not answer: {', '.join(new[:20])}", "sources": new})
    cursor["told"] = [*told, *new][-_TOLD_KEPT:]
    return dg.SensorResult(cursor=json.dumps(cursor))


def _tell(log: logging.Logger, message: Mapping[str, object]) -> None:
    address = os.environ.get(WEBHOOK)
    if not address:
        log.warning(f"{message['text']} ({WEBHOOK} is not set: nobody was told)")
        return
    httpx.post(address, json=dict(message), timeout=10).raise_for_status()


SENSORS = [touched_event_days, left_behind, failure_alert, silent_sources]
