"""kill -9 of collectors and of the store at random moments, across connectors: all that was served is in bronze, each thing once."""

import multiprocessing
import os
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil
import pytest

from assets.bronze.assets import COLLECTORS
from assets.silver.parse import Parsed, parse_all
from lake_config.registry import load_registry
from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake, Provenance
from orchestration.commands.demo import deliver_file
from orchestration.demo_city import generate
from orchestration.demo_city.city import ROUNDS
from orchestration.demo_city.graph import TOKEN
from orchestration.demo_city.server import DemoCityServer
from orchestration.demo_city.youtube import KEY
from orchestration.services.supervisor import start_services, status, stop_services
from tests.integration.clean_lake import empty

pytestmark = pytest.mark.store

KILLS = int(os.environ.get("LAKE_TEST_KILLS", "6"))
KILLS_A_ROUND = 2
"""More would find nothing left to do: each turn that is killed keeps what it had committed."""
SCALE = 0.05
SEED = 30
NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
CONNECTORS = ("exports", "news_feeds", "news_articles", "page_posts", "video_comments")
GROUPS = {"demo", "demo-apis", "demo-articles"}
WHO = Provenance("run", "bronze", "2024-03-01", "code", {})
UNBOUNDED = "1000000"
WORKERS = multiprocessing.get_context("forkserver")


def work(environment: dict[str, str], connectors: Sequence[str], moment: datetime, began: Any) -> None:
    """A collector's process: each connector once, one after the other."""
    lake = Lake(load_settings(environment), "collector")
    sources = [source for source in load_registry().sources if source.group in GROUPS]
    began.set()
    for connector in connectors:
        COLLECTORS[connector](lake, [source for source in sources if source.connector == connector], WHO, lambda: moment)


@dataclass
class Trouble:
    """A lake whose collectors meet a bad end."""

    settings: Settings
    chooser: random.Random
    kills: int = 0
    restarts: int = 0
    longest: float = 5.0

    def begin(self, round_: int) -> Any:
        began, order = WORKERS.Event(), self.chooser.sample(CONNECTORS, len(CONNECTORS))
        moment = NOW + timedelta(days=round_)
        worker = WORKERS.Process(target=work, args=(dict(self.settings.environment), order, moment, began))
        worker.start()
        assert began.wait(60)
        return worker

    def kill(self, round_: int) -> None:
        """A turn that is killed; counted unless it was done by then."""
        worker = self.begin(round_)
        worker.join(self.chooser.uniform(0, self.longest / 2))
        if worker.is_alive():
            worker.kill()
            self.kills += 1
        worker.join()
        assert worker.exitcode in {0, -9}

    def restart_store(self, round_: int) -> None:
        """The store dies while a turn is under way, and comes back; what becomes of the turn is its own business."""
        worker = self.begin(round_)
        time.sleep(self.chooser.uniform(0, self.longest / 4))
        was_busy, before = worker.is_alive(), self.store_pid()
        psutil.Process(before).kill()
        while self.store_pid() in {0, before}:
            time.sleep(0.1)
        start_services(self.settings, ["store"], progress=lambda _: None)
        self.restarts += was_busy
        worker.join()

    def store_pid(self) -> int:
        (store,) = [entry for entry in status(self.settings) if entry.name == "store"]
        return store.pid or 0


def whole(settings: Settings, round_: int) -> float:
    """A turn without trouble, in the order in which pages are found by feeds; seconds it took."""
    began, start = WORKERS.Event(), time.monotonic()
    worker = WORKERS.Process(target=work, args=(dict(settings.environment), CONNECTORS, NOW + timedelta(days=round_), began))
    worker.start()
    worker.join()
    assert worker.exitcode == 0
    return time.monotonic() - start


