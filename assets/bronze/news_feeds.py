"""The connector for RSS and Atom feeds: conditional requests, only entries that are new or changed, exactly once."""

import ipaddress
import socket
import time
from collections import defaultdict
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from typing import Any
from urllib.parse import urlsplit

import httpx
from deltalake.exceptions import CommitFailedError

from assets.bronze.cursor import APP_ID, Cursor, forget_older, load_cursor, stage_cursor
from assets.bronze.envelope import Batch, FetchAttempt, Item, storable
from assets.bronze.feed_document import UndecodableError, read_entries, split
from assets.bronze.landing import Clock, CollectReport, land, log_attempts, utc_now
from assets.times import local_day
from lake_config.registry import Source
from lake_config.registry.models import DEMO_CITY
from lake_config.storage import Lake, Provenance

CONNECTOR = "news_feeds"
_USER_AGENT = "LangNghe/0.1 (public feed reader)"
_TIMEOUT_SECONDS = 20.0
_WHOLE_ANSWER_SECONDS = 60.0
"""The timeout above is for each read; a host that drips a byte now and then is given up after this."""
_MAX_BODY_BYTES = 10 * 1024 * 1024
_HOSTS_AT_ONCE = 8
_VERSION_DIGITS = 16
_REMEMBER_DAYS = 30
"""An entry that its feed no longer lists is forgotten after this many days; coming back later, it lands again as a duplicate."""


@dataclass(frozen=True)
class Fetched:
    """The outcome of one request: the attempt, and the body where there is a new one."""

    source: Source
    attempt: FetchAttempt
    body: bytes = b""
    content_type: str = ""
    etag: str | None = None
    last_modified: str | None = None


class RefusedError(Exception):
    """What a host offers is not taken; the message says why."""


def _read_body(response: httpx.Response) -> bytes:
    chunks, size, started = [], 0, time.monotonic()
    for chunk in response.iter_bytes():
        size += len(chunk)
        if size > _MAX_BODY_BYTES:
            raise RefusedError(f"body over {_MAX_BODY_BYTES} bytes")
        if time.monotonic() - started > _WHOLE_ANSWER_SECONDS:
            raise RefusedError(f"the body took longer than {_WHOLE_ANSWER_SECONDS:g} s")
        chunks.append(chunk)
    return b"".join(chunks)


