"""The schedules: collect every few minutes, maintain every night (local time)."""

import dagster as dg

from assets.support import TIME_ZONE
from assets.times import local_day
from orchestration.jobs import COLLECT, MAINTAIN


@dg.schedule(job=COLLECT, cron_schedule="*/10 * * * *", execution_timezone=TIME_ZONE, default_status=dg.DefaultScheduleStatus.RUNNING)
def collect_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Collect into the partition of the current local day."""
    today = local_day(context.scheduled_execution_time).isoformat()
    return dg.RunRequest(run_key=context.scheduled_execution_time.isoformat(), partition_key=today)


maintain_schedule = dg.ScheduleDefinition(
    job=MAINTAIN, cron_schedule="30 2 * * *", execution_timezone=TIME_ZONE, default_status=dg.DefaultScheduleStatus.RUNNING
)
SCHEDULES = [collect_schedule, maintain_schedule]
