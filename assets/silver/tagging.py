"""The terms by which topics are found in texts, taken from the registry. Pure. Places are linked by ml/places."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache

from lake_config.registry import Registry
from ml.matching import PhraseTagger

PHRASES_ID = "topic-phrases-2"
"""Name of the rules: a text has the labels whose phrases it or what it answers says."""


@dataclass(frozen=True)
class TermSet:
    """Phrases per label, the name of the rules that read them, and the digest that names exactly this set and these rules."""

    task: str
    terms: Mapping[str, tuple[str, ...]]

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the rules' name and the canonical JSON of the terms: the 'weights digest' of a rule set."""
        canonical = json.dumps({k: sorted(v) for k, v in self.terms.items()}, ensure_ascii=False, sort_keys=True)
        return hashlib.sha256(f"{PHRASES_ID} {canonical}".encode()).hexdigest()

    @cached_property
    def tagger(self) -> PhraseTagger:
        """The matcher over these terms (built once)."""
        return PhraseTagger(self.terms)


@lru_cache(maxsize=8)
def topic_terms(registry: Registry) -> TermSet:
    """The names and keywords of the registry's topics; they do not change by day."""
    return TermSet("topic", {topic.id: (topic.name_vi, *topic.keywords) for topic in registry.topics})
