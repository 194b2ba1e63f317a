"""Article pages against a real store and the demo city's sites: full texts once, edits as versions, whatever goes wrong on the way."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import polars as pl
import pytest

from assets.bronze import news_articles, news_feeds
from assets.bronze.landing import CollectReport
from assets.silver.history import edit_history
from assets.silver.refine import refine
from assets.silver.versions import latest
from lake_config.registry import load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from ml.normalise import post_key
from orchestration.demo_city import City
from orchestration.demo_city.article_pages import UPDATE
from orchestration.demo_city.feeds import article_id
from orchestration.demo_city.server import DemoCityServer
from quality.runner import failures, run_suite
from tests.integration.clean_lake import Interrupted, KilledError, empty, kill, lake_at, landed, log

pytestmark = pytest.mark.store

NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
REGISTRY = load_registry()
SLUGS = ("saigon-sang", "bao-dan-thi", "do-thi-moi", "tin-nhanh-phuong-nam")
UTF_8 = SLUGS[:3]
FEEDS = [REGISTRY.source(f"demo-{slug}") for slug in SLUGS]
SOURCES = [REGISTRY.source(f"demo-articles-{slug}") for slug in SLUGS]
BY_ID = {source.id: source for source in (*FEEDS, *SOURCES)}
WHO = Provenance("run", "bronze", "2024-03-01", "code", {})


@pytest.fixture
def lake(lake_settings: Settings, served: DemoCityServer) -> Lake:
    empty(lake_settings)
    return lake_at(lake_settings, served.base_url)


def poll_feeds(lake: Lake, days: float = 0) -> CollectReport:
    return news_feeds.collect(lake, FEEDS, WHO, lambda: NOW + timedelta(days=days))


def visit(lake: Lake, days: float = 0) -> CollectReport:
    return news_articles.collect(lake, SOURCES, WHO, lambda: NOW + timedelta(days=days))


def control(served: DemoCityServer, *faults: dict[str, Any]) -> None:
    httpx.post(f"{served.base_url}/_control/faults", json={"faults": list(faults)}, trust_env=False).raise_for_status()


def articles(city: City, slug: str, round_: int = 1) -> dict[str, str]:
    """Native id -> text of what a site's feed lists in a round."""
    return {v.native_id: v.text for v in city.feed_entries(slug, round_)}


def everything(city: City, round_: int = 1) -> dict[str, str]:
    return {name: text for slug in SLUGS for name, text in articles(city, slug, round_).items()}


def posts(lake: Lake) -> pl.DataFrame:
    """All rows of feeds and pages as silver makes them; nothing may be rejected but what a feed itself broke."""
    made = []
    for connector in ("news_feeds", "news_articles"):
        rows = landed(lake, connector)
        keys = {f"{day:%Y-%m}": b"k" * 32 for day in rows["event_date"]}
        made.append(refine(rows.to_dicts(), connector, BY_ID, keys).posts)
    return pl.concat([pl.DataFrame(pl.from_arrow(table)) for table in made])


def flat(text: str) -> str:
    return " ".join(text.split())


def test_every_listed_page_lands_once_with_its_text_and_its_own_address(lake: Lake, served: DemoCityServer, city: City) -> None:
    poll_feeds(lake)
    report = visit(lake)
    rows = landed(lake, "news_articles")
    assert sorted(rows["native_id"]) == sorted(everything(city))
    assert report.landed == len(rows)
    assert report.failures == []
    assert sum(attempt.listed for attempt in report.attempts) == len(rows)
    for again in (0.001, 0.02):  # what is not due is not asked for
        calls = len(served.pages.served)
        assert visit(lake, days=again).attempts == []
        assert len(served.pages.served) == calls
    found = posts(lake)
    pages, feeds = found.filter(connector="news_articles"), found.filter(connector="news_feeds")
    assert set(pages["post_key"]) == set(feeds["post_key"])  # versions of the same posts
    assert set(latest(found)["connector"]) == {"news_articles"}
    assert found.group_by("post_key").agg(pl.col("event_date").n_unique())["event_date"].max() == 1
    # Short links, AMP pages and tracking all end at the page's one address.
    addresses = {
        f"{served.base_url}/sites/{slug}/articles/{name.rsplit(':', 1)[1]}.html" for slug in SLUGS for name in articles(city, slug)
    }
    assert set(rows["url"]) == addresses
    assert any("/s/" in str(url) for url in landed(lake, "news_feeds")["url"])
    assert any(".amp.html" in str(url) for url in landed(lake, "news_feeds")["url"])
    bylines = {v.author for slug in SLUGS for v in city.feed_entries(slug, 1)}
    texts = dict(zip(pages["post_key"], pages["text"], strict=True))
    summaries = dict(zip(feeds["post_key"], feeds["text"], strict=True))
    for key, text in texts.items():
        assert not any(line.strip() in bylines for line in text.split("\n"))
        assert flat(summaries[key])[:40] in flat(text)
        assert "Bình luận" not in text
    assert pages["author_key"].null_count() == 0
    assert failures(run_suite(TABLES["bronze.news_articles"], rows.to_arrow())) == []
    assert failures(run_suite(TABLES["bronze.fetch_log"], log(lake).to_arrow())) == []


