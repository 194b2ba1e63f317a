"""The sensors: refine exactly the event days that bronze touched; tell people of failed runs.

Sensors read Dagster's event log and their cursor, never the store.
"""

import json
import os
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import httpx

from assets.bronze.assets import COLLECTORS
from assets.support import asset_key
from orchestration.event_days import ranges, run_request
from orchestration.jobs import REFINE
from orchestration.runs import LOOK_BACK, close_dead_runs, not_refined, note_touches, touches

WEBHOOK = "LAKE_ALERT_WEBHOOK"
_EVENTS_AT_ONCE = 200
_PATIENCE = timedelta(minutes=15)


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
    address = os.environ.get(WEBHOOK)
    message = alert_text(context)
    if not address:
        context.log.warning(f"{message['text']} ({WEBHOOK} is not set: nobody was told)")
        return
    httpx.post(address, json=dict(message), timeout=10).raise_for_status()


SENSORS = [touched_event_days, left_behind, failure_alert]
