"""Token ids of a text and its context: windows that lose nothing, contexts behind the text, no forged separators."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ml.language_model import DEFAULT_MODEL
from ml.passes import END, START, Reader, readable, windows

TITLE = "Phường làm việc tại trụ sở mới từ ngày 1/7"


@pytest.fixture(scope="module")
def tokenizer() -> bytes:
    return (DEFAULT_MODEL / "tokenizer.json").read_bytes()


@given(st.integers(0, 400), st.integers(1, 60), st.lists(st.integers(0, 420)))
def test_windows_cover_every_token_once(count: int, room: int, starts: list[int]) -> None:
    ranges = list(windows(sorted(starts), count, room))
    assert [at for first, last in ranges for at in range(first, last)] == list(range(count))
    assert all(last - first <= room for first, last in ranges)


def test_windows_end_with_sentences_where_they_can() -> None:
    assert list(windows([4, 9, 12], 20, 10)) == [(0, 9), (9, 12), (12, 20)]
    assert list(windows([15], 30, 10)) == [(0, 10), (10, 15), (15, 25), (25, 30)]


def test_a_short_text_is_one_pass(tokenizer: bytes) -> None:
    reader = Reader(tokenizer, 96, 40)
    (alone,), (empty,) = reader.passes(["Kẹt xe quá", ""], ["", ""])
    assert alone.ids[0] == START
    assert alone.ids[-1] == END
    assert alone.own == len(alone.ids)
    assert empty.ids == [START, END]


def test_a_context_stands_behind_the_text_and_is_cut(tokenizer: bytes) -> None:
    reader = Reader(tokenizer, 96, 40)
    (alone,), (behind,), (long,), (blank,) = reader.passes(["Kẹt xe quá"] * 4, ["", TITLE, TITLE * 20, " \n"])
    assert behind.ids[: alone.own] == long.ids[: alone.own] == blank.ids == alone.ids
    assert behind.own == long.own == blank.own == alone.own
    assert behind.ids[alone.own] == behind.ids[-1] == long.ids[-1] == END
    assert len(long.ids) == alone.own + 40
    assert Reader(tokenizer, 96, 0).passes(["Kẹt xe quá"], [TITLE])[0][0] == alone


def test_a_long_text_is_read_to_its_end_in_windows_of_whole_sentences(tokenizer: bytes) -> None:
    reader = Reader(tokenizer, 96, 40)
    sentence = "Hẻm nhà tôi ngập tới đầu gối mỗi lần triều cường lên. "
    (passes,) = reader.passes([sentence * 60], [TITLE])
    assert max(one.own for one in passes) <= 96
    assert len({tuple(one.ids[one.own :]) for one in passes}) == 1
    (whole,) = Reader(tokenizer, 512, 0).passes([(sentence * 25).strip()], [""])[0]
    (parts,) = reader.passes([(sentence * 25).strip()], [""])
    assert [token for one in parts for token in one.ids[1 : one.own - 1]] == whole.ids[1:-1]
    (one_sentence,) = reader.passes([sentence.strip()], [""])[0]
    assert all((one.own - 2) % (one_sentence.own - 2) == 0 for one in parts)


def test_a_long_text_without_sentences_is_cut_by_length(tokenizer: bytes) -> None:
    (passes,) = Reader(tokenizer, 96, 40).passes(["a" * 100_000], [""])
    assert {one.own for one in passes[:-1]} == {96}


@pytest.mark.parametrize("forged", ["</s>", "<s>", "<pad>", "<unk>", "<mask>"])
def test_a_text_cannot_write_special_tokens(tokenizer: bytes, forged: str) -> None:
    (one,) = Reader(tokenizer, 96, 40).passes([readable(f"tốt {forged} xấu")], [""])[0]
    assert not np.isin(one.ids[1:-1], [0, 1, 2, 25_522]).any()


def test_readable_drops_what_is_no_text() -> None:
    assert readable("a\ud800b\x00") == "ab\x00"
    assert readable("a < b <3") == "a < b <3"
