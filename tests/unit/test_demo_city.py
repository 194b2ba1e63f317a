"""The demo city's material and generator: what is written, what is planned, what befalls it, and whether the truth says so."""

import json
from collections import Counter
from datetime import date, timedelta
from pathlib import Path

import pytest

from lake_config.errors import BadInputError, ConfigError
from orchestration.demo_city import City, generate
from orchestration.demo_city.city import ROUNDS
from orchestration.demo_city.corpus import SENTIMENTS, TOPICS, load_corpus, pattern_key, read_patterns
from orchestration.demo_city.plan import FIRST_DAY, LAST_DAY, TET_WEEK, apportion
from orchestration.demo_city.writing import unaccent


@pytest.fixture(scope="module")
def city() -> City:
    return generate()


def test_at_least_400_distinct_patterns() -> None:
    patterns = load_corpus().patterns
    assert len({pattern_key(p.text) for p in patterns}) == len(patterns) >= 400
    # Distinct even when the marks are dropped.
    assert len({unaccent(pattern_key(p.text)) for p in patterns}) >= 400


def test_every_topic_has_every_sentiment_in_balance() -> None:
    cells = Counter((p.topics[0], p.sentiment) for p in load_corpus().patterns)
    assert set(cells) == {(topic, sentiment) for topic in TOPICS for sentiment in SENTIMENTS}
    assert min(cells.values()) >= 8


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("topic: weather\n", "topic is 'weather'"),
        ("topic: tet\nangry: {}\n", "key 'angry'"),
        ("topic: tet\nnegative: {tweet: [a]}\n", "negative.tweet"),
        ('topic: tet\nnegative: {any: ["giá {gold} tăng"]}\n', r"negative.any\[1\]: unknown slot or topic gold"),
        ('topic: tet\nnegative: {any: ["giá {n tăng"]}\n', r"negative.any\[1\].*close every brace"),
        ("topic: tet\nnegative: {any: [{text: a, mood: b}]}\n", r"negative.any\[1\]: expected a sentence"),
        ("- a\n", "expected a mapping"),
    ],
)
def test_a_bad_pattern_file_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "tet.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=said) as caught:
        read_patterns(path, frozenset({"n"}))
    assert str(path) in str(caught.value)


def test_the_same_seed_gives_the_same_city() -> None:
    one, two, other = generate(7, 0.1), generate(7, 0.1), generate(8, 0.1)
    assert one == two
    assert one.versions != other.versions


def test_too_small_a_scale_is_refused() -> None:
    with pytest.raises(BadInputError, match=r"at least 0\.05"):
        generate(scale=0.01)


def test_a_larger_city_still_says_everything_once() -> None:
    large = generate(scale=3.0)
    assert len({v.key for v in large.versions}) == 36_000
    # A feed lists 400 items at most: the oldest of a large city are never listed, and the truth leaves them out.
    assert all(len(large.feed_entries(site.slug, 1)) <= 400 for site in large.sites)


@pytest.mark.parametrize("seed", range(4))
def test_small_cities_have_every_mishap(seed: int) -> None:
    assert min(generate(seed, 0.05).phenomena().values()) >= 1
    assert set(generate(seed, 0.05).phenomena()) == PHENOMENA


PHENOMENA = {
    "repost", "near_duplicate", "spam", "edit", "edit_date", "late_arrival", "emoji", "teencode", "unaccented", "mixed_english", "phone",
    "email", "html", "script", "date_missing", "date_1970", "date_2099", "date_words", "wrong_charset", "broken_bytes", "sarcasm",
}  # fmt: skip


def test_size_days_and_sources(city: City) -> None:
    truth = city.truth
    assert len(truth) == 12_000
    assert 1_900 <= city.expected_kept("news_feeds", 3) <= 2_100
    days = {row.event_date for row in truth if row.event_date}
    assert days == {FIRST_DAY + timedelta(n) for n in range((LAST_DAY - FIRST_DAY).days + 1)}
    assert len({row.source_id for row in truth}) == 15
    assert {row.platform for row in truth if row.connector == "exports"} == {"mangxahoi.demo", "trang.demo", "video.demo"}
    assert len({(row.platform, row.native_id) for row in truth}) == len(truth)


def test_the_tet_week_is_65_25_10_each_day(city: City) -> None:
    wanted = {"negative": 0.10, "neutral": 0.25, "positive": 0.65}
    assert city.true_shares(*TET_WEEK) == pytest.approx(wanted, abs=0.005)
    for day, found in city.daily_shares().items():
        if TET_WEEK[0] <= day <= TET_WEEK[1]:
            assert found == pytest.approx(wanted, abs=0.005)
    assert city.true_shares(FIRST_DAY, date(2024, 2, 7))["negative"] > 0.25
    assert city.true_shares(date(2030, 1, 1), date(2030, 1, 2)) == dict.fromkeys(SENTIMENTS, 0.0)


def test_the_flood_rises(city: City) -> None:
    hits = Counter(row.event_date for row in city.truth if "flooding" in row.topics and "hcm-d-binh-thanh" in row.places)
    before, *flood = (hits[date(2024, 1, day)] for day in (26, 27, 28, 29))
    assert before * 3 < flood[0] < flood[1] < flood[2]


