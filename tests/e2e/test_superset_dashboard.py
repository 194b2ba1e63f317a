"""The city's dashboard in a real browser, as leadership and administrators see it; every number against gold read apart from Superset."""

import re
from collections.abc import Iterator
from datetime import date

import polars as pl
import pytest

from lake_config.storage import Lake
from orchestration.services.secrets import superset_secrets
from superset_dashboards.bundle_source.city_charts import CHARTS
from superset_dashboards.vietnamese import read_words
from tests.e2e.demo_lake import ARTIFACTS
from tests.e2e.superset_site import DASHBOARD, DashboardPage, Site, eventually, number

pytestmark = pytest.mark.browser

SCREENSHOT = ARTIFACTS / "dashboard.png"
TITLES = {chart.title for chart in CHARTS.values()}
PROPOSALS = CHARTS["topic-proposals"].title
"""The demo city has no subject that no topic covers, and its proposals are made at night: no row is right."""
MENTIONS, TOPICS, SOURCES = CHARTS["mentions"].title, CHARTS["top-negative-topics"].title, CHARTS["sources"].title
SHARES = CHARTS["sentiment-shares"].title


@pytest.fixture(scope="module")
def gold(site: Site) -> dict[str, pl.DataFrame]:
    """Gold as the auditor's key reads it from the Delta tables."""
    lake = Lake(site.settings, "auditor")
    names = ("sentiment_daily", "topic_daily", "source_daily")
    return {name: pl.DataFrame(pl.from_arrow(lake.open(f"gold.{name}").to_pyarrow_table())) for name in names}


@pytest.fixture
def dashboard(site: Site) -> Iterator[DashboardPage]:
    """The dashboard, freshly opened by leadership."""
    context = site.context("lanh_dao")
    yield DashboardPage(context.new_page()).open()
    context.close()


@pytest.mark.parametrize("user", ["admin", "lanh_dao"])
def test_login_leads_to_the_city(site: Site, user: str) -> None:
    context = site.context(user)  # logs in through the page
    page = context.new_page()
    page.goto("/")
    page.wait_for_url(f"**{DASHBOARD}")
    page.get_by_text("Toàn cảnh thành phố").first.wait_for()
    context.close()


def test_the_login_page_is_vietnamese_and_refuses_a_wrong_password(site: Site) -> None:
    context = site.context()
    page = context.new_page()
    site.log_in(page, "lanh_dao", "not-" + superset_secrets(site.settings)["viewer_password"])
    page.get_by_text("Tên đăng nhập hoặc mật khẩu không đúng").first.wait_for()
    assert "/login" in page.url
    words = DashboardPage(page).words()
    assert {"Đăng nhập", "Tên đăng nhập:", "Mật khẩu:"} <= set(words)
    assert not set(words) & set(read_words())
    page.goto(DASHBOARD)
    page.wait_for_url("**/login/**")
    context.close()


def test_every_chart_shows_data_and_no_word_is_left_english(dashboard: DashboardPage) -> None:
    dashboard.show_all()
    charts = dashboard.charts()
    assert set(charts) == TITLES
    answers = dashboard.answers()
    assert len(answers) == len(TITLES)
    assert {status for status, _ in answers.values()} == {200}
    assert sum(rows == 0 for _, rows in answers.values()) <= 1
    for title in TITLES - {PROPOSALS}:
        chart = charts[title]
        drawn = chart.locator("canvas, tbody tr, .header-line")
        assert drawn.count() > 0, title
        assert not re.search(r"Không có số liệu|Lỗi|Error|No data|No results", chart.inner_text()), title
    seen = set(dashboard.words())
    assert {"Áp dụng", "Xóa tất cả", "Khoảng ngày", "Chủ đề", "Loại nguồn", "Mọi ngày"} <= seen
    assert not seen & set(read_words())
    assert not [chart.name for chart in CHARTS.values() if not any(text.strip().startswith(chart.meaning[:60]) for text in seen)]
    dashboard.page.wait_for_timeout(2000)  # lines draw themselves from left to right
    dashboard.page.screenshot(path=SCREENSHOT, full_page=True)
    assert SCREENSHOT.stat().st_size > 100_000


def test_the_totals_and_shares_are_those_of_gold(dashboard: DashboardPage, gold: dict[str, pl.DataFrame]) -> None:
    totals = gold["sentiment_daily"].select(pl.col("mentions", "unique_texts", "distinct_voices", "^.*_count$").sum()).to_dicts()[0]
    for name, column in (("mentions", "mentions"), ("unique-texts", "unique_texts"), ("distinct-voices", "distinct_voices")):
        assert dashboard.big_number(CHARTS[name].title) == totals[column]
    labels = {"Tích cực": "positive_count", "Trung lập": "neutral_count", "Tiêu cực": "negative_count"}
    rows = {row[0]: row[1:] for row in dashboard.table(SHARES)}
    assert set(rows) == set(labels)
    for label, column in labels.items():
        share, low, high, count, n = rows[label]
        assert (number(count), number(n)) == (totals[column], totals["mentions"])
        at, below, above = (float(text.removesuffix("%").replace(",", ".")) for text in (share, low, high))
        assert at == pytest.approx(100 * totals[column] / totals["mentions"], abs=0.06)
        assert below < at < above