def _refuse_private(request: httpx.Request) -> None:
    """For every request, redirects among them: a public feed must not lead the collector to machines of its own network."""
    port = request.url.port or (443 if request.url.scheme == "https" else 80)
    try:
        found = socket.getaddrinfo(request.url.host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        return  # the request itself will say that the name leads nowhere
    for address in {str(entry[4][0]) for entry in found}:
        if not ipaddress.ip_address(address.split("%", 1)[0]).is_global:
            raise RefusedError(f"{request.url.host} is not a public address; set allow_private in the registry if it is meant")


def _sendable(validator: str | None) -> str | None:
    """The validator, unless it holds what no request header may carry: some hosts send such, and would get it back for ever."""
    return validator if validator and validator.isascii() and validator.isprintable() else None


def fetch(client: httpx.Client, source: Source, url: str, validators: dict[str, Any], clock: Clock) -> Fetched:
    """Ask for one feed, with the validators of the last answer. Never raises for what a host does: the attempt says it."""
    headers = {"User-Agent": _USER_AGENT}
    for name, validator in (("If-None-Match", validators.get("etag")), ("If-Modified-Since", validators.get("last_modified"))):
        if (sendable := _sendable(validator)) is not None:
            headers[name] = sendable
    client.event_hooks = {"request": [] if source.allow_private else [_refuse_private]}
    try:
        with client.stream("GET", url, headers=headers) as response:
            status = response.status_code
            if status == httpx.codes.NOT_MODIFIED:
                return Fetched(source, FetchAttempt(source.id, clock(), "not_modified", status))
            if not response.is_success:
                return Fetched(source, FetchAttempt(source.id, clock(), "http_error", status, detail=f"HTTP {status}"))
            body = _read_body(response)
            attempt = FetchAttempt(source.id, clock(), "ok", status, received_bytes=len(body))
            header = response.headers
            return Fetched(source, attempt, body, header.get("content-type", ""), header.get("etag"), header.get("last-modified"))
    except RefusedError as error:
        return Fetched(source, FetchAttempt(source.id, clock(), "refused", detail=str(error)))
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return Fetched(source, FetchAttempt(source.id, clock(), "unreachable", detail=f"{type(error).__name__}: {error}"[:300]))


def fetch_all(sources: Sequence[Source], state: dict[str, Any], demo_city_url: str, clock: Clock) -> list[Fetched]:
    """Fetch every source once: hosts in parallel, the feeds of one host one after the other. Result in the order of `sources`."""
    by_host: dict[str, list[tuple[Source, str]]] = defaultdict(list)
    for source in sources:
        url = (source.url or "").replace(DEMO_CITY, demo_city_url)
        by_host[_host(url)].append((source, url))
    known = state.get("sources", {})

    def one_host(feeds: list[tuple[Source, str]]) -> list[Fetched]:
        with httpx.Client(timeout=_TIMEOUT_SECONDS, follow_redirects=True, max_redirects=5, trust_env=False) as client:
            found = []
            for source, url in feeds:
                client.cookies.clear()
                found.append(fetch(client, source, url, known.get(source.id, {}), clock))
            return found

    with ThreadPoolExecutor(_HOSTS_AT_ONCE) as pool:
        results = {got.source.id: got for group in pool.map(one_host, by_host.values()) for got in group}
    return [results[source.id] for source in sources]


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return url  # no address at all; the request will say so


def items_of(fetched: Fetched) -> list[Item]:
    """The entries of a fetched feed as items; a body that is no feed is one item of its own, so that it is rejected and not lost."""
    common: dict[str, Any] = {
        "source_id": fetched.source.id,
        "http_status": fetched.attempt.http_status,
        "etag": fetched.etag,
        "last_modified": fetched.last_modified,
    }
    document = split(fetched.body, fetched.content_type)
    if document is None:
        whole = Item(native_id="", payload=fetched.body, payload_format="feed_document", payload_context="{}", **common)
        return [replace(whole, native_id=f"document:{whole.payload_sha256}")]
    items = []
    for payload, entry in zip(document.entries, read_entries(document.entries, document.context), strict=True):
        known = {} if entry is None or isinstance(entry, UndecodableError) else entry
        item = Item(
            native_id=storable(known.get("id") or known.get("link") or ""),
            payload=payload,
            payload_format="feed_entry",
            payload_context=document.context,
            url=storable(known["link"]) if known.get("link") else None,
            published_at=storable(known["published"]) if known.get("published") else None,
            **common,
        )
        items.append(item if item.native_id else replace(item, native_id=f"sha256:{item.payload_sha256}"))
    return items


@dataclass
class Memory:
    """What the cursor remembers.

    `sources`: source id -> validators and the last local day with an answer. `posts`: platform -> native id -> {"day": event day of the
    first version, "listed": last local day listed, "by": source id -> versions it listed last}. Versions are kept by source, since a
    section feed may lag behind the main one.
    """

    sources: dict[str, dict[str, Any]] = field(default_factory=dict)
    posts: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)

    @classmethod
    def of(cls, cursor: Cursor) -> "Memory":
        """From a cursor's state."""
        return cls(cursor.state.get("sources", {}), cursor.state.get("posts", {}))

    def take(self, batch: Batch, fetched: Fetched) -> FetchAttempt:
        """Put the new and changed entries of a fetched feed into the batch and remember them; returns the completed attempt."""
        items, source = items_of(fetched), fetched.source
        seen = self.posts.setdefault(source.platform, {})
        landed, today = 0, local_day(fetched.attempt.fetched_at).isoformat()
        listed: dict[str, list[str]] = defaultdict(list)
        for item in items:
            version, known = item.payload_sha256[:_VERSION_DIGITS], seen.get(item.native_id)
            if version not in listed[item.native_id] and not _is_known(known, source.id, version):
                first_day = date.fromisoformat(known["day"]) if known else None
                day = batch.add(item, fetched.attempt.fetched_at, first_day)
                known = seen.setdefault(item.native_id, {"day": day.isoformat(), "by": {}})
                landed += 1
            listed[item.native_id].append(version)
        for native_id, versions in listed.items():
            seen[native_id]["listed"] = today
            seen[native_id]["by"][source.id] = versions
        is_document = bool(items) and items[0].payload_format == "feed_document"
        # Without validators for what is no feed: "not modified" would make a broken source look alive.
        validators = {} if is_document else {"etag": fetched.etag, "last_modified": fetched.last_modified}
        self.sources[source.id] = validators | {"listed": today}
        return replace(
            fetched.attempt,
            listed=0 if is_document else len(items),
            landed=landed,
            outcome="unreadable" if is_document else fetched.attempt.outcome,
            detail="the body is neither RSS nor Atom" if is_document else None,
        )

    def still_lists(self, source: Source, fetched_at: datetime) -> None:
        """Remember that a feed answered 'not modified': what it listed last it lists today."""
        known, today = self.sources.get(source.id, {}), local_day(fetched_at).isoformat()
        if "listed" in known:
            for row in self.posts.get(source.platform, {}).values():
                if source.id in row["by"] and row["listed"] >= known["listed"]:
                    row["listed"] = today
            known["listed"] = today

    def state(self, now: datetime) -> dict[str, Any]:
        """The state to commit, without the posts that no feed has listed for a while."""
        today = local_day(now)
        posts = {
            platform: {key: row for key, row in rows.items() if (today - date.fromisoformat(row["listed"])).days <= _REMEMBER_DAYS}
            for platform, rows in self.posts.items()
        }
        return {"sources": self.sources, "posts": posts}


