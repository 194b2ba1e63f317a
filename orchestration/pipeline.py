"""One turn of the whole way, driven by a command: collect, then refine every event day that waits for it.

Belongs here: the order. Not here: runs (runs.py), what happens in them (assets/), services (services/).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

from dagster import DagsterInstance, ExecuteInProcessResult

from assets.bronze.assets import COLLECTORS
from assets.support import asset_key
from assets.times import local_day
from lake_config.settings import Settings
from orchestration.definitions import defs
from orchestration.event_days import range_tags, ranges
from orchestration.jobs import COLLECT, REFINE
from orchestration.runs import close_dead_runs, days_left, execute, lake_instance

Progress = Callable[[str], None]


@dataclass
class TurnReport:
    """What one turn did: rows landed per connector, attempts to fetch that failed, event days refined, ids of the runs."""

    landed: dict[str, int] = field(default_factory=dict)
    failed_attempts: list[str] = field(default_factory=list)
    refined_days: list[date] = field(default_factory=list)
    run_ids: list[str] = field(default_factory=list)


def collect(instance: DagsterInstance, report: TurnReport, connectors: Sequence[str] = tuple(COLLECTORS)) -> None:
    """Run the collect job for the given connectors into today's partition. Raises RunFailedError."""
    today = local_day(datetime.now(UTC)).isoformat()
    result = execute(instance, defs.resolve_job_def(COLLECT.name), partition_key=today, assets=[f"bronze.{name}" for name in connectors])
    report.run_ids.append(result.run_id)
    for connector in connectors:
        metadata = _metadata(result, f"bronze.{connector}")
        report.landed[connector] = report.landed.get(connector, 0) + int(str(metadata["dagster/partition_row_count"]))
        failures = metadata["failures"]
        report.failed_attempts += [str(failure) for failure in failures] if isinstance(failures, list) else []


def _metadata(result: ExecuteInProcessResult, table_name: str) -> dict[str, object]:
    for event in result.get_asset_materialization_events():
        if event.asset_key == asset_key(table_name):
            return {name: value.value for name, value in event.materialization.metadata.items()}
    return {}


def refine(instance: DagsterInstance, days: set[date], report: TurnReport, progress: Progress, *, full_refresh: bool = False) -> None:
    """Run the refine job over the given event days, in as few runs as their ranges need. Raises RunFailedError."""
    config = {"ops": {"refine_posts": {"config": {"full_refresh": full_refresh}}}}
    for first, last in ranges(days):
        progress(f"Refining {first}" if first == last else f"Refining {first} to {last}")
        result = execute(instance, defs.resolve_job_def(REFINE.name), tags=range_tags(first, last), run_config=config)
        report.run_ids.append(result.run_id)
    report.refined_days = sorted({*report.refined_days, *days})


def turn(settings: Settings, progress: Progress, connectors: Sequence[str] = tuple(COLLECTORS)) -> TurnReport:
    """Collect once, then refine what bronze has touched and nothing has refined, this turn's days and those an earlier death left behind.

    Raises RunFailedError when a run fails; a later turn goes on from there.
    """
    report = TurnReport()
    with lake_instance(settings) as instance:
        for run_id in close_dead_runs(instance):
            progress(f"The run {run_id} of an earlier command had died; its work is taken up again")
        progress("Collecting")
        collect(instance, report, connectors)
        refine(instance, days_left(instance, datetime.now(UTC)), report, progress)
    return report
