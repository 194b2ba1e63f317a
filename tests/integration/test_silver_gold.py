"""From bronze to gold on a real store, with the real model: the account is the demo city's own truth, and nothing changes twice."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pyarrow as pa
import pytest

from assets.bronze import exports, news_feeds
from assets.gold.build import FIGURES, GoldDays
from assets.publishing import publish
from assets.silver.clusters import ClustersReport, cluster_days
from assets.silver.opinions import LabelReport, label_days
from assets.silver.places import PlacesReport, link_days
from assets.silver.posts import RefineReport, compact_days, refine_days, refresh_days
from lake_config.registry import load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance, days_with_many_files, files_by_day
from lake_config.tables import TABLES
from lake_config.tables.bronze import CONNECTOR_TABLES
from ml.language_model import LanguageModel
from orchestration.demo_city import City, generate
from orchestration.demo_city.server import DemoCityServer
from quality.runner import QualityError, describe, failures, run_by_day
from tests.integration.clean_lake import deliver, empty, lake_at, put

pytestmark = pytest.mark.store

NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
REGISTRY = load_registry()
SOURCES = {source.id: source for source in REGISTRY.sources}
COLLECTED = {source.id: source for source in REGISTRY.sources if source.group in {"demo", "upload"}}
GOLD = ("gold.accounting", *FIGURES)
SILVER = (
    "silver.posts",
    "silver.rejects",
    "silver.opinions",
    "silver.place_mentions",
    "silver.topic_mentions",
    "silver.post_agencies",
    "silver.clusters",
)


def stamp(inputs: Mapping[str, int]) -> Provenance:
    return Provenance("run", "asset", "days", "code", inputs)


def gate(name: str, by_day: Mapping[date, pa.Table]) -> None:
    """As the assets' gate: everything is checked, and a failure refuses all."""
    failed = {day: failures(outcomes) for day, outcomes in run_by_day(TABLES[name], by_day).items()}
    messages = [describe(name, day, outcomes) for day, outcomes in failed.items() if outcomes]
    if messages:
        raise QualityError(" ".join(messages))


@dataclass
class World:
    """A lake, the city that fills it, and what the account said after each round."""

    lake: Lake
    city: City
    model: LanguageModel
    accounts: dict[int, dict[str, Counter[str]]] = field(default_factory=dict)

    def collect(self, days: float) -> set[date]:
        touched: set[date] = set()
        for connector in (news_feeds, exports):
            sources = [source for source in COLLECTED.values() if source.connector == connector.CONNECTOR]
            report = connector.collect(self.lake, sources, stamp({}), lambda: NOW + timedelta(days=days))
            touched |= report.event_days
        return touched

    def days(self) -> list[date]:
        """Every event day that bronze has rows of."""
        return sorted({day for name in CONNECTOR_TABLES for day in files_by_day(self.lake.open(f"bronze.{name}"))})

    def refine(self, days: list[date]) -> tuple[RefineReport, LabelReport, PlacesReport, ClustersReport]:
        refined = refine_days(self.lake, days, SOURCES, stamp, gate)
        labelled = label_days(self.lake, days, self.model, REGISTRY, stamp, gate)
        linked = link_days(self.lake, days, self.model, REGISTRY, lambda _: stamp, gate)
        return refined, labelled, linked, cluster_days(self.lake, days, stamp, gate)

    def publish(self, days: list[date]) -> dict[str, list[date]]:
        gold = GoldDays(self.lake, days, REGISTRY, ("demo", "upload"))
        tables = {"gold.accounting": gold.accounting(), **gold.figures(self.model)}
        return {name: publish(self.lake, name, by_day, stamp, gold.inputs, gate) for name, by_day in tables.items()}

    def account(self) -> dict[str, Counter[str]]:
        found: dict[str, Counter[str]] = {connector: Counter() for connector in CONNECTOR_TABLES}
        for row in whole(self.lake, "gold.accounting").drop("event_date").to_dicts():
            found[row.pop("connector")].update(row)
        return found

    def versions(self) -> dict[str, int]:
        return {name: self.lake.open(name).version() for name in (*SILVER, *GOLD)}


