"""Linking places: the names of the gazetteer are found by spaCy, what is no place is refused, the rest is resolved.

Belongs here: driving texts through. Not here: names (gazetteer.py), decisions (refusals.py, choice.py).
"""

import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from lake_config.registry import Place
from ml.phrases import PhraseFinder
from ml.places import cues
from ml.places.choice import Around, Chooser
from ml.places.gazetteer import Gazetteer, Level, Unit, plain_number
from ml.places.mention import Mention, Words, spelled
from ml.places.refusals import refusal
from ml.words import cut, folded_cutter, toned_cutter

_TITLES_KEPT = 4096
_TEXTS_AT_ONCE = 256


@dataclass(frozen=True)
class Context:
    """What is known of a text beside its words: the local civil day it was written, the title above it (of a comment: what it answers), and
    the place id of its source's area.
    """

    day: date
    title: str | None = None
    area: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    """A phrase of a text (`start` to `end` in characters of its NFC form, end excluded) and what it was resolved to.

    `place_id` is None where the phrase was refused or stayed ambiguous; `how` is the reason code; `standing` tells whether the unit held on
    the day (current), had ceased (former) or was to come (future), None without a unit.
    """

    surface: str
    start: int
    end: int
    place_id: str | None
    how: str
    standing: str | None


class PlaceLinker:
    """Links the places of texts. Deterministic: a text and its context give the same links, whatever else is in the batch."""

    def __init__(self, places: Iterable[Place]) -> None:
        """Index the places (all of the registry, whenever they held): about half a second."""
        self.gazetteer = Gazetteer(places)
        self._chooser = Chooser(self.gazetteer)
        self._names = PhraseFinder(self.gazetteer.readings)
        self._folded, self._toned = folded_cutter(), toned_cutter()
        self._title = lru_cache(_TITLES_KEPT)(self._read_title)

    @property
    def digest(self) -> str:
        """SHA-256 of the gazetteer."""
        return self.gazetteer.digest

    def link(self, texts: Iterable[str], contexts: Iterable[Context]) -> list[list[Link]]:
        """For each text (with its context) the phrases found, in their order; [] where there is none."""
        composed = [text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text) for text in texts]
        rows = zip(composed, self._matched(composed), contexts, strict=True)
        return [self._links(text, keys, found, context) if found else [] for text, (keys, found), context in rows]

    def match(self, texts: Sequence[str]) -> list[list[tuple[int, int]]]:
        """Where names of the gazetteer stand in texts in NFC, as positions of words: the matching alone, nothing refused or resolved."""
        return [found for _, found in self._matched(texts)]

    def _matched(self, texts: Sequence[str]) -> Iterator[tuple[list[str], list[tuple[int, int]]]]:
        """For each text its words, folded, and where names stand among them."""
        for start in range(0, len(texts), _TEXTS_AT_ONCE):
            folded = [cut(text, self._folded) for text in texts[start : start + _TEXTS_AT_ONCE]]
            yield from zip(folded, self._names.find(folded), strict=True)

    def _links(self, text: str, keys: list[str], found: Sequence[tuple[int, int]], context: Context) -> list[Link]:
        words = Words(text, cut(text, self._toned), keys)
        mentions = self._settle(words, found, context)
        return [self._as_link(words, mention, context.day) for mention in mentions if mention.how != "everyday"]

    def _settle(self, words: Words, found: Sequence[tuple[int, int]], context: Context) -> list[Mention]:
        mentions = []
        for first, last in found:
            keys = tuple(words.keys[first:last])
            readings = spelled(words.words[first:last], keys, self.gazetteer.readings[keys])
            if readings:
                mentions.append(Mention(first, last, readings))
        mentions = self._lists(words, mentions)
        taken = frozenset(at for mention in mentions for at in range(mention.first, mention.last))
        for mention in mentions:
            reason = refusal(words, mention, taken)
            if reason:
                mention.settle(None, reason)
        self._chooser.choose(words, mentions, self._around(context))
        return mentions

    def _around(self, context: Context) -> Around:
        title = self._title(context.title, context.day) if context.title else ()
        districts = frozenset(d for unit in title for d in self.gazetteer.districts_of(unit))
        area = self.gazetteer.units.get(context.area or "")
        named = [("title", unit) for unit in title if unit.level is not Level.CITY]
        if area is None or area.level is Level.CITY:
            return Around(context.day, title=districts, named=tuple(named))
        inside = frozenset({area.id, *self.gazetteer.districts_of(area)})
        return Around(context.day, title=districts, area=inside, named=(*named, ("area", area)))

    def _read_title(self, title: str, day: date) -> tuple[Unit, ...]:
        links = self.link([title], [Context(day)])[0]
        return tuple(self.gazetteer.units[link.place_id] for link in links if link.place_id)

    def _lists(self, words: Words, mentions: list[Mention]) -> list[Mention]:
        """The mentions with those that go on a list: "phường 1, 2 và 3", "các phường Bến Nghé, Đa Kao"."""
        made: list[Mention] = []
        for found in mentions:
            mention, before = found, made[-1] if made else None
            if before is not None and not found.is_typed and self._goes_on(words, before, found):
                kept = tuple(reading for reading in found.readings if reading.unit.level is before.units[0].level)
                mention = Mention(found.first, found.last, kept, in_list=True)
            made.append(mention)
            following = next((other.first for other in mentions if other.first >= mention.last), len(words.words))
            if words.ends_in_number(mention.last):
                made += self._numbers(words, mention, following)
        return made

    def _goes_on(self, words: Words, before: Mention, mention: Mention) -> bool:
        gap = [words.word(at) for at in range(before.last, mention.first)]
        if not before.is_typed or not before.is_ward or not gap or not all(word in cues.SEPARATORS for word in gap):
            return False
        # A district after a ward is where the ward lies, unless the list says it goes on: "phường Bến Nghé, Bình Thạnh" is one address.
        may_be_parent = any(reading.unit.level is Level.DISTRICT and reading.unit.bare for reading in mention.readings)
        is_plural = words.says_between(before.first - 1, before.first, cues.PLURALS) or before.in_list
        return any(reading.unit.level is Level.WARD for reading in mention.readings) and (not may_be_parent or is_plural or gap != [","])

    def _numbers(self, words: Words, mention: Mention, until: int) -> list[Mention]:
        kind = tuple(words.keys[mention.first : mention.last - 1]) or (words.key(mention.first)[0],)
        made: list[Mention] = []
        at = mention.last
        while at + 1 < until and words.word(at) in cues.SEPARATORS:
            number = plain_number(words.word(at + 1))
            readings = self.gazetteer.readings.get((*kind, number)) if number else None
            if not readings:
                break
            made.append(Mention(at + 1, at + 2, readings, in_list=True))
            at += 2
        # The last number may count what follows it: "quận 1, 3 người", "ở quận 1 - 15 phút".
        if made and ((words.says(at, cues.TALLIED) and at != until) or words.word(at) in {"/", ":", "%", "h"}):
            made.pop()
        return made

    def _as_link(self, words: Words, mention: Mention, day: date) -> Link:
        start, end = words.spans[mention.first][0], words.spans[mention.last - 1][1]
        unit = mention.unit
        return Link(words.text[start:end], start, end, unit.id if unit else None, mention.how, unit.standing(day) if unit else None)
