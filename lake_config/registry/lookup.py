"""The loaded registry and its look-ups.

Belongs here: finding rows by id and by date. Not here: loading (loader.py), matching names in texts (ml/).
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from typing import TypeVar

from lake_config.errors import BadInputError
from lake_config.registry.cross_checks import near
from lake_config.registry.models import Agency, Place, Row, Source, Switch, Topic, Verification

R = TypeVar("R", bound=Row)


@dataclass(frozen=True)
class Registry:
    """All rows, in file order. Every reference between them resolves.

    `switches` are the operator's decisions by source id, each source's oldest first; `checks` what was found when a source was last fetched
    for verification. A source with such a finding is `verified`, whatever its row says.
    """

    sources: tuple[Source, ...] = field(hash=False)  # there may be 100,000, and the hash is asked for with every day
    topics: tuple[Topic, ...]
    agencies: tuple[Agency, ...]
    places: tuple[Place, ...]
    switches: Mapping[str, tuple[Switch, ...]] = field(default_factory=dict, hash=False)
    checks: Mapping[str, Verification] = field(default_factory=dict, hash=False)

    def source(self, source_id: str) -> Source:
        """The source with that id. Raises BadInputError naming the unknown id and ids near to it."""
        return _get(self._sources, source_id, "source")

    def topic(self, topic_id: str) -> Topic:
        """The topic with that id. Raises BadInputError naming the unknown id and ids near to it."""
        return _get(self._topics, topic_id, "topic")

    def agency(self, agency_id: str) -> Agency:
        """The agency with that id. Raises BadInputError naming the unknown id and ids near to it."""
        return _get(self._agencies, agency_id, "agency")

    def place(self, place_id: str) -> Place:
        """The place with that id. Raises BadInputError naming the unknown id and ids near to it."""
        return _get(self._places, place_id, "place")

    def valid_on(self, day: date) -> "Registry":
        """The rows that hold on a civil date (Asia/Ho_Chi_Minh). Rows may still name others that do not hold on it."""
        return Registry(
            sources=_valid(self.sources, day),
            topics=_valid(self.topics, day),
            agencies=_valid(self.agencies, day),
            places=_valid(self.places, day),
            switches=self.switches,
            checks=self.checks,
        )

    def switch(self, source_id: str, day: date) -> Switch | None:
        """The operator's decision on a source that holds on a local day; None where there is none yet."""
        return next((one for one in reversed(self.switches.get(source_id, ())) if one.since <= day), None)

    def is_collected(self, source: Source, groups: Collection[str], day: date) -> bool:
        """Whether a source is collected on a local day while those `groups` are on: its row holds, and the operator's decision, where there
        is one, else its group or its row, says so.
        """
        if not source.is_valid_on(day):
            return False
        decision = self.switch(source.id, day) if self.switches else None
        return decision.enabled if decision else source.enabled or source.group in groups

    def collected(self, groups: Collection[str], day: date) -> dict[str, Source]:
        """The sources collected on a local day while those `groups` are on, by id."""
        return {source.id: source for source in self.sources if self.is_collected(source, groups, day)}

    def ancestors(self, place_id: str) -> tuple[Place, ...]:
        """The places that a place lies in, nearest first, the city last. Raises BadInputError for an unknown id."""
        found = []
        parent_id = self.place(place_id).parent_id
        while parent_id is not None:
            found.append(self.place(parent_id))
            parent_id = found[-1].parent_id
        return tuple(found)

    @cached_property
    def _sources(self) -> dict[str, Source]:
        return {row.id: row for row in self.sources}

    @cached_property
    def _topics(self) -> dict[str, Topic]:
        return {row.id: row for row in self.topics}

    @cached_property
    def _agencies(self) -> dict[str, Agency]:
        return {row.id: row for row in self.agencies}

    @cached_property
    def _places(self) -> dict[str, Place]:
        return {row.id: row for row in self.places}


def _valid(rows: Iterable[R], day: date) -> tuple[R, ...]:
    return tuple(row for row in rows if row.is_valid_on(day))


def _get(rows: dict[str, R], row_id: str, what: str) -> R:
    try:
        return rows[row_id]
    except KeyError:
        raise BadInputError(f"Unknown {what} id {row_id!r}{near(row_id, rows)}; the registry has {len(rows)} ids of that kind.") from None
