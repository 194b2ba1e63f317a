"""Deletion notices the whole way: what a provider withdrew is in no figure, on whatever day, by whatever connector, before or after."""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from assets.bronze.provider_push import PushLander
from assets.bronze.push_batch import read_batch
from assets.silver.tombstones import days_of_withdrawn, take_in_notices, withdrawn_keys
from lake_config.registry import load_registry
from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from ml.normalise import content_key, post_key
from orchestration.pipeline import TurnReport, turn
from quality.runner import failures, run_suite
from tests.integration.clean_lake import Interrupted, KilledError, empty, kill, put

pytestmark = pytest.mark.store

ROW = """  - id: {id}
    owner: test
    name: {id}
    kind: provider
    group: test
    connector: {connector}
    platform: one.example
    publisher: test
    licence_note: Invented.
    verified: true
    enabled: true
"""
STREAM, FILES = "one-stream", "one-files"
WHO = Provenance("run", "test", "2026-01-05", "code", {})
FIRST, SECOND, THIRD = date(2026, 1, 5), date(2026, 1, 6), date(2026, 1, 7)


def post(number: int, day: date | None, **more: Any) -> dict[str, Any]:
    when = {} if day is None else {"published_at": f"{day}T08:00:00+07:00"}
    return {"id": f"p-{number}", "text": f"Đường số {number} ngập nặng"} | when | more


def body(*rows: dict[str, Any]) -> bytes:
    return b"\n".join(json.dumps(row, ensure_ascii=False).encode() for row in rows)


def stamp(_: Mapping[str, int]) -> Provenance:
    return WHO


def gate(name: str, by_day: Mapping[date, pa.Table]) -> None:
    for rows in by_day.values():
        assert failures(run_suite(TABLES[name], rows)) == []


class World:
    """A lake to which one provider delivers files and pushes batches, on one platform."""

    def __init__(self, settings: Settings):
        self.settings, self.lake, self.batches = settings, Lake(settings), 0
        self.sources = {source.id: source for source in load_registry(settings.extra_registry).sources}

    def push(self, *rows: dict[str, Any], at: date) -> None:
        self.batches += 1
        now = datetime(at.year, at.month, at.day, 3, tzinfo=UTC)
        lander = PushLander(self.lake, {STREAM: "one.example"}, lambda _: WHO, lambda: now)
        lander.land([read_batch(STREAM, str(self.batches), body(*rows))])

    def deliver(self, *rows: dict[str, Any]) -> None:
        self.batches += 1
        put(self.lake, f"exports/{FILES}/{self.batches}.jsonl", body(*rows))

    def turn(self) -> TurnReport:
        return turn(self.settings, lambda _: None, ["exports", "provider_push"])

    def account(self, day: date) -> dict[str, int]:
        """The account of a day over all connectors, without what is 0."""
        rows = self.lake.day("gold.accounting", day).drop("event_date", "connector").sum().row(0, named=True)
        return {name: count for name, count in rows.items() if count}

    def mentions(self, day: date) -> int:
        return int(self.lake.day("gold.sentiment_daily", day)["mentions"].sum())


@pytest.fixture
def world(lake_settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    text = "sources:\n" + ROW.format(id=STREAM, connector="provider_push") + ROW.format(id=FILES, connector="exports")
    (tmp_path / "one.yaml").write_text(text, encoding="utf-8")
    monkeypatch.setenv("LAKE_REGISTRY", str(tmp_path))
    empty(lake_settings)
    settings = load_settings({**lake_settings.environment, "LAKE_REGISTRY": str(tmp_path), "LAKE_HOME": str(tmp_path / "home")})
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "secrets").symlink_to(lake_settings.secrets_dir)  # a Dagster instance of its own over the same store
    monkeypatch.setenv("LAKE_HOME", str(settings.home))
    yield World(settings)
    empty(lake_settings)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # Dagster warns of its own names
