"""The schedules: collect every few minutes, account for the current days every hour, maintain every night (local time)."""

from datetime import timedelta

import dagster as dg

from assets.support import TIME_ZONE
from assets.times import local_day
from orchestration.event_days import run_request
from orchestration.jobs import COLLECT, MAINTAIN, REFINE


@dg.schedule(job=COLLECT, cron_schedule="*/10 * * * *", execution_timezone=TIME_ZONE, default_status=dg.DefaultScheduleStatus.RUNNING)
def collect_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Collect into the partition of the current local day."""
    today = local_day(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat(), partition_key=today)


@dg.schedule(job=REFINE, cron_schedule="7 * * * *", execution_timezone=TIME_ZONE, default_status=dg.DefaultScheduleStatus.RUNNING)
def source_health_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Refine yesterday and today whether or not anything came: a day on which every source is silent must say so."""
    today = local_day(context.scheduled_execution_time)
    return run_request(today - timedelta(days=1), today, context.scheduled_execution_time.isoformat())


maintain_schedule = dg.ScheduleDefinition(
    job=MAINTAIN, cron_schedule="30 2 * * *", execution_timezone=TIME_ZONE, default_status=dg.DefaultScheduleStatus.RUNNING
)
SCHEDULES = [collect_schedule, source_health_schedule, maintain_schedule]
