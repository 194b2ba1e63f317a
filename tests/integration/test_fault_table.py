"""The table of faults in docs/connectors.md: made here, from what a real collector did in a real lake, and compared with the page.

    python -m tests.integration.test_fault_table

writes it anew.
"""

import os
import re
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from assets.bronze import news_articles, news_feeds, page_posts, video_comments
from assets.silver.refine import refine
from lake_config.registry import Source, load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from orchestration.demo_city import City
from orchestration.demo_city.article_pages import ARTICLE_FAULTS
from orchestration.demo_city.faults import KINDS, STATUSES
from orchestration.demo_city.feed_faults import FEED_FAULTS
from orchestration.demo_city.feeds import article_id
from orchestration.demo_city.graph import TOKEN
from orchestration.demo_city.server import DemoCityServer
from orchestration.demo_city.youtube import KEY
from tests.integration.clean_lake import empty, landed, log

pytestmark = pytest.mark.store

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "connectors.md"
START, END = "<!-- faults -->\n\n", "\n\n<!-- end of faults -->"
REWRITE = "WRITE_TABLE_OF_FAULTS"
NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
REGISTRY = load_registry()
WHO = Provenance("run", "bronze", "2024-03-01", "code", {})
OF_ANSWERS = (*STATUSES, "slow", "truncated", "wrong_type", "html", "gzip", "bad_gzip")
WORDS = {
    "slow": "slow body",
    "truncated": "truncated body",
    "wrong_type": "wrong content type (image/png)",
    "html": "a page of maintenance, status 200",
    "gzip": "gzip",
    "bad_gzip": "said to be gzip, is not",
    "edited": "edited without a word in the feed",
    "cut_page": "cut off within the article, length right",
    "charset_lie": "UTF-8 under the name of ISO-8859-1",
    "utf16": "UTF-16",
    "windows_1258": "Windows-1258",
    "vni": "VNI",
    "tcvn3": "TCVN3",
    "zero_width": "zero-width characters",
    "garbled": "text converted twice, beyond repair",
    "no_article": "a page without an article",
    "duplicate_ids": "two items with one id",
    "no_ids": "no ids",
    "relative_links": "relative links",
    "future_dates": "dates in the future",
    "mixed_zones": "five time zones and notations",
    "large_item": "an item of 9 MB",
    "huge_item": "an item of 11 MB",
    "cdata_tricks": "CDATA in CDATA, an item within",
    "broken_utf8": "one broken UTF-8 sequence",
    "entity_bomb": "an XML entity bomb",
    "cut_feed": "cut off within the last item, length right",
    "empty_feed": "no items",
}


@dataclass(frozen=True)
class Case:
    """One fault at one connector: the switch, and the source whose rows tell what came of it."""

    connector: str
    fault: dict[str, Any]
    source: Source
    native_id: str | None = None

    @property
    def name(self) -> str:
        """The fault in words."""
        kind, detail = self.fault["kind"], self.fault.get("code") or self.fault.get("reason")
        return f"error {detail}" if detail else f"status {kind}" if kind in STATUSES else WORDS[kind]


@pytest.fixture
def lake(lake_settings: Settings, served: DemoCityServer) -> Lake:
    empty(lake_settings)
    environment = {**lake_settings.environment, "LAKE_GRAPH_TOKEN": TOKEN, "LAKE_YOUTUBE_KEY": KEY}
    return Lake(replace(lake_settings, demo_city_url=served.base_url, environment=environment))


def of_feeds(served: DemoCityServer, lake: Lake) -> list[Case]:
    """Every fault at a feed of its own, all in one run."""
    like, cases = REGISTRY.source("demo-saigon-sang"), []
    for kind in (*OF_ANSWERS, *FEED_FAULTS):
        path = f"/sites/saigon-sang/rss.xml?{kind}"
        source = like.model_copy(update={"id": f"case-{kind}", "platform": f"{kind}.demo".replace("_", "-"), "url": f"{{demo_city}}{path}"})
        cases.append(Case("news_feeds", {"path": path, "kind": kind, "seconds": 0.02}, source))
    served.faults.set([case.fault for case in cases])
    # In two runs: five answers in a row that burden the host would close it.
    for part in (cases[: len(STATUSES) - 2], cases[len(STATUSES) - 2 :]):
        news_feeds.collect(lake, [case.source for case in part], WHO, lambda: NOW)
    return cases


