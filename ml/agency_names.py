"""Agencies that a text names. Belongs here: finding their names. Not here: the names (lake_config/registry), what follows (agencies.py)."""

import re
from collections.abc import Iterable, Sequence
from datetime import date

from lake_config.registry import Agency
from ml.matching import Phrase, PhraseTagger
from ml.normalise import fold
from ml.places import cues

_LOOKED_AT = 40
"""Characters after a name among which the province that it belongs to would stand."""
_CITY_GREW = date(2025, 7, 1)
_TYPE = re.compile(r"^(tinh|thanh pho|tp)[ .]\s*")
_JOINED = frozenset({("binh", "duong"), ("ba", "ria"), ("vung", "tau"), ("brvt",)})
"""Folded words that begin the names of the provinces which were not the city's before that day."""


class AgencyNames:
    """Finds the agencies that texts name, by name or alias as whole words, as `PhraseTagger` matches them."""

    def __init__(self, agencies: Iterable[Agency]) -> None:
        """Index the agencies (all of the registry, whenever they held)."""
        self._agencies = {agency.id: agency for agency in agencies}
        self._tagger = PhraseTagger({agency.id: (agency.name_vi, *agency.aliases) for agency in self._agencies.values()})

    def find(self, texts: Sequence[str], days: Iterable[date]) -> list[tuple[str, ...]]:
        """For each text (in NFC) the ids of the agencies it names that hold on its local day, sorted.

        The department of another province ("Sở Y tế Đồng Nai") is not the city's, nor is that of a province before it joined the city.
        """
        return [
            tuple(
                sorted({
                    tag
                    for phrase in found
                    if not _is_elsewhere(text, phrase, day)
                    for tag in phrase.tags
                    if self._agencies[tag].is_valid_on(day)
                })
            )
            for text, found, day in zip(texts, self._tagger.find(texts), days, strict=True)
        ]  # fmt: skip


def _is_elsewhere(text: str, phrase: Phrase, day: date) -> bool:
    after = fold(text[phrase.end : phrase.end + _LOOKED_AT]).removeprefix(" ")
    words = _TYPE.sub("", after).split()
    names = cues.ELSEWHERE if day >= _CITY_GREW else cues.ELSEWHERE | _JOINED
    return any(tuple(word.strip(".,;:!?()") for word in words[:size]) in names for size in (1, 2, 3))
