"""What the demo city answers to a path, in a round: pages with their validators. No sockets here (server.py), no rendering (feeds.py)."""

import hashlib
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from functools import lru_cache
from itertools import count

from orchestration.demo_city import article_pages
from orchestration.demo_city.city import CONNECTORS, ROUNDS, City
from orchestration.demo_city.feeds import FORMS, MEDIA_TYPES, RELEASED_AT, feed_bytes

SERVED_LOG_LENGTH = 10_000
ROBOTS = b"User-agent: *\nDisallow: /_control\nCrawl-delay: 0\n"
"""The city is one machine that plays many: it wishes for no pause, so that a demonstration takes minutes."""


@dataclass(frozen=True)
class Page:
    """An answer before conditions are looked at. pause_seconds: between the halves of the body; is_cut: the second half never comes.

    validated: what the validators stand for, where the body has parts that change at every fetch.
    """

    body: bytes
    media_type: str
    items: int | None = None
    changed: datetime | None = None
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    pause_seconds: float = 0.0
    is_cut: bool = False
    validated: bytes | None = None

    @property
    def etag(self) -> str:
        """A validator: the digest of the body, or of what stands for it."""
        return f'"{hashlib.sha256(self.body if self.validated is None else self.validated).hexdigest()[:32]}"'


def json_page(value: object, status: int = 200) -> Page:
    """A JSON answer; dates become ISO strings, sets sorted lists."""
    return Page(json.dumps(value, ensure_ascii=False, default=_plain).encode(), "application/json", status=status)


def _plain(value: object) -> object:
    if isinstance(value, frozenset):
        return sorted(value)
    return str(value)


class CityPages:
    """The pages of a city in its present round. base_url: without a slash at the end, for the links in feeds."""

    def __init__(self, city: City, base_url: str, round_: int) -> None:
        self.city = city
        self.base_url = base_url
        self.served: deque[dict[str, object]] = deque(maxlen=SERVED_LOG_LENGTH)
        self.round = round_
        self.fetches = count(1)
        self.feed = lru_cache(maxsize=128)(self._feed)

    def set_round(self, round_: object) -> None:
        """Release up to a round. Raises ValueError unless it is 1, 2 or 3."""
        if round_ not in ROUNDS or isinstance(round_, bool):
            raise ValueError(f"round is {round_!r}; expected one of {', '.join(map(str, ROUNDS))}")
        self.round = int(str(round_))

    def page(self, path: str) -> Page:
        """The answer to GET path in the present round; status 404 where there is nothing."""
        parts = path.split("?", 1)[0].strip("/").split("/")
        match parts:
            case ["healthz"]:
                found = json_page({"status": "ok", "round": self.round})
            case ["robots.txt"]:
                found = Page(ROBOTS, "text/plain; charset=utf-8")
            case ["sites", slug, name] if name in FORMS:
                found = self._known_feed(slug, FORMS[name])
            case ["sites", slug, "articles", name] if name.endswith(".html"):
                found = self._article(slug, name.removesuffix(".html"))
            case ["s", slug, number]:
                found = Page(b"", "text/html", status=301, headers={"Location": f"{self.base_url}/sites/{slug}/articles/{number}.html"})
            case ["exports", "index.json"]:
                found = self._exports_index()
            case ["exports", name] if name.endswith(".jsonl"):
                found = self._export(name.removesuffix(".jsonl"))
            case ["_control", "served"]:
                found = json_page(list(self.served))
            case ["_control", "truth"]:
                found = self._truth()
            case _:
                found = not_found()
        return found

    def _known_feed(self, slug: str, form: str) -> Page:
        return self.feed(slug, form, self.round) if any(site.slug == slug for site in self.city.sites) else not_found()

    def _feed(self, slug: str, form: str, round_: int) -> Page:
        site = next(site for site in self.city.sites if site.slug == slug)
        body, items, changed = feed_bytes(self.city, site, form, round_, self.base_url)
        return Page(body, MEDIA_TYPES[form], items, changed)

    def _article(self, slug: str, name: str) -> Page:
        site = next((site for site in self.city.sites if site.slug == slug), None)
        if site is None:
            return not_found()
        number = name.removesuffix(".amp")
        version = article_pages.latest_version(self.city, site, number, self.round)
        if version is None:
            return not_found()
        if number != name:
            return Page(article_pages.amp_html(site, version, base_url=self.base_url), article_pages.MEDIA_TYPE)
        related = [v for v in self.city.feed_entries(slug, self.round)[:5] if v is not version]
        body = article_pages.article_html(site, version, base_url=self.base_url, fetch=next(self.fetches), related=related)
        if not article_pages.has_validators(site):
            return Page(body, article_pages.MEDIA_TYPE)
        stable = article_pages.article_html(site, version)
        return Page(body, article_pages.MEDIA_TYPE, changed=RELEASED_AT[version.release_round], validated=stable)

    def _exports_index(self) -> Page:
        files = [file for file in self.city.files if file.release_round <= self.round]
        rows = [
            {
                "name": f"{file.name}.jsonl",
                "source_id": file.source_id,
                "bytes": len(file.content),
                "sha256": hashlib.sha256(file.content).hexdigest(),
                "round": file.release_round,
            }
            for file in files
        ]
        return json_page({"files": rows})

    def _export(self, name: str) -> Page:
        file = next((file for file in self.city.files if file.name == name and file.release_round <= self.round), None)
        if file is None:
            return not_found()
        return Page(file.content, "application/x-ndjson", len(file.lines), RELEASED_AT[file.release_round])

    def _truth(self) -> Page:
        city, now = self.city, self.round
        account = {
            connector: {
                "kept": city.expected_kept(connector, now),
                "superseded": city.expected_superseded(connector, now),
                "rejected": sum(reject.connector == connector for reject in city.expected_rejects(now)),
            }
            for connector in CONNECTORS
        }
        by_day = {day.isoformat(): found for day, found in city.daily_shares(now).items()}
        rows = [asdict(row) for row in city.truth_at(now)]
        return json_page({"seed": city.seed, "scale": city.scale, "round": now, "account": account, "shares_by_day": by_day, "rows": rows})


def not_found() -> Page:
    """The answer where there is nothing."""
    return json_page({"error": "nothing here, or not released yet"}, 404)
