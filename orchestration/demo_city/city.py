"""What a generated city is: versions of posts, export files, and the truth about both.

Belongs here: the data model and every count that can be known from it. Not here: making it (generator.py), or its bytes (feeds.py,
exports.py).
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, fields
from datetime import date, datetime

from orchestration.demo_city.corpus import SENTIMENTS, Site

ROUNDS = (1, 2, 3)
FEED_LIMIT = 400
CONNECTORS = ("news_feeds", "exports")


@dataclass(frozen=True)
class Version:
    """One version of a post as it is released.

    published: the true moment, with offset +07:00. stamp: how the source writes it (iso, iso_utc, epoch, local, or a fault: missing, 1970,
    2099, words). event_date: civil day in Asia/Ho_Chi_Minh, None where the source's date is missing or absurd.
    """

    connector: str
    source_id: str
    platform: str
    native_id: str
    kind: str
    release_round: int
    title: str | None
    text: str
    author: str
    published: datetime
    stamp: str
    event_date: date | None
    sentiment: str
    topics: tuple[str, ...]
    places: tuple[str, ...]
    is_spam: bool
    tags: frozenset[str]
    parent_id: str | None
    likes: int
    shares: int
    comment_count: int

    @property
    def key(self) -> tuple[str, str]:
        """What identifies the post: platform and native id."""
        return self.platform, self.native_id


@dataclass(frozen=True)
class TruthRow:
    """The truth about one kept post, in its latest version. text: the title, if any, a line break, then the text as written."""

    connector: str
    source_id: str
    platform: str
    native_id: str
    kind: str
    event_date: date | None
    sentiment: str
    topics: tuple[str, ...]
    places: tuple[str, ...]
    is_spam: bool
    tags: frozenset[str]
    text: str


@dataclass(frozen=True)
class Reject:
    """Something delivered that can never become a post. location: file and line (from 1), or the feed's path."""

    connector: str
    source_id: str
    release_round: int
    location: str
    reason: str
    raw: bytes


@dataclass(frozen=True)
class ExportFile:
    """One delivered file. lines: without line ends; repeats: how many of them were delivered before, byte for byte."""

    name: str
    source_id: str
    release_round: int
    lines: tuple[bytes, ...]
    repeats: int

    @property
    def content(self) -> bytes:
        """The file's bytes, one line feed after each line."""
        return b"".join(line + b"\n" for line in self.lines)


@dataclass(frozen=True)
class City:
    """A generated city. versions: in the order they are released; files: in the order they are delivered."""

    seed: int
    scale: float
    sites: tuple[Site, ...]
    versions: tuple[Version, ...]
    files: tuple[ExportFile, ...]
    rejects: tuple[Reject, ...]

    @property
    def truth(self) -> list[TruthRow]:
        """The truth after the last round."""
        return self.truth_at(ROUNDS[-1])

    def feed_entries(self, slug: str, round_: int) -> list[Version]:
        """What the feed of a site lists in a round: latest versions, newest first, at most 400; nothing while it is unreadable."""
        site = next(site for site in self.sites if site.slug == slug)
        if site.unreadable_in_round == round_:
            return []
        latest = {v.native_id: v for v in self.versions if v.source_id == site.source_id and v.release_round <= round_}
        return sorted(latest.values(), key=lambda v: (v.published, v.native_id), reverse=True)[:FEED_LIMIT]

    def seen_versions(self, round_: int) -> list[Version]:
        """Every version that one who polls each feed and takes each file in each round up to this one has seen, in that order."""
        seen: dict[tuple[object, ...], Version] = {}
        for now in (r for r in ROUNDS if r <= round_):
            listed = [v for site in self.sites for v in self.feed_entries(site.slug, now)]
            delivered = [v for v in self.versions if v.connector == "exports" and v.release_round == now]
            for version in (*listed, *delivered):
                seen.setdefault((*version.key, version.release_round), version)
        return list(seen.values())

    def truth_at(self, round_: int) -> list[TruthRow]:
        """The kept posts after a round, each in its latest version."""
        return [truth_of(version) for version in {v.key: v for v in self.seen_versions(round_)}.values()]

    def true_shares(self, first: date, last: date, round_: int = ROUNDS[-1]) -> dict[str, float]:
        """Share of each sentiment over kept posts (spam and reposts among them) with first <= event_date <= last; all 0.0 where none."""
        rows = [row for row in self.truth_at(round_) if row.event_date is not None and first <= row.event_date <= last]
        return shares(rows)

    def expected_kept(self, connector: str, round_: int) -> int:
        """How many posts of a connector the lake keeps after a round."""
        return len({v.key for v in self.seen_versions(round_) if v.connector == connector})

    def expected_superseded(self, connector: str, round_: int) -> int:
        """How many older versions of posts were seen by the end of a round."""
        return sum(v.connector == connector for v in self.seen_versions(round_)) - self.expected_kept(connector, round_)

    def expected_export_repeats(self, round_: int) -> int:
        """How many export lines up to a round were delivered before, byte for byte (a file delivered twice counts in full)."""
        return sum(file.repeats for file in self.files if file.release_round <= round_)

    def expected_rejects(self, round_: int) -> list[Reject]:
        """What has been delivered by the end of a round that can never become a post."""
        return [reject for reject in self.rejects if reject.release_round <= round_]

    def phenomena(self, round_: int = ROUNDS[-1]) -> Counter[str]:
        """How many kept posts carry each tag: repost, near_duplicate, edit, edit_date, late_arrival, spam, emoji, date_1970 ..."""
        return Counter(tag for row in self.truth_at(round_) for tag in row.tags)

    def daily_shares(self, round_: int = ROUNDS[-1]) -> dict[date, dict[str, float]]:
        """The shares of each event day, in order."""
        by_day: dict[date, list[TruthRow]] = {}
        for row in self.truth_at(round_):
            if row.event_date is not None:
                by_day.setdefault(row.event_date, []).append(row)
        return {day: shares(by_day[day]) for day in sorted(by_day)}


def truth_of(version: Version) -> TruthRow:
    """The truth about a post whose latest version this is."""
    known = {field.name: getattr(version, field.name) for field in fields(TruthRow) if field.name != "text"}
    return TruthRow(**known, text=full_text(version))


def full_text(version: Version) -> str:
    """Title and text as the truth gives them."""
    return version.text if version.title is None else f"{version.title}\n{version.text}"


def shares(rows: Iterable[TruthRow]) -> dict[str, float]:
    """Share of each sentiment, 0.0 for all where there are no rows."""
    labels = [row.sentiment for row in rows]
    return {sentiment: labels.count(sentiment) / len(labels) if labels else 0.0 for sentiment in SENTIMENTS}
