"""Pages and channels against a real store and the demo city's interfaces: all that was served lands once, whatever goes wrong."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import polars as pl
import pytest

from assets.bronze import page_posts, video_comments
from assets.bronze.landing import CollectReport
from assets.bronze.quota import QuotaLedger
from assets.silver.refine import refine
from lake_config.registry import Source, load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from orchestration.demo_city.graph import TOKEN
from orchestration.demo_city.server import DemoCityServer
from orchestration.demo_city.youtube import KEY
from quality.runner import failures, run_suite
from tests.integration.clean_lake import Interrupted, KilledError, empty, kill, landed, log

pytestmark = pytest.mark.store

NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
REGISTRY = load_registry()
PAGES = [source for source in REGISTRY.sources if source.group == "demo-apis" and source.connector == "page_posts"]
CHANNELS = [source for source in REGISTRY.sources if source.group == "demo-apis" and source.connector == "video_comments"]
WHO = Provenance("run", "bronze", "2024-03-01", "code", {})
COLLECT = {"page_posts": page_posts.collect, "video_comments": video_comments.collect}
SOURCES = {"page_posts": PAGES, "video_comments": CHANNELS}
INTERFACE = {"page_posts": "graph", "video_comments": "youtube"}
BOTH = pytest.mark.parametrize("connector", ["page_posts", "video_comments"])


def settings_at(settings: Settings, served: DemoCityServer, **variables: str) -> Settings:
    environment = {**settings.environment, "LAKE_GRAPH_TOKEN": TOKEN, "LAKE_YOUTUBE_KEY": KEY, **variables}
    return replace(settings, demo_city_url=served.base_url, environment=environment)


@pytest.fixture
def lake(lake_settings: Settings, served: DemoCityServer) -> Lake:
    empty(lake_settings)
    return Lake(settings_at(lake_settings, served))


def poll(lake: Lake, connector: str, days: float = 0, sources: Sequence[Source] | None = None) -> CollectReport:
    return COLLECT[connector](lake, sources if sources is not None else SOURCES[connector], WHO, lambda: NOW + timedelta(days=days))


def control(served: DemoCityServer, name: str, value: Any) -> None:
    httpx.post(f"{served.base_url}/_control/{name}", json=value, trust_env=False).raise_for_status()


def ids(lake: Lake, connector: str) -> list[str]:
    return sorted(landed(lake, connector)["native_id"])


def expected(served: DemoCityServer, connector: str) -> list[str]:
    return sorted(served.apis.holdings(INTERFACE[connector], served.pages.round).entries)


@BOTH
def test_three_rounds_land_what_was_served_each_version_once(lake: Lake, served: DemoCityServer, connector: str) -> None:
    versions: set[tuple[str, str]] = set()
    for round_ in (1, 2, 3):
        served.set_round(round_)
        report = poll(lake, connector, days=round_)
        assert report.failures == []
        entries = served.apis.holdings(INTERFACE[connector], round_).entries
        versions |= {(name, entry.version.text) for name, entry in entries.items()}
        again = poll(lake, connector, days=round_ + 0.01)
        assert (again.landed, again.batches) == (0, [])
    rows = landed(lake, connector)
    assert set(rows["native_id"]) == {name for name, _ in versions} == {name for name, _ in served.apis.served(f"/{INTERFACE[connector]}/")}
    keys_by_month = {f"{day:%Y-%m}": b"k" * 32 for day in rows["event_date"]}
    refined = refine(rows.to_dicts(), connector, {source.id: source for source in SOURCES[connector]}, keys_by_month)
    assert refined.rejects.num_rows == 0
    posts = pl.DataFrame(pl.from_arrow(refined.posts))
    keys = set(posts["post_key"])
    comments = posts.filter(pl.col("kind") == "comment")
    assert set(comments["parent_key"]) <= keys
    assert comments["parent_key"].null_count() == 0
    assert posts["author_key"].null_count() == 0
    # One row for each thing said; a further row of a post says something else or was counted on another day.
    assert rows.select("native_id", "payload_sha256").is_duplicated().sum() == 0
    assert rows.group_by("native_id").agg(pl.col("event_date").n_unique())["event_date"].max() == 1
    assert failures(run_suite(TABLES[f"bronze.{connector}"], rows.to_arrow())) == []
    assert failures(run_suite(TABLES["bronze.fetch_log"], log(lake).to_arrow())) == []


def test_an_edited_comment_is_a_new_version_on_its_first_day(lake: Lake, served: DemoCityServer) -> None:
    before = served.apis.holdings("youtube", 1).entries
    after = served.apis.holdings("youtube", 2).entries
    edited = [name for name, entry in before.items() if after[name].version.text != entry.version.text]
    assert edited
    poll(lake, "video_comments")
    served.set_round(2)
    poll(lake, "video_comments", days=2)
    rows = landed(lake, "video_comments").filter(pl.col("native_id").is_in(edited))
    by_post = rows.group_by("native_id").agg(pl.len(), pl.col("event_date").n_unique().alias("days"))
    assert dict(by_post.select("native_id", "len").iter_rows()) == dict.fromkeys(edited, 2)
    assert by_post["days"].max() == 1


@BOTH
def test_old_discussions_are_read_again_longest_ago_first_within_bounds_and_what_is_left_is_said(
    lake: Lake, served: DemoCityServer, lake_settings: Settings, connector: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    poll(lake, connector)
    before = served.apis.holdings(INTERFACE[connector], 1)
    talked_of = [entry.id for entry in before.entries.values() if entry.parent is None and before.below(entry.id)]
    monkeypatch.setattr(page_posts, "_REREAD_CALLS", 5)
    bounded = Lake(settings_at(lake_settings, served, LAKE_YOUTUBE_DAILY_UNITS="20"))  # a quarter of them: five
    read_again: list[str] = []
    while len(read_again) + 5 <= len(talked_of):
        served.apis.log.clear()
        report = poll(bounded, connector, days=2 + len(read_again) / 5)
        found = [call["path"] for call in served.apis.log if "/comments" in call["path"] or "/commentThreads" in call["path"]]
        named = [next(name for name in talked_of if name in path) for path in found]
        assert len(named) == 5
        assert not set(named) & set(read_again)
        left = [re.search(r"re-read \d+ older discussions, (\d+) left for later", str(attempt.detail)) for attempt in report.attempts]
        read_again += named
        # All are due again after a day: what is left are those not read in this run, whenever they were read before.
        assert sum(int(match[1]) for match in left if match) >= len(talked_of) - len(read_again)
    served.apis.log.clear()
    poll(bounded, connector, days=60)
    paths = " ".join(call["path"] for call in served.apis.log)
    assert all(name in paths for name in set(talked_of) - set(read_again))


@BOTH
def test_killed_before_or_after_the_commit_nothing_is_lost_or_twice(
    lake: Lake, served: DemoCityServer, lake_settings: Settings, connector: str
) -> None:
    settings = settings_at(lake_settings, served)
    with pytest.raises(KilledError):
        poll(Interrupted(settings, kill), connector)
    assert ids(lake, connector) == []
    poll(lake, connector)
    assert ids(lake, connector) == expected(served, connector)
    served.set_round(3)

    class KilledAtReport(Lake):
        def append(self, at: Any, name: str, *rest: Any) -> int:
            if name == "bronze.fetch_log":
                raise KilledError
            return super().append(at, name, *rest)

    with pytest.raises(KilledError):
        poll(KilledAtReport(settings), connector, days=2)
    after_kill = ids(lake, connector)
    assert set(after_kill) == set(expected(served, connector))
    assert poll(lake, connector, days=2.01).landed == 0
    assert ids(lake, connector) == after_kill


@BOTH
def test_of_two_collectors_the_second_yields(lake: Lake, served: DemoCityServer, lake_settings: Settings, connector: str) -> None:
    other = Interrupted(settings_at(lake_settings, served), lambda: poll(lake, connector))
    report = poll(other, connector)
    assert (report.yielded, report.landed, {attempt.landed for attempt in report.attempts}) == (True, 0, {0})
    assert ids(lake, connector) == expected(served, connector)


FAULTS: list[tuple[dict[str, Any], set[str]]] = [
    ({"kind": "401"}, {"http_error"}),
    ({"kind": "403"}, {"http_error"}),
    ({"kind": "404"}, {"http_error"}),
    ({"kind": "410"}, {"http_error"}),
    ({"kind": "429", "retry_after": 60}, {"http_error"}),
    ({"kind": "500"}, {"http_error"}),
    ({"kind": "truncated"}, {"unreachable"}),
    ({"kind": "bad_gzip"}, {"unreadable"}),
    ({"kind": "html"}, {"unreadable"}),
    ({"kind": "gzip"}, {"ok"}),
    ({"kind": "wrong_type"}, {"ok"}),
    ({"kind": "slow", "seconds": 0.02}, {"ok"}),
]
GRAPH_FAULTS = [({"kind": "graph_error", "code": code}, {"http_error"}) for code in (1, 4, 10, 17, 32, 100, 190, 200, 613, 803)]
YOUTUBE_FAULTS = [
    ({"kind": "youtube_error", "reason": reason}, {"http_error"}) for reason in ("quotaExceeded", "backendError", "forbidden")
]
CASES = [(connector, *case) for connector in COLLECT for case in FAULTS]
CASES += [("page_posts", *case) for case in GRAPH_FAULTS] + [("video_comments", *case) for case in YOUTUBE_FAULTS]


@pytest.mark.parametrize(
    ("connector", "fault", "outcomes"), CASES, ids=lambda value: "-".join(map(str, value.values())) if isinstance(value, dict) else ""
)
def test_each_fault_is_a_finding_and_is_made_good(
    lake: Lake, served: DemoCityServer, connector: str, fault: dict[str, Any], outcomes: set[str]
) -> None:
    source = SOURCES[connector][:1]
    control(served, "faults", {"faults": [{"path": f"/{INTERFACE[connector]}/", "skip": 2, **fault}]})
    report = poll(lake, connector, sources=source)
    # A missing object under a page is a finding about that object; the page itself goes on.
    assert {attempt.outcome for attempt in report.attempts} - ({"ok"} if report.failures else set()) == outcomes
    if outcomes != {"ok"}:
        assert all(attempt.detail for attempt in report.failures)
    control(served, "faults", {"faults": []})
    poll(lake, connector, days=1.5, sources=source)
    owned = [name for name, entry in served.apis.holdings(INTERFACE[connector], 1).entries.items() if entry.owner in str(source[0].url)]
    assert ids(lake, connector) == sorted(owned)
    attempts = log(lake)
    assert len(attempts) == len(report.attempts) + 1
    everything = attempts.write_json() + str(report)
    assert TOKEN not in everything
    assert KEY not in everything


@BOTH
def test_a_post_removed_at_the_platform_is_a_finding_once(lake: Lake, served: DemoCityServer, connector: str) -> None:
    poll(lake, connector)
    entries = served.apis.holdings(INTERFACE[connector], 1).entries.values()
    newest = max((entry for entry in entries if entry.parent is None), key=lambda entry: entry.version.published)
    control(served, "apis", {"gone": [newest.id]})
    found = [attempt.detail or "" for attempt in poll(lake, connector, days=1).failures]
    assert [detail for detail in found if detail.startswith("gone at the platform") and newest.id in detail] == found != []
    assert poll(lake, connector, days=1.1).failures == []


def test_comments_switched_off_are_a_finding_and_the_rest_lands(lake: Lake, served: DemoCityServer) -> None:
    holdings = served.apis.holdings("youtube", 1)
    video = next(entry for entry in holdings.entries.values() if entry.parent is None and holdings.below(entry.id))
    control(served, "apis", {"without_comments": [video.id]})
    report = poll(lake, "video_comments")
    assert [attempt.detail for attempt in report.failures] == [f"comments are switched off: video {video.id}"]
    below = {entry.id for entry in holdings.below(video.id)}
    assert set(ids(lake, "video_comments")) == set(holdings.entries) - below


def test_near_the_limit_it_slows_down_then_pauses_and_goes_on_later(lake: Lake, served: DemoCityServer) -> None:
    control(served, "apis", {"hourly_calls": 20})
    waits: list[float] = []
    report = page_posts.collect(lake, PAGES, WHO, lambda: NOW, waits.append)
    calls = list(served.apis.log)
    assert len(calls) == 16  # 80 % of 20
    assert {call["status"] for call in calls} == {200}
    assert waits == sorted(waits)
    assert waits[0] > 0
    assert [attempt.outcome for attempt in report.attempts] == ["ok", "ok", "refused"]
    assert "rate limit" in str(report.attempts[1].detail)
    assert poll(lake, "page_posts", days=0.001).landed == 0
    assert len(served.apis.log) == 16
    control(served, "apis", {"hourly_calls": 4800})
    poll(lake, "page_posts", days=0.1)
    assert ids(lake, "page_posts") == expected(served, "page_posts")


def test_the_daily_units_are_never_exceeded_and_what_is_left_out_is_said(
    lake: Lake, served: DemoCityServer, lake_settings: Settings
) -> None:
    settings = settings_at(lake_settings, served, LAKE_YOUTUBE_DAILY_UNITS="13")
    for number in range(4):
        with pytest.raises(KilledError):
            poll(Interrupted(settings, kill), "video_comments", days=number / 100)
        if served.apis.log:
            break
    assert sum(call["units"] for call in served.apis.log) <= 13
    report = poll(Lake(settings), "video_comments", days=0.05)
    assert sum(call["units"] for call in served.apis.log) <= 13
    assert all("units" in str(attempt.detail) for attempt in report.attempts)
    assert any("left out" in str(attempt.detail) for attempt in report.attempts)
    for day in range(1, 6):
        before = sum(call["units"] for call in served.apis.log)
        poll(Lake(settings), "video_comments", days=day)
        assert sum(call["units"] for call in served.apis.log) - before <= 13
    assert set(ids(lake, "video_comments")) == set(expected(served, "video_comments"))
    ids_seen = ids(lake, "video_comments")
    assert len(ids_seen) == len(set(ids_seen))


def test_two_ledgers_of_one_key_share_the_days_units(lake: Lake) -> None:
    moment = [NOW]
    clock: Callable[[], datetime] = lambda: moment[0]  # noqa: E731
    ledgers = [QuotaLedger(lake, "test", 45, clock) for _ in range(2)]
    spent = [0, 0]
    for _ in range(60):
        for number, ledger in enumerate(ledgers):
            spent[number] += ledger.spend(1)
    assert sum(spent) == 45
    assert min(spent) > 0
    assert QuotaLedger(lake, "test", 45, clock).spend(1) is False
    assert ledgers[0].reserved_units() == 45
    moment[0] = NOW + timedelta(days=1)
    assert ledgers[0].spend(1)


@BOTH
def test_without_a_secret_nothing_is_asked_and_it_is_said(lake_settings: Settings, served: DemoCityServer, connector: str) -> None:
    empty(lake_settings)
    bare = Lake(settings_at(lake_settings, served, LAKE_GRAPH_TOKEN="", LAKE_YOUTUBE_KEY=""))
    report = poll(bare, connector)
    assert {attempt.outcome for attempt in report.attempts} == {"refused"}
    assert all("is not set" in str(attempt.detail) for attempt in report.attempts)
    assert len(served.apis.log) == 0


@BOTH
def test_a_secret_is_not_sent_where_it_does_not_belong(lake: Lake, served: DemoCityServer, connector: str) -> None:
    public = [source.model_copy(update={"allow_private": False}) for source in SOURCES[connector][:1]]
    report = poll(lake, connector, sources=public)
    assert [attempt.outcome for attempt in report.attempts] == ["refused"]
    nowhere = [source.model_copy(update={"url": "https://graph.example/"}) for source in SOURCES[connector][:1]]
    assert [attempt.outcome for attempt in poll(lake, connector, sources=nowhere).attempts] == ["refused"]
    assert len(served.apis.log) == 0
