"""A paper falls silent in a running lake: polled day by day, refined and published as in production, found within the day."""

import hashlib
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import cast

import polars as pl
import pytest

from assets.bronze import news_feeds
from assets.bronze.fetching.client import Limits
from assets.gold.assets import heard
from assets.gold.build import FIGURES, GoldDays
from assets.publishing import publish
from assets.silver.clusters import cluster_days
from assets.silver.opinions import label_days
from assets.silver.places import link_days
from assets.silver.posts import refine_days
from lake_config.registry import Registry, Source, load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake
from ml.language_model import LanguageModel
from tests.integration.clean_lake import empty
from tests.integration.test_silver_gold import gate, stamp, whole

pytestmark = pytest.mark.store

FIRST = date(2024, 1, 1)
POSTS = {"lon": 60, "vua": 12, "nho": 3}
"""Posts a day of the three papers; the first one falls silent."""
HEALTHY_DAYS = 18
SILENT = FIRST + timedelta(days=HEALTHY_DAYS)
LIMITS = Limits(delay=0.0)


class Papers(ThreadingHTTPServer):
    """Feeds of the current day, with validators. A paper in `silent` goes on answering, with what it said last."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.day, self.silent, self.answers = FIRST, set[str](), list[int]()

    def feed(self, name: str) -> bytes:
        day = min(self.day, SILENT - timedelta(days=1)) if name in self.silent else self.day
        items = []
        for number in range(POSTS[name]):
            at = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(minutes=13 * number)
            title = f"Bài {number % 4} về giao thông thành phố"
            items.append(f"<item><guid>{name}-{day}-{number}</guid><title>{title}</title><pubDate>{format_datetime(at)}</pubDate></item>")
        return f"<rss version='2.0'><channel>{''.join(items)}</channel></rss>".encode()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        papers, name = cast(Papers, self.server), self.path.strip("/")
        body = papers.feed(name) if name in POSTS else b""
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        code = 404 if not body else 304 if self.headers.get("If-None-Match") == etag else 200
        papers.answers.append(code)
        self.send_response(code)
        self.send_header("ETag", etag)
        self.send_header("Content-Type", "application/rss+xml")
        self.send_header("Content-Length", str(len(body) if code == 200 else 0))
        self.end_headers()
        self.wfile.write(body if code == 200 else b"")

    def log_message(self, *_: object) -> None:
        return


@pytest.fixture
def papers() -> Iterator[Papers]:
    with Papers() as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def registry_of(papers: Papers) -> Registry:
    built_in = load_registry()
    like = built_in.source("demo-saigon-sang")
    made: list[Source] = []
    for name in POSTS:
        url = f"http://127.0.0.1:{papers.server_port}/{name}"
        changes = {"id": f"bao-{name}", "name": name, "url": url, "platform": f"{name}.example", "group": "papers", "poll_minutes": 60}
        made.append(like.model_copy(update=changes))
    return Registry(tuple(made), built_in.topics, built_in.agencies, built_in.places)


def test_a_silenced_paper_is_found_and_coverage_falls_by_its_weight(lake_settings: Settings, papers: Papers) -> None:
    empty(lake_settings)
    lake, model, registry = Lake(lake_settings), LanguageModel.load(), registry_of(papers)
    days = [FIRST + timedelta(days=n) for n in range(HEALTHY_DAYS + 3)]
    for day in days:
        papers.day = day
        if day == SILENT:
            papers.silent.add("lon")
        if day == days[-1]:
            papers.silent.clear()
        evening = datetime(day.year, day.month, day.day, 16, 30, tzinfo=UTC)
        report = news_feeds.collect(lake, registry.sources, stamp({}), lambda now=evening: now, limits=LIMITS)  # type: ignore[misc]
        assert report.failures == []
        assert len(report.attempts) == len(POSTS)
    assert papers.answers.count(304) == 2  # what it says is what it said last

    refine_days(lake, days, {source.id: source for source in registry.sources}, stamp, gate)
    label_days(lake, days, model, registry, stamp, gate)
    link_days(lake, days, model, registry, lambda _: stamp, gate)
    cluster_days(lake, days, stamp, gate)
    # In two portions, as the asset does: the second reads its history from gold.
    for portion in (days[:16], days[16:]):
        gold = GoldDays(lake, portion, registry, ("papers",), datetime(2024, 2, 1, tzinfo=UTC))
        tables = gold.figures(model)
        for name in FIGURES:
            publish(lake, name, tables[name], stamp, gold.inputs, gate)
    health = {(row["event_date"], row["source_id"]): row for row in whole(lake, "gold.source_daily").to_dicts()}
    found = whole(lake, "gold.source_findings")

    assert {(row["event_date"], row["source_id"], row["finding"], row["severity"], row["since"]) for row in found.to_dicts()} == {
        (SILENT, "bao-lon", "silence", "error", SILENT),
        (SILENT + timedelta(days=1), "bao-lon", "silence", "error", SILENT),
    }
    assert found["expected"].min() == pytest.approx(60)
    assert [health[day, "bao-lon"]["is_live"] for day in days[-4:]] == [True, False, False, True]
    assert health[days[5], "bao-lon"]["expected_mentions"] is None
    assert health[SILENT, "bao-lon"]["expected_mentions"] == pytest.approx(60)
    assert health[SILENT, "bao-lon"]["fetch_failures"] == 0

    usual = sum(POSTS.values())
    shares = {
        name: dict(whole(lake, name).group_by("event_date").agg(pl.col("coverage_share").unique()).iter_rows()) for name in FIGURES[:4]
    }
    for by_day in shares.values():
        assert [by_day[day] for day in (days[3], days[-4], days[-1])] == [[1.0], [1.0], [1.0]]
        for day in (SILENT, SILENT + timedelta(days=1)):
            assert by_day[day] == [pytest.approx((usual - POSTS["lon"]) / usual)]
    weights = whole(lake, "gold.sentiment_daily").filter(event_date=SILENT)
    assert weights.select("expected_sources", "live_sources", "expected_weight", "live_weight").rows() == [
        (3, 2, pytest.approx(usual), pytest.approx(usual - POSTS["lon"]))
    ]

    check = heard({SILENT: tables["gold.source_findings"][SILENT]})
    assert not check.passed
    assert check.metadata["lake/findings_begun"].value == ["bao-lon"]
    assert heard({days[-1]: tables["gold.source_findings"][days[-1]]}).passed
