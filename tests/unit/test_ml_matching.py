"""Phrase matching: whole words, longest phrase, case, diacritics."""

import unicodedata

import pytest

from lake_config.errors import ConfigError
from ml.matching import PhraseTagger
from ml.normalise import fold

TERMS = {
    "q1": ["Quận 1", "Q.1", "Q1"],
    "q10": ["Quận 10"],
    "hoa-binh": ["Hoà Bình"],
    "w2021": ["Bến Thành"],
    "w2025": ["Bến Thành"],
    "market": ["chợ", "chợ Bến Thành"],
    "traffic": ["kẹt xe", "tắc đường", "giao thông"],
    "metro": ["metro", "tàu điện"],
    "quy": ["quý khách"],
}


@pytest.fixture(scope="module")
def tagger() -> PhraseTagger:
    return PhraseTagger(TERMS)


@pytest.mark.parametrize(
    ("text", "tags"),
    [
        ("Kẹt xe ở Quận 10, rồi Quận 1", ["traffic", "q10", "q1"]),
        ("Quận 10 đông", ["q10"]),
        ("Quận 1, đông", ["q1"]),
        ("(Quận 1)", ["q1"]),
        ("Nhà ở Q.1! gần q1", ["q1"]),
        ("quận 100", []),
        ("TẮC ĐƯỜNG, KẸT XE", ["traffic"]),
        ("ket xe o quan 10, gan quan 1.", ["traffic", "q10", "q1"]),
        ("KET XE QUAN 1", ["traffic", "q1"]),
        ("cho em hỏi kẹt xe ở đâu", ["traffic"]),
        ("cho em hoi", []),
        ("ra chợ", ["market"]),
        ("phường Bến Thành", ["w2021", "w2025"]),
        ("chợ Bến Thành", ["market"]),
        ("di cho Ben Thanh", ["market"]),
        ("Hòa Bình và HOÀ BÌNH", ["hoa-binh"]),
        ("Ho\u00e0 Bi\u0300nh", ["hoa-binh"]),
        ("Metro chạy êm", ["metro"]),
        ("metro chay em", ["metro"]),
        ("quý khách", ["quy"]),
        ("Q. 1 đông, (Q.1)", ["q1"]),
        ("xq1 q1x q_1 q1_", []),
        ("kẹt xe🚗", ["traffic"]),
        ("ket xe 🚗", ["traffic"]),
        ("kẹt xe" * 3, []),
        ("trời đẹp", []),
        ("", []),
        ("\ud800", []),
    ],
)
def test_tags(tagger: PhraseTagger, text: str, tags: list[str]) -> None:
    assert tagger.tags([text]) == [tags]


def test_a_phrase_is_found_where_it_stands_and_as_it_is_listed(tagger: PhraseTagger) -> None:
    for text in ("Ồ, KẸT XE ở Hoà Bình", "o, ket xe o hoa binh", "Ồ, kẹt xe ở Hòa Bi\u0300nh"):
        composed = unicodedata.normalize("NFC", text)
        (found,) = tagger.find([text])
        assert [(one.tags, one.listed, fold(composed[one.start : one.end])) for one in found] == [
            (("traffic",), "kẹt xe", "ket xe"),
            (("hoa-binh",), "Hoà Bình", "hoa binh"),
        ]


def test_texts_do_not_touch_each_other(tagger: PhraseTagger) -> None:
    assert tagger.tags(["quận", "1", "Quận 10", "kẹt", "xe"]) == [[], [], ["q10"], [], []]


def test_a_newline_parts_phrases(tagger: PhraseTagger) -> None:
    assert tagger.tags(["ở quận\n1 là số"]) == [[]]


def test_a_phrase_that_matches_nothing_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"'!!' of 'odd'"):
        PhraseTagger({"odd": ["!!"]})


def test_no_terms_no_tags() -> None:
    assert PhraseTagger({}).tags(["Quận 1"]) == [[]]
