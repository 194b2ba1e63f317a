"""bench collect: one poll of very many feeds by one process, as the schedule does it, against papers that watch how they are asked.

The state of the poll before is written as that poll would have left it (reading its 25 entries a feed would take most of an hour of this
machine and measure something else); the poll that is measured is the connector's own, in a process of its own.
"""

import hashlib
import json
import multiprocessing
import resource
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import polars as pl
from aiohttp.abc import AbstractResolver, ResolveResult

from assets.bronze.cursor import stage_cursor
from assets.bronze.envelope import Batch
from assets.bronze.feed_memory import VERSION_DIGITS, Memory
from assets.bronze.fetching.client import Limits
from assets.bronze.landing import utc_now
from assets.bronze.news_feeds import CONNECTOR, collect, shard_of
from lake_config.errors import LakeError
from lake_config.registry import Source
from lake_config.settings import Settings, load_settings
from lake_config.storage import Lake, Provenance
from orchestration.commands.scratch_lake import free_port_base, scratch_lake
from orchestration.demo_city import many_feeds
from orchestration.services.supervisor import Progress

_TABLE = f"bronze.{CONNECTOR}"
_WAIT_SECONDS = 30.0
_WHO = Provenance("bench", _TABLE, "bench", "bench", {})
_CLOCK_SLACK = 0.02
"""The server sees a request this much sooner after the last one at most: the answer's way to the reader, whose pause begins there."""


@dataclass(frozen=True)
class CollectFigures:
    """What was measured, and what the papers saw. Seconds are wall time; memory is the largest resident set of the polling process."""

    feeds: int
    seconds: float
    cpu_seconds: float
    peak_bytes: int
    landed: int
    expected: int
    outcomes: dict[str, int]
    findings: int
    commits: int
    record: many_feeds.Record

    def faults(self) -> list[str]:
        """What must not be: posts lost or doubled, a host asked by two at once or too soon, a source left out."""
        found = []
        if self.landed != self.expected:
            found.append(f"{self.landed} rows landed, {self.expected} expected")
        if self.record.most_in_flight > 1:
            found.append(f"a host was asked {self.record.most_in_flight} things at once")
        if self.record.least_pause < Limits().delay - _CLOCK_SLACK:
            found.append(f"a host was asked again after {self.record.least_pause:.3f} s")
        if sum(self.outcomes.values()) != self.feeds:
            found.append(f"{sum(self.outcomes.values())} of {self.feeds} sources are in the log")
        return found

    def lines(self) -> list[str]:
        """For people."""
        seen = self.record
        return [
            f"{self.feeds:,} feeds on {seen.hosts:,} hosts polled once in {self.seconds / 60:.1f} min,"
            f" {self.feeds / self.seconds:,.0f} a second",
            f"one process: {self.cpu_seconds:.0f} s of CPU, at most {self.peak_bytes / 2**20:,.0f} MB",
            f"{seen.requests:,} requests ({seen.robots:,} for robots.txt), {seen.bytes_sent / 2**20:,.0f} MB; statuses of feeds: "
            + ", ".join(f"{status} {count:,}" for status, count in seen.statuses.items()),
            f"each host: at most {seen.most_in_flight} request at a time, at least {seen.least_pause:.2f} s between two",
            f"{self.landed:,} new entries landed of {self.expected:,}, in {self.commits} commits; outcomes: "
            + ", ".join(f"{outcome} {count:,}" for outcome, count in sorted(self.outcomes.items()))
            + f"; {self.findings:,} findings",
            *(f"WRONG: {fault}" for fault in self.faults()),
        ]


class _Loopback(AbstractResolver):
    """The invented hosts are all on this machine."""

    async def resolve(self, host: str, port: int = 0, family: int = 0) -> list[ResolveResult]:
        del family
        return [ResolveResult(hostname=host, host=many_feeds.HOST, port=port, family=2, proto=0, flags=0)]

    async def close(self) -> None:
        """Nothing is held."""


def _sources(feeds: int, port: int) -> Iterator[tuple[str, list[Source]]]:
    common: dict[str, Any] = {
        "owner": "bench", "kind": "newspaper", "group": "bench", "connector": CONNECTOR, "publisher": "bench",
        "licence_note": "Invented.", "verified": True, "enabled": True, "allow_private": True, "poll_minutes": 15,
    }  # fmt: skip
    for host, numbers in many_feeds.hosts(feeds):
        yield (
            host,
            [
                Source(id=f"feed-{number}", name=f"Feed {number}", platform=host, url=f"http://{host}:{port}/feed/{number}.xml", **common)
                for number in numbers
            ],
        )


