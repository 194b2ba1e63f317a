"""Dagster runs that a command drives in its own process, in the lake's own instance, so that the UI shows them like any other.

Belongs here: opening the instance, executing a job, closing the books of runs whose process died, and which event days still wait to be
refined. Not here: what the jobs do (jobs.py, assets/), in which order a command calls them (pipeline.py).
"""

import os
import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import psutil
from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from assets.bronze.assets import COLLECTORS
from assets.support import asset_key, touched_days
from lake_config.errors import LakeError
from lake_config.settings import Settings
from orchestration.event_days import RANGE_END, RANGE_START
from orchestration.services.dagster_home import write_dagster_home

DRIVER = "lake/driver"
"""Tag of a run that a command drives: host, pid and the process's start, so that a dead driver is never mistaken for a living one."""

_UNFINISHED = (DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING)
LOOK_BACK = timedelta(days=30)
"""How far back work left behind is looked for."""
_PAGE = 500


class RunFailedError(LakeError):
    """A run failed; the sentence names the run, the step and the first line of what went wrong."""


@contextmanager
def lake_instance(settings: Settings) -> Iterator[DagsterInstance]:
    """The Dagster instance of this lake (LAKE_HOME/dagster), made on first use."""
    write_dagster_home(settings)
    os.environ["DAGSTER_HOME"] = str(settings.dagster_home)
    with DagsterInstance.from_config(str(settings.dagster_home)) as instance:
        yield instance


def _driver_mark(pid: int) -> str:
    return f"{socket.gethostname()}/{pid}/{psutil.Process(pid).create_time():.2f}"


def is_driver_dead(mark: str) -> bool:
    """Whether the process of a driver mark is gone. A driver on another machine is never called dead from here."""
    host, pid, _ = mark.rsplit("/", 2)
    if host != socket.gethostname():
        return False
    try:
        return _driver_mark(int(pid)) != mark or psutil.Process(int(pid)).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def close_dead_runs(instance: DagsterInstance) -> list[str]:
    """Mark runs whose driving process was killed as failed and give back their pool slots; returns their ids."""
    closed = []
    for run in instance.get_runs(RunsFilter(statuses=list(_UNFINISHED))):
        mark = run.tags.get(DRIVER)
        if not mark or not is_driver_dead(mark):
            continue
        # It may have finished the run between the two looks; now that it is gone, what is read here stays.
        current = instance.get_run_by_id(run.run_id)
        if current is not None and current.status in _UNFINISHED:
            instance.report_run_failed(current, "The process that drove this run was killed.")
            instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
            closed.append(run.run_id)
    return closed


def execute(
    instance: DagsterInstance,
    job: dg.JobDefinition,
    *,
    tags: Mapping[str, str] | None = None,
    partition_key: str | None = None,
    assets: Sequence[str] | None = None,
    run_config: Mapping[str, object] | None = None,
) -> dg.ExecuteInProcessResult:
    """Execute a job here and now; `assets` (table names) narrows it to those. Raises RunFailedError."""
    result = job.execute_in_process(
        instance=instance,
        partition_key=partition_key,
        asset_selection=[asset_key(name) for name in assets] if assets else None,
        # Never retried by the daemon: the command that drives it says what happened, and can be given again.
        tags={**(tags or {}), DRIVER: _driver_mark(os.getpid()), "dagster/max_retries": "0"},
        # Every event is in the instance; the terminal shows what the command says.
        run_config={**(run_config or {}), "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        raise_on_error=False,
    )
    if not result.success:
        raise RunFailedError(_failure(result))
    return result


def _failure(result: dg.ExecuteInProcessResult) -> str:
    run = result.dagster_run
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            while error is not None and error.cause is not None:
                error = error.cause
            reason = error.message.strip().splitlines()[-1] if error else "no reason given"
            return f"The run {run.run_id} of job {run.job_name} failed in {event.step_key}: {reason} Its log is in the Dagster UI."
    return f"The run {run.run_id} of job {run.job_name} failed; its log is in the Dagster UI."


def touches(instance: DagsterInstance, since: datetime) -> dict[date, float]:
    """Event day -> Unix time of the latest bronze materialization after `since` that touched it."""
    found: dict[date, float] = {}
    for connector in COLLECTORS:
        wanted = dg.AssetRecordsFilter(asset_key=asset_key(f"bronze.{connector}"), after_timestamp=since.timestamp())
        cursor: str | None = None
        while True:
            page = instance.fetch_materializations(wanted, limit=_PAGE, cursor=cursor)
            for record in page.records:
                note_touches(found, record)
            if not page.has_more:
                break
            cursor = page.cursor
    return found


def note_touches(found: dict[date, float], record: dg.EventLogRecord) -> None:
    """Enter the event days of one bronze materialization with its time into `found`."""
    for day in touched_days(record.asset_materialization):
        found[day] = max(found.get(day, 0.0), record.timestamp)


def _covers(run: DagsterRun, day: date) -> bool:
    first, last = run.tags.get(RANGE_START), run.tags.get(RANGE_END)
    if first and last:
        return first <= day.isoformat() <= last
    return run.tags.get("dagster/partition") == day.isoformat()


def _records(instance: DagsterInstance, statuses: Sequence[DagsterRunStatus], since: datetime) -> list[RunRecord]:
    return list(instance.get_run_records(RunsFilter(job_name="refine", statuses=list(statuses), created_after=since)))


def not_refined(instance: DagsterInstance, touched: Mapping[date, float], *, is_underway_left: bool = True) -> set[date]:
    """Of event days and the times they were touched: those that no refine run begun later has finished.

    With `is_underway_left` False the days of queued and running refine runs are not counted either.
    """
    if not touched:
        return set()
    since = datetime.fromtimestamp(min(touched.values()), UTC)
    done = _records(instance, [DagsterRunStatus.SUCCESS], since)
    left = {day for day, at in touched.items() if not any(_covers(record.dagster_run, day) and _began(record) > at for record in done)}
    if left and not is_underway_left:
        underway = _records(instance, [*_UNFINISHED, DagsterRunStatus.QUEUED], since - LOOK_BACK)
        left = {day for day in left if not any(_covers(record.dagster_run, day) for record in underway)}
    return left


def days_left(instance: DagsterInstance, now: datetime) -> set[date]:
    """Event days that bronze touched in the last 30 days and that still wait to be refined. `now` is UTC."""
    return not_refined(instance, touches(instance, now - LOOK_BACK))


def _began(record: RunRecord) -> float:
    created = record.create_timestamp
    return (created if created.tzinfo else created.replace(tzinfo=UTC)).timestamp()