def test_an_edited_page_is_a_new_version_of_the_same_post(lake: Lake, served: DemoCityServer, city: City) -> None:
    poll_feeds(lake)
    visit(lake, days=0.001)
    first = landed(lake, "news_articles")
    edited = next(v for v in city.feed_entries("saigon-sang", 1) if int(article_id(v)) % 16 not in {3, 7})
    control(served, {"path": f"/sites/saigon-sang/articles/{article_id(edited)}.html", "kind": "edited"})
    report = visit(lake, days=0.1)
    assert report.landed == 1
    rows = landed(lake, "news_articles")
    assert len(rows) == len(first) + 1
    versions = rows.filter(native_id=edited.native_id)
    assert versions["event_date"].n_unique() == 1
    assert UPDATE.encode() in versions["payload"][-1]
    made = posts(lake)
    assert UPDATE in latest(made).filter(pl.col("post_key").is_in(made.filter(batch_id=report.batches[0])["post_key"].to_list()))["text"][0]
    assert visit(lake, days=0.2).landed == 0  # a new text is visited again, and is the same now
    control(served)
    assert visit(lake, days=1).landed == 1  # taken back: once more a version
    told = edit_history(lake, post_key("saigon-sang.demo", edited.native_id), versions["event_date"][0], BY_ID)
    assert [(one.connector, UPDATE in one.text) for one in told] == [
        ("news_feeds", False),
        ("news_articles", False),
        ("news_articles", True),
        ("news_articles", False),
    ]
    assert told[1].content_key == told[3].content_key != told[2].content_key
    assert edit_history(lake, post_key("saigon-sang.demo", "nothing"), versions["event_date"][0], BY_ID) == []


def test_pages_with_validators_are_not_sent_again_and_turning_advertisements_are_no_edit(lake: Lake) -> None:
    poll_feeds(lake)
    visit(lake)
    report = visit(lake, days=0.1)
    assert report.landed == 0
    outcomes = {(attempt.outcome, attempt.http_status) for attempt in report.attempts}
    assert outcomes == {("not_modified", 304), ("ok", 200)}  # every other site has validators


def test_an_edit_that_the_feed_shows_brings_the_visit_forward(lake: Lake, served: DemoCityServer, city: City) -> None:
    for round_ in (1, 2, 3):
        served.set_round(round_)
        poll_feeds(lake, days=round_)
        visit(lake, days=round_)
        visit(lake, days=round_ + 0.01)
    rows = landed(lake, "news_articles")
    assert set(rows["native_id"]) == set(everything(city, 1)) | set(everything(city, 2)) | set(everything(city, 3))
    now = latest(posts(lake))
    current = {flat(text)[:60] for text in everything(city, 3).values()}
    assert current <= {flat(text)[:60] for text in now["text"]} | current  # texts with markup differ in spacing
    assert rows.select("native_id", "payload_sha256").is_duplicated().sum() == 0


FAULTS: list[tuple[dict[str, Any], str, int]] = [
    ({"kind": "401"}, "http_error", 0),
    ({"kind": "403"}, "http_error", 0),
    ({"kind": "404"}, "http_error", 0),
    ({"kind": "410"}, "http_error", 0),
    ({"kind": "500"}, "http_error", 0),
    ({"kind": "truncated"}, "unreachable", 0),
    ({"kind": "bad_gzip"}, "unreadable", 0),
    ({"kind": "gzip"}, "ok", 1),
    ({"kind": "slow", "seconds": 0.02}, "ok", 1),
    ({"kind": "wrong_type"}, "ok", 1),
    ({"kind": "html"}, "unreadable", 1),
    ({"kind": "cut_page"}, "unreadable", 1),
    ({"kind": "no_article"}, "unreadable", 1),
    ({"kind": "garbled"}, "unreadable", 1),
    ({"kind": "charset_lie"}, "ok", 1),
    ({"kind": "utf16"}, "ok", 1),
    ({"kind": "windows_1258"}, "ok", 1),
    ({"kind": "vni"}, "ok", 1),
    ({"kind": "tcvn3"}, "ok", 1),
    ({"kind": "zero_width"}, "ok", 1),
]


