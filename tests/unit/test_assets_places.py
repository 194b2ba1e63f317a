"""Rows of place mentions and of agencies: context, what is linked again, the rules and their reasons."""

from datetime import UTC, date, datetime

import polars as pl
import pytest

from assets.silver.places import agency_rows, contexts, linker_digest, mention_rows, place_linker, places_of
from lake_config.registry import Registry, load_registry
from lake_config.storage import conform
from lake_config.tables.silver import PLACE_MENTIONS, POST_AGENCIES
from ml.agencies import AgencyRules
from ml.agency_names import AgencyNames
from quality.runner import failures, run_suite

REGISTRY = load_registry()
LINKER = place_linker(REGISTRY.places)
RULES = AgencyRules(REGISTRY, LINKER.gazetteer)
NAMES = AgencyNames(REGISTRY.agencies)
BEFORE, AFTER = date(2024, 5, 1), date(2026, 5, 1)
AREAS = {"paper": None, "ward": "hcm-w2025-tan-phu"}


def post(number: int, text: str, day: date = AFTER, **more: object) -> dict[str, object]:
    return {
        "event_date": day,
        "post_key": f"{number:064x}",
        "content_key": f"{number + 100:064x}",
        "source_id": "paper",
        "kind": "post",
        "parent_key": None,
        "title": None,
        "text": text,
        "connector": "exports",
        "fetched_at": datetime(2026, 5, 1, tzinfo=UTC),
        "batch_id": "b",
        "row_number": number,
        **more,
    }


def frame(*posts: dict[str, object]) -> pl.DataFrame:
    return pl.DataFrame(list(posts), schema_overrides={"parent_key": pl.String, "title": pl.String})


def nothing() -> pl.DataFrame:
    return pl.DataFrame(pl.from_arrow(PLACE_MENTIONS.schema.empty_table()))


def mentions(posts: pl.DataFrame, held: pl.DataFrame | None = None) -> tuple[pl.DataFrame, int]:
    table, linked = mention_rows(posts, nothing() if held is None else held, AREAS, LINKER)
    assert conform(PLACE_MENTIONS, table).equals(table)
    assert failures(run_suite(PLACE_MENTIONS, table)) == []
    return pl.DataFrame(pl.from_arrow(table)), linked


def test_each_phrase_is_a_row_with_its_place_and_reason_and_a_post_without_has_one() -> None:
    found, linked = mentions(frame(post(1, "Phường Đa Kao cũ, Q1/2026 và Quận 3", title="Ngập"), post(2, "Trời đẹp")))
    assert linked == 2
    shown = found.select("mention_number", "surface", "start_char", "place_id", "how", "standing").rows()
    assert shown == [
        (1, "Phường Đa Kao", 5, "hcm-w2021-quan-1-da-kao", "typed", "former"),
        (2, "Q1", 23, None, "quarter", None),
        (3, "Quận 3", 34, "hcm-d-quan-3", "typed", "former"),
        (0, None, None, None, "nothing", None),
    ]
    assert set(found["weights_digest"]) == {linker_digest(LINKER)}
    assert places_of(found).rows() == [
        (f"{1:064x}", "hcm-d-quan-3"),
        (f"{1:064x}", "hcm-w2021-quan-1-da-kao"),
        (f"{2:064x}", "none"),
    ]


def test_the_context_is_the_title_above_and_the_area_of_the_source() -> None:
    posts = frame(
        post(1, "bài", title="Phường Bình Thạnh dọn rác", kind="article"),
        post(2, "Bình Thạnh làm tốt", kind="comment", parent_key=f"{1:064x}"),
        post(3, "Bình Thạnh làm tốt", kind="comment", title="Quận Bình Thạnh xưa"),
        post(4, "Tân Phú vui", source_id="ward"),
        post(5, "Bình Thạnh làm tốt", kind="comment", parent_key="f" * 64),
    )
    assert [(context.title, context.area) for context in contexts(posts, AREAS)] == [
        (None, None),
        ("Phường Bình Thạnh dọn rác", None),
        ("Quận Bình Thạnh xưa", None),
        (None, "hcm-w2025-tan-phu"),
        (None, None),
    ]
    found, _ = mentions(posts)
    assert found.select("place_id", "how").rows() == [
        ("hcm-w2025-binh-thanh", "typed"),
        ("hcm-w2025-binh-thanh", "title"),
        ("hcm-d-binh-thanh", "title"),
        ("hcm-w2025-tan-phu", "area"),
        ("hcm-d-binh-thanh", "name"),
    ]


