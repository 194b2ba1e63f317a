"""What the cursor of news_feeds remembers of one shard of sources, and what that makes of a new answer. Pure."""

import hashlib
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urljoin

from assets.bronze import sitemap
from assets.bronze.article_address import clean_address, without_variant
from assets.bronze.envelope import Batch, FetchAttempt, Item, storable
from assets.bronze.feed_document import FeedDocument, read_entries, split
from assets.bronze.legacy_text import UndecodableError
from assets.times import local_day
from lake_config.registry import Source

NOT_A_FEED = "the body is neither RSS, Atom, JSON Feed nor a sitemap"
VERSION_DIGITS = 16
_REMEMBER_DAYS = 30
"""An entry that its feed no longer lists is forgotten after this many days; coming back later, it lands again as a duplicate."""


@dataclass(frozen=True)
class Document:
    """One document that a source sent, with the attempt that brought it. `url` is its final address."""

    source: Source
    attempt: FetchAttempt
    body: bytes = b""
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None
    url: str = ""


@dataclass(frozen=True)
class _Entry:
    """An entry that is not known byte for byte. `link` is its clean address, `is_page_only` says that it comes from a sitemap."""

    item: Item
    link: str | None
    is_page_only: bool


@dataclass
class Memory:
    """What a shard remembers.

    `sources`: source id -> the last local day with an answer ("listed"), by document address its validators ("documents"), the sitemaps of
    its index ("children"). `posts`: platform -> native id -> {"day": event day of the first version, "listed": last local day listed,
    "by": source id -> versions it listed last, "link": the clean address where it is not the id, "page": true where only a sitemap told of
    it}. Versions are kept by source, since a section feed may lag behind the main one.
    """

    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    posts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    _versions: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict, repr=False)
    _links: dict[str, dict[str, str]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, state: Mapping[str, Any]) -> "Memory":
        """From a cursor's state."""
        return cls(state.get("sources", {}), state.get("posts", {}))

    def validators(self, source: Source, url: str) -> dict[str, Any]:
        """Validators of the last answer from this address that was read."""
        return dict(self.sources.get(source.id, {}).get("documents", {}).get(url, {}))

    def children(self, source: Source) -> list[str]:
        """The sitemaps that the source's sitemap index named last."""
        return list(self.sources.get(source.id, {}).get("children", []))

    def take_index(self, document: Document, children: list[str]) -> None:
        """Remember a sitemap index: its validators and the sitemaps that are read; those of others are forgotten."""
        self._answered(
            document,
            "",
            {"etag": document.etag, "last_modified": document.last_modified},
            local_day(document.attempt.fetched_at).isoformat(),
        )
        known = self.sources[document.source.id]
        known["children"] = children
        known["documents"] = {url: row for url, row in known["documents"].items() if url in {"", *children}}

    def take(self, batch: Batch, document: Document, asked: str = "") -> FetchAttempt:
        """Put the new and changed entries of a document into the batch and remember them; returns the completed attempt.

        `asked` is the address it was asked for at (default: the source's own), under which its validators are kept.
        """
        source, attempt = document.source, document.attempt
        found = split(document.body, document.content_type)
        today = local_day(attempt.fetched_at).isoformat()
        if found is None:
            landed = self._take_whole(batch, document, today)
            self._answered(document, asked, {}, today)
            return replace(attempt, listed=0, landed=landed, outcome="unreadable", detail=NOT_A_FEED)
        seen, versions = self.posts.setdefault(source.platform, {}), self._versions_of(source)
        digests = [hashlib.sha256(entry).hexdigest()[:VERSION_DIGITS] for entry in found.entries]
        unknown = [index for index, digest in enumerate(digests) if digest not in versions]
        entries = dict(zip(unknown, _entries(document, found, unknown), strict=True))
        landed, listed = 0, defaultdict[str, list[str]](list)
        for index, version in enumerate(digests):
            entry = entries.get(index)
            native_id = versions[version] if entry is None else self._named(source, entry)
            known = seen.get(native_id)
            if entry is not None and version not in listed[native_id] and not self._is_told(entry, known, source.id, version):
                day = batch.add(
                    replace(entry.item, native_id=native_id), attempt.fetched_at, date.fromisoformat(known["day"]) if known else None
                )
                known = seen.setdefault(native_id, {"day": day.isoformat(), "by": {}} | ({"page": True} if entry.is_page_only else {}))
                landed += 1
            if entry is not None and known is not None and not entry.is_page_only:
                self._told_by_feed(source.platform, native_id, known, entry)
            listed[native_id].append(version)
        for native_id, told in listed.items():
            seen[native_id]["listed"] = today
            seen[native_id]["by"][source.id] = told
            versions.update(dict.fromkeys(told, native_id))
        self._answered(document, asked, {"etag": document.etag, "last_modified": document.last_modified}, today)
        return replace(attempt, listed=len(digests), landed=landed)

    def _take_whole(self, batch: Batch, document: Document, today: str) -> int:
        """A body that is no feed lands once as an item of its own, so that it is rejected and not lost."""
        whole = Item(native_id="", payload=document.body, payload_format="feed_document", payload_context="{}", **_envelope(document))
        native_id, version = f"document:{whole.payload_sha256}", whole.payload_sha256[:VERSION_DIGITS]
        seen = self.posts.setdefault(document.source.platform, {})
        is_new = native_id not in seen
        if is_new:
            day = batch.add(replace(whole, native_id=native_id), document.attempt.fetched_at)
            seen[native_id] = {"day": day.isoformat(), "by": {}}
        seen[native_id]["listed"] = today
        seen[native_id]["by"][document.source.id] = [version]
        return int(is_new)

    def _answered(self, document: Document, asked: str, validators: dict[str, Any], today: str) -> None:
        """Remember the answer. Without validators for what is no feed: "not modified" would make a broken source look alive."""
        known = self.sources.setdefault(document.source.id, {})
        known["listed"] = today
        known.setdefault("documents", {})[asked] = {name: value for name, value in validators.items() if value}

    def _versions_of(self, source: Source) -> dict[str, str]:
        """Version -> native id of all that the source listed last."""
        platform = source.platform
        if platform not in self._versions:
            made: dict[str, dict[str, str]] = defaultdict(dict)
            for native_id, row in self.posts.get(platform, {}).items():
                for source_id, told in row["by"].items():
                    made[source_id].update(dict.fromkeys(told, native_id))
            self._versions[platform] = made
        return self._versions[platform].setdefault(source.id, {})

    def _links_of(self, platform: str) -> dict[str, str]:
        """Clean address -> native id of all posts of a platform."""
        if platform not in self._links:
            rows = self.posts.get(platform, {}).items()
            self._links[platform] = {row.get("link") or native_id: native_id for native_id, row in rows}
        return self._links[platform]

    def _named(self, source: Source, entry: _Entry) -> str:
        """The id under which an entry's post is known. A page that a sitemap names and the same page in a feed are one post."""
        own, links = entry.item.native_id, self._links_of(source.platform)
        if entry.link is None or own in self.posts[source.platform]:
            return own
        other = links.get(entry.link)
        if entry.is_page_only:
            name = other or entry.link
            links.setdefault(entry.link, name)
            return name
        return other if other == entry.link else own

    def _told_by_feed(self, platform: str, native_id: str, row: dict[str, Any], entry: _Entry) -> None:
        row.pop("page", None)
        if entry.link and entry.link != native_id:
            row["link"] = entry.link
            self._links_of(platform)[entry.link] = native_id

    @staticmethod
    def _is_told(entry: _Entry, known: dict[str, Any] | None, source_id: str, version: str) -> bool:
        """Whether the post is known in this version. A sitemap's few words add nothing to a post that a feed told of."""
        if known is None:
            return False
        own = known["by"].get(source_id)
        if entry.is_page_only and "page" not in known:
            return True
        return version in own if own is not None else any(version in versions for versions in known["by"].values())

    def state(self, now: datetime, still_listed: Mapping[str, str | None] | None = None) -> dict[str, Any]:
        """The state to commit, without the posts that no feed has listed for a while.

        `still_listed`: source id -> the last local day (ISO) on which it said that it lists what it listed before ("not modified").
        """
        today, still = local_day(now), still_listed or {}
        posts = {
            platform: {key: row for key, row in rows.items() if (today - self._last_listed(row, still)).days <= _REMEMBER_DAYS}
            for platform, rows in self.posts.items()
        }
        return {"sources": self.sources, "posts": {platform: rows for platform, rows in posts.items() if rows}}

    def _last_listed(self, row: Mapping[str, Any], still: Mapping[str, str | None]) -> date:
        days = [row["listed"]]
        for source_id in row["by"]:
            answered = self.sources.get(source_id, {}).get("listed")
            if answered is not None and row["listed"] >= answered and (said := still.get(source_id)):
                days.append(said)
        return date.fromisoformat(max(days))


