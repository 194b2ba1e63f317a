"""Whether a new model may replace another. Belongs here: the rule and its table. Not here: measuring, moving files.

Compared is macro F1 on the fixed development sets, texts alone and without diacritics. A new model is better when
* on each of the city's sets (corpus, challenge set, the city's own) it is not worse, in both spellings, and in their mean it is better;
* on each set of others it loses at most what chance explains (down to the lower bound of the old model's 95 % interval), and never more
  than MOST_LOST. Where that interval is wider than WIDEST, too few texts say too little: the set is shown and decides nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ml.evaluation.measure import Measured, Sentiment

MOST_LOST = 0.03
"""Macro F1, 0 to 1, on a set of others."""
WIDEST = 0.10
"""Macro F1 between the bounds of an interval."""
CITY_SETS = frozenset({"city", "challenge", "own"})


@dataclass(frozen=True)
class Comparison:
    """One set in one spelling: macro F1 of both models, and the least that the new one must reach; 0 where the set decides nothing."""

    name: str
    spelling: str
    old: float
    new: float
    least: float

    @property
    def holds(self) -> bool:
        """Whether the new model reaches it."""
        return self.new >= self.least


def compare(old: Sequence[Measured], new: Sequence[Measured]) -> list[Comparison]:
    """The comparisons over the sets with sentiment that both were measured on, in order. Raises ValueError when there is none."""
    before, found = {one.name: one for one in old}, []
    for one in new:
        was = before.get(one.name)
        if was is None:
            continue
        pairs = (("as written", was.sentiment, one.sentiment), ("without diacritics", was.unaccented, one.unaccented))
        for spelling, first, second in pairs:
            if first and second:
                found.append(Comparison(one.name, spelling, first.macro_f1.value, second.macro_f1.value, _least(one.name, first)))
    if not found:
        raise ValueError("the two models were measured on no common set")
    return found


def _least(name: str, old: Sentiment) -> float:
    figure = old.macro_f1
    if name in CITY_SETS:
        return figure.value
    return 0.0 if figure.high - figure.low > WIDEST else max(figure.low, figure.value - MOST_LOST)


def verdict(comparisons: Sequence[Comparison]) -> str | None:
    """Why the new model may not replace the old one, in a sentence; None when it is better."""
    worse = [one for one in comparisons if not one.holds]
    if worse:
        first = min(worse, key=lambda one: one.new - one.least)
        return (
            f"it does not reach {len(worse)} of {len(comparisons)} bounds; most is missing on {first.name} {first.spelling}: "
            f"macro F1 {100 * first.new:.1f}, needed {100 * first.least:.1f}"
        )
    city = [one for one in comparisons if one.name in CITY_SETS]
    if sum(one.new for one in city) <= sum(one.old for one in city):
        return "on the city's own sets it is not better than the model there is"
    return None
