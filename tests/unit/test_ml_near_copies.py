"""Near copies: what is put together and what is kept apart, on pairs written for this, and what must hold of any text."""

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from ml.near_copies import SHORTEST, Leaders, Placed, bands, has_sketch, place, sketches, touching
from tests.near_copy_pairs import is_joined, pairs, shape, similarity, table

DOCS = Path(__file__).parents[2] / "docs" / "copies-and-spam.md"
LINES = list(dict.fromkeys(text for pair in pairs() for text in (pair.first, pair.second)))


def placed(texts: list[str]) -> list[Placed]:
    return [one for one, _ in place({text: shape(text) for text in texts}, Leaders())]


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
    assert all(group[one.key] == group[one.cluster_key] for one in placed(LINES))


def test_what_is_placed_stays_where_it_is_when_more_comes() -> None:
    assert placed(LINES)[:150] == placed(LINES[:150])


def test_a_leader_found_by_its_bands_alone_is_found_as_among_all() -> None:
    half = len(LINES) // 2
    old, new = LINES[:half], LINES[half:]
    made = sketches([shape(text) for text in old])
    wanted = bands(sketches([shape(text) for text in new]))
    everyone, some = Leaders(), Leaders()
    everyone.add(old, made)
    hit = touching(made, wanted)
    assert 0 < hit.sum() < len(old)
    some.add([text for text, is_hit in zip(old, hit, strict=True) if is_hit], made[hit])
    texts = {text: shape(text) for text in new}
    assert [one for one, _ in place(texts, everyone)] == [one for one, _ in place(texts, some)]


def test_between_two_clusters_the_nearer_is_joined_and_the_other_named() -> None:
    core = shape("Xe buýt số 19 bỏ bến sáng nay, gọi đường dây nóng thì máy bận, chờ bốn mươi phút mới có chuyến sau, trễ cả buổi làm")
    first = core + shape(" của tôi và cả nhóm bạn ở công ty gần chợ Bà Chiểu, sếp trừ lương")
    second = core + shape(" thôi thì từ mai đi xe máy cho rồi khỏi đợi ai nữa, mà xăng lên")
    texts = {"first": first, "second": second, "between": core + shape(" của tôi")}
    one, two, between = (found for found, _ in place(texts, Leaders()))
    assert (one.cluster_key, two.cluster_key) == ("first", "second")
    assert (between.cluster_key, between.nearby_key) == ("first", "second")


def test_short_texts_are_their_own_cluster() -> None:
    almost = "x" * (SHORTEST - 1)
    assert not has_sketch(almost)
    assert placed([almost, almost + "y"]) == [Placed(almost, almost, 1.0, None), Placed(almost + "y", almost + "y", 1.0, None)]


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