def whole(lake: Lake, name: str) -> pl.DataFrame:
    return lake.read(name, lake.open(name).file_uris()).sort(TABLES[name].key)


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel.load()


@pytest.fixture(scope="module")
def world(lake_settings: Settings, model: LanguageModel) -> Iterator[World]:
    """Three rounds of the city, taken the whole way, only touched days each time."""
    empty(lake_settings)
    city = generate(scale=0.05)
    with DemoCityServer(city) as server:
        made = World(lake_at(lake_settings, server.base_url), city, model)
        for round_ in (1, 2, 3):
            server.set_round(round_)
            deliver(made.lake, city, round_)
            touched = sorted(made.collect(round_))
            made.refine(touched)
            made.publish(touched)
            made.accounts[round_] = made.account()
        yield made


@pytest.mark.parametrize("round_", [1, 2, 3])
@pytest.mark.parametrize("connector", list(CONNECTOR_TABLES))
def test_the_account_is_the_truth_of_the_city(world: World, connector: str, round_: int) -> None:
    city, account = world.city, world.accounts[round_][connector]
    repeats = city.expected_export_repeats(round_) if connector == "exports" else 0
    wanted = Counter(
        kept=city.expected_kept(connector, round_),
        superseded=city.expected_superseded(connector, round_),
        duplicate=repeats,
        rejected=sum(reject.connector == connector for reject in city.expected_rejects(round_)),
    )
    assert account == wanted + Counter(landed=wanted.total())


def test_reasons_of_the_rejects_are_those_of_the_city(world: World) -> None:
    reasons = {
        "truncated_json": {"malformed_row", "undecodable"},  # cut off between characters, or inside one
        "not_an_object": {"not_an_object"},
        "missing_text": {"missing_text"},
        "empty_text": {"empty_text"},
        "binary_garbage": {"undecodable", "malformed_row"},
        "malformed_feed": {"malformed_document"},
    }
    found = whole(world.lake, "silver.rejects")
    for reject in world.city.rejects:
        rows = found.filter((pl.col("source_id") == reject.source_id) & pl.col("reason").is_in(list(reasons[reject.reason])))
        assert len(rows) > 0, reject.reason
    assert len(found) == len(world.city.rejects)


def test_every_post_counts_on_the_day_it_first_claimed_or_was_fetched(world: World) -> None:
    first = {version.key: version.event_date for version in reversed(world.city.seen_versions(3))}
    truth = Counter(first.values())
    assert any(first[row.platform, row.native_id] != row.event_date for row in world.city.truth)  # dates that were edited later
    undated = truth.pop(None)
    mentions = whole(world.lake, "gold.sentiment_daily").group_by("event_date").agg(pl.col("mentions").sum())
    counted = dict(mentions.iter_rows())
    fetch_days = {day for day in counted if day not in truth}
    assert fetch_days <= {date(2024, 3, 2), date(2024, 3, 3), date(2024, 3, 4)}
    assert sum(counted.pop(day) for day in fetch_days) == undated
    assert counted == truth


