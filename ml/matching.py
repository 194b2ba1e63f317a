"""Finding listed phrases (topics, names of agencies) in texts, by an Aho-Corasick automaton. Belongs here: matching lists of phrases.

Not here: the registries the lists come from, what a text without any match means (the caller decides), learned topics, places.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from lake_config.errors import ConfigError
from ml.normalise import fold
from ml.phrases import longest
from ml.words import Remembered, as_matched, words_of

_MARK = re.compile(r"\s*([^\w\s])\s*")


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase found in a text (`start` to `end` in characters, end excluded), the ids it stands for, and how the first lists it."""

    tags: tuple[str, ...]
    start: int
    end: int
    listed: str


class PhraseTagger:
    """Tags texts with the ids whose phrases occur in them as whole words, whatever the case, with single blanks between words.

    A text with diacritics is matched as written ("cho" is not "chợ"). A text wholly without them is matched against the phrases without
    theirs, except phrases of one word that only diacritics tell from others ("chợ", "cháy"): list such a word unaccented to have it found
    there. A mark in a phrase may stand without blanks or before one ("TP.HCM", "TP. HCM"). On overlap the longest phrase wins ("Quận 10" is
    not "Quận 1"); ids that share the winning phrase are all given.
    """

    def __init__(self, terms: Mapping[str, Sequence[str]]) -> None:
        """Index `terms`: id -> phrases. Raises ConfigError for a phrase without a letter or digit."""
        self._accented = _Index()
        self._plain = _Index()
        self._folded = Remembered(fold)
        for tag, phrases in terms.items():
            for phrase in phrases:
                words = words_of(phrase)
                if not any(word.isalnum() for word in words):
                    raise ConfigError(
                        f"The phrase {phrase!r} of {tag!r} has no letter or digit, so nothing could match it: correct or remove it."
                    )
                written = as_matched(_nfc(phrase))
                self._accented.add(written, tag, phrase)
                bare = "".join(map(fold, written))
                if len(words) > 1 or bare == written:
                    self._plain.add(bare, tag, phrase)
        self._accented.make()
        self._plain.make()

    def tags(self, texts: Sequence[str]) -> list[list[str]]:
        """For each text the ids found in it, each once, in the order of their first match ([] where there is none)."""
        return [list(dict.fromkeys(tag for phrase in found for tag in phrase.tags)) for found in self._found(texts)]

    def find(self, texts: Sequence[str]) -> list[list[Phrase]]:
        """For each text the phrases found in it, in order; positions are those of its NFC form."""
        return list(self._found(texts))

    def _found(self, texts: Sequence[str]) -> Iterator[list[Phrase]]:
        for text in texts:
            seen = as_matched(_nfc(text))
            is_plain = seen.isascii() or all(letter.isascii() or self._folded[letter] == letter for letter in seen)
            yield (self._plain if is_plain else self._accented).find(seen)


class _Index:
    """Spellings of phrases, the ids each stands for, and the automaton over them."""

    def __init__(self) -> None:
        self._phrases: dict[str, tuple[list[str], str]] = {}
        self._automaton: Any = None

    def add(self, written: str, tag: str, listed: str) -> None:
        """Add a phrase, with its marks as written, without blanks around them and with one after them."""
        for spelling in {" ".join(written.split()), _MARK.sub(r"\1", written), _MARK.sub(r"\1 ", written).strip()}:
            tags, _ = self._phrases.setdefault(spelling, ([], listed))
            if tag not in tags:
                tags.append(tag)

    def make(self) -> None:
        """Build the automaton; nothing may be added after."""
        if self._phrases:
            self._automaton = import_module("ahocorasick").Automaton()
            for spelling in self._phrases:
                self._automaton.add_word(spelling, len(spelling))
            self._automaton.make_automaton()

    def find(self, text: str) -> list[Phrase]:
        """The phrases in a text spelled as `as_matched` does."""
        if self._automaton is None:
            return []
        ends = ((last + 1 - size, last + 1) for last, size in self._automaton.iter(text))
        spans = [(start, end) for start, end in ends if _is_whole(text, start, end)]
        found = longest(spans) if len(spans) > 1 else spans
        said = ((self._phrases[text[start:end]], start, end) for start, end in found)
        return [Phrase(tuple(tags), start, end, listed) for (tags, listed), start, end in said]


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether what stands there begins and ends with its words."""
    begins = start == 0 or not (_is_of_word(text[start - 1]) and _is_of_word(text[start]))
    return begins and (end == len(text) or not (_is_of_word(text[end - 1]) and _is_of_word(text[end])))


def _is_of_word(letter: str) -> bool:
    return letter.isalnum() or letter == "_"


def _nfc(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