def test_the_newest_receipt_is_said_in_local_time(dashboard: DashboardPage, gold: dict[str, pl.DataFrame]) -> None:
    newest = gold["source_daily"].select(pl.col("last_fetched_at").dt.convert_time_zone("Asia/Ho_Chi_Minh").max()).item()
    shown = dashboard.chart(CHARTS["newest-data"].title).locator(".header-line").inner_text().strip()
    assert shown == newest.strftime("%H:%M %d/%m/%Y")


def test_the_filter_of_source_kinds(dashboard: DashboardPage, gold: dict[str, pl.DataFrame]) -> None:
    of_papers = gold["sentiment_daily"].filter(source_kind="newspaper")["mentions"].sum()
    everything = gold["sentiment_daily"]["mentions"].sum()
    assert 0 < of_papers < everything
    dashboard.choose("source-kind", "Báo điện tử")
    assert eventually(lambda: dashboard.big_number(MENTIONS), of_papers) == of_papers
    papers = gold["source_daily"].filter(source_kind="newspaper").group_by("source_name").agg(pl.col("mentions").sum())
    shown = eventually(lambda: {row[0]: number(row[2]) for row in dashboard.table(SOURCES)}, dict(papers.iter_rows()))
    assert shown == dict(papers.iter_rows())
    dashboard.clear()
    assert eventually(lambda: dashboard.big_number(MENTIONS), everything) == everything


def test_the_filter_of_topics(dashboard: DashboardPage, gold: dict[str, pl.DataFrame]) -> None:
    wanted = [("Ngập nước", gold["topic_daily"].filter(topic_name="Ngập nước")["mentions"].sum())]
    assert len(dashboard.table(TOPICS)) > 1
    dashboard.choose("topic", "Ngập nước")
    assert eventually(lambda: [(row[0], number(row[1])) for row in dashboard.table(TOPICS)], wanted) == wanted
    assert dashboard.big_number(MENTIONS) == gold["sentiment_daily"]["mentions"].sum(), "the topic filter is for the topics' part only"


def test_the_filter_of_days(dashboard: DashboardPage, gold: dict[str, pl.DataFrame]) -> None:
    week = pl.col("event_date").is_between(date(2024, 2, 8), date(2024, 2, 14))
    wanted = gold["sentiment_daily"].filter(week)["mentions"].sum()
    assert 0 < wanted < gold["sentiment_daily"]["mentions"].sum()
    dashboard.choose_days("2024-02-08", "2024-02-15")
    assert eventually(lambda: dashboard.big_number(MENTIONS), wanted) == wanted
    positive = gold["sentiment_daily"].filter(week)["positive_count"].sum()
    assert eventually(lambda: [number(row[4]) for row in dashboard.table(SHARES) if row[0] == "Tích cực"], [positive]) == [positive]


def test_on_a_phone_nothing_is_wider_than_the_screen(site: Site) -> None:
    context = site.context("lanh_dao", viewport={"width": 390, "height": 844}, is_mobile=True, has_touch=True)
    phone = DashboardPage(context.new_page()).open()
    phone.show_all()
    assert phone.page.evaluate("[document.documentElement.scrollWidth, window.innerWidth]") == [390, 390]
    for title, chart in phone.charts().items():
        card = chart.evaluate("e => e.closest('.dragdroppable-column').getBoundingClientRect().toJSON()")
        assert 0 <= card["left"] < card["right"] <= 390, title
        assert card["width"] > 150, title
    phone.page.screenshot(path=SCREENSHOT.with_name("dashboard-phone.png"), full_page=True)
    context.close()


def test_the_pages_ask_no_other_host_for_anything(site: Site, dashboard: DashboardPage) -> None:
    dashboard.show_all()
    traffic = site.traffic
    assert len(traffic.requests) > 50
    assert traffic.foreign(site.host) == []
    answer = dashboard.page.request.get(DASHBOARD)
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["content-security-policy"].split(";") if " " in part.strip())
    assert {"default-src", "img-src", "script-src", "connect-src", "style-src"} <= set(policy)
    for directive, sources in policy.items():
        allowed = [source for source in sources.split() if not source.startswith("'") and source not in ("blob:", "data:")]
        assert not allowed, f"{directive} lets the page ask {allowed}"
