"""The terms by which topics and places are found in texts, taken from the registry. Pure."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property, lru_cache

from lake_config.registry import Place, Registry
from ml.matching import PhraseTagger


@dataclass(frozen=True)
class TermSet:
    """Phrases per label, and the digest that names exactly this set of them."""

    task: str
    terms: Mapping[str, tuple[str, ...]]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the canonical JSON of the terms: the 'weights digest' of a rule set."""
        canonical = json.dumps({k: sorted(v) for k, v in self.terms.items()}, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(canonical.encode()).hexdigest()

    @cached_property
    def tagger(self) -> PhraseTagger:
        """The matcher over these terms (built once: it takes about a second for all places)."""
        return PhraseTagger(self.terms)


def _place_phrases(place: Place, parent: Place | None) -> Iterator[str]:
    if place.match_alone or parent is None:
        yield from (place.name_vi, *place.aliases)
        return
    for own in (place.name_vi, *place.aliases):  # too common to count by itself: only together with its parent
        for above in (parent.name_vi, *parent.aliases):
            yield f"{own}, {above}"
            yield f"{own} {above}"


@lru_cache(maxsize=8)
def _topic_terms(registry: Registry) -> TermSet:
    return TermSet("topic", {topic.id: (topic.name_vi, *topic.keywords) for topic in registry.topics})


@lru_cache(maxsize=8)
def _place_terms(places: tuple[Place, ...]) -> TermSet:
    by_id = {place.id: place for place in places}
    return TermSet("place", {p.id: tuple(dict.fromkeys(_place_phrases(p, by_id.get(p.parent_id or "")))) for p in places})


def term_sets(registry: Registry, day: date) -> tuple[TermSet, TermSet]:
    """The topic and the place terms that hold on an event day. Topics do not change by day; places do, with the merger of July 2025."""
    return _topic_terms(registry), _place_terms(tuple(place for place in registry.places if place.is_valid_on(day)))
