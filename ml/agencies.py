"""Which agencies answer for what a text says: function (topic) x area (place), by the rows of the registry that hold on the day. Pure.

Belongs here: the rules. Not here: the rows (lake_config/registry), finding topics and places, tables.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from functools import lru_cache

from lake_config.registry import Agency, Registry
from ml.places.gazetteer import CITY_ID, Gazetteer, Level, Unit

_DECISIONS_KEPT = 65_536


@dataclass(frozen=True, slots=True)
class Route:
    """One agency, and why: the rule, the topic it answers for, and the place as the text named it.

    Rules: `function`: the topic is its own throughout the city; `area`: it governs the place; `above`: it governs what the place lay in;
    `successor`: it governs what the former unit became (the main part); `source_area`: it governs the area of a source whose text names no
    place.
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

    def routes(self, topics: Iterable[str], places: Iterable[str], area: str | None, day: date) -> tuple[Route, ...]:
        """The agencies for a text with these topics and places, written on that local day; `area` is that of its source.

        In the order of agency and topic ids, each pair of agency, topic and place once. Empty without a topic.
        """
        return self._routes(tuple(sorted(set(topics))), tuple(sorted(set(places))), area, day)

    def _decide(self, topics: tuple[str, ...], places: tuple[str, ...], area: str | None, day: date) -> tuple[Route, ...]:
        held = [agency for agency in self._agencies if agency.is_valid_on(day)]
        units = [unit for unit in (self._units.get(place) for place in places) if unit is not None]
        governed = [(unit.id, rule, other) for unit in units for rule, other in self._areas(unit, day)]
        if not units and area in self._units and area != CITY_ID:
            governed = [(self._units[area].id, "source_area", other) for _, other in self._areas(self._units[area], day)]
        inside = [unit for unit in units if self._is_inside(unit, day)]
        if units and not inside:
            return ()  # it speaks only of what was no part of the city on that day
        named = inside[0].id if len(inside) == 1 else CITY_ID
        found = [Route(agency.id, "function", topic, named) for topic in topics for agency in held if _answers(agency, topic, CITY_ID)]
        found += [
            Route(agency.id, rule, topic, place)
            for topic in topics
            for place, rule, governing in governed
            for agency in held
            if _answers(agency, topic, governing)
        ]
        # One agency may answer for a place by two rules (named twice, once by its old name): the first is enough.
        once = {(route.agency_id, route.topic_id, route.place_id): route for route in reversed(found)}
        return tuple(sorted(once.values(), key=lambda route: (route.agency_id, route.topic_id, route.place_id)))

    def _areas(self, unit: Unit, day: date) -> Iterable[tuple[str, str]]:
        """The areas below the city whose agencies answer for a unit, with the rule."""
        if unit.level in {Level.CITY, Level.PROVINCE}:
            return
        standing = unit.standing(day)
        if standing == "former":
            if unit.level is Level.WARD or len(unit.successor_ids) == 1:
                yield from (("successor", successor) for successor in unit.successor_ids[:1])
            return
        if standing == "current":
            yield "area", unit.id
            if unit.parent_id is not None and self._units[unit.parent_id].level is Level.DISTRICT:
                yield "above", unit.parent_id

    def _is_inside(self, unit: Unit, day: date) -> bool:
        return unit.is_home or any(self._units[successor].standing(day) == "current" for successor in unit.successor_ids)


def _answers(agency: Agency, topic: str, area: str) -> bool:
    return agency.area == area and topic in agency.topics
