"""When which article page is asked for, and whether what it says is new. Pure: the collector hands in the clock and the answers.

What the cursor of news_articles remembers lives here. Not here: fetching and landing (news_articles.py), the words of a page
(article_document.py).
"""

import heapq
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

INTERVALS = tuple(timedelta(hours=hours) for hours in (1, 6, 24, 72, 168))
"""From one visit to the next while the text stays as it is; after the last, no more. A new text starts anew."""
_REMEMBER_DAYS = 30
"""A page is forgotten this many days after its last visit or listing."""


@dataclass
class PageState:
    """One article page. `entry` names the feed entry's version, `text` the text landed last, `fault` the fault landed last.

    `day` is the event day of the feed's entry, under which every version lands. `due` is null when no visit is planned. Times are UTC, ISO.
    """

    url: str
    source: str
    day: str
    published: str | None
    entry: str
    due: str | None
    seen: str
    visits: int = 0
    text: str | None = None
    fault: str | None = None
    etag: str | None = None
    last_modified: str | None = None

    def visited(self, now: datetime, *, is_new: bool = False, is_last: bool = False) -> None:
        """Plan the next visit: soon after a new text, later and later after none, none after the last."""
        self.visits = 0 if is_new else self.visits
        self.due = None if is_last or self.visits >= len(INTERVALS) else _iso(now + INTERVALS[self.visits])
        self.visits += 1
        self.seen = _iso(now)


@dataclass(frozen=True)
class Entry:
    """A feed entry as far as it matters here. `version` distinguishes one state of the entry from the next."""

    platform: str
    native_id: str
    url: str
    day: date
    published: str | None
    version: str


@dataclass(frozen=True)
class Due:
    """A page whose visit is due."""

    platform: str
    native_id: str
    page: PageState


@dataclass
class Visits:
    """All pages by platform and native id, and the version of bronze.news_feeds up to which each platform's entries are known."""

    reached: dict[str, int] = field(default_factory=dict)
    pages: dict[str, dict[str, PageState]] = field(default_factory=dict)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Visits":
        """From a cursor's state."""
        pages = {
            platform: {native_id: PageState(**row) for native_id, row in rows.items()} for platform, rows in state.get("pages", {}).items()
        }
        return cls(dict(state.get("reached", {})), pages)

    def listed(self, entries: Iterable[Entry], sources: Mapping[str, str], now: datetime) -> int:
        """Take in entries that feeds listed, in their order; returns how many made a visit due.

        `sources` maps a platform to the source its pages are collected for. An entry known in this version changes nothing; a new version
        of one brings the next visit forward. Of several entries of one platform with one address the first stands for the page.
        """
        changed, moment = 0, _iso(now)
        by_url = {platform: {page.url: key for key, page in rows.items()} for platform, rows in self.pages.items()}
        for entry in entries:
            rows, urls = self.pages.setdefault(entry.platform, {}), by_url.setdefault(entry.platform, {})
            known = rows.get(entry.native_id)
            if known is None and urls.setdefault(entry.url, entry.native_id) != entry.native_id:
                continue
            if known is None:
                source = sources[entry.platform]
                rows[entry.native_id] = PageState(
                    entry.url, source, entry.day.isoformat(), entry.published, entry.version, due=moment, seen=moment
                )
            elif known.entry != entry.version:
                known.entry, known.url, known.due, known.visits, known.seen = entry.version, entry.url, moment, 0, moment
            else:
                continue
            changed += 1
        return changed

    def due(self, platforms: Iterable[str], now: datetime, limit: int) -> list[Due]:
        """The pages of these platforms whose visit is due, those that wait longest first."""
        moment = _iso(now)
        waiting = (
            (page.due, platform, native_id)
            for platform in sorted(set(platforms))
            for native_id, page in self.pages.get(platform, {}).items()
            if page.due is not None and page.due <= moment
        )
        return [Due(platform, native_id, self.pages[platform][native_id]) for _, platform, native_id in heapq.nsmallest(limit, waiting)]

    def state(self, now: datetime) -> dict[str, Any]:
        """The state to commit, without the pages that nothing has been heard of for a while."""
        horizon = _iso(now - timedelta(days=_REMEMBER_DAYS))
        pages = {
            platform: {key: _sparse(page) for key, page in rows.items() if page.due is not None or page.seen >= horizon}
            for platform, rows in self.pages.items()
        }
        return {"reached": self.reached, "pages": {platform: rows for platform, rows in pages.items() if rows}}

    def behind(self, platforms: Iterable[str], version: int) -> Iterator[tuple[int | None, set[str]]]:
        """The platforms whose entries are not known up to `version`, by the version that is known (None: nothing yet)."""
        groups: dict[int | None, set[str]] = {}
        for platform in platforms:
            if (known := self.reached.get(platform)) is None or known < version:
                groups.setdefault(known, set()).add(platform)
        yield from groups.items()


def _sparse(page: PageState) -> dict[str, Any]:
    return {name: value for name, value in asdict(page).items() if value is not None or name in {"published", "due"}}


def _iso(moment: datetime) -> str:
    """UTC at one width, so that text order is order in time."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
