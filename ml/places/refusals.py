"""What looks like a place and is none. Belongs here: reasons to refuse a phrase by the words around it. Not here: which unit is meant.

Each reason is a code that silver keeps (see docs/places.md).
"""

from itertools import pairwise

from ml.places import cues
from ml.places.gazetteer import CITY_ID, Level
from ml.places.mention import Mention, Words

_QUARTERS = {"q1", "q2", "q3", "q4"}
_NEAR = 10
"""Words around "Q1" among which a word of finance makes it a quarter."""


def refusal(words: Words, found: Mention, taken: frozenset[int]) -> str | None:
    """Why a phrase is no place, or None. `taken` are the positions of words that other phrases hold."""
    if words.ends_in_number(found.last):
        return _of_number(words, found, taken)
    if _is_elsewhere(words, found):
        return "elsewhere"
    forms = {reading.form for reading in found.readings}
    if "typed" in forms:
        return None
    if any(unit.id == CITY_ID for unit in found.units):
        return _of_city(words, found)
    return _of_bare(words, found) if forms == {"bare"} else None


def _of_number(words: Words, found: Mention, taken: frozenset[int]) -> str | None:
    first, last = found.first, found.last
    is_short = all(reading.form == "short" for reading in found.readings)
    before = words.word(first - 1)
    counts = len(before) <= 2 and before.isdigit() and first - 1 not in taken and words.word(first - 2) not in {"/", "-", ":", "."}
    if counts and last not in taken and (words.says(last, cues.TYPES) or words.says(first - 2, cues.COUNTING)):
        return "count"  # "3 quận 1 huyện": the numbers count units
    if _is_elsewhere(words, found):
        return "elsewhere"
    if words.word(last) == "%" or (
        words.word(last) in {".", ","} and words.touches(last) and words.touches(last + 1) and _decimal(words, last)
    ):
        return "number"
    if not is_short:
        return None
    return _of_short_number(words, found)


def _decimal(words: Words, at: int) -> bool:
    return words.word(at + 1).isdigit() and (words.word(at) == "." or len(words.word(at + 1)) > 2)


def _of_short_number(words: Words, found: Mention) -> str | None:
    first, last = found.first, found.last
    if words.says(last, cues.QUESTION) or (words.word(last) == ":" and any(key in {"a1", "dap", "tra"} for key in words.keys[last:])):
        return "question"
    if found.is_ward:
        is_room = words.says(first - 1, cues.ROOMS) or words.says(last, cues.ROOMS) or words.says(first - 2, cues.ROOMS)
        return "room" if is_room else ("count" if words.says(last, cues.TALLIED - cues.TYPES) else None)
    compact = words.text[words.spans[first][0] : words.spans[last - 1][1]].lower()
    if compact in _QUARTERS:
        year = words.key(last + 1) if words.word(last) in {"/", "-"} else words.key(last)
        if len(year) == 4 and year.startswith("20") and year.isdigit():
            return "quarter"
        if any(words.follows(at, cues.FINANCE) for at in range(max(first - _NEAR, 0), last + _NEAR)):
            return "quarter"
    return "product" if words.says(first - 1, cues.PRODUCTS) else None


def _is_elsewhere(words: Words, found: Mention) -> bool:
    at = found.last
    if words.word(at) in {"-", "–", "/"} or (
        words.word(at) not in cues.ELSEWHERE_LINKS and not any(unit.is_numbered for unit in found.units)
    ):
        return False  # a dash joins the ends of a road or line as well as a unit and its province
    while at - found.last < 4 and words.word(at) in cues.ELSEWHERE_LINKS and not words.follows(at, cues.ELSEWHERE):
        at += 1
    return words.follows(at, cues.ELSEWHERE)


def _of_city(words: Words, found: Mention) -> str | None:
    name = tuple(words.keys[found.first : found.last])
    if name in {("sai", "gon"), ("saigon",)}:
        if words.says(found.first - 1, cues.WATERS) or _is_body(words, found.first):
            return "named_after"
        return "other_name" if words.follows(found.last, cues.AFTER_SAIGON) else None
    if name == ("hcm",) and words.says_between(found.first - 2, found.first, cues.HO_CHI_MINH):
        return "person"
    return None


def _of_bare(words: Words, found: Mention) -> str | None:
    first, last = found.first, found.last
    is_large = any(unit.bare and unit.level is not Level.WARD for unit in found.units)
    if words.says(first - 1, cues.SURNAMES) and words.is_capital(first - 1) and not words.says(first - 2, cues.STREETS):
        return "person"
    if _is_body(words, first):
        return "named_after"
    if words.says(first - 1, cues.WATERS) or (words.says(first - 1, cues.STREETS) and not is_large):
        return "named_after"
    if words.says(last, cues.DIRECTIONS) and words.is_capital(last) and words.is_capital(first):
        return "other_name"
    joined = words.word(last) in {"-", "–"} and words.follows(last + 1, cues.ROUTES)
    if joined or (words.follows(last, cues.ROUTES) and not is_large):
        return "route"
    return None


def _is_body(words: Words, first: int) -> bool:
    """Whether the name before which these words stand is that of a company, a parish, a team."""
    if any(tuple(words.keys[max(first - size, 0) : first]) in cues.BODIES for size in (1, 2, 3)):
        return True
    before = list(words.keys[max(first - 5, 0) : first])
    return any(tuple(pair) == cues.COMPANY for pair in pairwise(before)) and not {",", ".", "o", "tai"} & set(before)
