"""Emerging topics: what is a term, the score, a planted subject that is found, and a quiet week that proposes nothing."""

import math
import random

import pytest

from ml.emerging import MIN_SCORE, MIN_VOICES, Document, log_odds, propose, terms_of

WORDS = (
    "sáng nay",
    "trời mát",
    "uống cà phê",
    "quán quen",
    "bạn cũ",
    "đá banh",
    "cuối tuần",
    "phim hay",
    "chó mèo",
    "nấu ăn",
    "sách cũ",
    "vườn nhà",
)


def chatter(count: int, seed: int, extra: str = "", every: int = 1, voices: int = 10_000) -> list[Document]:
    """Texts of everyday phrases in random order; every so many of them also say `extra`."""
    chance = random.Random(seed)
    return [
        Document(
            key=f"{seed}-{number:05d}",
            text=", ".join(chance.sample(WORDS, 4)) + (f", {extra} {number}" if extra and number % every == 0 else ""),
            mentions=1,
            voices=frozenset({f"{seed}-{number % voices}"}),
        )
        for number in range(count)
    ]


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("xe đạp điện", {"xe đạp", "đạp điện", "xe đạp điện"}),
        ("Xe đạp. Điện", {"xe đạp"}),
        ("và xe đạp của", {"xe đạp"}),
        ("Hoà Bình", {"hoà bình"}),
        ("gặp Trần Văn Tèo chỗ chợ", {"chỗ chợ"}),
        ("nguyễn văn tèo", set()),
        ("hồ bơi", {"hồ bơi"}),
        ("xem https://a.example/xe-dap @ai #gi đi", set()),
        ("[PHONE] 12 xe", set()),
        ("", set()),
    ],
)
def test_terms(text: str, terms: set[str]) -> None:
    assert terms_of(text) == terms


def test_the_score_is_the_z_score_of_the_log_odds() -> None:
    prior = 500 * 60 / 3000
    delta = math.log((50 + prior) / (1000 + 500 - 50 - prior)) - math.log((10 + prior) / (2000 + 500 - 10 - prior))
    assert log_odds(50, 1000, 10, 2000) == pytest.approx(delta / math.sqrt(1 / (50 + prior) + 1 / (10 + prior)))
    assert log_odds(10, 1000, 20, 2000) == pytest.approx(0, abs=0.2)
    assert log_odds(50, 1000, 10, 2000) == pytest.approx(-log_odds(10, 2000, 50, 1000))


def test_a_planted_subject_is_proposed_once_with_its_terms_and_counts() -> None:
    recent = chatter(1_000, 1, "thuyền buýt điện", every=20)
    (found,) = propose(recent, chatter(4_000, 2))
    assert "thuyền buýt điện" in found.terms
    assert (found.texts, found.mentions, found.voices, found.texts_before) == (50, 50, 50, 0)
    assert found.score >= MIN_SCORE
    assert set(found.example_keys) <= {document.key for document in recent[::20]}


@pytest.mark.parametrize(
    "recent",
    [
        chatter(1_000, 3),
        chatter(1_000, 4, "thuyền buýt điện", every=200),
        chatter(1_000, 5, "thuyền buýt điện", every=20, voices=100)[: MIN_VOICES * 20 - 20],
        [],
    ],
    ids=["nothing new", "few texts", "few voices", "no text"],
)
def test_a_quiet_week_proposes_nothing(recent: list[Document]) -> None:
    assert propose(recent, chatter(4_000, 6)) == []


def test_what_was_said_before_as_much_is_nothing_new() -> None:
    assert propose(chatter(1_000, 7, "thuyền buýt điện", every=20), chatter(4_000, 8, "thuyền buýt điện", every=20)) == []
    assert propose(chatter(1_000, 9, "thuyền buýt điện", every=20), []) == []


def test_two_subjects_are_two_proposals() -> None:
    recent = chatter(1_000, 10, "thuyền buýt điện", every=20) + chatter(1_000, 11, "vòng quay khổng lồ", every=25)
    assert len(propose(recent, chatter(4_000, 12))) == 2
