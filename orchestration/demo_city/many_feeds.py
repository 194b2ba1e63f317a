"""A hundred thousand small papers on one loopback port, told apart by the Host they are asked as; it keeps watch over how they are treated.

    python -m orchestration.demo_city.many_feeds --port 8990 --feeds 100000

Belongs here: what each paper answers, and the record of how each host was asked. Not here: measuring the collector (bench_collect.py).
Every answer follows from a feed's number, so nothing is held for a feed but its host's record.
"""

import argparse
import asyncio
import json
import random
import signal
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache
from html import escape

from orchestration.demo_city.generator import generate

HOST = "127.0.0.1"
DOMAIN = "bench.example"
ENTRIES = 25
NEW_ENTRIES = 3
UNCHANGED_SHARE = 0.7
_PERIOD = 1000
_FEEDS_BY_HOST = ((0.2, 1), (0.4, 5), (0.3, 20), (0.1, 100))
"""Share of all feeds -> so many on one host: single papers, papers with sections, large papers, aggregators."""
_SECONDS = 0.1
"""Mean of the time a host takes to answer, exponentially distributed, as of servers in the country."""
_SLOW_SHARE, _SLOW_SECONDS = 0.005, 3.0
_START = datetime(2026, 3, 2, tzinfo=UTC)
_HEAD_END = b"\r\n\r\n"


def faults(number: int) -> str | None:
    """What is wrong with a feed for good: one in a hundred is gone (404), one in two hundred broken (500), one in a thousand moved host."""
    return {3: "404", 103: "404", 203: "404", 303: "404", 403: "404", 503: "404", 603: "404", 703: "404", 803: "404", 903: "404",
            11: "500", 211: "500", 411: "500", 611: "500", 811: "500", 17: "moved"}.get(number % _PERIOD)  # fmt: skip


def is_changed(number: int) -> bool:
    """Whether a feed has new entries since the poll before: the rest answers 304."""
    return number % 10 >= round(UNCHANGED_SHARE * 10)


def hosts(feeds: int) -> Iterator[tuple[str, range]]:
    """The host names with the numbers of the feeds that each serves."""
    start = 0
    for index, (share, size) in enumerate(_FEEDS_BY_HOST):
        end = feeds if index == len(_FEEDS_BY_HOST) - 1 else start + round(feeds * share)
        for first in range(start, end, size):
            yield f"h{first}.{DOMAIN}", range(first, min(first + size, end))
        start = end


@lru_cache(maxsize=1)
def _texts() -> tuple[tuple[str, str], ...]:
    versions = [version for version in generate(scale=0.2).versions if version.title]
    return tuple((escape(version.title or ""), f"<p>{escape(version.text)}</p>") for version in versions)


def entry(host: str, feed: int, number: int) -> bytes:
    """The bytes of an entry: always the same for a feed and a number."""
    texts = _texts()
    title, text = texts[(feed * 7919 + number * 104_729) % len(texts)]
    address = f"http://{host}/{feed}/bai-viet-{number}.html"
    moment = format_datetime(_START + timedelta(minutes=7 * number + feed % 60))
    return (
        f"<item><title>{title}</title><link>{address}</link><guid>{address}</guid><pubDate>{moment}</pubDate>"
        f"<description><![CDATA[{text}]]></description></item>"
    ).encode()


def feed_body(host: str, feed: int) -> bytes:
    """A feed as it stands now, newest entry first: a changed one has NEW_ENTRIES that were not there at the poll before."""
    newest = ENTRIES + (NEW_ENTRIES if is_changed(feed) else 0)
    items = b"\n".join(entry(host, feed, number) for number in range(newest - 1, newest - 1 - ENTRIES, -1))
    head = f"<?xml version='1.0' encoding='UTF-8'?>\n<rss version='2.0'><channel><title>Bao {feed}</title><link>http://{host}/</link>"
    return head.encode() + items + b"</channel></rss>"


def etag(feed: int, *, is_before: bool = False) -> str:
    """The validator of a feed now, or at the poll before."""
    return f'"{feed}-{0 if is_before or not is_changed(feed) else 1}"'


@dataclass
class Watch:
    """How one host was asked: requests in flight now and at most, seconds between an answer's end and the next request at least."""

    in_flight: int = 0
    most_in_flight: int = 0
    requests: int = 0
    robots: int = 0
    last_end: float | None = None
    least_pause: float = float("inf")


@dataclass(frozen=True)
class Record:
    """What all hosts saw. `least_pause` in seconds between two requests to one host, the one for robots.txt among them."""

    requests: int
    hosts: int
    robots: int
    most_in_flight: int
    least_pause: float
    statuses: dict[str, int]
    bytes_sent: int