def test_only_what_is_new_or_changed_is_linked_again_and_gives_the_same_rows() -> None:
    first, second = post(1, "Quận 1 ngập"), post(2, "trời đẹp")
    held, _ = mentions(frame(first, second))
    same, linked = mentions(frame(first, second), held)
    assert linked == 0
    assert same.equals(held)
    edited = second | {"text": "Quận 3 đẹp", "content_key": "e" * 64}
    after, linked = mentions(frame(first, edited, post(3, "Quận 5")), held)
    assert linked == 2
    assert after.equals(mentions(frame(first, edited, post(3, "Quận 5")))[0])
    gone, linked = mentions(frame(first), held)
    assert (set(gone["post_key"]), linked) == ({first["post_key"]}, 0)


def routes(day: date, topics: list[str], places: list[str], area: str | None = None) -> set[tuple[str, str, str, str]]:
    return {(r.agency_id, r.rule, r.topic_id, r.place_id) for r in RULES.routes(topics, places, area, day)}


@pytest.mark.parametrize(
    ("day", "place", "committee", "rule"),
    [
        (BEFORE, "hcm-d-quan-3", "ubnd-d-quan-3", "area"),
        (BEFORE, "hcm-w2021-quan-1-da-kao", "ubnd-d-quan-1", "above"),
        (AFTER, "hcm-w2025-tan-dinh", "ubnd-w2025-tan-dinh", "area"),
        (AFTER, "hcm-w2021-quan-1-ben-nghe", "ubnd-w2025-sai-gon", "successor"),
        (BEFORE, "hcm-w2021-quan-3-phuong-10", "ubnd-d-quan-3", "above"),
        (date(2025, 2, 1), "hcm-w2021-quan-3-phuong-10", "ubnd-d-quan-3", "above"),
        (AFTER, "hcm-w2021-quan-3-phuong-10", "ubnd-w2025-nhieu-loc", "successor"),
    ],
)
def test_the_committee_of_the_day_answers_for_its_area(day: date, place: str, committee: str, rule: str) -> None:
    found = routes(day, ["waste"], [place])
    assert (committee, rule, "waste", place) in found
    assert {agency for agency, how, _, _ in found if how != "function"} == {committee}
    assert any(how == "function" for _, how, _, _ in found)


def test_departments_change_with_their_function() -> None:
    def departments(day: date) -> set[str]:
        return {agency for agency, _, _, _ in routes(day, ["traffic"], [])}

    assert "so-gtvt" in departments(BEFORE)
    assert "so-gtcc" in departments(date(2025, 4, 1))
    assert {"so-gtvt", "so-gtcc"}.isdisjoint(departments(AFTER))
    assert "so-xay-dung-2025" in departments(AFTER)


@pytest.mark.parametrize(
    ("text", "day", "agencies"),
    [
        ("Sở Y tế TP.HCM trả lời rồi", AFTER, ["so-y-te"]),
        ("so y te tra loi roi", AFTER, ["so-y-te"]),
        ("Gửi Sở GTVT và Sở TN&MT", BEFORE, ["so-gtvt", "so-tnmt"]),
        ("Gửi Sở GTVT và Sở TN&MT", AFTER, []),
        ("Sở Xây dựng nói gì?", BEFORE, ["so-xay-dung"]),
        ("Sở Xây dựng nói gì?", AFTER, ["so-xay-dung-2025"]),
        ("UBND quận 3 họp", BEFORE, ["ubnd-d-quan-3"]),
        ("UBND phường Bến Thành họp", AFTER, ["ubnd-w2025-ben-thanh"]),
        ("Sở Y tế Đồng Nai, Sở Du lịch TP. Đà Nẵng", AFTER, []),
        ("Sở Y tế tỉnh Bình Dương", BEFORE, []),
        ("Sở Y tế (Bình Dương cũng vậy)", AFTER, ["so-y-te"]),
        ("chơi với con ở sở thú", AFTER, []),
        ("", AFTER, []),
    ],
)
def test_an_agency_is_found_by_the_name_it_has_on_the_day(text: str, day: date, agencies: list[str]) -> None:
    assert NAMES.find([text], [day]) == [tuple(agencies)]


