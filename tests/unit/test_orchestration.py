"""Runs, sensors and schedules on a real (ephemeral) Dagster instance, without a store."""

import http.server
import itertools
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from typing import Any, cast

import dagster as dg
import httpx
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from hypothesis import given
from hypothesis import strategies as st

from assets.gold.assets import BEGUN, EVENT_DAY
from assets.support import TOUCHED_DAYS, asset_key
from orchestration.definitions import defs
from orchestration.event_days import range_tags, ranges
from orchestration.runs import DRIVER, _driver_mark, close_dead_runs, days_left, is_driver_dead, not_refined
from orchestration.schedules import collect_schedule, source_health_schedule
from orchestration.sensors import failure_alert, left_behind, silent_sources, touched_event_days

DAY = date(2024, 2, 8)


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


def touch(instance: DagsterInstance, connector: str, *days: date) -> None:
    metadata = {TOUCHED_DAYS: dg.MetadataValue.json([day.isoformat() for day in days])}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key(f"bronze.{connector}"), metadata=metadata))


def refined(instance: DagsterInstance, first: date, last: date, status: DagsterRunStatus = DagsterRunStatus.SUCCESS) -> str:
    job = defs.resolve_job_def("refine")
    return instance.create_run_for_job(job, tags=range_tags(first, last), status=status).run_id


def requested(sensor: Any, instance: DagsterInstance, cursor: str | None = None) -> tuple[list[tuple[str, str]], str | None]:
    with dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs) as context:
        found = sensor(context)
    return [tuple(request.tags[name] for name in range_tags(DAY, DAY)) for request in found.run_requests], found.cursor


@given(st.lists(st.dates(date(2015, 1, 1), date(2026, 12, 31)), max_size=40))
def test_ranges_cover_every_day_and_never_reach_beyond(days: list[date]) -> None:
    found = ranges(days)
    assert all(any(first <= day <= last for first, last in found) for day in days)
    assert all(first in days and last in days and first <= last for first, last in found)
    assert all(before[1] < after[0] for before, after in itertools.pairwise(found))
    assert all((last - first).days <= 92 for first, last in found)


def test_the_sensor_asks_once_for_the_days_that_bronze_touched(instance: DagsterInstance) -> None:
    touch(instance, "news_feeds", DAY, DAY + timedelta(1))
    touch(instance, "exports", DAY - timedelta(200))
    asked, cursor = requested(touched_event_days, instance)
    assert asked == [("2023-07-23", "2023-07-23"), ("2024-02-08", "2024-02-09")]
    assert requested(touched_event_days, instance, cursor) == ([], cursor)
    touch(instance, "exports", DAY)
    assert requested(touched_event_days, instance, cursor)[0] == [("2024-02-08", "2024-02-08")]


def test_days_that_a_command_has_refined_since_are_not_asked_for(instance: DagsterInstance) -> None:
    refined(instance, DAY, DAY)  # before the touch: it cannot have seen those rows
    touch(instance, "exports", DAY, DAY + timedelta(30))
    refined(instance, DAY, DAY + timedelta(1))
    refined(instance, DAY + timedelta(30), DAY + timedelta(30), DagsterRunStatus.FAILURE)
    assert requested(touched_event_days, instance)[0] == [("2024-03-09", "2024-03-09")]
    assert days_left(instance, datetime.now(UTC)) == {DAY + timedelta(30)}


def test_days_under_way_are_left_but_not_asked_for_again(instance: DagsterInstance) -> None:
    touched = {DAY: datetime.now(UTC).timestamp() - 3600}
    assert not_refined(instance, touched, is_underway_left=False) == {DAY}
    refined(instance, DAY, DAY, DagsterRunStatus.STARTED)
    assert not_refined(instance, touched, is_underway_left=False) == set()
    assert not_refined(instance, touched) == {DAY}


def test_the_standing_check_leaves_fresh_days_to_the_other_sensor(instance: DagsterInstance) -> None:
    touch(instance, "exports", DAY)
    assert requested(left_behind, instance)[0] == []


