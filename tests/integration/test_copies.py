"""Planted campaigns and bad texts, from files to gold on a real store: found, counted once, nothing lost, the same when run again."""

import json
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from assets.bronze import exports
from assets.gold.build import GoldDays
from assets.publishing import publish
from assets.silver.clusters import cluster_days
from assets.silver.opinions import label_days
from assets.silver.places import link_days
from assets.silver.posts import refine_days
from assets.silver.tombstones import take_in_notices
from lake_config.registry import load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from ml.language_model import LanguageModel
from quality.runner import failures, run_by_day
from tests.integration.clean_lake import empty, put

pytestmark = pytest.mark.store

DAY, NEXT = date(2026, 3, 2), date(2026, 3, 3)
REGISTRY = load_registry()
UPLOAD = REGISTRY.source("upload")
SOURCES = {UPLOAD.id: UPLOAD}
CALL = "Bà con nhớ chia sẻ rộng rãi: trạm y tế phường mình tiêm ngừa miễn phí cho người già từ thứ hai tuần sau, nhớ mang theo giấy tờ nha"
HEADLINE = "Thành phố thông xe nhánh hầm chui nút giao phía nam sau hai năm thi công, giảm ùn tắc cho hàng chục nghìn lượt xe mỗi ngày"
ADVERT = "Nhận dọn nhà trọn gói giá sinh viên, có mặt sau ba mươi phút, nhắn tin cho em để được tư vấn tận tình cả ngày lẫn đêm nha anh chị"
SINGLE = (
    "Sáng nay đi bộ qua công viên gần nhà thấy cây mới trồng lên xanh tốt, ghế đá sạch, mong giữ được lâu dài",
    "Xe buýt tuyến gần trường hôm nay đến đúng giờ, tài xế đợi cụ già lên hẳn rồi mới chạy, thấy vui trong lòng",
    "Hẻm nhà tôi lại mất nước từ nửa đêm, gọi tổng đài thì được trả lời là đang sửa ống, chờ đến chiều rồi vẫn chưa có",
)


def stamp(inputs: Mapping[str, int]) -> Provenance:
    return Provenance("run", "asset", "days", "code", inputs)


def gate(name: str, by_day: Mapping[date, pa.Table]) -> None:
    assert not any(failures(outcomes) for outcomes in run_by_day(TABLES[name], by_day).values())


def post(key: str, text: str, minute: float, author: str | None, day: date = DAY) -> dict[str, Any]:
    at = datetime(day.year, day.month, day.day, 1, tzinfo=UTC) + timedelta(minutes=minute)
    return {"id": key, "text": text, "date": at.isoformat(), "author": author}


class World:
    """A lake into which files of one upload come."""

    def __init__(self, settings: Settings, model: LanguageModel) -> None:
        empty(settings)
        self.lake, self.model, self.files = Lake(settings), model, 0

    def drop(self, *lines: bytes) -> None:
        self.files += 1
        put(self.lake, f"exports/upload/{self.files}.jsonl", b"\n".join(lines))
        exports.collect(self.lake, [UPLOAD], stamp({}), lambda: datetime(2026, 3, 5, self.files, tzinfo=UTC))

    def post(self, *rows: dict[str, Any]) -> None:
        self.drop(*(json.dumps(row).encode() for row in rows))

    def turn(self, days: list[date]) -> dict[str, list[date]]:
        """From bronze to gold; the days that changed, by table, without those in which nothing did."""
        take_in_notices(self.lake, SOURCES, stamp, gate)
        refine_days(self.lake, days, SOURCES, stamp, gate)
        label_days(self.lake, days, self.model, REGISTRY, stamp, gate)
        linked = link_days(self.lake, days, self.model, REGISTRY, lambda _: stamp, gate)
        changed = {"silver.place_mentions": sorted(linked.days), "silver.clusters": cluster_days(self.lake, days, stamp, gate).days}
        gold = GoldDays(self.lake, days, REGISTRY, ("upload",), datetime(2026, 3, 10, tzinfo=UTC))
        for name, by_day in {"gold.accounting": gold.accounting(), **gold.figures(self.model)}.items():
            changed[name] = publish(self.lake, name, by_day, stamp, gold.inputs, gate)
        return {name: found for name, found in changed.items() if found}

    def copies(self, day: date = DAY) -> dict[int, dict[str, Any]]:
        """Rows of gold.copies_daily by their number of mentions."""
        return {row["mentions"]: row for row in self.lake.day("gold.copies_daily", day).to_dicts()}


@pytest.fixture(scope="module")
def model() -> LanguageModel:
    return LanguageModel.load()


@pytest.fixture
def world(lake_settings: Settings, model: LanguageModel) -> World:
    return World(lake_settings, model)


def campaign() -> list[dict[str, Any]]:
    """Twenty voices within half an hour, each with an edit of its own."""
    edits = ("{}", "{} 🙏🙏", "{} ạ", "Tin vui: {}", "{} #suckhoe #cộngđồng", "{} (st)", "Nhắc nhau: {}", "{}!!!")
    rows = [post(f"call-{at}", edits[at % 8].format(CALL), 60 + 1.5 * at, f"voice {at}") for at in range(20)]
    rows[5]["text"] = CALL.upper()
    rows[9]["text"] = CALL.replace("thứ hai", "thứ 2").replace("giấy tờ", "giay to")
    return rows