def of_articles(served: DemoCityServer, lake: Lake, city: City) -> list[Case]:
    """Every fault at a page of its own, all in one run."""
    slugs = ("saigon-sang", "bao-dan-thi", "do-thi-moi", "cho-lon-online")
    news_feeds.collect(lake, [REGISTRY.source(f"demo-{slug}") for slug in slugs], WHO, lambda: NOW)
    listed = [(slug, v) for slug in slugs for v in city.feed_entries(slug, 1)]
    plain = [(slug, v) for slug, v in listed if int(article_id(v)) % 16 not in {3, 7} and not v.tags & {"html", "script"}]
    cases = []
    for kind, (slug, version) in zip((*OF_ANSWERS, *ARTICLE_FAULTS), plain, strict=False):
        fault = {"path": f"/sites/{slug}/articles/{article_id(version)}", "kind": kind, "seconds": 0.02}
        cases.append(Case("news_articles", fault, REGISTRY.source(f"demo-articles-{slug}"), version.native_id))
    assert len(cases) == len(OF_ANSWERS) + len(ARTICLE_FAULTS)
    served.faults.set([case.fault for case in cases if case.fault["kind"] != "edited"])
    sources = [REGISTRY.source(f"demo-articles-{slug}") for slug in slugs]
    news_articles.collect(lake, sources, WHO, lambda: NOW)
    # Hours later all is mended, but for a page that the newsroom edits.
    served.faults.set([case.fault for case in cases if case.fault["kind"] == "edited"])
    news_articles.collect(lake, sources, WHO, lambda: NOW + timedelta(hours=2))
    return cases


def of_interfaces(served: DemoCityServer, lake: Lake) -> list[Case]:
    """Every fault at a page or channel of its own, one run each: some stop all sources."""
    collect = {"page_posts": page_posts.collect, "video_comments": video_comments.collect}
    like = {"page_posts": REGISTRY.source("demo-page-hem-pho"), "video_comments": REGISTRY.source("demo-channel-thanh-pho-ngay-moi")}
    prefix = {"page_posts": "/graph/", "video_comments": "/youtube/"}
    own: dict[str, list[dict[str, Any]]] = {
        "page_posts": [{"kind": "graph_error", "code": code} for code in (1, 4, 10, 17, 32, 100, 190, 200, 613, 803)],
        "video_comments": [{"kind": "youtube_error", "reason": reason} for reason in ("quotaExceeded", "backendError", "forbidden")],
    }
    cases = []
    for connector, source in like.items():
        faults = [{"kind": kind, "seconds": 0.02} for kind in OF_ANSWERS] + own[connector]
        for number, fault in enumerate(faults):
            name = "-".join(str(value) for key, value in fault.items() if key != "seconds").replace("_", "-").lower()
            case = source.model_copy(update={"id": f"case-{name}", "platform": f"{name}.demo"})
            switch = {"path": prefix[connector], "skip": 2, **fault}
            cases.append(Case(connector, switch, case))
            served.faults.set([switch])
            moment = NOW + timedelta(days=2 * number)
            collect[connector](lake, [case], WHO, lambda moment=moment: moment)
    return cases


