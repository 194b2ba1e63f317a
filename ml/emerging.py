"""Subjects that came up lately among texts of no known topic: phrases said far more than before, grouped into proposals. Pure.

Belongs here: terms, their score and grouping. Not here: which texts have no topic, whether a proposal becomes a topic (people decide).
"""

import math
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

MIN_TEXTS = 10
"""Distinct texts of the week that say a term before it is proposed."""
MIN_VOICES = 10
"""Distinct authors among them: what fewer say could point at a person, and is no subject of the city."""
MIN_SCORE = 5.0
"""Standard deviations. The normal tail beyond is 2.9e-7: of 100,000 terms one gets there by chance in about 30 quiet weeks."""
MIN_RATIO = 3.0
"""How many times its share of the weeks before a term's share of the week must be."""
_PRIOR = 0.5
"""Weight of the prior, as a share of the texts of the smaller period: a term's share of both periods is what is expected of each."""
_LONGEST = 4
_SAME = 0.5
"""Share of the rarer of two terms' texts that must say the other for both to be one subject."""
_TERMS_SHOWN, _EXAMPLES = 6, 5

_PIECE = re.compile(r"[^\W\d_]+|\S|\n")
_LINK = re.compile(r"(?:https?://|www\.)\S+|[@#]\S+")
_FUNCTION = frozenset(
    [
        "và",
        "là",
        "của",
        "có",
        "cho",
        "với",
        "các",
        "những",
        "một",
        "này",
        "đó",
        "kia",
        "thì",
        "mà",
        "ở",
        "ra",
        "vào",
        "lên",
        "xuống",
        "đi",
        "đến",
        "tới",
        "từ",
        "về",
        "trong",
        "ngoài",
        "trên",
        "dưới",
        "khi",
        "nếu",
        "nên",
        "cũng",
        "đã",
        "đang",
        "sẽ",
        "bị",
        "được",
        "do",
        "vì",
        "tại",
        "bởi",
        "không",
        "chưa",
        "chẳng",
        "hay",
        "hoặc",
        "nhưng",
        "rất",
        "quá",
        "lắm",
        "hơn",
        "nhất",
        "thôi",
        "rồi",
        "nữa",
        "luôn",
        "vẫn",
        "còn",
        "chỉ",
        "mới",
        "lại",
        "mọi",
        "mỗi",
        "từng",
        "nhiều",
        "ít",
        "cả",
        "ai",
        "gì",
        "nào",
        "sao",
        "đâu",
        "bao",
        "mấy",
        "tôi",
        "tui",
        "mình",
        "em",
        "anh",
        "chị",
        "bạn",
        "ông",
        "bà",
        "chú",
        "cô",
        "họ",
        "nó",
        "ta",
        "người",
        "ta",
        "thế",
        "vậy",
        "nha",
        "nhé",
        "nhỉ",
        "ạ",
        "à",
        "ơi",
        "dạ",
        "ủa",
        "hả",
        "đây",
        "đấy",
        "ấy",
        "phải",
        "cần",
        "muốn",
        "biết",
        "thấy",
        "nói",
        "nghe",
        "làm",
        "xin",
        "hỏi",
        "ad",
        "admin",
        "ko",
        "k",
        "dc",
        "đc",
        "vs",
        "cái",
        "con",
        "việc",
        "lúc",
        "hôm",
        "nay",
        "qua",
        "mai",
        "ngày",
        "giờ",
        "theo",
        "như",
        "để",
        "bằng",
    ]
)
_FAMILY = frozenset(["nguyễn", "phạm", "huỳnh", "đặng", "bùi", "ngô", "trần", "lê", "phan", "vũ", "võ", "đỗ", "dương", "hoàng", "hồ", "lý"])
_ONLY_FAMILY = frozenset(["nguyễn", "phạm", "huỳnh", "đặng", "bùi", "ngô"])


@dataclass(frozen=True, slots=True)
class Document:
    """One distinct text: its key, its words, how many posts say it, and the keyed hashes of their authors."""

    key: str
    text: str
    mentions: int
    voices: frozenset[str]


@dataclass(frozen=True, slots=True)
class Proposal:
    """A subject that came up: its terms, the leading one first, and what says them in the week (and in how many texts before).

    `score` is the z-score of the leading term. `example_keys` are keys of texts, for who may read them.
    """

    terms: tuple[str, ...]
    texts: int
    mentions: int
    voices: int
    texts_before: int
    score: float
    example_keys: tuple[str, ...]


@dataclass
class _Said:
    """Positions of the documents that say a term."""

    recent: set[int] = field(default_factory=set)
    before: set[int] = field(default_factory=set)