def test_gold_agrees_with_itself(world: World) -> None:
    lake = world.lake
    daily, hourly = whole(lake, "gold.sentiment_daily"), whole(lake, "gold.sentiment_hourly")
    counts = ["mentions", "negative_count", "neutral_count", "positive_count"]
    by_kind = hourly.group_by("event_date", "source_kind").agg(pl.col(counts).sum()).sort("event_date", "source_kind")
    assert by_kind.equals(daily.select("event_date", "source_kind", *counts))
    for name in ("topic", "place"):
        by_label = (
            whole(lake, f"gold.{name}_daily")
            .group_by("event_date", "source_kind")
            .agg(pl.col("mentions").max().alias("most"), pl.col("mentions").sum())
        )
        joined = daily.join(by_label, on=["event_date", "source_kind"], suffix="_of_labels")
        assert len(joined) == len(daily)
        assert joined.filter((pl.col("most") > pl.col("mentions")) | (pl.col("mentions_of_labels") < pl.col("mentions"))).is_empty()
    sources = whole(lake, "gold.source_daily")
    assert sources["mentions"].sum() == daily["mentions"].sum()
    assert sources["landed"].sum() == whole(lake, "gold.accounting")["landed"].sum()
    assert sources["source_kind"].is_in(["unknown"]).any() is False
    expected = sources.group_by("event_date").agg(pl.col("is_expected").sum())
    assert set(expected["is_expected"]) == {sum(source.expected for source in COLLECTED.values())}
    assert sources["fetch_attempts"].sum() == len(whole(lake, "bronze.fetch_log"))


def test_labels_are_facts_about_texts_each_said_once(world: World) -> None:
    opinions, posts = whole(world.lake, "silver.opinions"), whole(world.lake, "silver.posts")
    assert not opinions.select(TABLES["silver.opinions"].key).is_duplicated().any()
    for task in ("sentiment", "topic"):
        assert set(opinions.filter(pl.col("task") == task)["content_key"]) == set(posts["content_key"])
    assert set(opinions.filter(pl.col("task") == "sentiment")["weights_digest"]) == {world.model.weights_digest}
    for name in ("silver.place_mentions", "silver.topic_mentions", "silver.post_agencies", "silver.clusters"):
        assert set(whole(world.lake, name)["post_key"]) == set(posts["post_key"]), name
    reposted = posts.group_by("content_key").agg(pl.col("post_key").n_unique()).filter(pl.col("post_key") > 1)
    assert len(reposted) > 0


def test_running_everything_again_changes_nothing(world: World) -> None:
    before, days = world.versions(), world.days()
    refined, labelled, linked, clustered = world.refine(days)
    assert (refined.read, refined.days, set(labelled.labelled.values())) == (0, set(), {0})
    assert (linked.linked, linked.days) == (0, set())
    assert (clustered.sketched, clustered.days) == (0, [])
    assert all(changed == [] for changed in world.publish(days).values())
    assert world.versions() == before


def test_polling_again_adds_nothing_but_the_attempts_of_that_day(world: World) -> None:
    before = world.versions()
    assert world.collect(3.5) == set()
    changed = world.publish(world.days())
    assert {name: days for name, days in changed.items() if days} == {"gold.source_daily": [date(2024, 3, 4)]}
    assert world.versions() == before | {"gold.source_daily": before["gold.source_daily"] + 1}


def rows_of(world: World, name: str, days: list[date]) -> pl.DataFrame:
    return world.lake.days(name, days).sort(TABLES[name].key)


def edited_days(world: World) -> list[date]:
    """Days with older versions or repeats, and one of an undated post."""
    account = whole(world.lake, "gold.accounting")
    return sorted({*account.filter(pl.col("superseded") + pl.col("duplicate") > 0)["event_date"], max(account["event_date"])})


def test_days_made_anew_from_bronze_are_the_same_value_for_value(world: World) -> None:
    days = edited_days(world)
    before = {name: rows_of(world, name, days) for name in ("silver.posts", "silver.rejects")}
    gold = {name: whole(world.lake, name) for name in GOLD}
    report = refresh_days(world.lake, days, SOURCES, stamp, gate)
    assert report.posts == len(before["silver.posts"])
    assert {name: rows_of(world, name, days).equals(rows) for name, rows in before.items()} == dict.fromkeys(before, True)
    assert refine_days(world.lake, days, SOURCES, stamp, gate).read == 0
    assert all(changed == [] for changed in world.publish(days).values())
    assert all(whole(world.lake, name).equals(rows) for name, rows in gold.items())