@contextmanager
def lake_of(home: Path, base: int, city: DemoCityServer) -> Iterator[Settings]:
    environment = {
        "LAKE_HOME": str(home), "LAKE_PORT_BASE": str(base), "LAKE_DEMO_CITY_URL": city.base_url, "LAKE_GRAPH_TOKEN": TOKEN,
        "LAKE_YOUTUBE_KEY": KEY, "LAKE_YOUTUBE_DAILY_UNITS": UNBOUNDED,
    }  # fmt: skip
    settings = load_settings(environment)
    start_services(settings, ["store"], progress=lambda _: None)
    try:
        yield settings
    finally:
        stop_services(settings)


def landed(settings: Settings, connector: str) -> list[tuple[str, str, str]]:
    """Every row of a connector as (source, native id, what it says), sorted. Pages carry parts that change with every fetch."""
    lake, name = Lake(settings, "auditor"), f"bronze.{connector}"
    columns = ["source_id", "native_id", "payload_sha256", "payload", "payload_format", "payload_context"]
    rows = lake.read(name, lake.open(name).file_uris(), columns).to_dicts()
    said = [row["payload_sha256"] for row in rows]
    if connector == "news_articles":
        said = [one.text if isinstance(one, Parsed) else one.detail for one in parse_all(rows)]
    return sorted((row["source_id"], row["native_id"], words) for row, words in zip(rows, said, strict=True))


def deliver(settings: Settings, city: DemoCityServer, round_: int) -> None:
    for file in city.city.files:
        if file.release_round == round_:
            deliver_file(Lake(settings, "collector"), file.source_id, f"{file.name}.jsonl", file.content)


@pytest.mark.timeout(2400)
def test_kills_and_restarts_lose_nothing_and_double_nothing(tmp_path: Path, free_port_base: Callable[[], int]) -> None:
    WORKERS.set_forkserver_preload(["assets.bronze.assets"])
    with DemoCityServer(generate(scale=SCALE)) as city:
        city.apis.configure({"daily_units": int(UNBOUNDED), "hourly_calls": int(UNBOUNDED)})
        with lake_of(tmp_path / "calm", free_port_base(), city) as calm:
            longest = 0.0
            for round_ in ROUNDS:
                city.set_round(round_)
                deliver(calm, city, round_)
                longest = max(longest, whole(calm, round_))
            expected = {connector: landed(calm, connector) for connector in CONNECTORS}
        with lake_of(tmp_path / "troubled", free_port_base(), city) as troubled:
            trouble = Trouble(troubled, random.Random(SEED), longest=longest)
            while trouble.kills < KILLS or trouble.restarts < len(ROUNDS):
                empty(troubled)
                city.apis.log.clear()
                city.pages.served.clear()
                for round_ in ROUNDS:
                    city.set_round(round_)
                    deliver(troubled, city, round_)
                    if trouble.restarts < len(ROUNDS):
                        trouble.restart_store(round_)
                    for _ in range(min(KILLS_A_ROUND, KILLS - trouble.kills)):
                        trouble.kill(round_)
                    whole(troubled, round_)
                found = {connector: landed(troubled, connector) for connector in CONNECTORS}
                for connector in CONNECTORS:
                    assert found[connector] == expected[connector], connector
                    assert len(found[connector]) > 0
                check_against_the_city(city, found)


def check_against_the_city(city: DemoCityServer, found: Mapping[str, Sequence[tuple[str, str, str]]]) -> None:
    """What the city's own log says it served, to whatever process, is what lies in bronze."""
    feeds = {(v.source_id, v.native_id) for v in city.city.seen_versions(3) if v.connector == "news_feeds"}
    assert {(source, name) for source, name, _ in found["news_feeds"] if not name.startswith("document:")} == feeds
    for connector, prefix in (("page_posts", "/graph/"), ("video_comments", "/youtube/")):
        served = {name for name, _ in city.apis.served(prefix)}
        assert {name for _, name, _ in found[connector]} == served
    pages = {str(row["path"]) for row in city.pages.served if "/articles/" in str(row["path"]) and row["status"] == 200}
    assert len({name for _, name, _ in found["news_articles"]}) <= len(pages)
