"""The written material of the demo city, loaded from its YAML files and checked.

Belongs here: patterns, slot fillers, voices, sites. Not here: choosing or filling them (writing.py).
"""

import re
import string
from dataclasses import dataclass
from functools import cache
from itertools import product
from pathlib import Path
from typing import Any

import yaml

from lake_config.errors import ConfigError

HERE = Path(__file__).parent
SENTIMENTS = ("negative", "neutral", "positive")
TOPICS = (
    "traffic", "public_transport", "flooding", "waste", "environment", "housing_land", "urban_order", "health", "food_safety", "education",
    "public_services", "digital_government", "security", "prices", "utilities", "jobs_welfare", "culture_tourism", "tet", "fire_safety",
)  # fmt: skip
FITS = {"headline": ("headline",), "article": ("article",), "any": ("post", "comment"), "post": ("post",), "comment": ("comment",)}
PLACE_SLOTS = {"place", "street", "market", "city", "agency"}


@dataclass(frozen=True)
class Pattern:
    """One sentence with slots and its true labels. fits: headline, article (body), post, comment. trait: e.g. sarcasm, or None."""

    id: str
    text: str
    sentiment: str
    topics: tuple[str, ...]
    fits: tuple[str, ...]
    trait: str | None

    @property
    def slots(self) -> frozenset[str]:
        """The names between braces."""
        return slots_of(self.text)


@dataclass(frozen=True)
class Place:
    """A district as people write it, with streets and markets that lie in it."""

    id: str
    names: tuple[str, ...]
    streets: tuple[str, ...]
    markets: tuple[str, ...]


@dataclass(frozen=True)
class Slots:
    """What fills the slots."""

    places: tuple[Place, ...]
    city_id: str
    city_names: tuple[str, ...]
    agencies: dict[str, list[str]]
    numbers: dict[str, list[int]]
    words: dict[str, list[str]]


@dataclass(frozen=True)
class Site:
    """An invented news site; the fields say how its feed misbehaves (see sites.yaml)."""

    slug: str
    name: str
    charset: str = "utf-8"
    unreadable_in_round: int | None = None
    broken_bytes: bool = False
    quiet: bool = False
    offset_hours: int = 7

    @property
    def source_id(self) -> str:
        """The id in the registry of sources."""
        return f"demo-{self.slug}"

    @property
    def platform(self) -> str:
        """Where its native ids are unique."""
        return f"{self.slug}.demo"


@dataclass(frozen=True)
class Stream:
    """A provider's stream of posts and comments. share: of all export rows; comment_share: of its rows."""

    source_id: str
    platform: str
    share: float
    comment_share: float


@dataclass(frozen=True)
class Corpus:
    """All of it."""

    patterns: tuple[Pattern, ...]
    slots: Slots
    voices: dict[str, Any]
    sites: tuple[Site, ...]
    streams: tuple[Stream, ...]


def slots_of(text: str) -> frozenset[str]:
    """The slot names of a sentence. Raises ValueError where the braces do not match."""
    return frozenset(name for _, name, _, _ in string.Formatter().parse(text) if name is not None)


def pattern_key(text: str) -> str:
    """What makes two patterns the same: the words without slots, punctuation and case."""
    return " ".join(re.findall(r"\w+", re.sub(r"\{\w+\}", " ", text).casefold()))


def _read(path: Path) -> dict[str, Any]:
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as error:
        raise ConfigError(f"{path}: cannot be read as YAML ({error}); mend the file") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path}: expected a mapping at the top; mend the file")
    return found


def read_patterns(path: Path, known_slots: frozenset[str]) -> list[Pattern]:
    """The patterns of one topic file. Raises ConfigError naming file, cell and what was expected."""
    data = _read(path)
    topic = data.pop("topic", None)
    if topic not in TOPICS:
        raise ConfigError(f"{path}: topic is {topic!r}; expected one of {', '.join(TOPICS)}")
    found: list[Pattern] = []
    for sentiment, cells in data.items():
        if sentiment not in SENTIMENTS or not isinstance(cells, dict):
            raise ConfigError(f"{path}: key {sentiment!r}; expected {', '.join(SENTIMENTS)}, each a mapping of {', '.join(FITS)}")
        for fit, rows in cells.items():
            if fit not in FITS:
                raise ConfigError(f"{path}: {sentiment}.{fit}; expected one of {', '.join(FITS)}")
            for number, row in enumerate(rows, start=1):
                where = f"{path}: {sentiment}.{fit}[{number}]"
                found.append(_pattern(row, where, f"{topic}-{sentiment}-{fit}-{number}", (topic, sentiment, fit), known_slots))
    return found


def _pattern(row: Any, where: str, pattern_id: str, cell: tuple[str, str, str], known_slots: frozenset[str]) -> Pattern:
    fields = {"text": row} if isinstance(row, str) else row
    if not isinstance(fields, dict) or not isinstance(fields.get("text"), str) or set(fields) - {"text", "also", "trait"}:
        raise ConfigError(f"{where}: expected a sentence, or a mapping of text, also (topics) and trait")
    topic, sentiment, fit = cell
    topics = (topic, *fields.get("also", ()))
    try:
        unknown = slots_of(fields["text"]) - known_slots
    except ValueError as error:
        raise ConfigError(f"{where}: {error}; close every brace") from error
    strange = sorted(unknown | set(topics) - set(TOPICS))
    if strange:
        raise ConfigError(f"{where}: unknown slot or topic {', '.join(strange)}; use the slots of slots.yaml and the topic ids")
    return Pattern(pattern_id, fields["text"], sentiment, topics, FITS[fit], fields.get("trait"))


def _slots() -> Slots:
    data = _read(HERE / "slots.yaml")
    places = tuple(Place(row["id"], tuple(row["names"]), tuple(row["streets"]), tuple(row["markets"])) for row in data["places"])
    city = data["city"]
    return Slots(places, city["id"], tuple(city["names"]), data["agencies"], data["numbers"], data["words"])


@cache
def load_corpus() -> Corpus:
    """Everything written for the demo city. Raises ConfigError for a file that breaks its shape, a pattern said twice, or an empty cell."""
    slots = _slots()
    known = frozenset({*PLACE_SLOTS, *slots.numbers, *slots.words})
    patterns = [pattern for path in sorted((HERE / "patterns").glob("*.yaml")) for pattern in read_patterns(path, known)]
    seen: dict[str, str] = {}
    for pattern in patterns:
        key = pattern_key(pattern.text)
        if key in seen:
            raise ConfigError(f"{HERE / 'patterns'}: {pattern.id} says the same as {seen[key]}; keep one of them")
        seen[key] = pattern.id
    cells = {(pattern.topics[0], pattern.sentiment, fit) for pattern in patterns for fit in pattern.fits}
    for cell in product(TOPICS, SENTIMENTS, ("headline", "article", "post", "comment")):
        if cell not in cells:
            raise ConfigError(f"{HERE / 'patterns'}: no pattern for {' / '.join(cell)}; write at least one")
    sites = _read(HERE / "sites.yaml")
    return Corpus(
        tuple(patterns),
        slots,
        _read(HERE / "voices.yaml"),
        tuple(Site(**row) for row in sites["sites"]),
        tuple(Stream(**row) for row in sites["streams"]),
    )
