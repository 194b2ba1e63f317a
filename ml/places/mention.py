"""A text cut into words, and a phrase found in it that may name a place. Belongs here: these two records and looking at their words."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from ml.places.cues import Cues
from ml.places.gazetteer import Level, Reading, Unit
from ml.words import spans_of


@dataclass
class Words:
    """The words of one text in NFC: as matched (lower case, one spelling of tones), folded, and where they stand (in characters)."""

    text: str
    words: Sequence[str]
    keys: Sequence[str]

    @cached_property
    def spans(self) -> list[tuple[int, int]]:
        """Start and end of each word."""
        return spans_of(self.text)

    def word(self, at: int) -> str:
        """The word at a position; empty outside the text."""
        return self.words[at] if 0 <= at < len(self.words) else ""

    def key(self, at: int) -> str:
        """The folded word at a position; empty outside the text."""
        return self.keys[at] if 0 <= at < len(self.keys) else ""

    def says(self, at: int, cues: Cues) -> bool:
        """Whether the word at a position is one of the cues."""
        return self.word(at) in cues

    def says_between(self, first: int, last: int, cues: Cues) -> bool:
        """Whether any word from `first` to before `last` is one of the cues."""
        return any(self.says(at, cues) for at in range(first, last))

    def is_capital(self, at: int) -> bool:
        """Whether the word at a position begins with a capital letter."""
        return 0 <= at < len(self.spans) and self.text[self.spans[at][0]].isupper()

    def touches(self, at: int) -> bool:
        """Whether the word at a position follows the one before it without a space."""
        return 0 < at < len(self.spans) and self.spans[at - 1][1] == self.spans[at][0]

    def ends_in_number(self, last: int) -> bool:
        """Whether the word before a position is a number, or ends in one ("q1")."""
        return self.key(last - 1)[-1:].isdigit()

    def follows(self, at: int, phrases: frozenset[tuple[str, ...]]) -> bool:
        """Whether one of the phrases (folded words, at most three) stands at a position."""
        return any(tuple(self.keys[at : at + size]) in phrases for size in (1, 2, 3))


@dataclass
class Mention:
    """Words `first` to before `last` of a text, and the units they may mean. `how`, `unit`: the decision, once taken.

    `parent` is the district named right beside it. `in_list`: it goes on a list whose first unit said its type.
    """

    first: int
    last: int
    readings: tuple[Reading, ...]
    in_list: bool = False
    parent: Unit | None = None
    unit: Unit | None = None
    how: str = ""

    @property
    def is_typed(self) -> bool:
        """Whether it says what kind of unit it is, or is a short form that means one."""
        return self.in_list or any(reading.form != "bare" for reading in self.readings)

    @property
    def units(self) -> tuple[Unit, ...]:
        """The units it may mean by what it says: with a type those of the type, otherwise all of the name."""
        told = [reading.unit for reading in self.readings if reading.form != "bare"]
        return tuple(told or [reading.unit for reading in self.readings])

    @property
    def is_ward(self) -> bool:
        """Whether it can only be a ward, commune or special zone."""
        return all(unit.level is Level.WARD for unit in self.units)

    def settle(self, unit: Unit | None, how: str) -> None:
        """Take the decision."""
        self.unit, self.how = unit, how


def spelled(words: Sequence[str], keys: Sequence[str], readings: Sequence[Reading]) -> tuple[Reading, ...]:
    """The readings that fit the diacritics written: the name has all of its marks or none ("con đảo" is not Côn Đảo), and so has its type.

    Where marks are written, readings with exactly these go before the others.
    """
    fitting = [reading for reading in readings if _fits(words, keys, reading)]
    exact = [reading for reading in fitting if tuple(words) == reading.words]
    return tuple(exact if exact and tuple(words) != tuple(keys) else fitting)


def _fits(words: Sequence[str], keys: Sequence[str], reading: Reading) -> bool:
    core = max(len(words) - len(reading.unit.core), 0)
    parts = ((words[:core], keys[:core], reading.words[:core]), (words[core:], keys[core:], reading.words[core:]))
    return all(tuple(seen) in {tuple(plain), own} for seen, plain, own in parts)
