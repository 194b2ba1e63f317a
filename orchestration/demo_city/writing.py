"""From patterns to what a person or a newsroom would write.

Belongs here: choosing patterns, filling slots, voices (openers, emoji, teencode, markup ...). Not here: when, where and how it is
delivered.
"""

import random
import re
import unicodedata
from dataclasses import dataclass, replace

from lake_config.errors import ConfigError
from orchestration.demo_city.corpus import Corpus, Pattern, Place

SENTENCE_END = ".!?…"
CITY_WORDS = re.compile(r"TP\.HCM|TP Hồ Chí Minh|Sài Gòn")
MAX_ATTEMPTS = 400
PLAIN_ATTEMPTS = 60
RETIRED_PHONE_PREFIX = "095"
"""Has the form of a Vietnamese mobile number, but the operator it belonged to (S-Fone) has closed: the numbers made here reach nobody."""


@dataclass(frozen=True)
class Draft:
    """A written mention before delivery. title: of articles only."""

    title: str | None
    text: str
    topics: tuple[str, ...]
    places: tuple[str, ...]
    tags: frozenset[str]


class Writer:
    """Writes mentions; no two drafts of one writer have the same text unless asked to repeat one."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self.corpus = corpus
        self.rng = rng
        self._written: set[str] = set()
        self._cells: dict[tuple[str, str, str], list[Pattern]] = {}
        for pattern in corpus.patterns:
            for fit in pattern.fits:
                self._cells.setdefault((pattern.topics[0], pattern.sentiment, fit), []).append(pattern)

    def write(self, kind: str, sentiment: str, topic: str, place_id: str | None, style: str, extras: frozenset[str]) -> Draft:
        """A mention of that kind and meaning.

        style: plain, teencode, unaccented or mixed_english; extras: emoji, phone, email, html, script.

        Raises ConfigError when the patterns cannot give another distinct text (the scale is too large for them).
        """
        for attempt in range(MAX_ATTEMPTS):
            draft = self._draft(kind, sentiment, topic, place_id, style, extras)
            if attempt >= PLAIN_ATTEMPTS:
                # A large city says the same things often: the hour of writing tells them apart.
                draft = replace(draft, text=f"{draft.text} ({self.rng.randrange(24)} giờ {self.rng.randrange(60):02d})")
            if self._is_new(draft):
                return draft
        said = f"the patterns of {topic} / {sentiment} give no further distinct {kind}"
        raise ConfigError(f"{said}; ask for a smaller scale or write more patterns")

    def spam(self) -> Draft:
        """An advertisement that has nothing to say about the city."""
        for _ in range(MAX_ATTEMPTS):
            place = self.rng.choice(self.corpus.slots.places)
            template = self.rng.choice(self.corpus.voices["spam"])
            text = self._fill(template, place, "prices")
            draft = Draft(None, text, (), self._places_in(text, place, "{place}" in template), frozenset({"spam", "phone"}))
            if self._is_new(draft):
                return draft
        raise ConfigError("no further distinct advertisement; ask for a smaller scale")

    def nearly(self, original: str, sentiment: str) -> str:
        """The same text with a small change, as people do who copy."""
        for _ in range(MAX_ATTEMPTS):
            emoji = self.rng.choice(self.corpus.voices["emoji"][sentiment])
            changed = str(self.rng.choice(self.corpus.voices["copies"])).replace("{text}", original).replace("{emoji}", emoji)
            if self._claim(changed):
                return changed
        raise ConfigError("no further small change of a text; ask for a smaller scale")

    def author(self) -> str:
        """An invented name."""
        voices = self.corpus.voices
        if self.rng.random() < 0.25:
            return f"{self.rng.choice(voices['nicknames'])} {self.rng.randint(1, 999)}"
        return " ".join(self.rng.choice(voices[part]) for part in ("family_names", "middle_names", "given_names"))

    def _draft(self, kind: str, sentiment: str, topic: str, place_id: str | None, style: str, extras: frozenset[str]) -> Draft:
        rng = self.rng
        places = self.corpus.slots.places
        place = next((p for p in places if p.id == place_id), None) or rng.choice(places)
        title: str | None = None
        if kind == "article":
            heads = self._pick(topic, sentiment, "headline", 1)
            body = self._pick(topic, sentiment, "article", rng.choice((1, 2, 2)))
            title = self._sentence(heads[0], place, topic).rstrip(".")
            chosen = heads + body
        else:
            body = self._pick(topic, sentiment, kind, 2 if kind == "post" and rng.random() < 0.45 else 1)
            chosen = body
        sentences = [self._sentence(pattern, place, topic) for pattern in body]
        if kind != "article":
            sentences = self._spoken(kind, sentiment, sentences)
        plain = " ".join(sentences)
        named = self._places_in(f"{title or ''} {plain}", place, any("place" in p.slots for p in chosen))
        text = self._dressed(plain, sentiment, style, extras)
        topics = tuple(dict.fromkeys(t for pattern in chosen for t in pattern.topics))
        traits = {pattern.trait for pattern in chosen if pattern.trait}
        return Draft(title, text, topics, named, frozenset({*extras, *traits} | ({style} - {"plain"})))

    def _pick(self, topic: str, sentiment: str, fit: str, count: int) -> list[Pattern]:
        cell = self._cells[topic, sentiment, fit]
        return self.rng.sample(cell, min(count, len(cell)))

    def _sentence(self, pattern: Pattern, place: Place, topic: str) -> str:
        text = self._fill(pattern.text, place, topic)
        text = text[0].upper() + text[1:]
        return text if text[-1] in SENTENCE_END else text + "."

    def _fill(self, template: str, place: Place, topic: str) -> str:
        slots, rng = self.corpus.slots, self.rng
        values = {name: _number(rng.randrange(low, high + 1, step)) for name, (low, high, step) in slots.numbers.items()}
        values |= {name: rng.choice(options) for name, options in slots.words.items()}
        values |= {
            "place": rng.choice(place.names),
            "street": rng.choice(place.streets),
            "market": rng.choice(place.markets),
            "city": rng.choice(slots.city_names),
            "agency": rng.choice(slots.agencies[topic]),
            "phone": self._phone(),
            "email": f"{rng.choice(('congdan', 'hemnho', 'phuhuynh'))}{rng.randint(1, 9999)}@thu-{rng.choice(('dan', 'pho'))}.example",
        }
        return template.format(**values)

    def _phone(self) -> str:
        digits = RETIRED_PHONE_PREFIX + "".join(str(self.rng.randint(0, 9)) for _ in range(7))
        groups = (digits[:4], digits[4:7], digits[7:])
        return self.rng.choice([digits, ".".join(groups), " ".join(groups), f"+84{digits[1:]}"])

    def _spoken(self, kind: str, sentiment: str, sentences: list[str]) -> list[str]:
        voices, rng = self.corpus.voices, self.rng
        if rng.random() < (0.35 if kind == "post" else 0.25):
            sentences = [f"{rng.choice(voices['openers'][kind])} {_lower_first(sentences[0])}", *sentences[1:]]
        if rng.random() < (0.35 if kind == "post" else 0.2):
            sentences = [*sentences, rng.choice(voices["closers"][sentiment])]
        if rng.random() < 0.3:
            sentences = [*sentences[:-1], sentences[-1].rstrip(".")]
        return sentences

    def _dressed(self, text: str, sentiment: str, style: str, extras: frozenset[str]) -> str:
        voices, rng = self.corpus.voices, self.rng
        if style == "mixed_english":
            text = f"{text} {rng.choice(voices['english'][sentiment])}"
        for contact in sorted(extras & {"phone", "email"}):
            text = f"{text} {self._fill(rng.choice(voices['contact'][contact]), self.corpus.slots.places[0], 'prices')}"
        if style == "teencode":
            text = self._teencode(text)
        if style == "unaccented":
            text = unaccent(text)
        if "emoji" in extras:
            text = f"{text} {rng.choice(voices['emoji'][sentiment]) * rng.choice((1, 1, 2, 3))}"
        for group, name in (("markup", "html"), ("scripts", "script")):
            if name in extras:
                text = str(rng.choice(voices[group])).replace("{text}", text)
        return text

    def _teencode(self, text: str) -> str:
        table: dict[str, list[str]] = self.corpus.voices["teencode"]
        return re.sub(r"\w+", lambda m: self.rng.choice(table[m[0].lower()]) if m[0].lower() in table else m[0], text).lower()

    def _places_in(self, text: str, place: Place, is_named: bool) -> tuple[str, ...]:
        found = {place.id} if is_named or any(name in text for name in place.names) else set()
        found |= {self.corpus.slots.city_id} if CITY_WORDS.search(text) else set()
        found |= {"hcm-d-cu-chi"} if "Củ Chi" in text else set()
        return tuple(sorted(found))

    def _is_new(self, draft: Draft) -> bool:
        return self._claim(f"{draft.title or ''}\n{draft.text}")

    def _claim(self, text: str) -> bool:
        key = " ".join(text.casefold().split())
        if key in self._written:
            return False
        self._written.add(key)
        return True


def unaccent(text: str) -> str:
    """Vietnamese typed without its marks: đ becomes d, every other letter its base letter."""
    bare = "".join(c for c in unicodedata.normalize("NFD", text) if not unicodedata.combining(c))
    return unicodedata.normalize("NFC", bare.replace("đ", "d").replace("Đ", "D"))


def _lower_first(sentence: str) -> str:
    """Lower-case the first letter unless the first word is a name or an abbreviation."""
    first = sentence.split(" ", 1)[0]
    names = ("Q", "TP", "Sài", "Tết", "VNeID", "Quận", "Bình", "Thủ", "Gò", "Tân", "Phú", "Hóc", "Củ", "Nhà", "Cần", "Sở", "Metro", "Đài")
    return sentence if first.startswith(names) or (len(first) > 1 and first.isupper()) else sentence[0].lower() + sentence[1:]


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")