def test_who_is_named_answers_first_and_without_a_topic_of_its_own_too() -> None:
    def of(topics: list[str], places: list[str]) -> set[tuple[str, str, str]]:
        found = RULES.routes(topics, places, None, AFTER, ["so-y-te"])
        return {(r.rule, r.topic_id, r.place_id) for r in found if r.agency_id == "so-y-te"}

    assert of(["health"], []) == {("named", "health", "hcm")}
    assert of(["health"], ["hcm-w2025-tan-phu"]) == {("named", "health", "hcm"), ("function", "health", "hcm-w2025-tan-phu")}
    assert of(["traffic"], []) == of([], []) == {("named", "none", "hcm")}
    assert RULES.routes(["waste"], [], None, AFTER, ["so-gtvt"]) == RULES.routes(["waste"], [], None, AFTER)


def test_who_answers_for_nobody() -> None:
    assert routes(AFTER, [], ["hcm-w2025-tan-dinh"]) == set()
    assert routes(BEFORE, ["waste"], ["binh-duong"]) == set()
    assert {rule for _, rule, _, _ in routes(AFTER, ["waste"], ["hcm-d-binh-thanh"])} == {"function"}
    assert {rule for _, rule, _, _ in routes(AFTER, ["waste"], ["binh-duong"])} == {"function"}
    assert ("ubnd-w2025-tan-phu", "source_area", "waste", "hcm-w2025-tan-phu") in routes(AFTER, ["waste"], [], "hcm-w2025-tan-phu")
    assert routes(AFTER, ["waste"], ["hcm"], "hcm-w2025-tan-phu") == routes(AFTER, ["waste"], ["hcm"])


def test_every_agency_that_is_named_holds_on_the_day_and_has_the_topic() -> None:
    for day in (date(2023, 1, 1), date(2025, 3, 15), date(2025, 7, 1)):
        for place in REGISTRY.places[::7]:
            for topic in REGISTRY.topics[::3]:
                for agency_id, _, topic_id, _ in routes(day, [topic.id], [place.id]):
                    agency = Registry.agency(REGISTRY, agency_id)
                    assert agency.is_valid_on(day)
                    assert topic_id in agency.topics


def test_a_post_has_its_agencies_or_the_reason_why_none() -> None:
    posts = frame(post(1, "rác quận 3"), post(2, "vui"), post(3, "rác Bình Dương"), post(4, "rác")).with_columns(event_date=pl.lit(BEFORE))
    topics = pl.DataFrame([(f"{n:064x}", "none" if n == 2 else "waste") for n in (1, 2, 3, 4)], ["post_key", "label"], orient="row")
    named = [(1, "hcm-d-quan-3"), (2, "none"), (3, "binh-duong"), (4, "none")]
    places = pl.DataFrame([(f"{n:064x}", place) for n, place in named], ["post_key", "label"], orient="row")
    table = agency_rows(posts, topics, places, AREAS, RULES, NAMES)
    assert conform(POST_AGENCIES, table).equals(table)
    assert failures(run_suite(POST_AGENCIES, table)) == []
    found = pl.DataFrame(pl.from_arrow(table))
    assert set(found["post_key"]) == set(posts["post_key"])
    assert found.filter(pl.col("agency_id") == "none").select("post_key", "rule").rows() == [
        (f"{2:064x}", "no_topic"),
        (f"{3:064x}", "outside"),
    ]
    assert ("ubnd-d-quan-3", "area", "waste", "hcm-d-quan-3") in found.select("agency_id", "rule", "topic_id", "place_id").rows()