def told(case: Case, rows: pl.DataFrame, attempts: pl.DataFrame, base_url: str) -> str:
    """One line of the table: what the log says, what landed, and the rows that prove it."""
    mine = rows.filter(source_id=case.source.id)
    if case.native_id is not None:
        mine = mine.filter(native_id=case.native_id)
        said = attempts.filter(pl.col("detail").str.contains(f"{case.fault['path']}.html", literal=True))
    else:
        said = attempts.filter(source_id=case.source.id)
    keys = {f"{day:%Y-%m}": b"k" * 32 for day in mine["event_date"]}
    refined = refine(mine.to_dicts(), case.connector, {case.source.id: case.source}, keys)
    posts, rejects = pl.DataFrame(pl.from_arrow(refined.posts)), pl.DataFrame(pl.from_arrow(refined.rejects))
    assert not said.is_empty() or not mine.is_empty(), f"{case.connector}, {case.name}: neither a row nor a word"
    outcomes = sorted({f"`{row['outcome']}`" + (f" {row['http_status']}" if row["http_status"] else "") for row in said.to_dicts()})
    did = [", ".join(outcomes)] if outcomes else ["`ok` 200"]
    if len(posts):
        count = posts["post_key"].n_unique()
        later = "mended, " if case.native_id is not None and not said.is_empty() else ""
        versions = f" in {len(posts)} versions" if len(posts) > count else ""
        did.append(f"{later}{count} post{'s' if count > 1 else ''}{versions}")
        if posts["is_date_assumed"].all():
            did.append("dated by the fetch")
    if len(rejects):
        did.append(f"{len(rejects)} rejected")
    proof = [_plain(str(detail), base_url, case) for detail in said["detail"] if detail is not None][:1]
    if len(rejects):
        proof.append(f"reject `{rejects['reason'][0]}`: {_plain(rejects['detail'][0], base_url, case)}")
    if len(posts):
        proof.append(_named(posts, mine, base_url))
    findings = [f"finding `{name}`" for name in said["finding"].unique().sort() if name]
    return f"| {case.connector} | {case.name} | {'; '.join(did + findings)} | {'; '.join(proof) or 'the line of the fetch log'} |"


def _named(posts: pl.DataFrame, mine: pl.DataFrame, base_url: str) -> str:
    """The first post by its key, or by what its key is made of where that differs from run to run (a port, a digest of bytes with one)."""
    names = sorted(zip(mine["native_id"], range(len(mine)), strict=True))
    stable = not any(base_url in name or name.startswith("sha256:") for name, _ in names)
    return f"post `{posts['post_key'].sort()[0][:16]}`" if stable else "posts named by their links"


def _plain(detail: str, base_url: str, case: Case) -> str:
    """A detail without what differs from run to run."""
    text = detail.replace(base_url, "{city}")
    # One line of the log speaks of several pages, each with its address behind it.
    mine = [part for part in re.findall(r"(?:^|(?<=; )).*?\(\S+\.html\)", text) if case.fault["path"] in part]
    text = mine[0] if mine else text
    text = re.sub(r"127\.0\.0\.1(:\d+)?", "127.0.0.1", text)
    text = re.sub(r"no call before [\d-]+ [\d:]+ UTC", "no call before a later time", text)
    return re.sub(r"\s+", " ", text).replace("|", "\\|")


def table(lake: Lake, served: DemoCityServer, city: City) -> str:
    """The whole table as Markdown."""
    cases = of_feeds(served, lake) + of_articles(served, lake, city) + of_interfaces(served, lake)
    rows = {name: landed(lake, name) for name in ("news_feeds", "news_articles", "page_posts", "video_comments")}
    attempts = log(lake)
    lines = [told(case, rows[case.connector], attempts.filter(connector=case.connector), served.base_url) for case in cases]
    tried = {case.fault["kind"] for case in cases}
    assert tried == set(KINDS), f"faults that no case turns on: {set(KINDS) - tried}"
    return "\n".join(["| connector | fault | what the collector did | the row that proves it |", "|---|---|---|---|", *lines])


def test_the_table_of_faults_in_the_documents_is_what_happens(lake: Lake, served: DemoCityServer, city: City) -> None:
    found = table(lake, served, city)
    before, rest = DOCUMENT.read_text(encoding="utf-8").split(START)
    written, after = rest.split(END)
    if os.environ.get(REWRITE):
        DOCUMENT.write_text(before + START + found + END + after, encoding="utf-8")
        return
    assert found == written


if __name__ == "__main__":
    sys.exit(subprocess.call([sys.executable, "-m", "pytest", __file__, "-q"], env={**os.environ, REWRITE: "1"}))
