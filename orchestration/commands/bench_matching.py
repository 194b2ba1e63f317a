"""bench matching: texts a second of one core for finding topic phrases and names of places, linking places, and the rules of agencies.

Measured on the texts of the city corpus, in CPU time of the thread, so that other work on the machine counts little. Belongs here: the
measurement. Not here: what is measured (ml).
"""

import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date

from assets.silver.tagging import topic_terms
from lake_config.registry import load_registry
from ml.agencies import AgencyRules
from ml.agency_names import AgencyNames
from ml.corpus.reading import read_posts
from ml.places import Context, PlaceLinker

STAGES = {
    "topic_phrases": "topic phrases found",
    "place_names": "place names found",
    "agency_names": "agency names found",
    "places_linked": "places found, refused and resolved",
    "agencies": "rules of agencies, none remembered",
}
"""What is measured, in words."""


@dataclass(frozen=True)
class Rate:
    """Texts per CPU-second: the median of the runs, the slowest and the fastest."""

    median: float
    lowest: float
    highest: float


@dataclass(frozen=True)
class MatchingFigures:
    """What was measured: number of texts, their mean length in characters, runs, and a rate for each stage."""

    texts: int
    mean_characters: float
    runs: int
    rates: dict[str, Rate]

    def lines(self) -> list[str]:
        """For people."""
        head = f"{self.texts:,} texts of {self.mean_characters:.0f} characters on average, {self.runs} runs; texts per CPU-second:"
        width = max(map(len, STAGES.values()))
        rows = [
            f"  {STAGES[stage]:{width}}  {rate.median:9,.0f}  ({rate.lowest:,.0f} to {rate.highest:,.0f})"
            for stage, rate in self.rates.items()
        ]
        return [head, *rows]

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self)


def bench_matching(runs: int) -> MatchingFigures:
    """Measure each stage `runs` times after one run that fills the memories of words."""
    registry, posts = load_registry(), read_posts()
    texts = [post.text for post in posts]
    contexts = [Context(date.fromisoformat(f"{post.written}-15"), post.parent) for post in posts]
    days = [context.day for context in contexts]
    tagger, linker, names = topic_terms(registry).tagger, PlaceLinker(registry.places), AgencyNames(registry.agencies)
    places = [tuple(link.place_id for link in links if link.place_id) for links in linker.link(texts, contexts)]
    topics, named = tagger.tags(texts), names.find(texts, days)

    def agencies() -> None:
        rules = AgencyRules(registry, linker.gazetteer)
        for said, where, day, called in zip(topics, places, days, named, strict=True):
            rules.routes(said, where, None, day, called)

    stages: dict[str, Callable[[], object]] = {
        "topic_phrases": lambda: tagger.tags(texts),
        "place_names": lambda: linker.match(texts),
        "agency_names": lambda: names.find(texts, days),
        "places_linked": lambda: linker.link(texts, contexts),
        "agencies": agencies,
    }
    rates = {}
    for stage, run in stages.items():
        run()
        seconds = [_cpu_seconds(run) for _ in range(runs)]
        rates[stage] = Rate(*(len(texts) / value for value in (statistics.median(seconds), max(seconds), min(seconds))))
    return MatchingFigures(len(texts), statistics.mean(map(len, texts)), runs, rates)


def _cpu_seconds(run: Callable[[], object]) -> float:
    begun = time.thread_time()
    run()
    return time.thread_time() - begun
