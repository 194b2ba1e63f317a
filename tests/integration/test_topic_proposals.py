"""Proposed topics on a lake: a planted subject is proposed, a quiet week is not, and no text reaches gold."""

import json
import random
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pytest

from assets.bronze import exports
from assets.gold.proposals import propose_day
from assets.silver.opinions import label_days
from assets.silver.places import link_days
from assets.silver.posts import refine_days
from lake_config.registry import load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from ml.emerging import MIN_SCORE
from ml.language_model import LanguageModel
from quality.runner import QualityError, failures, run_by_day
from tests.integration.clean_lake import empty, put

pytestmark = pytest.mark.store

REGISTRY = load_registry()
UPLOAD = REGISTRY.source("upload")
LAST = date(2024, 3, 20)
DAYS = [LAST - timedelta(days=number) for number in reversed(range(35))]
CHATTER = ("thấy vui vui", "chiều mát", "quán quen", "bạn cũ", "ngủ nướng", "mèo con", "nghe nhạc", "sách cũ", "bánh ngọt", "phim hay")
PLANTED = "thú bông phát sáng"


def stamp(inputs: Mapping[str, int]) -> Provenance:
    return Provenance("run", "asset", "days", "code", inputs)


def gate(name: str, by_day: Mapping[date, pa.Table]) -> None:
    if any(failures(outcomes) for outcomes in run_by_day(TABLES[name], by_day).values()):
        raise QualityError(f"{name} breaks its suite")


@pytest.mark.parametrize("is_planted", [True, False])
def test_a_planted_subject_is_proposed_and_a_quiet_week_is_not(lake_settings: Settings, *, is_planted: bool) -> None:
    empty(lake_settings)
    lake, chance, rows = Lake(lake_settings), random.Random(1), []
    for day in DAYS:
        is_recent = day > LAST - timedelta(days=7)
        for number in range(20 if is_recent else 8):
            said = f"{', '.join(chance.sample(CHATTER, 4))} {day} {number}"
            if is_planted and is_recent and number < 6:
                said += f", {PLANTED}"
            rows.append({"id": f"{day}-{number}", "text": said, "date": f"{day} 08:00:00", "author": f"người {day} {number}"})
    put(lake, "exports/upload/talk.jsonl", "\n".join(map(json.dumps, rows)).encode())
    exports.collect(lake, [UPLOAD], stamp({}), lambda: datetime(2024, 3, 21, 3, 0, tzinfo=UTC))
    refine_days(lake, DAYS, {UPLOAD.id: UPLOAD}, stamp, gate)
    model = LanguageModel.load()
    label_days(lake, DAYS, model, REGISTRY, stamp, gate)
    link_days(lake, DAYS, model, REGISTRY, lambda _: stamp, gate)
    found = propose_day(lake, LAST, stamp, gate)
    kept = lake.day("gold.topic_proposals", LAST)
    assert len(found) == len(kept) == (1 if is_planted else 0)
    if is_planted:
        (row,) = kept.to_dicts()
        assert PLANTED in (row["term"], *row["other_terms"].split("; "))
        assert (row["unique_texts"], row["mentions"], row["distinct_voices"], row["texts_before"]) == (42, 42, 42, 0)
        assert row["score"] >= MIN_SCORE
        assert len(row["example_keys"].split()) == 5
        assert not any(text["text"] in str(row) for text in rows)
    version = lake.open("gold.topic_proposals").version()
    propose_day(lake, LAST, stamp, gate)
    assert lake.open("gold.topic_proposals").version() == version
