"""Linking places through time: traps, context, invariants, and the accuracy that the documentation states.

`python -m tests.unit.test_ml_places` writes the table of docs/places.md anew.
"""

import unicodedata
from datetime import date
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lake_config.registry import load_registry
from ml.normalise import fold
from ml.places import Context, Link, PlaceLinker
from ml.places.evaluation import EASY, KINDS, MERGER, Labelled, measure, read_labelled, table, together

DOCUMENT = Path(__file__).parents[2] / "docs" / "places.md"
MARK = "<!-- accuracy -->"
BEFORE, AFTER = Context(date(2024, 5, 1)), Context(date(2026, 5, 1))
LINKER = PlaceLinker(load_registry().places)
LABELLED = read_labelled()


def documented(labelled: list[Labelled]) -> str:
    return f"{MARK}\n\n{table(measure(LINKER, labelled))}"


def links(text: str, context: Context) -> list[Link]:
    return LINKER.link([text], [context])[0]


def shown(text: str, context: Context) -> list[tuple[str, str | None, str, str | None]]:
    return [(link.surface, link.place_id, link.how, link.standing) for link in links(text, context)]


def test_the_documented_accuracy_is_the_measured_one() -> None:
    assert MARK + DOCUMENT.read_text(encoding="utf-8").split(MARK, 1)[1].split("\n\n## ", 1)[0].rstrip("\n") + "\n" == documented(LABELLED)


def test_accuracy_of_each_half_and_period() -> None:
    tallies = measure(LINKER, LABELLED)
    for half, least in (("tuned", 0.98), ("held_out", 0.93)):
        assert together(tally for key, tally in tallies.items() if key[0] == half).accuracy >= least
    for period in ("before", "after"):
        assert together(tally for key, tally in tallies.items() if key[1] == period).accuracy >= 0.95


def test_the_labelled_set_is_what_the_documentation_says() -> None:
    phrases = [(row, mention) for row in LABELLED for mention in row.mentions]
    assert len(phrases) >= 320
    assert sum(row.kind not in EASY for row, _ in phrases) * 3 >= len(phrases)
    assert {row.kind for row in LABELLED} == set(KINDS)
    assert {row.context.day.year for row in LABELLED} == {2023, 2024, 2025, 2026}
    assert min(sum(row.context.day < MERGER for row, _ in phrases), sum(row.context.day >= MERGER for row, _ in phrases)) >= 150
    assert len({row.text for row in LABELLED}) == len(LABELLED)
    known = {place.id for place in load_registry().places}
    for row, (start, end, place) in phrases:
        assert 0 <= start < end <= len(row.text)
        assert place is None or place in known


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        ("Bình Thạnh ngập", ("hcm-d-binh-thanh", "current"), ("hcm-d-binh-thanh", "former")),
        ("phường Tân Định sạch", ("hcm-w2021-quan-1-tan-dinh", "current"), ("hcm-w2025-tan-dinh", "current")),
        ("phường Đa Kao sạch", ("hcm-w2021-quan-1-da-kao", "current"), ("hcm-w2021-quan-1-da-kao", "former")),
        ("phường Sài Gòn sạch", ("hcm-w2025-sai-gon", "future"), ("hcm-w2025-sai-gon", "current")),
        ("Sài Gòn mưa", ("hcm", "current"), ("hcm", "current")),
        ("Bình Dương mưa", ("binh-duong", "current"), ("binh-duong", "former")),
        ("Côn Đảo mưa", ("brvt-d-con-dao", "current"), ("hcm-w2025-con-dao", "current")),
    ],
)
def test_one_name_means_what_held_on_the_day(text: str, before: tuple[str, str], after: tuple[str, str]) -> None:
    for context, wanted in ((BEFORE, before), (AFTER, after)):
        assert [(link.place_id, link.standing) for link in links(text, context)] == [wanted]


@pytest.mark.parametrize(
    ("text", "how"),
    [
        ("q.1 câu hỏi", "question"),
        ("doanh thu Q1 tăng", "quarter"),
        ("Q3/2025", "quarter"),
        ("nộp ở phòng P.5", "room"),
        ("có 3 quận 1 huyện", "count"),
        ("đường Nguyễn Thái Bình", "named_after"),
        ("cầu Sài Gòn", "named_after"),
        ("anh Nguyễn Tân Bình", "person"),
        ("huyện Tân Phú, Đồng Nai", "elsewhere"),
        ("Phường 15 ngập", "ambiguous"),
        ("Metro Bến Thành - Suối Tiên", "route"),
    ],
)
def test_what_is_no_place_is_refused_with_its_reason(text: str, how: str) -> None:
    refused = [link for link in links(text, BEFORE) if link.place_id is None]
    assert [(link.how, link.standing) for link in refused] == [(how, None)]


