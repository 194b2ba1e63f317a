"""The seeded generator: plan, write, deliver. No clock, no environment: the same seed and scale give the same city, byte for byte.

Belongs here: giving each planned mention its source, time, identity and text. Not here: which mishap befalls which mention (mishaps.py).
"""

import random
from dataclasses import replace
from datetime import date, datetime, time, timedelta, timezone
from itertools import accumulate

from lake_config.errors import BadInputError
from orchestration.demo_city import plan
from orchestration.demo_city.city import City, Version
from orchestration.demo_city.corpus import Corpus, load_corpus
from orchestration.demo_city.exports import EARLIER_WORDS, pack_exports
from orchestration.demo_city.feeds import BROKEN_BYTES, unreadable_feed_rejects
from orchestration.demo_city.mishaps import MIN_SCALE, Slot, assign
from orchestration.demo_city.writing import Draft, Writer

DEFAULT_SEED = 2024
LOCAL = timezone(timedelta(hours=7))
HOUR_WEIGHTS = (2, 1, 1, 1, 1, 2, 5, 8, 8, 7, 6, 7, 7, 5, 5, 5, 6, 7, 7, 8, 10, 9, 6, 3)
REPOST_POOL = 250
BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def generate(seed: int = DEFAULT_SEED, scale: float = 1.0) -> City:
    """A whole city. scale 1.0: about 12,000 posts over the event days 2024-01-20 to 2024-02-25, a sixth of them feed articles.

    Raises BadInputError for a scale below 0.05 (too small for every mishap to occur), ConfigError where the patterns run out.
    """
    if scale < MIN_SCALE:
        raise BadInputError(f"scale is {scale}; expected at least {MIN_SCALE}, so that every mishap occurs")
    corpus = load_corpus()
    rng = random.Random(seed)  # noqa: S311 - reproducible text, no secret
    slots = _plan(corpus, rng, scale)
    assign(slots, rng)
    versions = _mark_charsets(_Deliverer(corpus, rng).deliver(slots), corpus)
    versions.sort(key=lambda v: (v.release_round, v.published, v.platform, v.native_id))
    files, line_rejects = pack_exports(versions, corpus.streams, rng)
    rejects = (*line_rejects, *unreadable_feed_rejects(corpus.sites))
    return City(seed, scale, corpus.sites, tuple(versions), files, rejects)


