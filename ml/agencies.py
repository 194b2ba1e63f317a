"""Which agencies answer for what a text says: those it names, and function (topic) x area (place), by the rows of its day. Pure.

Belongs here: the rules. Not here: the rows (lake_config/registry), finding topics, places and names of agencies, tables.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from lake_config.registry import Agency, Registry
from ml.places.gazetteer import CITY_ID, Gazetteer, Level, Unit

_DECISIONS_KEPT = 65_536
NO_TOPIC = "none"
"""Topic of a route to an agency that the text names without speaking of what it does."""


@dataclass(frozen=True, slots=True)
class Route:
    """One agency, and why: the rule, the topic it answers for, and the place as the text named it.

    Rules: `named`: the text names it (topic 'none' where it speaks of none of its topics); `function`: the topic is its own throughout the
    city; `area`: it governs the place; `above`: it governs what the place lay in; `successor`: it governs what the former unit became (the
    main part); `source_area`: it governs the area of a source whose text names no place.
    """

    agency_id: str
    rule: str
    topic_id: str
    place_id: str


class AgencyRules:
    """The rules over one registry.

    A place outside the city of the day has no agency; a former district, which became several wards, only those by `function`.
    """

    def __init__(self, registry: Registry, gazetteer: Gazetteer) -> None:
        self._agencies = registry.agencies
        self._units = gazetteer.units
        self._routes = lru_cache(_DECISIONS_KEPT)(self._decide)

    def routes(
        self, topics: Iterable[str], places: Iterable[str], area: str | None, day: date, named: Iterable[str] = ()
    ) -> tuple[Route, ...]:
        """The agencies for a text with these topics and places, written on that local day; `area` is that of its source.

        `named` are the ids of agencies whose name the text says. In the order of agency and topic ids, each pair of agency, topic and place
        once. Empty without a topic and a name.
        """
        return self._routes(tuple(sorted(set(topics))), tuple(sorted(set(places))), area, day, tuple(sorted(set(named))))

    def _decide(
        self, topics: tuple[str, ...], places: tuple[str, ...], area: str | None, day: date, named: tuple[str, ...]
    ) -> tuple[Route, ...]:
        held = [agency for agency in self._agencies if agency.is_valid_on(day)]
        said = [agency for agency in held if agency.id in named]
        found = [Route(agency.id, "named", topic, agency.area) for agency in said for topic in _own(agency, topics)]
        found += self._by_function_and_area(topics, places, area, day, held)
        # One agency may answer by two rules (it is named, or its place is, twice, once by its old name): the first is enough.
        once = {(route.agency_id, route.topic_id, route.place_id): route for route in reversed(found)}
        return tuple(sorted(once.values(), key=lambda route: (route.agency_id, route.topic_id, route.place_id)))

    def _by_function_and_area(
        self, topics: tuple[str, ...], places: tuple[str, ...], area: str | None, day: date, held: Sequence[Agency]
    ) -> list[Route]:
        units = [unit for unit in (self._units.get(place) for place in places) if unit is not None]
        governed = [(unit.id, rule, other) for unit in units for rule, other in self._areas(unit, day)]
        if not units and area in self._units and area != CITY_ID:
            governed = [(self._units[area].id, "source_area", other) for _, other in self._areas(self._units[area], day)]
        inside = [unit for unit in units if self._is_inside(unit, day)]
        if units and not inside:
            return []  # it speaks only of what was no part of the city on that day
        where = inside[0].id if len(inside) == 1 else CITY_ID
        found = [Route(agency.id, "function", topic, where) for topic in topics for agency in held if _answers(agency, topic, CITY_ID)]
        found += [
            Route(agency.id, rule, topic, place)
            for topic in topics
            for place, rule, governing in governed
            for agency in held
            if _answers(agency, topic, governing)
        ]
        return found

    def _areas(self, unit: Unit, day: date) -> Iterable[tuple[str, str]]:
        """The areas below the city whose agencies answer for a unit, with the rule."""
        if unit.level in {Level.CITY, Level.PROVINCE}:
            return
        parent = self._units.get(unit.parent_id or "")
        is_ward = unit.level is Level.WARD
        standing = unit.standing(day)
        if standing == "current":
            yield "area", unit.id
        if standing != "future" and is_ward and parent is not None and parent.level is Level.DISTRICT and parent.standing(day) == "current":
            yield "above", parent.id
        elif standing == "former" and (is_ward or len(unit.successor_ids) == 1):
            yield from (("successor", successor) for successor in self._after(unit, day))

    def _after(self, unit: Unit, day: date) -> Iterable[str]:
        """What became of the main part of a former unit, as it stands on the day: nothing where it never does."""
        seen = unit
        while seen.standing(day) == "former" and seen.successor_ids:
            seen = self._units[seen.successor_ids[0]]
        return [seen.id] if seen.standing(day) == "current" else []

    def _is_inside(self, unit: Unit, day: date) -> bool:
        return unit.is_home or any(self._units[successor].standing(day) == "current" for successor in unit.successor_ids)


def _own(agency: Agency, topics: Iterable[str]) -> list[str]:
    """Those of the topics that an agency has; 'none' where it has none of them."""
    return [topic for topic in topics if topic in agency.topics] or [NO_TOPIC]


def _answers(agency: Agency, topic: str, area: str) -> bool:
    return agency.area == area and topic in agency.topics