def test_compaction_drops_older_versions_only_and_gold_stays(world: World) -> None:
    lake = world.lake
    account, before = world.account(), whole(lake, "silver.posts")
    latest = before.sort("fetched_at", "batch_id", "row_number").unique("post_key", keep="last")
    dropped = compact_days(lake, world.days(), stamp)
    assert (
        sum(dropped.values()) == len(before) - len(latest) == sum(counts["superseded"] + counts["duplicate"] for counts in account.values())
    )
    after = whole(lake, "silver.posts")
    assert after.equals(latest.sort(TABLES["silver.posts"].key))
    assert days_with_many_files(lake.open("silver.posts")) == []
    assert compact_days(lake, world.days(), stamp) == {}
    assert all(changed == [] for changed in world.publish(world.days()).values())
    refined, *_ = world.refine(world.days())
    assert refined.read == 0


def test_a_file_dropped_again_under_another_name_gives_duplicates_and_no_posts(world: World) -> None:
    file = max((file for file in world.city.files if file.release_round == 3), key=lambda file: len(file.lines))
    put(world.lake, f"exports/{file.source_id}/another-name.jsonl", file.content)
    before, figures = world.account(), {name: whole(world.lake, name) for name in FIGURES}
    days = sorted(world.collect(4))
    world.refine(days)
    changed = world.publish(days)
    after = world.account()
    lines = len([line for line in file.lines if line.strip()])
    # What was rejected before is rejected again; everything else is a repeat.
    assert after["exports"]["landed"] - before["exports"]["landed"] == lines
    again = {name: after["exports"][name] - before["exports"][name] for name in ("kept", "superseded", "duplicate", "rejected")}
    assert again["kept"] == again["superseded"] == 0
    assert again["duplicate"] + again["rejected"] == lines
    assert after["news_feeds"] == before["news_feeds"]
    assert all(whole(world.lake, name).equals(figures[name]) for name in FIGURES if name != "gold.source_daily")
    assert changed["gold.accounting"] == days


PHONE = re.compile(r"(?:\+84|0)95\d[\d .]{6,10}\d")


def test_no_author_and_no_number_of_the_city_is_in_silver_or_gold(world: World) -> None:
    authors = {version.author for version in world.city.versions}
    numbers = {re.sub(r"\D", "", found)[-9:] for version in world.city.versions for found in PHONE.findall(version.text)}
    mails = {found for version in world.city.versions for found in re.findall(r"[\w.]+@[\w.-]+", version.text)}
    assert min(len(authors), len(numbers), len(mails)) > 3
    for name in (*SILVER, *GOLD):
        rows = whole(world.lake, name)
        for column in (column for column, dtype in rows.schema.items() if dtype == pl.String):
            everything = "\n".join(rows[column].drop_nulls())
            digits = re.sub(r"(?<=\d)[ .]+(?=\d)", "", everything)
            assert [author for author in authors if author in everything] == [], (name, column)
            assert [mail for mail in mails if mail in everything] == [], (name, column)
            if column in {"title", "text", "url", "detail", "native_id"}:
                assert [number for number in numbers if number in digits] == [], (name, column)
    posts = whole(world.lake, "silver.posts")
    assert posts["text"].str.contains("[PHONE]", literal=True).any()
    assert posts["author_key"].null_count() == 0


def test_every_silver_and_gold_commit_names_its_inputs(world: World) -> None:
    for name in (*SILVER, *GOLD):
        commits = [commit for commit in world.lake.open(name).history() if commit["operation"] == "WRITE"]
        assert commits
        assert all(commit["lake.run_id"] == "run" and commit["lake.inputs"] != "{}" for commit in commits)


def test_sources_no_longer_collected_do_not_stop_the_figures(world: World) -> None:
    tables = GoldDays(world.lake, world.days(), REGISTRY, ()).figures(world.model)
    daily = pa.concat_tables(tables["gold.sentiment_daily"].values())
    assert set(daily["expected_sources"].to_pylist()) == {0}
    assert daily["coverage_share"].null_count == daily.num_rows > 0