def test_a_ward_merged_away_in_2025_is_current_before_and_former_since() -> None:
    for day, standing in ((date(2024, 12, 31), "current"), (date(2025, 1, 1), "former"), (AFTER.day, "former")):
        first = links("phường 10, quận 3 ngập", Context(day))[0]
        assert (first.place_id, first.how, first.standing) == ("hcm-w2021-quan-3-phuong-10", "parent", standing)
    assert links("phường Rạch Ông", Context(date(2024, 5, 1)))[0].standing == "future"


def test_the_context_decides_among_wards_of_one_name() -> None:
    for text, context, wanted in (
        ("phường 5 ngập", Context(BEFORE.day, title="Quận 8 mưa lớn"), ("hcm-w2021-quan-8-phuong-5", "title")),
        ("phường 5 ngập", Context(BEFORE.day, area="hcm-d-quan-11"), ("hcm-w2021-quan-11-phuong-5", "area")),
        ("phường 5 ngập", Context(BEFORE.day, area="hcm"), (None, "ambiguous")),
        ("phường 7 của quận 3 ngập", BEFORE, (None, "unknown")),
        ("Bình Thạnh làm tốt", Context(AFTER.day, title="Phường Bình Thạnh dọn rác"), ("hcm-w2025-binh-thanh", "title")),
        ("Bình Thạnh làm tốt", Context(AFTER.day, area="hcm-w2025-binh-thanh"), ("hcm-w2025-binh-thanh", "area")),
    ):
        first = links(text, context)[0]
        assert (first.place_id, first.how) == wanted, text


@pytest.mark.parametrize(
    "text", ["", "🙂", "https://vnexpress.net/q1", "\x00", "a" * 100_000, "quận " * 20_000, "\u202eQ.1\u200d", "İstanbul quận 1"]
)
def test_odd_input_gives_links_inside_the_text(text: str) -> None:
    for link in links(text, BEFORE):
        assert text[link.start : link.end] == link.surface


def test_offsets_are_those_of_the_composed_text() -> None:
    text = unicodedata.normalize("NFD", "Ở phường Bến Nghé, quận 1")
    composed = unicodedata.normalize("NFC", text)
    assert [composed[link.start : link.end] for link in links(text, BEFORE)] == ["phường Bến Nghé", "quận 1"]


SAMPLE = st.sampled_from(LABELLED)


@settings(max_examples=40)
@given(st.lists(SAMPLE, min_size=1, max_size=12))
def test_a_text_gets_the_same_links_whatever_stands_beside_it(rows: list[Labelled]) -> None:
    together_ = LINKER.link([row.text for row in rows], [row.context for row in rows])
    assert together_ == [links(row.text, row.context) for row in rows]


@settings(max_examples=80)
@given(
    st.lists(
        st.sampled_from(
            ["quận", "1", "Q.1", ",", "phường", "Bình", "Thạnh", "Tân", "và", "3", "Phú", "cũ", "(", ")", "P.5", "sg", "ngập", "\n"]
        )
    )
)
def test_links_do_not_overlap_and_lie_in_order(words: list[str]) -> None:
    text = " ".join(words)
    for context in (BEFORE, AFTER):
        found = links(text, context)
        assert all(one.end <= other.start for one, other in pairwise(found))
        for link in found:
            assert text[link.start : link.end] == link.surface
            assert (link.place_id is None) == (link.standing is None)


def test_typed_names_are_linked_without_diacritics_too() -> None:
    for row in LABELLED:
        if row.kind == "plain":
            bare = [link.place_id for link in links(fold(row.text), row.context)]
            assert all(place in bare for _, _, place in row.mentions), row.text


if __name__ == "__main__":
    written = DOCUMENT.read_text(encoding="utf-8")
    head, rest = written.split(MARK, 1)
    tail = rest.split("\n\n## ", 1)
    DOCUMENT.write_text(head + documented(LABELLED) + (f"\n## {tail[1]}" if len(tail) > 1 else ""), encoding="utf-8")
