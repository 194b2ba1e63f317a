"""kill -9 of the working process at random moments: nothing lost, nothing twice, gold as if nothing had happened."""

import os
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake
from lake_config.tables import TABLES
from lake_config.tables.gold import GOLD
from orchestration.commands.demo import deliver_file
from orchestration.demo_city import ExportFile, generate
from orchestration.demo_city.city import ROUNDS
from orchestration.demo_city.server import DemoCityServer
from orchestration.runs import close_dead_runs, days_left, lake_instance
from orchestration.services.dagster_home import REPOSITORY
from orchestration.services.programs import lake_environment
from orchestration.services.supervisor import start_services, stop_services

pytestmark = pytest.mark.store

KILLS = int(os.environ.get("LAKE_TEST_KILLS", "8"))
"""20 take about three times as long; see CONTRIBUTING.md."""
SCALE = 0.05
SEED = 20
RUN_FACTS = {
    "gold.source_daily": ["last_fetched_at", "fetch_attempts", "fetch_failures"],
    "gold.copies_daily": ["cluster_key", "cluster_code"],
}
"""Columns that say when and how often was fetched, and what a cluster was called when it was first seen: they differ between two runs."""


@contextmanager
def _lake(home: Path, base: int, city: DemoCityServer) -> Iterator[Settings]:
    environment = {"LAKE_HOME": str(home), "LAKE_PORT_BASE": str(base), "LAKE_SOURCES": "demo", "LAKE_DEMO_CITY_URL": city.base_url}
    settings = load_settings(environment)
    start_services(settings, ["store"], progress=lambda _: None)
    try:
        yield settings
    finally:
        stop_services(settings)


def _worker(settings: Settings) -> subprocess.Popen[str]:
    own = {name: value for name, value in os.environ.items() if not name.startswith(("LAKE_", "DAGSTER_"))}
    return subprocess.Popen(
        [sys.executable, "-m", "orchestration.cli", "run"],
        env={**own, **lake_environment(settings)},
        cwd=REPOSITORY,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _until_at_work(worker: subprocess.Popen[str]) -> float:
    """Wait until the worker has loaded its libraries and begins; the time then. Fails with its words when it ends before."""
    assert worker.stderr is not None
    said = []
    for line in worker.stderr:
        said.append(line)
        if "Collecting" in line:
            return time.monotonic()
    raise AssertionError(f"the worker ended before it began: {''.join(said)}")


def _run(settings: Settings) -> float:
    """One whole turn; how long it was at work, in seconds."""
    with _worker(settings) as worker:
        began = _until_at_work(worker)
        _, words = worker.communicate()
        assert worker.returncode == 0, words
        return time.monotonic() - began


def _run_and_kill(settings: Settings, after_seconds: float) -> bool:
    """A turn that is killed so many seconds after it began to work; False when it was done by then."""
    with _worker(settings) as worker:
        _until_at_work(worker)
        try:
            worker.wait(after_seconds)
        except subprocess.TimeoutExpired:
            worker.kill()
            worker.communicate()
            return True
        assert worker.returncode == 0
        return False


def _files(city: DemoCityServer, round_: int) -> list[ExportFile]:
    return [file for file in city.city.files if file.release_round == round_]


APART = ("gold.quality_results", "gold.topic_proposals")
"""One has a row per check that was run: more runs, more rows. The other is made at night, by no run of this test."""


def _gold(settings: Settings) -> dict[str, pl.DataFrame]:
    lake, found = Lake(settings, "auditor"), {}
    for table in GOLD:
        if table.name not in APART:
            rows = lake.read(table.name, lake.open(table.name).file_uris())
            kept = rows.drop(RUN_FACTS.get(table.name, []))
            found[table.name] = kept.sort(kept.columns)
    return found


def _identities(settings: Settings, name: str, columns: list[str]) -> list[tuple[object, ...]]:
    lake = Lake(settings, "auditor")
    return sorted(lake.read(name, lake.open(name).file_uris(), columns).rows())


@pytest.mark.timeout(1500)
def test_kills_at_random_moments_change_nothing(tmp_path: Path, free_port_base: Callable[[], int]) -> None:
    chooser, kills, longest = random.Random(SEED), 0, 0.0
    with DemoCityServer(generate(scale=SCALE)) as city:
        with _lake(tmp_path / "calm", free_port_base(), city) as calm:
            for round_ in ROUNDS:
                city.set_round(round_)
                for file in _files(city, round_):
                    deliver_file(Lake(calm, "collector"), file.source_id, f"{file.name}.jsonl", file.content)
                longest = max(longest, _run(calm))
            expected = _gold(calm)
            landed = {name: _identities(calm, f"bronze.{name}", ["source_id", "payload_sha256"]) for name in ("news_feeds", "exports")}
        with _lake(tmp_path / "troubled", free_port_base(), city) as troubled:
            for round_ in ROUNDS:
                city.set_round(round_)
                files = _files(city, round_)
                for number, file in enumerate(files):
                    deliver_file(Lake(troubled, "collector"), file.source_id, f"{file.name}.jsonl", file.content)
                    # The round's last file stays for as long as the kills that fall to this round are not done.
                    due = KILLS * round_ // len(ROUNDS) - kills if number == len(files) - 1 else 1
                    for _ in range(min(due, KILLS - kills)):
                        kills += _run_and_kill(troubled, chooser.uniform(0, longest / 2))
                _run(troubled)
            while kills < KILLS:  # those that came too late: the moment is drawn anew
                kills += _run_and_kill(troubled, chooser.uniform(0, longest / 4))
            _run(troubled)
            with lake_instance(troubled) as instance:
                assert close_dead_runs(instance) == []
                assert days_left(instance, datetime.now(UTC)) == set()
            found = _gold(troubled)
            for name, rows in landed.items():
                assert _identities(troubled, f"bronze.{name}", ["source_id", "payload_sha256"]) == rows, f"bronze.{name}"
            posts = _identities(troubled, "silver.posts", ["connector", "batch_id", "row_number"])
            assert len(set(posts)) == len(posts)
            for name in ("silver.opinions", "silver.place_mentions", "silver.topic_mentions", "silver.post_agencies", "silver.clusters"):
                labels = _identities(troubled, name, list(TABLES[name].key))
                assert len(set(labels)) == len(labels) > 0, name
    assert kills >= KILLS
    for name, rows in expected.items():
        assert found[name].equals(rows), name