def _is_known(known: dict[str, Any] | None, source_id: str, version: str) -> bool:
    if known is None:
        return False
    own = known["by"].get(source_id)
    return version in own if own is not None else any(version in versions for versions in known["by"].values())


def collect(lake: Lake, sources: Iterable[Source], provenance: Provenance, clock: Clock = utc_now) -> CollectReport:
    """Poll every given feed once and land what is new, in one commit with the cursor.

    A second collector on the same table yields: its commit is refused, and its report says so.
    """
    report = CollectReport(CONNECTOR)
    table = lake.open(f"bronze.{CONNECTOR}")
    cursor = load_cursor(lake, CONNECTOR, table)
    memory, batch = Memory.of(cursor), Batch()
    for fetched in fetch_all(list(sources), cursor.state, lake.settings.demo_city_url, clock):
        if fetched.attempt.outcome == "not_modified":
            memory.still_lists(fetched.source, fetched.attempt.fetched_at)
        report.attempts.append(memory.take(batch, fetched) if fetched.attempt.outcome == "ok" else fetched.attempt)
    if batch.rows:
        staged = stage_cursor(lake, CONNECTOR, memory.state(clock()), cursor.number)
        try:
            land(lake, table, batch, provenance, {APP_ID: staged.number}, report)
        except CommitFailedError:
            if lake.open(f"bronze.{CONNECTOR}").transaction_version(APP_ID) == table.transaction_version(APP_ID):
                raise  # not another collector: a fault, to be tried again
            report.yielded = True
            report.attempts = [replace(attempt, landed=0) for attempt in report.attempts]
        else:
            forget_older(lake, CONNECTOR, cursor.number)
    log_attempts(lake, report, batch.batch_id, provenance)
    return report
