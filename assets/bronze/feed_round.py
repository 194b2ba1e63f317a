"""Asking many feeds at once and handing on what they send, as it comes: the asynchronous half of news_feeds."""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from assets.bronze.envelope import FetchAttempt
from assets.bronze.feed_memory import Document
from assets.bronze.fetching import Answer, Fetcher
from assets.bronze.sitemap import children_of
from lake_config.registry import Source

_ANSWERS_WAITING = 64
"""So many answers wait to be read; then asking pauses, and memory does not grow."""
_AT_A_TIME = 32


@dataclass(frozen=True)
class Asked:
    """A source to ask. `validators`: document address ('' for the source's own) -> etag and last_modified of its last answer."""

    source: Source
    url: str
    validators: Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Told:
    """What a source sent: its documents by the address they were asked for at ('' for its own), and its sitemap index where it sent one.

    `attempt` is that of the source's own address; `retry_after` in seconds is the longest wish; `finding` the first of its answers.
    """

    shard: str
    source: Source
    attempt: FetchAttempt
    documents: Sequence[tuple[str, Document]] = ()
    index: Document | None = None
    finding: str | None = None
    retry_after: float | None = None


@dataclass
class FeedRound:
    """A context manager around the requests of one run. `start` a shard, then take answers with `next` until all have come."""

    fetcher: Fetcher
    _queue: asyncio.Queue[Told | BaseException] = field(init=False)
    _tasks: list[Future[None]] = field(default_factory=list)

    def __enter__(self) -> Self:
        self._queue = self.fetcher.call(self._new_queue)
        return self

    def __exit__(self, *_: object) -> None:
        for task in self._tasks:
            task.cancel()

    @staticmethod
    async def _new_queue() -> asyncio.Queue[Told | BaseException]:
        return asyncio.Queue(_ANSWERS_WAITING)

    def start(self, shard: str, asked: Sequence[Asked]) -> None:
        """Begin to ask the sources of a shard: hosts side by side, the sources of one host one after the other."""
        self._tasks = [task for task in self._tasks if not task.done()]
        self._tasks.append(self.fetcher.start(self._shard, shard, asked))

    def next(self) -> list[Told]:
        """The next answers, at least one. Raises what went wrong on this side."""
        found = self.fetcher.call(self._some)
        for one in found:
            if isinstance(one, BaseException):
                raise one
        return [one for one in found if isinstance(one, Told)]

    async def _some(self) -> list[Told | BaseException]:
        found = [await self._queue.get()]
        while len(found) < _AT_A_TIME and not self._queue.empty():
            found.append(self._queue.get_nowait())
        return found

    async def _shard(self, shard: str, asked: Sequence[Asked]) -> None:
        by_host: dict[str, list[Asked]] = defaultdict(list)
        for one in asked:
            by_host[_netloc(one.url)].append(one)
        try:
            async with asyncio.TaskGroup() as group:
                for listed in by_host.values():
                    group.create_task(self._host(shard, listed))
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # handed to the thread that waits for answers, which would wait for ever
            await self._queue.put(error)

    async def _host(self, shard: str, asked: Sequence[Asked]) -> None:
        for one in asked:
            await self._queue.put(await self._source(shard, one))

    async def _source(self, shard: str, asked: Asked) -> Told:
        source = asked.source
        answer = await self._get(asked, asked.url, "")
        document = _document(source, answer)
        told = Told(shard, source, document.attempt, [("", document)], finding=answer.finding, retry_after=answer.retry_after)
        children = children_of(answer.body) if answer.outcome == "ok" else None
        known = [address for address in asked.validators if address]
        if children is None and not (known and answer.outcome == "not_modified"):
            return told
        same_host = [address for address in children or known if _netloc(urljoin(answer.final_url, address)) == _netloc(answer.final_url)]
        documents, waits, findings = [], [answer.retry_after], [answer.finding]
        for address in same_host:
            child = await self._get(asked, urljoin(answer.final_url, address), address)
            documents.append((address, _document(source, child)))
            waits.append(child.retry_after)
            findings.append(child.finding)
        return replace(
            told,
            documents=documents,
            index=document if children is not None else None,
            finding=next((finding for finding in findings if finding), None),
            retry_after=max((wait for wait in waits if wait is not None), default=None),
        )

    async def _get(self, asked: Asked, url: str, address: str) -> Answer:
        known = asked.validators.get(address, {})
        headers = {}
        for name, validator in (("If-None-Match", known.get("etag")), ("If-Modified-Since", known.get("last_modified"))):
            if (sendable := _sendable(validator)) is not None:
                headers[name] = sendable
        return await self.fetcher.client.get(url, allow_private=asked.source.allow_private, headers=headers)


def _document(source: Source, answer: Answer) -> Document:
    size = len(answer.body)
    attempt = FetchAttempt(
        source.id, answer.fetched_at, answer.outcome, answer.status, received_bytes=size, detail=answer.detail, finding=answer.finding
    )
    header = answer.headers
    kind, etag, modified = header.get("content-type", ""), header.get("etag"), header.get("last-modified")
    return Document(source, attempt, answer.body, kind, etag, modified, answer.final_url)


def _sendable(validator: str | None) -> str | None:
    """The validator, unless it holds what no request header may carry: some hosts send such, and would get it back for ever."""
    return validator if validator and validator.isascii() and validator.isprintable() else None


def _netloc(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return url  # no address at all; the request will say so