class _Paper(asyncio.Protocol):
    """HTTP/1.1 of just what a feed reader needs: the standard library's server would take more of the machine than the reader measured."""

    def __init__(self, city: "ManyFeeds"):
        self.city, self.waiting = city, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - a stream server's transport always is
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.waiting += data
        while _HEAD_END in self.waiting:
            head, self.waiting = self.waiting.split(_HEAD_END, 1)
            lines = head.decode("latin-1").split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:])}
            self.city.asked(self.transport, lines[0].split(" ")[1], headers)


class ManyFeeds:
    """The papers and the watch over them."""

    def __init__(self, feeds: int):
        self.watches = {host: Watch() for host, _ in hosts(feeds)}
        self.statuses: dict[str, int] = {}
        self.bytes_sent = 0
        self._draw = random.Random(1)  # noqa: S311 - how long answers take, no secret
        _texts()

    def asked(self, transport: asyncio.Transport, path: str, headers: dict[str, str]) -> None:
        """Answer a request after a while."""
        loop = asyncio.get_running_loop()
        if path == "/_control/record":
            self._send(transport, "200 OK", json.dumps(asdict(self.record())).encode(), {})
            return
        host = headers["host"].partition(":")[0]
        watch = self.watches[host]
        watch.requests += 1
        watch.in_flight += 1
        watch.most_in_flight = max(watch.most_in_flight, watch.in_flight)
        if watch.last_end is not None:
            watch.least_pause = min(watch.least_pause, loop.time() - watch.last_end)
        pause = _SLOW_SECONDS if self._draw.random() < _SLOW_SHARE else self._draw.expovariate(1 / _SECONDS)
        loop.call_later(pause, self._answer, transport, host, watch, path, headers)

    def _answer(self, transport: asyncio.Transport, host: str, watch: Watch, path: str, headers: dict[str, str]) -> None:
        status, body, more = self._page(host, watch, path, headers)
        if not transport.is_closing():
            self._send(transport, status, body, more)
        watch.in_flight -= 1
        watch.last_end = asyncio.get_running_loop().time()
        if path != "/robots.txt":
            self.statuses[status[:3]] = self.statuses.get(status[:3], 0) + 1

    def _page(self, host: str, watch: Watch, path: str, headers: dict[str, str]) -> tuple[str, bytes, dict[str, str]]:
        if path == "/robots.txt":
            watch.robots += 1
            return "404 Not Found", b"", {}
        number, _, moved = path.removeprefix("/feed/").partition(".xml")
        feed = int(number)
        fault = faults(feed)
        if fault in {"404", "500"}:
            return f"{fault} No", b"", {}
        if fault == "moved" and not moved:
            return "302 Found", b"", {"Location": f"http://h0.{DOMAIN}:{headers['host'].partition(':')[2]}/feed/{feed}.xml?moved"}
        if headers.get("if-none-match") == etag(feed):
            return "304 Not Modified", b"", {"ETag": etag(feed)}
        return "200 OK", feed_body(host, feed), {"ETag": etag(feed), "Content-Type": "application/rss+xml"}

    def _send(self, transport: asyncio.Transport, status: str, body: bytes, more: dict[str, str]) -> None:
        length = {} if status.startswith("304") else {"Content-Length": str(len(body))}
        lines = "".join(f"{name}: {value}\r\n" for name, value in {**length, **more}.items())
        self.bytes_sent += len(body)
        transport.write(f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body)

    def record(self) -> Record:
        """What was seen so far."""
        seen = [watch for watch in self.watches.values() if watch.requests]
        return Record(
            requests=sum(watch.requests for watch in seen),
            hosts=len(seen),
            robots=sum(watch.robots for watch in seen),
            most_in_flight=max((watch.most_in_flight for watch in seen), default=0),
            least_pause=min((watch.least_pause for watch in seen), default=float("inf")),
            statuses=dict(sorted(self.statuses.items())),
            bytes_sent=self.bytes_sent,
        )


async def _serve(port: int, feeds: int) -> None:
    city, loop = ManyFeeds(feeds), asyncio.get_running_loop()
    stopping = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopping.set)
    async with await loop.create_server(lambda: _Paper(city), HOST, port, backlog=1024):
        sys.stdout.write(f"{feeds} feeds on {len(city.watches)} hosts at {HOST}:{port}\n")
        sys.stdout.flush()
        await stopping.wait()


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until SIGINT or SIGTERM."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--feeds", type=int, required=True)
    given = parser.parse_args(arguments)
    asyncio.run(_serve(given.port, given.feeds))


if __name__ == "__main__":
    main()