def _envelope(document: Document) -> dict[str, Any]:
    return {
        "source_id": document.source.id,
        "http_status": document.attempt.http_status,
        "etag": document.etag,
        "last_modified": document.last_modified,
    }


def _entries(document: Document, found: FeedDocument, wanted: list[int]) -> list[_Entry]:
    """The wanted entries of a feed as items; links are made whole with the feed's own address."""
    payloads = [found.entries[index] for index in wanted]
    made = []
    for payload, fields in zip(payloads, read_entries(payloads, found.context), strict=True):
        known = {} if fields is None or isinstance(fields, UndecodableError) else fields
        url = storable(_joined(document.url, known["link"])) if known.get("link") else None
        item = Item(
            native_id=storable(known.get("id") or known.get("link") or ""),
            payload=payload,
            payload_format="feed_entry",
            payload_context=found.context,
            url=url,
            published_at=storable(known["published"]) if known.get("published") else None,
            **_envelope(document),
        )
        named = item if item.native_id else replace(item, native_id=f"sha256:{item.payload_sha256}")
        made.append(_Entry(named, _page(url), f'"element": "{sitemap.ELEMENT}"' in found.context))
    return made


def _page(url: str | None) -> str | None:
    """The address of the page that a link leads to, as far as the link itself tells: the full page's for a mobile or AMP one."""
    clean = clean_address(url) if url else None
    return without_variant(clean) if clean else None


def _joined(base: str, link: str) -> str:
    try:
        return urljoin(base, link.strip())
    except ValueError:
        return link