def terms_of(text: str) -> set[str]:
    """The phrases of 2 to 4 words in a text, in lower case, that neither begin nor end with a function word, cross a mark or a number, nor
    look like a person's name (a family name followed by a capital letter, or one that is no other word).
    """
    found: set[str] = set()
    run: list[str] = []
    for piece in (*_PIECE.findall(_LINK.sub(" . ", text)), "."):
        if piece.isalpha():
            run.append(piece)
        else:
            found |= _of_run(run)
            run = []
    return found


def _of_run(run: Sequence[str]) -> set[str]:
    words = [word.lower() for word in run]
    named = _in_names(run, words)
    spans = ((first, first + size) for size in range(2, _LONGEST + 1) for first in range(len(run) - size + 1))
    return {
        " ".join(words[first:last])
        for first, last in spans
        if words[first] not in _FUNCTION and words[last - 1] not in _FUNCTION and not any(named[first:last])
    }


def _in_names(written: Sequence[str], words: Sequence[str]) -> list[bool]:
    """Which words of a run look like part of a person's name: a family name, if it is no other word or a capital letter follows, and the
    capitalised words after it (all of three, where it is written small).
    """
    named = [False] * len(words)
    for at, word in enumerate(words):
        follows = at + 1 < len(words) and written[at].istitle() and written[at + 1].istitle()
        if word in _ONLY_FAMILY or (word in _FAMILY and follows):
            end = at + 1
            while end < len(words) and (written[end].istitle() if follows else end < at + 4):
                end += 1
            named[at:end] = [True] * (end - at)
    return named


def log_odds(recent: int, recent_total: int, before: int, before_total: int) -> float:
    """The z-score of a term's log-odds between two periods with an informative Dirichlet prior (Monroe, Colaresi and Quinn 2008, "Fightin'
    Words", section on the log-odds ratio), counted in texts; the prior is the term's share of both periods together.
    """
    weight = _PRIOR * min(recent_total, before_total)
    prior = weight * (recent + before) / (recent_total + before_total)
    odds = (math.log((said + prior) / (total + weight - said - prior)) for said, total in ((recent, recent_total), (before, before_total)))
    first, second = odds
    return (first - second) / math.sqrt(1 / (recent + prior) + 1 / (before + prior))


def propose(recent: Sequence[Document], before: Sequence[Document]) -> list[Proposal]:
    """The subjects that came up in `recent`, highest score first; none where there is nothing to compare with.

    Both are distinct texts of no known topic. A term counts once a text, so that repeating it or copying a post gains nothing.
    """
    if not recent or not before:
        return []
    said: dict[str, _Said] = defaultdict(_Said)
    for number, document in enumerate(recent):
        for term in terms_of(document.text):
            said[term].recent.add(number)
    bursting = {
        term: found for term, found in said.items() if len(found.recent) >= MIN_TEXTS and _voices(recent, found.recent) >= MIN_VOICES
    }
    for number, document in enumerate(before):
        for term in bursting.keys() & terms_of(document.text):
            bursting[term].before.add(number)
    scores = {term: log_odds(len(one.recent), len(recent), len(one.before), len(before)) for term, one in bursting.items()}
    kept = [term for term, one in bursting.items() if scores[term] >= MIN_SCORE and _ratio(one, len(recent), len(before)) >= MIN_RATIO]
    kept.sort(key=lambda term: (-scores[term], -len(term), term))
    return [_proposal(terms, bursting, scores, recent) for terms in _groups(kept, bursting)]


def _groups(terms: Iterable[str], said: Mapping[str, _Said]) -> list[list[str]]:
    groups: list[list[str]] = []
    for term in terms:
        own = said[term].recent
        home = next(
            (group for group in groups if len(own & said[group[0]].recent) >= _SAME * min(len(own), len(said[group[0]].recent))), None
        )
        if home is None:
            groups.append([term])
        else:
            home.append(term)
    return groups


def _overlap(first: set[int], second: set[int]) -> float:
    """The share of the smaller set that is in the other."""
    return len(first & second) / min(len(first), len(second))


def _proposal(terms: Sequence[str], said: Mapping[str, _Said], scores: Mapping[str, float], recent: Sequence[Document]) -> Proposal:
    numbers = sorted(set().union(*(said[term].recent for term in terms)))
    before = set().union(*(said[term].before for term in terms))
    return Proposal(
        terms=tuple(terms[:_TERMS_SHOWN]),
        texts=len(numbers),
        mentions=sum(recent[number].mentions for number in numbers),
        voices=_voices(recent, numbers),
        texts_before=len(before),
        score=scores[terms[0]],
        example_keys=tuple(sorted(recent[number].key for number in said[terms[0]].recent)[:_EXAMPLES]),
    )


def _voices(documents: Sequence[Document], numbers: Iterable[int]) -> int:
    return len(set[str]().union(*(documents[number].voices for number in numbers)))


def _ratio(said: _Said, recent: int, before: int) -> float:
    return (len(said.recent) / recent) / (max(len(said.before), 0.5) / before)
