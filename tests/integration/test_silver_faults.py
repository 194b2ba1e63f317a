"""What goes wrong between bronze and gold: kills, races, rows that break their suite, labels that are missing."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake.exceptions import CommitFailedError

from assets.bronze import exports
from assets.gold.build import GoldDays
from assets.gold.mentions import UnlabelledError
from assets.publishing import publish
from assets.silver import posts as silver_posts
from assets.silver.clusters import cluster_days
from assets.silver.opinions import label_days
from assets.silver.places import link_days
from assets.silver.posts import compact_days, refine_days, refresh_days
from lake_config.registry import load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from ml.language_model import LanguageModel
from quality.runner import QualityError, failures, run_by_day
from tests.integration.clean_lake import Interrupted, KilledError, empty, kill, put

pytestmark = pytest.mark.store

NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
FIRST = date(2024, 2, 1)
REGISTRY = load_registry()
UPLOAD = REGISTRY.source("upload")
SOURCES = {UPLOAD.id: UPLOAD}
DAYS = [FIRST + timedelta(days=offset) for offset in range(6)]
Gate = Callable[[str, Mapping[date, pa.Table]], None]


def stamp(inputs: Mapping[str, int]) -> Provenance:
    return Provenance("run", "asset", "days", "code", inputs)


def gate(name: str, by_day: Mapping[date, pa.Table]) -> None:
    if any(failures(outcomes) for outcomes in run_by_day(TABLES[name], by_day).values()):
        raise QualityError(f"{name} breaks its suite")


def no_gate(_name: str, _by_day: Mapping[date, pa.Table]) -> None:
    """For tests about order and races, in which the rows are right."""


@pytest.fixture
def lake(lake_settings: Settings) -> Lake:
    """A lake with one upload: two posts and one row that can be none on each of six days."""
    empty(lake_settings)
    made = Lake(lake_settings)
    drop(made, "a", DAYS)
    return made


def drop(lake: Lake, name: str, days: list[date], **more: Any) -> None:
    rows = [{"id": f"{day}-{n}", "text": f"Bài {n} của ngày {day}", "date": f"{day} 08:00:00", **more} for day in days for n in (1, 2)]
    rows += [{"id": f"{day}-x", "date": f"{day} 08:00:00"} for day in days]
    put(lake, f"exports/upload/{name}.jsonl", "\n".join(json.dumps(row) for row in rows).encode())
    exports.collect(lake, [UPLOAD], stamp({}), lambda: NOW + timedelta(hours=ord(name)))


def counts(lake: Lake) -> dict[str, list[int]]:
    """Rows by day of the two tables."""
    return {name: [len(lake.day(name, day)) for day in DAYS] for name in ("silver.posts", "silver.rejects")}


WHOLE = {"silver.posts": [2] * 6, "silver.rejects": [1] * 6}
NOTHING = {"silver.posts": [0] * 6, "silver.rejects": [0] * 6}


@pytest.mark.parametrize("rows_at_once", [3, 7, 1000])
def test_days_are_taken_in_whole_whatever_fits_into_memory(lake: Lake, monkeypatch: pytest.MonkeyPatch, rows_at_once: int) -> None:
    monkeypatch.setattr(silver_posts, "_ROWS_AT_ONCE", rows_at_once)
    report = refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    assert (report.read, report.posts, report.rejects, report.days) == (18, 12, 6, set(DAYS))
    assert counts(lake) == WHOLE
    assert lake.open("silver.posts").version() == -(-18 // max(rows_at_once // 3 * 3, 3))
    assert refine_days(lake, DAYS, SOURCES, stamp, no_gate).read == 0


@pytest.mark.parametrize("at_append", [1, 2, 3, 4])
def test_a_run_killed_between_commits_is_made_good_by_the_next(lake: Lake, monkeypatch: pytest.MonkeyPatch, at_append: int) -> None:
    monkeypatch.setattr(silver_posts, "_ROWS_AT_ONCE", 9)
    with pytest.raises(KilledError):
        refine_days(Interrupted(lake.settings, kill, at_append=at_append), DAYS, SOURCES, stamp, no_gate)
    half = counts(lake)
    assert sum(map(sum, half.values())) == [0, 3, 9, 12][at_append - 1]
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    assert counts(lake) == WHOLE


def test_of_two_runs_on_the_same_days_one_is_refused(lake: Lake) -> None:
    slow = Interrupted(lake.settings, lambda: refine_days(lake, DAYS, SOURCES, stamp, no_gate))
    with pytest.raises(CommitFailedError):
        refine_days(slow, DAYS, SOURCES, stamp, no_gate)
    assert counts(lake) == WHOLE


@pytest.mark.parametrize("others", [DAYS[4:], DAYS[2:4], DAYS[:1]])
def test_a_run_of_many_portions_that_is_overtaken_on_a_later_day_doubles_nothing(
    lake: Lake, monkeypatch: pytest.MonkeyPatch, others: list[date]
) -> None:
    monkeypatch.setattr(silver_posts, "_ROWS_AT_ONCE", 6)
    slow = Interrupted(lake.settings, lambda: refine_days(lake, others, SOURCES, stamp, no_gate))
    with pytest.raises(CommitFailedError):
        refine_days(slow, DAYS, SOURCES, stamp, no_gate)
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    assert counts(lake) == WHOLE


def test_rows_that_break_the_suite_are_not_written_and_can_come_in_once_it_holds(lake: Lake) -> None:
    refine_days(lake, DAYS[:2], SOURCES, stamp, gate)
    drop(lake, "b", DAYS, likes=3)
    wrong = {UPLOAD.id: UPLOAD.model_copy(update={"kind": "telepathy"})}
    before = {name: lake.open(name).version() for name in TABLES}
    with pytest.raises(QualityError, match=r"silver\.posts breaks its suite"):
        refine_days(lake, DAYS, wrong, stamp, gate)
    with pytest.raises(QualityError, match=r"silver\.posts breaks its suite"):
        refresh_days(lake, DAYS, wrong, stamp, gate)
    assert {name: lake.open(name).version() for name in TABLES} == before
    refine_days(lake, DAYS, SOURCES, stamp, gate)
    assert counts(lake) == {"silver.posts": [4] * 6, "silver.rejects": [2] * 6}


def test_an_account_that_does_not_add_up_is_not_published(lake: Lake) -> None:
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    at = lake.open("silver.posts")
    lake.overwrite_day(at, "silver.posts", FIRST, TABLES["silver.posts"].schema.empty_table(), stamp({}), {})
    account = GoldDays(lake, DAYS, REGISTRY, ("upload",)).accounting()
    with pytest.raises(QualityError, match=r"gold\.accounting"):
        publish(lake, "gold.accounting", account, stamp, {}, gate)
    assert lake.open("gold.accounting").version() == 0
    refresh_days(lake, [FIRST], SOURCES, stamp, gate)
    account = GoldDays(lake, DAYS, REGISTRY, ("upload",)).accounting()
    assert publish(lake, "gold.accounting", account, stamp, {}, gate) == DAYS


def test_days_that_have_lost_all_their_rows_are_emptied(lake: Lake) -> None:
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    account = GoldDays(lake, DAYS, REGISTRY, ("upload",)).accounting()
    assert publish(lake, "gold.accounting", account, stamp, {}, gate) == DAYS
    nothing = {day: account[day].slice(0, 0) for day in DAYS[:2]}
    assert publish(lake, "gold.accounting", nothing | {DAYS[2]: account[DAYS[2]]}, stamp, {}, gate) == DAYS[:2]
    assert [len(lake.day("gold.accounting", day)) for day in DAYS] == [0, 0, 1, 1, 1, 1]
    assert publish(lake, "gold.accounting", nothing, stamp, {}, gate) == []


def test_rows_taken_in_while_a_day_is_compacted_are_not_lost(lake: Lake) -> None:
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    drop(lake, "b", DAYS, likes=3)
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    drop(lake, "c", DAYS, likes=5)

    class Overtaken(Lake):
        def overwrite_day(self, *given: Any) -> int:
            refine_days(lake, DAYS[:1], SOURCES, stamp, no_gate)
            return super().overwrite_day(*given)

    with pytest.raises(CommitFailedError):
        compact_days(Overtaken(lake.settings), DAYS, stamp)
    assert len(lake.day("silver.posts", FIRST)) == 6
    assert compact_days(lake, DAYS, stamp) == {day: 4 if day == FIRST else 2 for day in DAYS}
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    compact_days(lake, DAYS, stamp)
    assert lake.days("silver.posts", DAYS)["likes"].to_list() == [5] * 12


def test_figures_of_texts_without_labels_are_refused_and_labels_are_said_once(lake: Lake) -> None:
    model = LanguageModel.load()
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    with pytest.raises(UnlabelledError, match=r"2024-02-01: 6 labels are missing"):
        GoldDays(lake, DAYS, REGISTRY, ("upload",)).figures(model)
    slow = Interrupted(lake.settings, lambda: label_days(lake, DAYS, model, REGISTRY, stamp, gate))
    with pytest.raises(CommitFailedError):
        label_days(slow, DAYS, model, REGISTRY, stamp, gate)
    opinions = lake.read("silver.opinions", lake.open("silver.opinions").file_uris())
    tasks = opinions.group_by("task").agg(pl.col("content_key").n_unique())
    assert dict(tasks.iter_rows()) == dict.fromkeys(("sentiment", "topic", *model.flags), 12)
    report = label_days(lake, DAYS, model, REGISTRY, stamp, gate)
    with pytest.raises(UnlabelledError, match=r"2024-02-01: 2 labels are missing"):
        GoldDays(lake, DAYS, REGISTRY, ("upload",)).figures(model)
    assert link_days(lake, DAYS, model, REGISTRY, lambda _: stamp, gate).linked == 12
    with pytest.raises(UnlabelledError, match=r"2024-02-01: 2 posts are missing in silver\.clusters"):
        GoldDays(lake, DAYS, REGISTRY, ("upload",)).figures(model)
    cluster_days(lake, DAYS, stamp, gate)
    assert (report.texts, set(report.labelled.values())) == (12, {0})
    tables = GoldDays(lake, DAYS, REGISTRY, ("upload",)).figures(model)
    assert sum(rows["mentions"].to_pylist()[0] for rows in tables["gold.sentiment_daily"].values()) == 12


def test_a_new_model_adds_labels_and_rewrites_none(lake: Lake) -> None:
    model, other = LanguageModel.load(), LanguageModel.load()
    other.model_id, other.weights_digest = "sentiment-v1", "f" * 64
    refine_days(lake, DAYS, SOURCES, stamp, no_gate)
    label_days(lake, DAYS, model, REGISTRY, stamp, gate)
    link_days(lake, DAYS, model, REGISTRY, lambda _: stamp, gate)
    cluster_days(lake, DAYS, stamp, gate)
    first = lake.read("silver.opinions", lake.open("silver.opinions").file_uris())
    report = label_days(lake, DAYS, other, REGISTRY, stamp, gate)
    assert report.labelled == dict.fromkeys(("sentiment", *model.flags), 12) | {"topic": 12 if model.topic_ids else 0}
    both = lake.read("silver.opinions", lake.open("silver.opinions").file_uris())
    key = TABLES["silver.opinions"].key
    assert both.filter(pl.col("weights_digest") != "f" * 64).sort(key).equals(first.sort(key))
    figures = GoldDays(lake, DAYS, REGISTRY, ("upload",)).figures(other)["gold.sentiment_daily"][FIRST]
    assert (figures["model_id"].to_pylist(), figures["mentions"].to_pylist()) == (["sentiment-v1"], [2])