def test_exact_counts_of_mishaps(city: City) -> None:
    found = city.phenomena()
    assert set(found) == PHENOMENA
    assert {name: found[name] for name in ("repost", "near_duplicate", "spam", "edit", "edit_date", "late_arrival", "broken_bytes")} == {
        "repost": 480, "near_duplicate": 300, "spam": 240, "edit": 180, "edit_date": 24, "late_arrival": 240, "broken_bytes": 1,
    }  # fmt: skip
    assert sum(row.event_date is None for row in city.truth) == 72
    assert sum(row.is_spam for row in city.truth) == 240


def test_reposts_repeat_a_text_and_nothing_else_does(city: City) -> None:
    rows = [row for row in city.truth if row.connector == "exports"]
    texts = Counter(row.text for row in rows)
    assert all(texts[row.text] > 1 for row in rows if "repost" in row.tags)
    assert len(texts) == len(rows) - city.phenomena()["repost"]
    authors = {}
    for version in sorted(city.versions, key=lambda v: v.published):
        authors.setdefault(version.text, []).append((version.author, version.sentiment))
    assert all(len({label for _, label in found}) == 1 for found in authors.values())


def test_edits_change_text_or_day(city: City) -> None:
    by_key: dict[tuple[str, str], list] = {}
    for version in city.versions:
        by_key.setdefault(version.key, []).append(version)
    edited = [found for found in by_key.values() if len(found) > 1]
    assert len(edited) == 204
    for first, last in edited:
        assert (first.release_round, last.release_round) == (1, 2)
        assert first.text != last.text
        assert (first.event_date != last.event_date) == ("edit_date" in last.tags)


def test_late_arrivals_are_old(city: City) -> None:
    late = [v for v in city.versions if "late_arrival" in v.tags]
    assert {v.release_round for v in late} == {2, 3}
    assert all(v.event_date is not None and v.event_date <= TET_WEEK[1] for v in late)


def _account(city: City, round_: int) -> tuple[int, int, int, int, int]:
    """What a plain reader of the files makes of them: landed, kept, superseded, duplicate, rejected."""
    seen: dict[tuple[str, str], set[bytes]] = {}
    landed = duplicate = rejected = 0
    for file in (f for f in city.files if f.release_round <= round_):
        body = file.content.split(b"\n")
        assert body.pop() == b""
        for line in body:
            landed += 1
            try:
                row = json.loads(line)
            except ValueError:
                rejected += 1
                continue
            if not isinstance(row, dict) or not str(row.get("text") or "").strip():
                rejected += 1
                continue
            versions = seen.setdefault((file.source_id, row["id"]), set())
            duplicate += line in versions
            versions.add(line)
    kept = len(seen)
    return landed, kept, sum(map(len, seen.values())) - kept, duplicate, rejected


@pytest.mark.parametrize("round_", ROUNDS)
def test_the_account_of_the_files_is_the_truth(city: City, round_: int) -> None:
    landed, kept, superseded, duplicate, rejected = _account(city, round_)
    assert landed == kept + superseded + duplicate + rejected
    assert kept == city.expected_kept("exports", round_)
    assert superseded == city.expected_superseded("exports", round_)
    assert duplicate == city.expected_export_repeats(round_)
    assert rejected == sum(reject.connector == "exports" for reject in city.expected_rejects(round_))


def test_rejects_are_where_they_are_said_to_be(city: City) -> None:
    files = {f"{file.name}.jsonl": file for file in city.files}
    rejects = [reject for reject in city.rejects if reject.connector == "exports"]
    assert Counter(reject.reason for reject in rejects) == dict.fromkeys(
        ("truncated_json", "not_an_object", "missing_text", "empty_text", "binary_garbage"), 7
    )
    for reject in rejects:
        name, line = reject.location.split(":")
        assert files[name].lines[int(line) - 1] == reject.raw


def test_the_file_that_comes_twice_changes_nothing(city: City) -> None:
    again = next(file for file in city.files if file.name.endswith("gui-lai"))
    first = next(file for file in city.files if file.name == again.name.removesuffix("-gui-lai"))
    assert (first.content, first.release_round, again.release_round) == (again.content, 1, 3)
    ids = {json.loads(line)["id"] for line in again.lines}
    versions = Counter(v.native_id for v in city.versions if v.source_id == again.source_id)
    assert all(versions[native_id] == 1 for native_id in ids)


def test_dates_are_written_in_many_ways(city: City) -> None:
    kinds = Counter()
    for file in city.files:
        for line in file.lines:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict) and "likes" in row:
                stamp = row.get("published_at")
                kinds["missing" if stamp is None else "epoch" if isinstance(stamp, int) else "local" if "/" in stamp else stamp[-6:]] += 1
    assert {"missing", "epoch", "local", "+07:00", "ôm qua"} <= set(kinds)
    assert kinds["+07:00"] > sum(kinds.values()) / 2


@pytest.mark.parametrize("total", [0, 1, 7, 100, 331])
def test_apportion_adds_up(total: int) -> None:
    parts = apportion(total, (0.10, 0.25, 0.65))
    assert sum(parts) == total
    assert all(abs(part - total * weight) < 1 for part, weight in zip(parts, (0.10, 0.25, 0.65), strict=True))