def test_a_withdrawn_post_is_in_no_figure_before_and_after_on_any_day_by_any_connector(world: World) -> None:
    world.push(post(1, FIRST), post(2, FIRST), post(3, SECOND), at=SECOND)
    world.deliver(post(1, FIRST, likes=3), post(4, FIRST))
    world.turn()
    assert world.account(FIRST) == {"landed": 4, "kept": 3, "superseded": 1}
    assert (world.mentions(FIRST), world.mentions(SECOND)) == (3, 1)

    # Notices: by file and by stream, of posts of both, none with the post's time; one of a post that has not come yet; one that names none.
    world.deliver({"id": "p-2", "deleted": True})
    named = [{"id": "p-1", "deleted_at": "2026-01-07"}, {"id": "p-3", "deleted": 1}, {"id": "p-9", "deleted": True}]
    world.push(*named, {"deleted": True}, at=THIRD)
    report = world.turn()
    assert {FIRST, SECOND, THIRD} <= set(report.refined_days)
    assert world.account(FIRST) == {"landed": 4, "kept": 1, "withdrawn": 3}
    assert world.account(SECOND) == {"landed": 1, "withdrawn": 1}
    assert (world.mentions(FIRST), world.mentions(SECOND)) == (1, 0)

    # They come again, edited, on other days, the other way; and the one that was withdrawn before it came.
    world.deliver(post(3, THIRD, likes=9), post(9, FIRST), post(5, THIRD))
    world.push(post(2, FIRST, likes=5), at=THIRD)
    world.turn()
    assert world.account(FIRST) == {"landed": 6, "kept": 1, "withdrawn": 5}  # p-1 twice, p-2 twice, p-9; p-4
    assert world.account(SECOND) == {"landed": 1, "withdrawn": 1}
    assert world.account(THIRD) == {"landed": 6, "kept": 1, "withdrawn": 4, "rejected": 1}  # three notices, p-3; p-5
    assert [world.mentions(day) for day in (FIRST, SECOND, THIRD)] == [1, 0, 1]
    everything = world.lake.read("gold.accounting", world.lake.open("gold.accounting").file_uris())
    assert everything["withdrawn"].sum() == 11  # with the notice that came by file, on the day it was taken in
    explained = pl.sum_horizontal("kept", "superseded", "duplicate", "rejected", "withdrawn")
    assert everything.filter(pl.col("landed") != explained).is_empty()
    labelled = world.lake.read("silver.opinions", world.lake.open("silver.opinions").file_uris())["content_key"]
    assert content_key(post(9, None)["text"]) not in labelled.to_list()
    assert content_key(post(5, None)["text"]) in labelled.to_list()


def test_notices_are_taken_in_once_whatever_dies(world: World) -> None:
    world.push({"id": "p-1", "deleted": True}, post(2, FIRST), at=FIRST)
    with pytest.raises(KilledError):
        take_in_notices(Interrupted(world.settings, kill), world.sources, stamp, gate)
    assert withdrawn_keys(world.lake) == frozenset()
    assert take_in_notices(world.lake, world.sources, stamp, gate) == 1
    assert take_in_notices(world.lake, world.sources, stamp, gate) == 0
    world.deliver({"id": "p-7", "deleted": True})
    world.push({"id": "p-1", "deleted": True}, at=SECOND)
    both: list[int] = []
    racing = Interrupted(world.settings, lambda: both.append(take_in_notices(world.lake, world.sources, stamp, gate)))
    both.append(take_in_notices(racing, world.sources, stamp, gate))
    assert sorted(both) == [0, 1]
    rows = world.lake.read("silver.tombstones", world.lake.open("silver.tombstones").file_uris())
    assert len(rows) == 2
    assert withdrawn_keys(world.lake) == {post_key("one.example", "p-1")}


def test_days_of_withdrawn_posts_are_found_in_all_of_bronze(world: World) -> None:
    world.push(post(1, FIRST), at=FIRST)
    world.push(post(1, SECOND), post(2, THIRD), at=THIRD)
    before = world.lake.open("bronze.provider_push").version()
    world.push({"id": "p-1", "deleted": True}, at=THIRD)
    at = world.lake.open("bronze.provider_push")
    assert days_of_withdrawn(world.lake, "provider_push", before, at, world.sources) == {FIRST, SECOND, THIRD}
    assert days_of_withdrawn(world.lake, "provider_push", at.version(), at, world.sources) == set()
    assert days_of_withdrawn(world.lake, "news_feeds", None, world.lake.open("bronze.news_feeds"), world.sources) == set()