def _plan(corpus: Corpus, rng: random.Random, scale: float) -> list[Slot]:
    """One slot per post, in order of time: day, mood, source and kind."""
    total = round(plan.MENTIONS_AT_FULL_SCALE * scale)
    undated = max(8, round(total * 0.006))
    slots: list[Slot] = []
    site_turn = 0
    stream_weights = [stream.share for stream in corpus.streams]
    for day, count in plan.volumes(total - undated).items():
        moods = plan.moods(day, count)
        rng.shuffle(moods)
        articles = round(count * plan.ARTICLE_SHARE)
        for n, mood in enumerate(moods):
            moment = _moment(rng, day)
            if n < articles:
                slots.append(Slot(moment, mood, corpus.sites[site_turn % len(corpus.sites)], "article"))
                site_turn += 1
                continue
            stream = rng.choices(corpus.streams, cum_weights=list(accumulate(stream_weights)))[0]
            slots.append(Slot(moment, mood, stream, "comment" if rng.random() < stream.comment_share else "post"))
    for n in range(undated):
        day = rng.choice(plan.days())
        mood = rng.choices(("negative", "neutral", "positive"), cum_weights=list(accumulate(plan.USUAL_MIX)))[0]
        # Each fault of a date befalls both feeds and exports.
        source = corpus.sites[(n // 8) % len(corpus.sites)] if n % 2 else corpus.streams[(n // 8) % len(corpus.streams)]
        fault = ("missing", "1970", "2099", "words")[n // 2 % 4]
        slots.append(Slot(_moment(rng, day), mood, source, "article" if n % 2 else "post", stamp=fault))
    slots.sort(key=lambda slot: slot.moment)
    return slots


def _moment(rng: random.Random, day: date) -> datetime:
    hour = rng.choices(range(24), weights=HOUR_WEIGHTS)[0]
    return datetime.combine(day, time(hour, rng.randrange(60), rng.randrange(60)), LOCAL)


def _mark_charsets(versions: list[Version], corpus: Corpus) -> list[Version]:
    """Tag the articles that are served in a wrong charset, and the one article of a broken_bytes site that loses a byte."""
    foreign = {site.source_id for site in corpus.sites if site.charset != "utf-8"}
    marked = [replace(v, tags=v.tags | {"wrong_charset"}) if v.source_id in foreign else v for v in versions]
    for site in corpus.sites:
        if site.broken_bytes:
            # One that stays as it is in all rounds, so that its bytes make one version and not two.
            at = next(i for i, v in enumerate(marked) if v.source_id == site.source_id and v.release_round == 1 and not v.tags)
            marked[at] = replace(marked[at], tags=frozenset({BROKEN_BYTES}))
    return marked


class _Deliverer:
    """Turns slots into versions; keeps what later slots refer back to (reposts, parents, used ids)."""

    def __init__(self, corpus: Corpus, rng: random.Random) -> None:
        self.rng = rng
        self.writer = Writer(corpus, rng)
        self.used: set[tuple[str, str]] = set()
        self.parents: dict[str, list[str]] = {}
        self.recent: dict[str, list[Version]] = {}

    def deliver(self, slots: list[Slot]) -> list[Version]:
        """All versions of all posts: of an edited post the earlier one too."""
        versions: list[Version] = []
        for slot in slots:
            final = self._version(slot)
            if slot.delivery in {"edit", "edit_date"}:
                versions.append(self._earlier(final, slot))
            versions.append(final)
        return versions

    def _version(self, slot: Slot) -> Version:
        rng = self.rng
        original = self._original(slot) if slot.form in {"repost", "near_duplicate"} else None
        draft = self._draft(slot, original)
        author = self.writer.author()
        while original is not None and author == original.author:
            author = self.writer.author()
        tags = {*draft.tags}
        tags |= {slot.form} if original is not None else set()
        tags |= {slot.delivery} if slot.delivery != "first" else set()
        tags |= {f"date_{slot.stamp}"} if slot.is_undated else set()
        version = Version(
            connector="news_feeds" if slot.is_feed else "exports",
            source_id=slot.source.source_id,
            platform=slot.source.platform,
            native_id=self._native_id(slot),
            kind=slot.kind,
            release_round=slot.release_round,
            title=draft.title,
            text=draft.text,
            author=author,
            published=slot.moment,
            stamp=slot.stamp,
            event_date=None if slot.is_undated else slot.moment.date(),
            sentiment=slot.sentiment,
            topics=draft.topics,
            places=draft.places,
            is_spam="spam" in draft.tags,
            tags=frozenset(tags),
            parent_id=self._parent(slot),
            likes=int(rng.expovariate(1 / 25)),
            shares=int(rng.expovariate(1 / 4)),
            comment_count=int(rng.expovariate(1 / 7)),
        )
        self._remember(version, slot)
        return version

    def _draft(self, slot: Slot, original: Version | None) -> Draft:
        if original is not None:
            text = original.text if slot.form == "repost" else self.writer.nearly(original.text, original.sentiment)
            kept = original.tags & {"emoji", "phone", "email", "html", "script", "teencode", "unaccented", "mixed_english", "sarcasm"}
            return Draft(None, text, original.topics, original.places, kept)
        if slot.form == "spam":
            return self.writer.spam()
        day = slot.moment.date()
        topic = plan.pick_topic(self.rng, day, slot.sentiment)
        is_flood = topic == "flooding" and day in plan.FLOOD_WEIGHT and self.rng.random() < 0.8
        place_id = plan.FLOOD_PLACE if is_flood else None
        return self.writer.write(slot.kind, slot.sentiment, topic, place_id, slot.style, frozenset(slot.extras))

    def _original(self, slot: Slot) -> Version:
        return self.rng.choice(self.recent[slot.sentiment])

    def _remember(self, version: Version, slot: Slot) -> None:
        if slot.is_feed:
            return
        if version.kind == "post":
            self.parents.setdefault(version.platform, []).append(version.native_id)
        if slot.form == "own":
            pool = self.recent.setdefault(version.sentiment, [])
            pool.append(version)
            del pool[:-REPOST_POOL]

    def _parent(self, slot: Slot) -> str | None:
        if slot.kind != "comment":
            return None
        posts = self.parents.get(slot.source.platform, [])[-60:]
        return self.rng.choice(posts) if posts else f"p{self.rng.randrange(10**9):09d}"

    def _native_id(self, slot: Slot) -> str:
        rng, platform = self.rng, slot.source.platform
        while True:
            if slot.is_feed:
                native = f"tag:{platform},2024:{rng.randrange(10**6):06d}"
            elif platform == "video.demo":
                native = "Ug" + "".join(rng.choice(BASE62) for _ in range(16))
            elif platform == "trang.demo":
                native = f"{100_200_300 + rng.randrange(40)}_{rng.randrange(10**10):010d}"
            else:
                native = f"p{rng.randrange(10**9):09d}"
            if (platform, native) not in self.used:
                self.used.add((platform, native))
                return native

    def _earlier(self, final: Version, slot: Slot) -> Version:
        """What an edited post said at first: other words of the same meaning, or, where only the date was mended, an earlier date too."""
        moment = final.published - timedelta(days=1) if slot.delivery == "edit_date" else final.published
        text = f"{final.text} {self.rng.choice(EARLIER_WORDS)}"
        return replace(final, release_round=1, published=moment, event_date=moment.date(), text=text)