def _write_poll_before(settings: Settings, feeds: int, progress: Progress) -> None:
    lake, shards = Lake(settings, "collector"), dict[str, list[tuple[str, range]]]()
    for host, numbers in many_feeds.hosts(feeds):
        shards.setdefault(shard_of(host), []).append((host, numbers))
    positions = {}
    for done, (shard, listed) in enumerate(sorted(shards.items())):
        if done % 256 == 0:
            progress(f"Writing the state of the poll before: shard {done} of {len(shards)}")
        cursor = stage_cursor(lake, CONNECTOR, _memory(listed).state(utc_now()), 0, shard)
        positions[cursor.app_id] = cursor.number
    lake.append(lake.open(_TABLE), _TABLE, Batch().to_arrow(), _WHO, positions)


def _memory(listed: Sequence[tuple[str, range]]) -> Memory:
    """What a shard remembers after all its feeds were read."""
    memory, today = Memory(), utc_now().date().isoformat()
    for host, numbers in listed:
        posts = memory.posts.setdefault(host, {})
        for feed in (number for number in numbers if many_feeds.faults(number) not in {"404", "500"}):
            at = f"h0.{many_feeds.DOMAIN}" if many_feeds.faults(feed) == "moved" else host
            memory.sources[f"feed-{feed}"] = {"listed": today, "documents": {"": {"etag": many_feeds.etag(feed, is_before=True)}}}
            for number in range(many_feeds.ENTRIES):
                entry = many_feeds.entry(at, feed, number)
                native_id = entry.partition(b"<guid>")[2].partition(b"</guid>")[0].decode()
                version = hashlib.sha256(entry).hexdigest()[:VERSION_DIGITS]
                posts[native_id] = {"day": today, "listed": today, "by": {f"feed-{feed}": [version]}}
    return memory


def _poll(environment: dict[str, str], feeds: int, port: int, result: Any) -> None:
    """The process that is measured: the connector, and nothing that was there before it."""
    lake = Lake(load_settings(environment), "collector")
    sources = [source for _, listed in _sources(feeds, port) for source in listed]
    started = time.monotonic()
    report = collect(lake, sources, _WHO, only_due=True, resolver=_Loopback())
    seconds = time.monotonic() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    result.send((seconds, used.ru_utime + used.ru_stime, used.ru_maxrss * 1024, report.landed, len(report.batches)))


@contextmanager
def _papers(feeds: int, port: int) -> Iterator[str]:
    command = [sys.executable, "-m", "orchestration.demo_city.many_feeds", "--port", str(port), "--feeds", str(feeds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as server:
        try:
            if server.stdout is None or not server.stdout.readline():
                raise LakeError("The server of the feeds did not start; its message is above.")
            yield f"http://{many_feeds.HOST}:{port}"
        finally:
            server.terminate()
            server.wait(_WAIT_SECONDS)


def bench_collect(near: Settings, feeds: int, progress: Progress) -> CollectFigures:
    """Poll so many feeds once. Raises LakeError when the poll fails."""
    port = free_port_base()
    with scratch_lake(near, "sources: []\n", {}, progress) as settings, _papers(feeds, port) as papers:
        _write_poll_before(settings, feeds, progress)
        progress(f"Polling {feeds:,} feeds")
        context = multiprocessing.get_context("spawn")
        receiver, sender = context.Pipe(duplex=False)
        environment = {**settings.environment, "LAKE_HOME": str(settings.home)}
        child = context.Process(target=_poll, args=(environment, feeds, port, sender))
        child.start()
        sender.close()
        try:
            seconds, cpu, peak, landed, commits = receiver.recv()
        except EOFError:
            raise LakeError("The polling process failed; its message is above.") from None
        finally:
            child.join()
        record = many_feeds.Record(**json.loads(httpx.get(f"{papers}/_control/record", trust_env=False).content))
        lake = Lake(settings, "auditor")
        log = lake.read("bronze.fetch_log", lake.open("bronze.fetch_log").file_uris(), ["source_id", "outcome", "finding"])
        rows = lake.read(_TABLE, lake.open(_TABLE).file_uris(), ["native_id"])
    if rows["native_id"].n_unique() != landed:
        raise LakeError(f"{landed} rows were reported, {rows['native_id'].n_unique()} posts are in bronze.")
    good = [number for number in range(feeds) if many_feeds.is_changed(number) and many_feeds.faults(number) not in {"404", "500"}]
    counts = log.group_by("outcome").agg(pl.len())
    return CollectFigures(
        feeds,
        seconds,
        cpu,
        peak,
        landed,
        len(good) * many_feeds.NEW_ENTRIES,
        dict(counts.iter_rows()),
        log["finding"].drop_nulls().len(),
        commits,
        record,
    )
