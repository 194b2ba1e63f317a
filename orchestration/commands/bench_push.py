"""bench push: posts a second from a provider's client through the push server into bronze, as the provider sees it.

The posts are texts of the demo city under fresh ids, most of the present hour, some of the days before, in gzip. What was acknowledged is
counted in bronze afterwards: a figure for posts that did not arrive would be worth nothing.
"""

import gzip
import json
import random
import statistics
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import cycle, islice

import httpx
import polars as pl
import psutil

from lake_config.errors import LakeError
from lake_config.settings import Settings
from lake_config.storage import Lake
from orchestration.commands.scratch_lake import scratch_lake
from orchestration.demo_city import generate
from orchestration.push.keys import make_key
from orchestration.services.supervisor import start_services, status

SOURCE = "bench-stream"
REGISTRY = f"""sources:
  - id: {SOURCE}
    owner: bench
    name: Invented stream
    kind: provider
    group: bench
    connector: provider_push
    platform: bench.example
    publisher: bench
    licence_note: Invented.
    verified: true
    enabled: true
"""
_CITY_SCALE = 0.2
_LATE_SHARE = 0.05
_LATE_DAYS = 3
_SECONDS = 60.0
_MEMORY_EVERY_SECONDS = 0.2


@dataclass(frozen=True)
class PushFigures:
    """What was measured. Seconds are of the client's clock, from sending a batch to its acknowledgement, retries after 429 included."""

    posts: int
    bytes_unpacked: int
    batches: int
    seconds: float
    posts_per_second: float
    p50_seconds: float
    p99_seconds: float
    slowest_seconds: float
    asked_to_wait: int
    commits: int
    server_peak_bytes: int
    rows_in_bronze: int

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"{self.posts:,} posts of {self.bytes_unpacked / self.posts:,.0f} bytes in {self.batches:,} batches, {self.seconds:.1f} s:"
            f" {self.posts_per_second:,.0f} posts/s",
            f"acknowledged after {self.p50_seconds:.2f} s (p50), {self.p99_seconds:.2f} s (p99), {self.slowest_seconds:.2f} s at most;"
            f" asked to wait {self.asked_to_wait} times",
            f"{self.commits} commits; the server held at most {self.server_peak_bytes / 2**20:,.0f} MB",
            f"rows in bronze, each once: {self.rows_in_bronze:,}",
        ]


def post_lines(count: int, seed: int = 1) -> list[bytes]:
    """So many posts as a provider writes them, JSON objects with texts of the demo city."""
    chooser, now = random.Random(seed), datetime.now(UTC)  # noqa: S311 - no secret
    texts = [version.text for version in generate(scale=_CITY_SCALE).versions]
    made = []
    for number, text in enumerate(islice(cycle(texts), count)):
        late = timedelta(days=chooser.uniform(1, _LATE_DAYS)) if chooser.random() < _LATE_SHARE else timedelta(0)
        row = {
            "id": f"{seed}-{number}",
            "text": text,
            "url": f"https://bench.example/post/{number}",
            "published_at": (now - late - timedelta(seconds=chooser.uniform(0, 3600))).isoformat(),
            "author": f"account {chooser.randrange(100_000)}",
            "kind": "post",
            "likes": chooser.randrange(500),
            "shares": chooser.randrange(50),
            "comment_count": chooser.randrange(80),
        }
        made.append(json.dumps(row, ensure_ascii=False).encode())
    return made


class _Client:
    """Pushes batches one after the other from as many threads as asked, each until it is acknowledged."""

    def __init__(self, url: str, key: str):
        self.url, self.headers = url, {"Authorization": f"Bearer {key}", "Content-Type": "application/x-ndjson", "Content-Encoding": "gzip"}
        self.waits = 0
        self._http = httpx.Client(timeout=_SECONDS, trust_env=False, limits=httpx.Limits(max_connections=64))
        self._lock = threading.Lock()

    def __enter__(self) -> "_Client":
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    def push(self, numbered: tuple[int, bytes]) -> float:
        """Seconds until the batch was acknowledged. Raises LakeError when it is refused."""
        number, body = numbered
        began = time.monotonic()
        while True:
            answer = self._http.post(self.url, content=body, headers=self.headers | {"Lake-Batch-Id": f"bench-{number}"})
            if answer.status_code == 200:
                return time.monotonic() - began
            if answer.status_code not in {429, 503}:
                raise LakeError(f"The push server refused batch {number}: {answer.status_code} {answer.text[:300]}")
            with self._lock:
                self.waits += 1
            time.sleep(float(answer.headers["Retry-After"]))


class _PeakMemory(threading.Thread):
    """The largest resident memory of a process while this runs, bytes."""

    def __init__(self, pid: int):
        super().__init__(daemon=True)
        self._process, self._done, self.peak = psutil.Process(pid), threading.Event(), 0

    def run(self) -> None:
        while not self._done.wait(_MEMORY_EVERY_SECONDS):
            self.peak = max(self.peak, self._process.memory_info().rss)

    def end(self) -> int:
        """Stop and return the peak."""
        self._done.set()
        self.join()
        return self.peak


def bench_push(near: Settings, posts: int, batch: int, clients: int, progress: Callable[[str], None]) -> PushFigures:
    """Measure in a scratch lake. Raises LakeError when a batch is refused, or bronze does not hold exactly what was acknowledged."""
    progress(f"Writing {posts:,} posts")
    lines = post_lines(posts)
    bodies = [gzip.compress(b"\n".join(lines[start : start + batch]), 6) for start in range(0, posts, batch)]
    with scratch_lake(near, REGISTRY, {}, progress) as settings:
        key = make_key(settings, SOURCE)
        start_services(settings, ["push"], progress=progress)
        server = next(entry for entry in status(settings) if entry.name == "push")
        memory = _PeakMemory(int(server.pid or 0))
        memory.start()
        client = _Client(f"{server.url}/v1/push/{SOURCE}", key)
        progress(f"Pushing {len(bodies):,} batches, {clients} at a time")
        began = time.monotonic()
        with client, ThreadPoolExecutor(clients) as pool:
            waited = list(pool.map(client.push, enumerate(bodies)))
        seconds, peak = time.monotonic() - began, memory.end()
        lake = Lake(settings, "collector")
        table = lake.open("bronze.provider_push")
        rows = lake.read("bronze.provider_push", table.file_uris(), ["native_id"])
        return _figures(lines, waited, seconds, client.waits, table.version(), peak, rows)


def _figures(
    lines: Sequence[bytes], waited: Sequence[float], seconds: float, waits: int, commits: int, peak: int, rows: pl.DataFrame
) -> PushFigures:
    if len(rows) != len(lines) or rows["native_id"].n_unique() != len(lines):
        raise LakeError(
            f"{len(lines):,} posts were acknowledged, bronze holds {len(rows):,} rows of {rows['native_id'].n_unique():,} posts."
        )
    cuts = statistics.quantiles(waited, n=100) if len(waited) > 1 else [waited[0]] * 99
    return PushFigures(
        posts=len(lines),
        bytes_unpacked=sum(map(len, lines)),
        batches=len(waited),
        seconds=seconds,
        posts_per_second=len(lines) / seconds,
        p50_seconds=cuts[49],
        p99_seconds=cuts[98],
        slowest_seconds=max(waited),
        asked_to_wait=waits,
        commits=commits,
        server_peak_bytes=peak,
        rows_in_bronze=len(rows),
    )
