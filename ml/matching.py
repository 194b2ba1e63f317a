"""Finding listed phrases (topics, places) in texts, by spaCy's PhraseMatcher. Belongs here: matching lists of words.

Not here: the registries the lists come from, what a text without any match means (the caller decides), learned topics.
"""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from lake_config.errors import ConfigError
from ml.normalise import fold
from ml.phrases import PhraseFinder
from ml.words import Remembered, cut, spans_of, toned_cutter, words_of

_TEXTS_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Phrase:
    """A phrase found in a text (`start` to `end` in characters, end excluded), the ids it stands for, and how the first lists it."""

    tags: tuple[str, ...]
    start: int
    end: int
    listed: str


class PhraseTagger:
    """Tags texts with the ids whose phrases occur in them as whole words, whatever the case.

    A text with diacritics is matched as written ("cho" is not "chợ"). A text wholly without them is matched against the phrases without
    theirs, except phrases of one word that only diacritics tell from others ("chợ", "cháy"): list such a word unaccented to have it found
    there. On overlap the longest phrase wins ("Quận 10" is not "Quận 1"); ids that share the winning phrase are all given.
    """

    def __init__(self, terms: Mapping[str, Sequence[str]]) -> None:
        """Index `terms`: id -> phrases. Raises ConfigError for a phrase without a letter or digit."""
        accented: dict[tuple[str, ...], list[str]] = {}
        plain: dict[tuple[str, ...], list[str]] = {}
        self._listed: dict[tuple[str, ...], str] = {}
        for tag, phrases in terms.items():
            for phrase in phrases:
                words = tuple(words_of(phrase))
                if not any(word.isalnum() for word in words):
                    raise ConfigError(
                        f"The phrase {phrase!r} of {tag!r} has no letter or digit, so nothing could match it: correct or remove it."
                    )
                bare = tuple(fold(word) for word in words)
                targets = [accented] if len(words) == 1 and bare != words else [accented, plain]
                for target, key in zip(targets, (words, bare), strict=False):
                    self._listed.setdefault(key, phrase)
                    if tag not in target.setdefault(key, []):
                        target[key].append(tag)
        self._accented, self._plain = accented, plain
        self._marked, self._bare = PhraseFinder(accented), PhraseFinder(plain)
        self._pieces, self._folded = toned_cutter(), Remembered(fold)

    def tags(self, texts: Sequence[str]) -> list[list[str]]:
        """For each text the ids found in it, each once, in the order of their first match ([] where there is none)."""
        return [list(dict.fromkeys(tag for phrase in found for tag in phrase.tags)) for found in self._found(texts)]

    def find(self, texts: Sequence[str]) -> list[list[Phrase]]:
        """For each text in NFC the phrases found in it, in order."""
        result = []
        for text, found in zip(texts, self._found(texts), strict=True):
            spans = spans_of(text) if found else []
            result.append([replace(one, start=spans[one.start][0], end=spans[one.end - 1][1]) for one in found])
        return result

    def _found(self, texts: Sequence[str]) -> Iterator[list[Phrase]]:
        """As `find`, but with positions in words."""
        for first in range(0, len(texts), _TEXTS_AT_ONCE):
            cut_texts = [cut(_nfc(text), self._pieces) for text in texts[first : first + _TEXTS_AT_ONCE]]
            plain = [all(word.isascii() or self._folded[word] == word for word in words) for words in cut_texts]
            made: list[list[Phrase]] = [[] for _ in cut_texts]
            for is_plain, finder, index in ((False, self._marked, self._accented), (True, self._bare, self._plain)):
                numbers = [number for number, bare in enumerate(plain) if bare is is_plain]
                found = finder.find([cut_texts[number] for number in numbers])
                for number, spans in zip(numbers, found, strict=True):
                    if spans:
                        keys = [(tuple(cut_texts[number][start:end]), start, end) for start, end in spans]
                        made[number] = [Phrase(tuple(index[key]), start, end, self._listed[key]) for key, start, end in keys]
            yield from made


def _nfc(text: str) -> str:
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
