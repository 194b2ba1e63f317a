"""demo: the main job on the embedded default, from an invented city to dashboards, with its own self-check.

Belongs here: the order of the demo. Not here: what is compared (demo_truth.py), services, runs.
"""

import io
import signal
import threading
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import httpx
import polars as pl

from assets.bronze.exports import BUCKET, PREFIX
from lake_config.errors import ServiceError
from lake_config.registry import load_registry
from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake
from orchestration.commands.demo_truth import ShareComparison, account_faults, city_truth, compare_shares, label_accuracy
from orchestration.commands.serving import addresses, run_dashboards_loader, wanted_services
from orchestration.commands.superset_check import chart_faults
from orchestration.commands.terminal import Steps, print_json, print_lines, print_table
from orchestration.demo_city.city import ROUNDS
from orchestration.demo_state import demo_state, write_demo_state
from orchestration.pipeline import turn
from orchestration.runs import days_left, lake_instance
from orchestration.services.supervisor import start_services, status, stop_services

_SECONDS = 30.0
_JOB_SERVICES = ("store", "demo_city")


@dataclass(frozen=True)
class DemoReport:
    """What the demo found: shares true and measured, share of posts labelled right, and what did not hold (empty: all did)."""

    shares: list[ShareComparison]
    accuracy: float
    labelled_posts: int
    faults: list[str]

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        shares = [asdict(share) | {"error_points": share.error_points} for share in self.shares]
        return {"shares": shares, "accuracy": self.accuracy, "labelled_posts": self.labelled_posts, "faults": self.faults}


def deliver_file(lake: Lake, source_id: str, name: str, content: bytes) -> None:
    """Put one export file where its source's files are expected in the landing bucket."""
    lake.objects.put_object(bucket_name=BUCKET, object_name=f"{PREFIX}{source_id}/{name}", data=io.BytesIO(content), length=len(content))


def deliver_exports(settings: Settings, progress: Callable[[str], None]) -> int:
    """Put the city's export files that are out and not there yet into the landing bucket, as a provider would; returns how many."""
    lake = Lake(settings, "collector")
    there = {str(found.object_name) for found in lake.objects.list_objects(bucket_name=BUCKET, prefix=PREFIX, recursive=True)}
    with httpx.Client(base_url=settings.demo_city_url, timeout=_SECONDS, trust_env=False) as city:
        files = city.get("/exports/index.json").raise_for_status().json()["files"]
        fresh = [file for file in files if f"{PREFIX}{file['source_id']}/{file['name']}" not in there]
        for file in fresh:
            deliver_file(lake, file["source_id"], file["name"], city.get(f"/exports/{file['name']}").raise_for_status().content)
    progress(f"The city's providers delivered {len(fresh)} files")
    return len(fresh)


def fill(settings: Settings, progress: Callable[[str], None]) -> None:
    """Release the city's rounds that are not collected yet, one after the other, and take each through the lake to gold."""
    for round_ in ROUNDS[demo_state(settings).collected_round :]:
        write_demo_state(settings, released_round=round_)
        httpx.post(f"{settings.demo_city_url}/_control/round", json={"round": round_}, timeout=_SECONDS, trust_env=False).raise_for_status()
        progress(f"Round {round_} of {len(ROUNDS)}")
        deliver_exports(settings, progress)
        report = turn(settings, progress)
        landed = ", ".join(f"{count:,} {name}" for name, count in report.landed.items())
        progress(f"Landed {landed}; refined {len(report.refined_days)} event days")
        write_demo_state(settings, collected_round=round_)


def check(settings: Settings) -> DemoReport:
    """Compare the lake with the city's truth, and look at accounts, checks, runs, dashboards."""
    lake = Lake(settings, "auditor")
    truth = city_truth(settings)
    gold = {name: _whole(lake, name) for name in ("gold.sentiment_daily", "gold.source_daily", "gold.accounting", "gold.quality_results")}
    connectors = {source.id: source.connector for source in load_registry(settings.registry_folders).sources if source.group == "demo"}
    faults = account_faults(truth, gold["gold.accounting"], gold["gold.source_daily"], connectors)
    failed = gold["gold.quality_results"].filter(~pl.col("is_success") & pl.col("is_blocking"))
    faults += [f"{row['table_name']} {row['event_date']}: {row['expectation']} does not hold" for row in failed.iter_rows(named=True)]
    with lake_instance(settings) as instance:
        faults += [f"{day} is not refined to the end" for day in sorted(days_left(instance, datetime.now(UTC)))]
    wanted = wanted_services(settings)
    faults += [f"{entry.name} {entry.complaint}" for entry in status(settings) if entry.name in wanted and entry.complaint]
    faults += chart_faults(settings)
    accuracy, count = label_accuracy(lake, truth)
    return DemoReport(compare_shares(truth, gold["gold.sentiment_daily"]), accuracy, count, faults)


def _whole(lake: Lake, name: str) -> pl.DataFrame:
    return lake.read(name, lake.open(name).file_uris())


def show(report: DemoReport) -> None:
    """Print the demo's own statement of true and measured shares."""
    rows = [
        [one.period, one.label, f"{one.true_share:.1%}", f"{one.measured_share:.1%}", f"{one.error_points:+.1f}", f"{one.mentions:,}"]
        for one in report.shares
    ]
    print_table(["period", "sentiment", "true share", "measured share", "error, points", "n"], rows, title="True and measured shares")
    print_lines([f"{report.accuracy:.1%} of {report.labelled_posts:,} posts have the right sentiment label."])
    print_lines(f"NOT RIGHT: {fault}" for fault in report.faults)


def demo(*, once: bool, as_json: bool, steps: Steps) -> DemoReport:
    """Run the whole demo. With `once` everything this call started is stopped at the end; otherwise it serves until SIGINT or SIGTERM.

    Raises LakeError when a step fails.
    """
    settings = load_settings()
    write_demo_state(settings)
    settings = load_settings()  # from now on the demo's sources are on
    if "demo" not in settings.source_groups:
        raise ServiceError("LAKE_SOURCES leaves out the group demo, so the demo city would not be collected: unset it, or add demo to it.")
    try:
        start_services(settings, _JOB_SERVICES, progress=steps)
        fill(settings, steps)
        start_services(settings, wanted_services(settings), progress=steps)
        steps("Checking")
        report = check(settings)
        steps(run_dashboards_loader(settings, check_only=True))
        if as_json:
            print_json(report.as_dict())
        else:
            show(report)
        if not once:
            _serve(settings, steps)
    finally:
        stop_services(settings, progress=steps)
    return report


def _serve(settings: Settings, steps: Steps) -> None:
    stopping = threading.Event()
    before = {number: signal.signal(number, lambda *_: stopping.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    print_lines(addresses(settings))
    steps("Serving; stop with Ctrl-C")
    stopping.wait()
    for number, handler in before.items():
        signal.signal(number, handler)