def test_each_fault_is_a_row_or_a_finding_and_is_made_good(lake: Lake, served: DemoCityServer, city: City) -> None:
    poll_feeds(lake)
    listed = [(slug, v) for slug in UTF_8 for v in city.feed_entries(slug, 1)]
    plain = [(slug, v) for slug, v in listed if int(article_id(v)) % 16 not in {3, 7} and not v.tags & {"html", "script"}]
    spoiled = list(zip(plain, FAULTS, strict=False))
    assert len(spoiled) == len(FAULTS)
    control(served, *({"path": f"/sites/{slug}/articles/{article_id(v)}", **fault} for (slug, v), (fault, _, _) in spoiled))
    report = visit(lake)
    details = " ".join(str(attempt.detail) for attempt in report.attempts)
    for (_, version), (fault, outcome, rows) in spoiled:
        found = landed(lake, "news_articles").filter(native_id=version.native_id)
        assert len(found) == rows, fault
        if outcome != "ok":
            assert outcome in {attempt.outcome for attempt in report.attempts}
    for outcome in ("http_error", "unreachable", "unreadable"):
        wanted = sum(expected == outcome for _, expected, _ in FAULTS)
        assert sum(attempt.listed for attempt in report.attempts if attempt.outcome == outcome) == wanted
    assert "/articles/" in details
    control(served)
    visit(lake, days=2)
    report = visit(lake, days=4)
    assert report.landed == 0
    lost = {v.native_id for (_, v), (fault, _, _) in spoiled if fault["kind"] == "410"}  # gone for good is not asked again
    assert set(landed(lake, "news_articles")["native_id"]) == set(everything(city)) - lost
    now = latest(posts(lake).filter(connector="news_articles"))
    texts = " ".join(flat(text) for text in now["text"])
    assert all(flat(version.text)[:40] in texts for (_, version), _ in spoiled if version.native_id not in lost)


def test_asked_to_wait_it_leaves_the_host_alone_and_goes_on_later(lake: Lake, served: DemoCityServer, city: City) -> None:
    news_feeds.collect(lake, FEEDS[:1], WHO, lambda: NOW)
    control(served, {"path": "/sites/saigon-sang/articles/", "kind": "429", "retry_after": 600, "skip": 3, "times": 1})
    report = visit(lake)
    assert {attempt.outcome for attempt in report.attempts} == {"ok", "http_error", "postponed"}
    assert report.landed == 3
    calls = len(served.pages.served)
    assert visit(lake, days=0.001).landed == 0  # a minute and a half later, in a new run
    assert len(served.pages.served) == calls
    visit(lake, days=0.1)
    assert set(landed(lake, "news_articles")["native_id"]) == set(articles(city, "saigon-sang"))


def test_killed_before_or_after_the_commit_nothing_is_lost_or_twice(
    lake: Lake, served: DemoCityServer, lake_settings: Settings, city: City
) -> None:
    settings = replace(lake_settings, demo_city_url=served.base_url)
    poll_feeds(lake)
    with pytest.raises(KilledError):
        visit(Interrupted(settings, kill))
    assert landed(lake, "news_articles").is_empty()

    class KilledAtReport(Lake):
        def append(self, at: Any, name: str, *rest: Any) -> int:
            if name == "bronze.fetch_log":
                raise KilledError
            return super().append(at, name, *rest)

    with pytest.raises(KilledError):
        visit(KilledAtReport(settings))
    assert sorted(landed(lake, "news_articles")["native_id"]) == sorted(everything(city))
    assert visit(lake, days=0.001).landed == 0


def test_of_two_collectors_the_second_yields_also_between_two_portions(
    lake: Lake, served: DemoCityServer, lake_settings: Settings, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = replace(lake_settings, demo_city_url=served.base_url)
    monkeypatch.setattr(news_articles, "_PAGES_PER_HOST", 20)
    poll_feeds(lake)
    report = visit(Interrupted(settings, lambda: visit(lake)))
    assert (report.yielded, report.landed) == (True, 0)
    assert sorted(landed(lake, "news_articles")["native_id"]) == sorted(everything(city))
    served.set_round(2)
    poll_feeds(lake, days=1)
    control(served, {"path": "/sites/", "kind": "edited"})
    report = visit(Interrupted(settings, lambda: visit(lake, days=1), at_append=2), days=1)
    assert report.yielded
    assert report.landed == 20
    rows = landed(lake, "news_articles")
    assert sum(attempt.landed for attempt in report.attempts) == 20
    assert rows.select("native_id", "payload_sha256").is_duplicated().sum() == 0
    assert log(lake).filter(connector="news_articles")["landed"].sum() == len(rows)
