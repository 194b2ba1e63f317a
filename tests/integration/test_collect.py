"""Feeds against a real store, a served demo city and a server that misbehaves: everything lands once, whatever happens."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from assets.bronze import exports, news_feeds
from assets.bronze.fetching.client import Limits
from assets.bronze.landing import CollectReport
from lake_config.errors import StoreError
from lake_config.registry import Source, load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from orchestration.demo_city import City
from orchestration.demo_city.feeds import article_id
from orchestration.demo_city.server import DemoCityServer
from quality.runner import failures, run_suite
from tests.integration.clean_lake import Interrupted, KilledError, deliver, empty, kill, lake_at, landed, log
from tests.misbehaving import LoopbackNames, MisbehavingServer

pytestmark = pytest.mark.store

LIMITS = Limits(whole=0.9, read=0.8, max_bytes=1_000_000)
NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
REGISTRY = load_registry()
FEEDS = tuple(source for source in REGISTRY.sources if source.group == "demo" and source.connector == "news_feeds")
DELIVERIES = [source for source in REGISTRY.sources if source.group in {"demo", "upload"} and source.connector == "exports"]
WHO = Provenance("run", "bronze", "2024-03-01", "code", {})


@pytest.fixture
def lake(lake_settings: Settings) -> Lake:
    empty(lake_settings)
    return Lake(lake_settings)


def clock(days: float = 0) -> Callable[[], datetime]:
    return lambda: NOW + timedelta(days=days)


def poll(lake: Lake, sources: Sequence[Source] = FEEDS, days: float = 0) -> CollectReport:
    return news_feeds.collect(lake, sources, WHO, clock(days), limits=LIMITS, resolver=LoopbackNames())


def take_in(lake: Lake, days: float = 0) -> CollectReport:
    return exports.collect(lake, DELIVERIES, WHO, clock(days))


# Feeds


def test_three_rounds_of_the_city_land_every_version_once(lake: Lake, served: DemoCityServer, city: City) -> None:
    at_city, commits = lake_at(lake.settings, served.base_url), 0
    for round_ in (1, 2, 3):
        served.set_round(round_)
        report = poll(at_city, days=round_)
        again = poll(at_city, days=round_ + 0.1)
        documents = sum(reject.connector == "news_feeds" for reject in city.expected_rejects(round_))
        rows = landed(lake, "news_feeds")
        assert len(rows) == city.expected_kept("news_feeds", round_) + city.expected_superseded("news_feeds", round_) + documents
        assert report.landed == rows.filter(pl.col("batch_id").is_in(report.batches)).height
        commits += report.landed > 0
        assert report.event_days == set(rows.filter(pl.col("batch_id").is_in(report.batches))["event_date"])
        assert (again.landed, again.batches, again.event_days) == (0, [], set())
        unreadable = {site.source_id for site in city.sites if site.unreadable_in_round == round_}
        assert {attempt.source_id for attempt in again.attempts if attempt.outcome == "unreadable"} == unreadable
        assert {attempt.outcome for attempt in again.attempts if attempt.source_id not in unreadable} == {"not_modified"}
    assert lake.open("bronze.news_feeds").version() == commits > 1
    rows = landed(lake, "news_feeds")
    outcomes = run_suite(TABLES["bronze.news_feeds"], rows.to_arrow())
    assert failures(outcomes) == []
    seen = {(v.source_id, v.native_id) for v in city.seen_versions(3) if v.connector == "news_feeds"}
    assert set(rows.filter(pl.col("payload_format") == "feed_entry").select("source_id", "native_id").iter_rows()) == seen
    by_post = rows.group_by("source_id", "native_id").agg(pl.col("event_date").n_unique())
    assert by_post["event_date"].max() == 1
    attempts = log(lake)
    assert len(attempts) == 6 * len(FEEDS)
    assert attempts["landed"].sum() == len(rows)
    assert failures(run_suite(TABLES["bronze.fetch_log"], attempts.to_arrow())) == []


def test_a_collector_that_was_overtaken_yields_and_lands_nothing_twice(lake: Lake, served: DemoCityServer) -> None:
    other = lake_at(lake.settings, served.base_url)
    reports: list[CollectReport] = []
    slow = Interrupted(other.settings, lambda: reports.append(poll(other)))
    report = poll(slow)
    assert (report.yielded, report.landed, report.event_days, reports[0].yielded) == (True, 0, set(), False)
    rows = landed(lake, "news_feeds")
    assert len(rows) == reports[0].landed
    assert rows.select("source_id", "native_id", "payload_sha256").is_duplicated().any() is False
    assert log(lake)["landed"].sum() == len(rows)
    assert poll(other).landed == 0


def test_many_collectors_at_once_land_everything_once(lake: Lake, served: DemoCityServer) -> None:
    lake.open("bronze.news_feeds")
    lake.open("bronze.fetch_log")
    start, reports = threading.Barrier(3), []

    def work() -> None:
        own = lake_at(lake.settings, served.base_url)
        start.wait()
        reports.append(poll(own))

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    rows = landed(lake, "news_feeds")
    assert len(reports) == 3
    assert sum(report.landed for report in reports) == len(rows) > 0
    assert not rows.select("source_id", "native_id", "payload_sha256").is_duplicated().any()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_a_collector_killed_around_its_commit_loses_nothing_and_doubles_nothing(lake: Lake, served: DemoCityServer, moment: str) -> None:
    at_city = lake_at(lake.settings, served.base_url)
    dying = Interrupted(at_city.settings, kill, at_append=1 if moment == "before" else 2)
    if moment == "after":
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(news_feeds, "log_attempts", lambda *_: kill())
            with pytest.raises(KilledError):
                poll(dying)
    else:
        with pytest.raises(KilledError):
            poll(dying)
    before = len(landed(lake, "news_feeds"))
    report = poll(at_city)
    rows = landed(lake, "news_feeds")
    assert (before == 0) == (moment == "before")
    assert len(rows) == before + report.landed
    assert not rows.select("source_id", "native_id", "payload_sha256").is_duplicated().any()


def cursors(lake: Lake) -> list[str]:
    return sorted(str(found.object_name) for found in lake.objects.list_objects(bucket_name="landing", prefix="cursors/", recursive=True))


def test_the_cursor_outlives_a_clock_set_back_and_older_ones_are_forgotten(
    lake: Lake, served: DemoCityServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_city = lake_at(lake.settings, served.base_url)
    poll(at_city)
    monkeypatch.setattr(time, "time_ns", lambda: 1)
    served.set_round(2)
    assert poll(at_city, days=1).landed > 0
    assert {names.count(shard) for names in [[name.rsplit("/", 1)[0] for name in cursors(lake)]] for shard in names} <= {1, 2}
    assert poll(at_city, days=4).landed == 0


def test_a_lost_cursor_stops_the_collector_with_what_to_do(lake: Lake, served: DemoCityServer) -> None:
    at_city = lake_at(lake.settings, served.base_url)
    poll(at_city)
    for name in cursors(lake):
        lake.objects.remove_object(bucket_name="landing", object_name=name)
    with pytest.raises(StoreError, match=r"cursor of news_feeds .* cannot be read \(NoSuchKey\)"):
        poll(at_city)


# A server that misbehaves


@pytest.fixture(scope="module")
def misbehaving() -> Iterator[int]:
    server = MisbehavingServer()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


WANTED = {
    "good": ("ok", 200),
    "elsewhere": ("ok", 200),
    "etag": ("ok", 200),
    "html": ("unreadable", 200),
    "404": ("http_error", 404),
    "500": ("http_error", 500),
    "503": ("http_error", 503),
    "silent": ("unreachable", None),
    "loop": ("refused", None),
    "nowhere": ("refused", None),
    "cut": ("unreachable", None),
    "garbage": ("unreachable", None),
    "zip": ("unreadable", None),
    "drip": ("refused", None),
    "bomb": ("refused", None),
    "closed": ("unreachable", None),
    "unknown": ("unreachable", None),
    "malformed": ("refused", None),
    "private": ("refused", None),
}


def test_whatever_a_host_does_becomes_a_line_of_the_log_and_harms_no_other(lake: Lake, misbehaving: int) -> None:
    addresses = {name: f"http://{name}.example:{misbehaving}/{name}" for name in WANTED} | {
        "closed": "http://127.0.0.1:9/rss",
        "unknown": "http://no-such-host.invalid/rss",
        "malformed": "http://[",
        "private": f"http://private.example:{misbehaving}/good",
    }
    sources = [
        FEEDS[0].model_copy(update={"id": f"s-{name}", "platform": f"{name}.demo", "url": url, "allow_private": name != "private"})
        for name, url in addresses.items()
    ]
    report = poll(lake, sources)
    found = {attempt.source_id.removeprefix("s-"): (attempt.outcome, attempt.http_status) for attempt in report.attempts}
    assert found == WANTED
    assert {attempt.source_id for attempt in report.failures} == {f"s-{name}" for name, (outcome, _) in WANTED.items() if outcome != "ok"}
    assert all(attempt.detail for attempt in report.failures)
    logged = {row["source_id"].removeprefix("s-"): (row["outcome"], row["http_status"]) for row in log(lake).to_dicts()}
    assert logged == WANTED
    assert sorted(landed(lake, "news_feeds")["source_id"]) == ["s-elsewhere", "s-etag", "s-good", "s-html"]
    again = {attempt.source_id.removeprefix("s-"): attempt.outcome for attempt in poll(lake, sources).attempts}
    assert again == {name: outcome for name, (outcome, _) in WANTED.items()}


def test_the_collector_can_do_its_work_with_its_own_rights_alone(lake_settings: Settings, city: City, served: DemoCityServer) -> None:
    empty(lake_settings)
    own = lake_at(lake_settings, served.base_url, "collector")
    deliver(own, city, 1)
    assert poll(own).landed > 0
    assert take_in(own).landed > 0


# Other forms of one paper's articles


def test_articles_in_a_feed_a_json_feed_and_a_sitemap_index_are_one_post_each(lake: Lake, served: DemoCityServer, city: City) -> None:
    at_city, site = lake_at(lake.settings, served.base_url), city.sites[0]
    rss = next(source for source in FEEDS if source.id == site.source_id)
    other_forms = {
        name: rss.model_copy(update={"id": f"{rss.id}-{number}", "url": f"{{demo_city}}/sites/{site.slug}/{name}"})
        for number, name in enumerate(("sitemap-index.xml", "feed.json", "news-sitemap.xml"))
    }
    poll(at_city, [rss])
    posts = set(landed(lake, "news_feeds")["native_id"])
    report = poll(at_city, [other_forms["sitemap-index.xml"], other_forms["feed.json"]], days=0.1)
    assert {attempt.outcome for attempt in report.attempts} == {"ok"}
    assert {attempt.listed for attempt in report.attempts} == {len(city.feed_entries(site.slug, 1))}
    rows = landed(lake, "news_feeds")
    # A short link says nothing of the page it leads to: those few pages are known when they are fetched, not before.
    pages = set(rows["native_id"]) - posts
    short = [entry for entry in city.feed_entries(site.slug, 1) if int(article_id(entry)) % 16 == 3]
    assert pages == {f"{served.base_url}/sites/{site.slug}/articles/{article_id(entry)}.html" for entry in short}
    rows = rows.filter(~pl.col("native_id").is_in(pages))
    assert set(rows.filter(pl.col("batch_id").is_in(report.batches))["source_id"]) == {other_forms["feed.json"].id}
    again = poll(at_city, list(other_forms.values()), days=0.2)
    assert {attempt.source_id: attempt.outcome for attempt in again.attempts} == {
        other_forms["sitemap-index.xml"].id: "not_modified",
        other_forms["feed.json"].id: "not_modified",
        other_forms["news-sitemap.xml"].id: "ok",
    }
    assert again.landed == 0


def test_only_sources_whose_time_has_come_are_asked_on_schedule(lake: Lake, served: DemoCityServer) -> None:
    at_city = lake_at(lake.settings, served.base_url)
    first = news_feeds.collect(at_city, FEEDS[:3], WHO, clock(), only_due=True)
    soon = news_feeds.collect(at_city, FEEDS[:4], WHO, clock(1 / 1440), only_due=True)
    later = news_feeds.collect(at_city, FEEDS[:4], WHO, clock(1), only_due=True)
    asked = [{attempt.source_id for attempt in report.attempts} for report in (first, soon, later)]
    ids = [source.id for source in FEEDS[:4]]
    assert asked == [set(ids[:3]), {ids[3]}, set(ids)]
    robots = [row for row in served.pages.served if row["path"] == "/robots.txt"]
    assert len(robots) == 2  # once, and again after a day
