"""Near copies: what is put together and what is kept apart, on pairs written for this, and what must hold of any text."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.near_copies import SHORTEST, Placed, has_sketch, nearest, place, sketches
from tests.near_copy_pairs import is_joined, pairs, shape, similarity, table

DOCS = Path(__file__).parents[2] / "docs" / "copies-and-spam.md"
LINES = list(dict.fromkeys(text for pair in pairs() for text in (pair.first, pair.second)))


def placed(texts: list[str]) -> list[Placed]:
    return place(sketches([shape(text) for text in texts]))


def test_enough_pairs_of_every_kind() -> None:
    assert len(pairs()) >= 200
    assert sum(not pair.is_copy for pair in pairs()) >= 60


def test_copies_are_joined_and_others_kept_apart() -> None:
    judged = [(pair, is_joined(pair)) for pair in pairs()]
    assert [pair for pair, joined in judged if joined and not pair.is_copy] == []
    missed = [pair for pair, joined in judged if pair.is_copy and not joined]
    assert len(missed) <= 0.06 * sum(pair.is_copy for pair, _ in judged)
    assert all(similarity(pair) < 0.6 for pair in missed)
    assert {pair.kind for pair in missed} <= {"teencode", "reworked", "framed"}


def test_the_documentation_tells_these_figures() -> None:
    assert table() in DOCS.read_text(encoding="utf-8")


def test_groups_that_come_together_do_not_mix() -> None:
    group = {text: pair.group for pair in pairs() for text in (pair.first, pair.second)}
    long = [line for line in LINES if has_sketch(shape(line))]
    assert all(group[text] == group[long[one.leader]] for text, one in zip(long, placed(long), strict=True))


def test_what_is_placed_stays_where_it_is_when_more_comes_after_it() -> None:
    assert placed(LINES)[:150] == placed(LINES[:150])


def test_the_nearest_of_known_leaders_is_the_one_that_would_be_joined() -> None:
    old, new = sketches([shape(text) for text in LINES[::2]]), sketches([shape(text) for text in LINES[1::2]])
    leading = [at for at, one in enumerate(place(old)) if one.leader == at]
    joined = [place(np.concatenate([old[leading], sketch[None]]))[-1] for sketch in new]
    assert nearest(new, old[leading]) == [one if one.leader < len(leading) else None for one in joined]
    assert None in nearest(new, old[leading])
    assert any(nearest(new, old[leading]))
    assert nearest(new[:2], old[:0]) == [None, None]


def test_between_two_clusters_the_nearer_is_joined() -> None:
    core = shape("Xe buýt số 19 bỏ bến sáng nay, gọi đường dây nóng thì máy bận, chờ bốn mươi phút mới có chuyến sau, trễ cả buổi làm")
    first = core + shape(" của tôi và cả nhóm bạn ở công ty gần chợ Bà Chiểu, sếp trừ lương")
    second = core + shape(" thôi thì từ mai đi xe máy cho rồi khỏi đợi ai nữa, mà xăng lên")
    assert [one.leader for one in place(sketches([first, second, core + shape(" của tôi")]))] == [0, 1, 0]


def test_short_texts_have_no_sketch() -> None:
    assert not has_sketch("x" * (SHORTEST - 1))
    assert has_sketch("x" * SHORTEST)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(min_size=0, max_size=200), max_size=8))
def test_a_sketch_depends_on_its_text_alone(texts: list[str]) -> None:
    together = sketches(texts)
    assert together.shape == (len(texts), 128)
    for text, sketch in zip(texts, together, strict=True):
        assert np.array_equal(sketches([text])[0], sketch)


def test_a_sketch_is_what_it_was_when_tables_were_written() -> None:
    # Sketches are kept in a table: another library version that makes others needs another SKETCH_ID.
    assert sketches(["duong nguyen huu canh chieu nay lai ngap toi yen xe"])[0][:6].tolist() == [21192, 51608, 60697, 47129, 9248, 212]