def test_planted_copies_are_found_counted_once_and_stay(world: World) -> None:
    bot = [post(f"bot-{at}", f"{ADVERT} {at}", 30.0 * at, "bot") for at in range(15)]
    news = [post(f"news-{at}", HEADLINE + " (báo)" * (at % 2), 47.0 * at, f"reader {at}") for at in range(12)]
    single = [post(f"own-{at}", text, 10.0 * at, f"own {at}") for at, text in enumerate(SINGLE)]
    world.post(*campaign()[::2], *bot, *news[1:], *single)
    world.turn([DAY, NEXT])
    first = world.copies()
    assert sorted(first) == [10, 11, 15]
    name = first[10]["cluster_key"]

    # The rest comes late, one the next day, and the earliest of all last.
    world.post(*campaign()[1::2], news[0], post("call-next", CALL + " nhé", 5, "voice 30", NEXT))
    world.turn([DAY, NEXT])
    found = world.copies()
    assert sorted(found) == [12, 15, 20]
    assert {size: (row["distinct_voices"], row["is_coordinated"], row["is_bot_like"]) for size, row in found.items()} == {
        20: (20, True, False),
        15: (1, False, True),
        12: (12, False, False),
    }
    assert (found[20]["cluster_key"], found[15]["largest_voice_share"], found[20]["unique_texts"] > 5) == (name, 1.0, True)
    clusters = world.lake.days("silver.clusters", [DAY, NEXT])
    assert clusters.filter(event_date=NEXT)["cluster_key"].to_list() == [name]
    (daily,) = world.lake.day("gold.sentiment_daily", DAY).to_dicts()
    assert (daily["mentions"], daily["distinct_messages"]) == (50, 6)
    assert world.turn([DAY, NEXT]) == {}

    # What its provider withdraws leaves its cluster, the founder too; the others keep its name.
    world.drop(*(json.dumps({"id": f"call-{at}", "deleted": True}).encode() for at in (0, 1, 2)))
    world.turn([DAY, NEXT])
    after = world.copies()
    assert sorted(after) == [12, 15, 17]
    assert after[17]["cluster_key"] == name
    assert world.turn([DAY, NEXT]) == {}


BAD = {
    "empty": '""',
    "blanks": '" \\n\\t "',
    "marks": '"\\u200f\\u202e\\u200d\\u200b"',
    "nul": '"\\u0000\\u0000"',
    "half": '"\\ud83d"',
}
"""Nothing is left of these texts once what shows nothing is gone."""
GOOD = {
    "long": json.dumps("Đường ngập, kẹt xe kéo dài. " * 3_700),
    "emoji": '"😡"',
    "address": '"https://vi-du.vn/tin/ngap-nuoc?id=12"',
    "english": '"The new metro line is clean and on time, great job!"',
    "korean": '"호찌민시 지하철이 정말 편리하고 깨끗해요"',
    "arabic": '"\\u202bالمدينة جميلة ونظيفة\\u202c"',
    "joiner": '"ng\\u200dập nư\\u200cớc qu\\ufeffá"',
    "nul inside": '"Phường 5 \\u0000xử lý nhanh"',
    "halves": '"vui qu\\u00e1 \\ud83d\\ude00 \\ud83d h\\u1ebft h\\u1ed3n"',
    "zalgo": json.dumps("kẹt xe" + "\u0301" * 5_000),
}


def test_bad_texts_are_posts_or_rejects_and_the_account_balances(world: World) -> None:
    assert len(GOOD["long"].encode()) > 100_000
    when = post("x", "x", 0, None)["date"]
    made = [f'{{"id": "{key}", "text": {text}, "date": "{when}"}}' for key, text in (BAD | GOOD).items()]
    raw = [b'{"id": "cut", "text": "ng', b'{"id": "bytes", "text": "\xff\xfe\x00", "date": "2026-03-02"}']
    world.drop(*(line.encode() for line in made), *raw)
    landed = world.lake.read("bronze.exports", world.lake.open("bronze.exports").file_uris())
    days = sorted(set(landed["event_date"]))
    world.turn(days)
    account = world.lake.days("gold.accounting", days).select("landed", "kept", "rejected", "superseded", "duplicate", "withdrawn").sum()
    counts = account.to_dicts()[0]
    assert counts["landed"] == len(BAD) + len(GOOD) + len(raw)
    assert counts["landed"] == counts["kept"] + counts["rejected"]
    posts, rejects = world.lake.days("silver.posts", days), world.lake.days("silver.rejects", days)
    assert set(BAD) <= set(rejects["native_id"])
    assert set(rejects.filter(pl.col("native_id").is_in(list(BAD)))["reason"]) <= {"empty_text", "missing_text"}
    assert len(posts) >= len(GOOD)
    for name in ("silver.place_mentions", "silver.post_agencies", "silver.clusters"):
        assert set(world.lake.days(name, days)["post_key"]) == set(posts["post_key"]), name
    labelled = world.lake.read("silver.opinions", world.lake.open("silver.opinions").file_uris())
    assert set(labelled.filter(task="sentiment")["content_key"]) == set(posts["content_key"])
    assert (
        labelled.select(pl.sum_horizontal("negative_probability", "neutral_probability", "positive_probability"))
        .to_series()
        .is_finite()
        .any()
    )
    assert world.lake.days("gold.sentiment_daily", days)["mentions"].sum() == len(posts)
    texts = posts["text"].to_list()
    assert {"ngập nước quá", "Phường 5 xử lý nhanh", "vui quá 😀 hết hồn"} <= set(texts)
    assert not any("\x00" in text or "\u202b" in text for text in texts)
    assert world.turn(days) == {}
