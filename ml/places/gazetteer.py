"""The units of the registry with every way their names are written. Belongs here: names. Not here: texts, and which unit one means."""

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from enum import IntEnum
from functools import cached_property

from lake_config.registry import Place
from ml.normalise import fold
from ml.words import words_of

CITY_ID = "hcm"


class Level(IntEnum):
    """How large a unit is; on equal footing the larger one is meant."""

    CITY = 0
    PROVINCE = 1
    DISTRICT = 2
    WARD = 3


_LEVELS = {
    "city": Level.CITY,
    "province": Level.PROVINCE,
    "district": Level.DISTRICT,
    "ward": Level.WARD,
    "commune": Level.WARD,
    "special_zone": Level.WARD,
}
_TYPES = {
    "Thành phố": ("tp",),
    "Tỉnh": (),
    "Quận": ("q",),
    "Huyện": ("h",),
    "Phường": ("p", "f"),
    "Xã": ("x",),
    "Thị trấn": ("tt",),
    "Đặc khu": (),
}
"""The types that names begin with, and their abbreviations ("f" is a Southern spelling of "p")."""
_DOT_NEEDED = {"h", "x", "f"}
"""Abbreviations that before a name are too common as letters to count without their dot ("p bến nghé", but never "h củ chi")."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One administrative unit as it stood in a span of time (civil dates, both ends included, None without limit).

    `core` is its name without the type, in words of `words_of`; `bare` says whether the core means this unit without its type.
    `is_home` is false for units of the provinces that joined the city in July 2025.
    """

    id: str
    level: Level
    core: tuple[str, ...]
    parent_id: str | None
    valid_from: date | None
    valid_to: date | None
    successor_ids: tuple[str, ...]
    bare: bool
    is_home: bool

    @property
    def is_numbered(self) -> bool:
        """Whether the core is a number ("Quận 1", "Phường 15")."""
        return self.core[0].isdigit()

    def standing(self, day: date) -> str:
        """`current`, `former` or `future`, as seen from a civil date."""
        if self.valid_to is not None and self.valid_to < day:
            return "former"
        return "future" if self.valid_from is not None and day < self.valid_from else "current"


@dataclass(frozen=True, slots=True)
class Reading:
    """One unit that a phrase may mean. `form`: typed ("quận 1"), short ("q1", "B.Thạnh") or bare ("Bình Thạnh")."""

    unit: Unit
    form: str
    words: tuple[str, ...]


def _core(place: Place) -> tuple[str, tuple[str, ...]]:
    kind = next((kind for kind in _TYPES if place.name_vi.startswith(kind + " ")), "")
    return kind, tuple(words_of(place.name_vi[len(kind) :]))


def _typed(kind: str, core: tuple[str, ...]) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Form and words of a unit named with its type."""
    is_number = core[0].isdigit()
    cores = [core, (f"0{core[0]}",)] if is_number and len(core[0]) == 1 else [core]
    for own in cores:
        yield "typed", (*words_of(kind), *own)
        if is_number:
            yield "typed", (kind.lower() + own[0],)
        for short in _TYPES[kind]:
            yield "short", (short, ".", *own)
            if is_number:
                yield "short", (short + own[0],)
                yield "short", (short, *own)
            elif short not in _DOT_NEEDED:
                yield "short", (short, *own)


def _readings(place: Place, unit: Unit, kind: str) -> Iterator[Reading]:
    if kind:
        yield from (Reading(unit, form, words) for form, words in _typed(kind, unit.core))
    if not unit.is_numbered and unit.level is not Level.CITY:
        yield Reading(unit, "bare", unit.core)
        if unit.bare and len(unit.core) > 1:
            yield Reading(unit, "bare", ("".join(unit.core),))  # hashtags, missing spaces
    for alias in (place.name_vi, *place.aliases):
        words = tuple(words_of(alias))
        if words != unit.core:
            yield Reading(unit, "short", words)


class Gazetteer:
    """All units by id, and the readings of each phrase by its folded words. `digest` names exactly this set (SHA-256)."""

    def __init__(self, places: Iterable[Place]) -> None:
        listed = list(places)
        by_id = {place.id: place for place in listed}
        self.units: dict[str, Unit] = {}
        found: dict[tuple[str, ...], dict[str, Reading]] = {}
        for place in listed:
            kind, core = _core(place)
            root = place
            while root.parent_id is not None:
                root = by_id[root.parent_id]
            bare = any(tuple(words_of(alias)) == core for alias in place.aliases)
            unit = Unit(
                id=place.id,
                level=_LEVELS[place.kind],
                core=core,
                parent_id=place.parent_id,
                valid_from=place.valid_from,
                valid_to=place.valid_to,
                successor_ids=place.successor_ids,
                bare=bare,
                is_home=root.id == CITY_ID,
            )
            self.units[unit.id] = unit
            for reading in _readings(place, unit, kind):
                # The first form is the most telling one: an alias of the registry may repeat a typed name.
                found.setdefault(tuple(map(fold, reading.words)), {}).setdefault(unit.id, reading)
        self.readings: Mapping[tuple[str, ...], tuple[Reading, ...]] = {key: tuple(by_unit.values()) for key, by_unit in found.items()}
        self._districts = self._index_districts()

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the units and their names as canonical JSON."""
        rows = sorted([unit.id, str(unit.valid_from), str(unit.valid_to), *unit.successor_ids] for unit in self.units.values())
        names = sorted([reading.unit.id, reading.form, *reading.words] for found in self.readings.values() for reading in found)
        return hashlib.sha256(json.dumps([rows, names], ensure_ascii=False).encode()).hexdigest()

    def districts_of(self, unit: Unit) -> frozenset[str]:
        """Ids of the districts that a unit lies in or, since July 2025, was made from; of a district its own; of a province none."""
        return self._districts[unit.id]

    def _index_districts(self) -> Mapping[str, frozenset[str]]:
        index: dict[str, set[str]] = {unit_id: set() for unit_id in self.units}
        for unit in self.units.values():
            if unit.level is Level.DISTRICT:
                for inside in (unit.id, *unit.successor_ids):
                    index[inside].add(unit.id)
            elif unit.parent_id and self.units[unit.parent_id].level is Level.DISTRICT:
                index[unit.id].add(unit.parent_id)
        return {key: frozenset(ids) for key, ids in index.items()}


_NUMBER = re.compile(r"0?([1-9]\d?)")


def plain_number(word: str) -> str | None:
    """A number of at most two digits without a leading zero; None for any other word."""
    match = _NUMBER.fullmatch(word)
    return match[1] if match else None