def test_only_runs_of_dead_drivers_are_closed(instance: DagsterInstance) -> None:
    job = defs.resolve_job_def("refine")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        mark = _driver_mark(process.pid)
        alive = instance.create_run_for_job(job, tags={DRIVER: mark}, status=DagsterRunStatus.STARTED)
        foreign = instance.create_run_for_job(job, tags={DRIVER: "another-host/1/0.00"}, status=DagsterRunStatus.STARTED)
        launched = instance.create_run_for_job(job, status=DagsterRunStatus.STARTED)
        assert not is_driver_dead(mark)
        assert close_dead_runs(instance) == []
        process.kill()
    assert is_driver_dead(mark)
    assert close_dead_runs(instance) == [alive.run_id]
    assert close_dead_runs(instance) == []
    states = {run.run_id: run.status for run in instance.get_runs()}
    assert states[alive.run_id] is DagsterRunStatus.FAILURE
    assert {states[foreign.run_id], states[launched.run_id]} == {DagsterRunStatus.STARTED}


def test_a_run_that_its_driver_finished_meanwhile_stays_finished(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    run = instance.create_run_for_job(defs.resolve_job_def("refine"), tags={DRIVER: "here/1/0.00"}, status=DagsterRunStatus.STARTED)

    def finish_and_go(_: str) -> bool:  # between the list of unfinished runs and the look at the process
        done = dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_SUCCESS.value, job_name=run.job_name)
        instance.report_dagster_event(done, run.run_id)
        return True

    monkeypatch.setattr("orchestration.runs.is_driver_dead", finish_and_go)
    assert close_dead_runs(instance) == []
    assert [found.status for found in instance.get_runs()] == [DagsterRunStatus.SUCCESS]


def test_the_schedule_collects_into_the_local_day() -> None:
    moment = datetime(2026, 3, 1, 18, 30, tzinfo=UTC)  # half past one in the morning of the next day in the city
    with dg.build_schedule_context(scheduled_execution_time=moment) as context:
        request = collect_schedule(context)
        health = source_health_schedule(context)
    assert request.partition_key == "2026-03-02"
    assert tuple(health.tags[name] for name in range_tags(DAY, DAY)) == ("2026-03-01", "2026-03-02")


class _Listener(http.server.BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append(json.loads(body))  # type: ignore[attr-defined]
        self.send_response(204)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict[str, Any]]]]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Listener)
    server.heard = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/alerts", server.heard  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def found_silent(instance: DagsterInstance, day: str, *source_ids: str) -> None:
    metadata = {EVENT_DAY: day, BEGUN: dg.MetadataValue.json(list(source_ids))}
    instance.report_runless_asset_event(dg.AssetMaterialization(asset_key("gold.source_findings"), metadata=metadata))


def told(instance: DagsterInstance, cursor: str | None) -> str | None:
    with dg.build_sensor_context(instance=instance, cursor=cursor, definitions=defs) as context:
        return cast(str | None, silent_sources(context).cursor)


def test_a_silent_source_is_told_to_the_webhook_once_a_day(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    with webhook() as (address, heard):
        monkeypatch.setenv("LAKE_ALERT_WEBHOOK", address)
        found_silent(instance, "2024-02-08")
        cursor = told(instance, None)
        assert heard == []
        found_silent(instance, "2024-02-08", "bao-lon")
        found_silent(instance, "2024-02-08", "bao-lon", "bao-vua")
        cursor = told(instance, cursor)
        found_silent(instance, "2024-02-08", "bao-lon", "bao-vua")
        cursor = told(instance, cursor)
        assert [message["sources"] for message in heard] == [["2024-02-08 bao-lon", "2024-02-08 bao-vua"]]
        assert "2 sources fell silent" in heard[0]["text"]
        found_silent(instance, "2024-02-20", "bao-lon")
        cursor = told(instance, cursor)
        assert heard[-1]["sources"] == ["2024-02-20 bao-lon"]
    found_silent(instance, "2024-02-21", "bao-lon")
    with pytest.raises(httpx.HTTPError):  # nobody listens any more: the tick fails, and the next one tries again
        told(instance, cursor)


def test_a_failed_run_is_told_to_the_webhook(instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch) -> None:
    @dg.op
    def broken() -> None:
        raise ValueError("the store is on fire")

    @dg.job
    def breaks() -> None:
        broken()

    result = breaks.execute_in_process(instance=instance, raise_on_error=False, tags={"dagster/partition": "2024-02-08"})
    event = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
    with webhook() as (address, heard):
        monkeypatch.setenv("LAKE_ALERT_WEBHOOK", address)
        made = dg.build_run_status_sensor_context("failure_alert", event, instance, result.dagster_run)
        failure_alert(made.for_run_failure())
    (message,) = heard
    assert message["run_id"] == result.run_id
    assert message["job"] == "breaks"
    assert message["partition"] == "2024-02-08"
    assert "failed" in message["text"]
