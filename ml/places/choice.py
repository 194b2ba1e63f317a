"""Which unit a name means, by what the text says around it and by the day it was written. Pure.

The order of the evidence: the district named beside it; the units that hold on the day before former ones; districts named elsewhere in the
text, then in the title above, then the area of the source; the city before the provinces that joined it. Belongs here: choosing among
units. Not here: what is no place (refusals.py), finding names (linker.py).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from ml.places import cues
from ml.places.gazetteer import Gazetteer, Level, Unit
from ml.places.mention import Mention, Words

_STANDINGS = ("current", "former", "future")


@dataclass(frozen=True)
class Around:
    """What is known beside the name itself: ids of the districts of the text, of the title above it and of the source's area.

    `named` are the units of the title and the area, with the word for which of the two it is.
    """

    day: date
    text: frozenset[str] = frozenset()
    title: frozenset[str] = frozenset()
    area: frozenset[str] = frozenset()
    named: tuple[tuple[str, Unit], ...] = ()


class Chooser:
    """Decides over the mentions of one text at a time."""

    def __init__(self, gazetteer: Gazetteer) -> None:
        self.gazetteer = gazetteer

    def choose(self, words: Words, mentions: Sequence[Mention], around: Around) -> None:
        """Settle every mention that is not settled yet."""
        open_ = [mention for mention in mentions if not mention.how]
        self._parents(words, mentions)
        for mention in open_:
            if not mention.is_ward:
                self._larger(words, mention, around, mentions)
        districts = self._districts(m.unit for m in mentions if m.unit is not None and m.unit.level is Level.DISTRICT)
        around = Around(around.day, districts, around.title, around.area, around.named)
        waiting = [mention for mention in open_ if not mention.how and not self._ward(words, mention, around)]
        # A ward that is known tells in which district its neighbours lie.
        siblings = self._districts(m.unit for m in mentions if m.unit is not None and m.unit.level is Level.WARD)
        for mention in waiting:
            self._ambiguous(mention, around, siblings)

    def _districts(self, units: Iterable[Unit | None]) -> frozenset[str]:
        return frozenset(district for unit in units if unit is not None for district in self.gazetteer.districts_of(unit))

    def _parents(self, words: Words, mentions: Sequence[Mention]) -> None:
        """Give every ward the district named right after it (over the rest of its list), or right before it."""
        for index, mention in enumerate(mentions):
            if any(unit.level is Level.WARD for unit in mention.units) and mention.how not in {"number", "count"}:
                mention.parent = self._after(words, mentions, index) or self._before(words, mentions, index)

    def _after(self, words: Words, mentions: Sequence[Mention], index: int) -> Unit | None:
        at = mentions[index].last
        for other in mentions[index + 1 :]:
            gap = [words.word(i) for i in range(at, other.first)]
            gap = [word for word in gap if word not in cues.FORMER_BARE]
            parent = _district(other)
            if parent is not None:
                return parent if all(word in cues.LINKS for word in gap) and gap != ["-"] else None
            if not other.is_ward or not all(word in cues.SEPARATORS for word in gap):
                return None
            at = other.last
        return None

    def _before(self, words: Words, mentions: Sequence[Mention], index: int) -> Unit | None:
        if index == 0 or not mentions[index].is_typed:
            return None
        other = mentions[index - 1]
        gap = [words.word(i) for i in range(other.last, mentions[index].first)]
        return _district(other) if gap in ([], [","], ["-"], ["–"], ["("], [":"]) else None

    def _larger(self, words: Words, mention: Mention, around: Around, mentions: Sequence[Mention]) -> None:
        """A name that may be a district's, a province's or the city's."""
        if not mention.is_typed:
            named = self._named_before(mention, mentions, around)
            if named is not None:
                mention.settle(*named)
                return
            if words.says(mention.first - 1, cues.WARD_TYPES) and words.word(mention.first - 2) not in {"thị", "thi"}:
                self._of_level(mention, around, Level.WARD)
                return
            if mention.parent is not None and not any(mention.parent.core == unit.core for unit in mention.units):
                wards = [
                    unit for unit in mention.units if mention.parent.id in self.gazetteer.districts_of(unit) and unit.level is Level.WARD
                ]
                if wards:
                    mention.settle(_first(wards, around.day), "parent")
                    return
        bare = [unit for unit in mention.units if mention.is_typed or unit.bare]
        larger = [unit for unit in bare if unit.level is not Level.WARD]
        if not larger:
            return  # the district of this name is not meant by its core alone: a ward may be
        best = min(unit.level for unit in larger)
        unit = _first([unit for unit in larger if unit.level is best], around.day)
        how = "typed" if any(reading.form == "typed" for reading in mention.readings) else ("short" if mention.is_typed else "name")
        if not mention.is_typed and unit.standing(around.day) == "former" and len(unit.successor_ids) == 1:
            unit = self.gazetteer.units[unit.successor_ids[0]]  # the area did not change, only what it is called
        mention.settle(unit, how)

    def _of_level(self, mention: Mention, around: Around, level: Level) -> None:
        fitting = [unit for unit in mention.units if unit.level is level]
        if fitting:
            mention.settle(_first(fitting, around.day), "typed")
        else:
            mention.settle(None, "unknown")

    def _named_before(self, mention: Mention, mentions: Sequence[Mention], around: Around) -> tuple[Unit, str] | None:
        """The unit of the same name that the text, or the title above it, named with its type before, or the area of the source is."""
        cores = {unit.core for unit in mention.units}
        for other in reversed(mentions):
            if other.first < mention.first and other.unit is not None and other.is_typed and other.unit.core in cores:
                return other.unit, "repeated"
            if other.first < mention.first and not other.how and other.is_typed and {unit.core for unit in other.units} & cores:
                held = [unit for unit in other.units if unit.standing(around.day) == "current"]
                if len(held) == 1:
                    return held[0], "repeated"
        return next(((unit, where) for where, unit in around.named if unit.core in cores), None)

    def _ward(self, words: Words, mention: Mention, around: Around) -> bool:
        """Settle a ward where its name, its day and the district beside it tell; False where more must be looked at."""
        units = self._of_ward(words, mention, around)
        if units is None:
            return True
        how = "list" if mention.in_list else ("typed" if mention.is_typed else "name")
        if mention.parent is not None:
            inside = [unit for unit in units if mention.parent.id in self.gazetteer.districts_of(unit)]
            if inside:
                mention.settle(_first(inside, around.day), "parent")
                return True
            if units[0].is_numbered:
                mention.settle(None, "unknown")
                return True
        if words.says(mention.last, cues.FORMER) or (words.word(mention.last) == "(" and words.says(mention.last + 1, cues.FORMER)):
            units = [unit for unit in units if unit.standing(around.day) == "former"] or units
        held = _held(units, around.day)
        if len(held) == 1 and not held[0].is_numbered:
            mention.settle(held[0], how)
            return True
        return False

    def _of_ward(self, words: Words, mention: Mention, around: Around) -> list[Unit] | None:
        """The wards that a mention may mean; None when it is settled here."""
        if mention.is_typed:
            return list(mention.units)
        named = self._named_before(mention, [], around)
        if named is not None:
            mention.settle(*named)
            return None
        inside = [unit for unit in mention.units if mention.parent is not None and mention.parent.id in self.gazetteer.districts_of(unit)]
        if inside and not _is_person(mention):
            return inside
        bare = [unit for unit in mention.units if unit.bare and unit.standing(around.day) != "future"]
        if not bare:
            mention.settle(None, "everyday")
            return None
        is_plain = all(words.word(at) == words.key(at) for at in range(mention.first, mention.last)) and any(
            key != word for unit in bare for word, key in zip(unit.core, words.keys[mention.first : mention.last], strict=False)
        )
        if is_plain and not words.says(mention.first - 1, cues.LOCATIVES) and not around.text:
            mention.settle(None, "everyday")
            return None
        return bare

    def _ambiguous(self, mention: Mention, around: Around, siblings: frozenset[str]) -> None:
        units = _held(mention.units if mention.is_typed else [u for u in mention.units if u.bare] or mention.units, around.day)
        evidence: tuple[tuple[str, frozenset[str]], ...] = (
            ("text", around.text),
            ("sibling", siblings),
            ("title", around.title),
            ("area", around.area),
        )
        for how, districts in evidence:
            inside = [unit for unit in units if not districts.isdisjoint({unit.id, *self.gazetteer.districts_of(unit)})]
            if len(inside) == 1:
                mention.settle(inside[0], how)
                return
            if inside:
                break
        home = [unit for unit in units if unit.is_home]
        if len(home) == 1 and not home[0].is_numbered:
            mention.settle(home[0], "city")
        else:
            mention.settle(None, "ambiguous")


def _held(units: Iterable[Unit], day: date) -> list[Unit]:
    """Those of the units that hold on a day; where none does the former ones, then the future ones."""
    listed = list(units)
    ranks = ([unit for unit in listed if unit.standing(day) == standing] for standing in _STANDINGS)
    return next((found for found in ranks if found), [])


def _first(units: Sequence[Unit], day: date) -> Unit:
    """The unit that holds on the day, otherwise the former one; of the city before those of the joined provinces."""
    return min(_held(units, day), key=lambda unit: not unit.is_home)


def _district(mention: Mention) -> Unit | None:
    """The district that a mention may mean, as the parent of another."""
    found = [unit for unit in mention.units if unit.level is Level.DISTRICT and (mention.is_typed or unit.bare)]
    return min(found, key=lambda unit: not unit.is_home) if found and mention.how in {"", "typed", "short", "name"} else None


def _is_person(mention: Mention) -> bool:
    return mention.units[0].core[0] in cues.SURNAMES
