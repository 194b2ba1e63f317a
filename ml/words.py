"""Words of a text, for matching: lower case, one spelling of the tones, with or without diacritics, and where they stand.

Belongs here: cutting texts into words. Not here: what the words mean (matching.py, places/).
"""

import re
import unicodedata
from collections.abc import Callable
from itertools import chain
from typing import TypeVar

from ml.normalise import fold

_TOKEN = re.compile(r"\w+|[^\w\s]|\n")

# "hoà" and "hòa", "thuý" and "thúy" are one word in two spellings: both become the second.
_NEW_TONE = re.compile("[oOuU][àáảãạèéẻẽẹỳýỷỹỵÀÁẢÃẠÈÉẺẼẸỲÝỶỸỴ]")
_PLAIN = dict(zip("àáảãạèéẻẽẹỳýỷỹỵ", "a" * 5 + "e" * 5 + "y" * 5, strict=True))
_TONE = dict(zip("àáảãạèéẻẽẹỳýỷỹỵ", "\u0300\u0301\u0309\u0303\u0323" * 3, strict=True))
_WORDS_KEPT = 200_000
"""Distinct words of which a form is remembered: more than the language has, so that only floods of random text empty the memory."""
_LONGEST_KEPT = 40
"""Characters of the longest piece that is remembered: longer ones are addresses and noise, which do not come again."""
ValueT = TypeVar("ValueT")


def _old_tone(match: re.Match[str]) -> str:
    glide, vowel = match[0][0].lower(), match[0][1].lower()
    if (vowel in "ỳýỷỹỵ") != (glide == "u"):
        return f"{glide}{vowel}"
    return unicodedata.normalize("NFC", glide + _TONE[vowel]) + _PLAIN[vowel]


def words_of(text: str) -> list[str]:
    """The words and marks of a text in lower case, the tones in one spelling; a line break is a word of its own."""
    return _TOKEN.findall(_NEW_TONE.sub(_old_tone, unicodedata.normalize("NFC", text).lower()))


def raw_words(text: str) -> list[str]:
    """The words and marks of a text in NFC as written but for letter case; as many, in the same order, as `spans_of` gives."""
    return _TOKEN.findall(_plain_capital(text).lower())


def spans_of(text: str) -> list[tuple[int, int]]:
    """Start and end (in characters, end excluded) of each word and mark of a text in NFC."""
    return [match.span() for match in _TOKEN.finditer(_plain_capital(text))]


def _plain_capital(text: str) -> str:
    # Lower-casing this one letter gives two characters, the second of them no part of a word.
    return text.replace("İ", "I") if "İ" in text else text


class Remembered(dict[str, ValueT]):
    """What a function makes of each word or piece of text asked for; remembers it, for a text repeats the words of others."""

    def __init__(self, made: Callable[[str], ValueT]) -> None:
        super().__init__()
        self._made = made

    def __missing__(self, word: str) -> ValueT:
        found = self._made(word)
        if len(word) <= _LONGEST_KEPT:
            if len(self) >= _WORDS_KEPT:
                self.clear()
            self[word] = found
        return found


Cutter = Remembered[tuple[str, ...]]
"""Cuts the pieces between the blanks of a text into words."""


def folded_cutter() -> Cutter:
    """Cuts as `raw_words`, each word folded (lower case, no diacritics)."""
    return Remembered(lambda piece: tuple(map(fold, raw_words(piece))))


def toned_cutter() -> Cutter:
    """Cuts as `raw_words`, the tones in one spelling."""
    return Remembered(lambda piece: tuple(map(one_tone, raw_words(piece))))


def cut(text: str, pieces: Cutter) -> list[str]:
    """The words of a text, in a third of the time that cutting it anew takes (no word goes over a blank)."""
    return list(chain.from_iterable(map(pieces.__getitem__, text.split(" "))))


def one_tone(word: str) -> str:
    """A lower-case word with its tone mark where `words_of` has it."""
    return _NEW_TONE.sub(_old_tone, word)


def as_matched(text: str) -> str:
    """A text in NFC with its letters small and the tones in one spelling; as long as it was."""
    return one_tone(_plain_capital(text).lower())
