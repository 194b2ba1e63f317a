"""The connector for feeds and news sitemaps: conditional requests, only entries that are new or changed, exactly once.

Sources are cut into shards by platform. A shard is asked as a whole, hosts side by side and the feeds of one host one after the other; what
its position becomes is committed together with its rows. So memory holds the shards in flight and no others.
"""

import hashlib
import random
from collections import defaultdict, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from urllib.parse import urlsplit

from aiohttp.abc import AbstractResolver
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError

from assets.bronze.cursor import Cursor, app_id, forget_older, load_cursor, rewrite_cursor, stage_cursor
from assets.bronze.envelope import Batch, FetchAttempt
from assets.bronze.feed_memory import Memory
from assets.bronze.feed_round import Asked, FeedRound, Told
from assets.bronze.fetching import Fetcher
from assets.bronze.fetching.client import Limits
from assets.bronze.fetching.polling import Polling, load_polling, next_rhythm, save_polling
from assets.bronze.landing import Clock, CollectReport, land, log_attempts, utc_now
from assets.times import local_day
from lake_config.registry import Source
from lake_config.registry.models import DEMO_CITY
from lake_config.storage import Lake, Provenance

CONNECTOR = "news_feeds"
SHARDS = 1024
_SHARDS_AT_ONCE = 96
_ROWS_AT_ONCE = 10_000
_BYTES_AT_ONCE = 32 * 1024 * 1024
_ATTEMPTS_AT_ONCE = 20_000
"""A commit is made when so many rows, bytes or attempts of finished shards wait, and at the end."""


class OvertakenError(Exception):
    """Another collector committed the position of a shard since this one read it."""


def shard_of(platform: str) -> str:
    """The shard that a platform's sources belong to, for ever: another number of shards would land everything again."""
    return f"{int.from_bytes(hashlib.sha256(platform.encode()).digest()[:4], 'big') % SHARDS:04d}"


@dataclass
class _Shard:
    """One shard in flight: what it remembers, the rows and attempts it gathered, how many sources have not answered yet."""

    name: str
    cursor: Cursor
    memory: Memory
    waiting: int
    batch: Batch = field(default_factory=Batch)
    attempts: list[FetchAttempt] = field(default_factory=list)
    is_changed: bool = False


@dataclass(frozen=True)
class _Finished:
    """A shard whose sources have all answered: `staged` is the number of the state that its rows reach, 0 where it has no rows."""

    name: str
    number: int
    staged: int
    rows: Batch
    attempts: list[FetchAttempt]


class _Run:
    """One run of the connector over its shards."""

    def __init__(self, lake: Lake, provenance: Provenance, clock: Clock, polling: Polling) -> None:
        self.lake, self.provenance, self.clock, self.polling = lake, provenance, clock, polling
        self.report = CollectReport(CONNECTOR)
        self.table: DeltaTable = lake.open(f"bronze.{CONNECTOR}")
        self._draw = random.Random()  # noqa: S311 - jitter, no secret
        self._done: list[_Finished] = []

    def poll(self, sources: Sequence[Source], fetcher: Fetcher) -> None:
        """Ask all sources once and land what is new. Raises OvertakenError, with the report's `yielded` set."""
        todo, in_flight = deque(_by_shard(sources)), dict[str, _Shard]()
        with FeedRound(fetcher) as answers:
            while todo or in_flight:
                while todo and len(in_flight) < _SHARDS_AT_ONCE:
                    name, listed = todo.popleft()
                    in_flight[name] = self._start(name, listed, answers)
                for told in answers.next():
                    shard = in_flight[told.shard]
                    self._take(shard, told)
                    shard.waiting -= 1
                    if not shard.waiting:
                        self._done.append(self._finish(in_flight.pop(told.shard)))
                self._commit_when_full()
        self.commit()

    def _start(self, name: str, sources: Sequence[Source], answers: FeedRound) -> _Shard:
        cursor = load_cursor(self.lake, CONNECTOR, self.table, name)
        memory = Memory.of(cursor.state)
        asked = []
        for source in sources:
            url = (source.url or "").replace(DEMO_CITY, self.lake.settings.demo_city_url)
            addresses = ["", *memory.children(source)]
            asked.append(Asked(source, url, {address: memory.validators(source, address) for address in addresses}))
        answers.start(name, asked)
        return _Shard(name, cursor, memory, len(asked))

    def _take(self, shard: _Shard, told: Told) -> None:
        source, memory = told.source, shard.memory
        if told.index is not None:
            memory.take_index(told.index, [address for address, _ in told.documents])
            shard.is_changed = True
        attempts = []
        for address, document in told.documents:
            if document.attempt.outcome != "ok":
                attempts.append(document.attempt)
                continue
            before = memory.validators(source, address)
            attempts.append(memory.take(shard.batch, document, address))
            shard.is_changed |= memory.validators(source, address) != before
        attempt = replace(_together(attempts, told), finding=told.finding)
        shard.attempts.append(attempt)
        rhythm = next_rhythm(
            source,
            self.polling.rhythms.get(source.id),
            attempt.outcome,
            is_changed=attempt.landed > 0,
            now=attempt.fetched_at,
            retry_after=told.retry_after,
            finding=attempt.finding,
            draw=self._draw,
        )
        is_listed = attempt.outcome in {"ok", "not_modified"}
        self.polling.noted(source.id, rhythm, local_day(attempt.fetched_at).isoformat() if is_listed else None)

    def _finish(self, shard: _Shard) -> _Finished:
        """Write what the shard's position becomes, so that it need not be held until its rows are committed."""
        number, staged = shard.cursor.number, 0
        if shard.batch.rows or shard.is_changed:
            rhythms = self.polling.rhythms
            still = {source_id: rhythms[source_id].listed for source_id in shard.memory.sources if source_id in rhythms}
            state = shard.memory.state(self.clock(), still)
            if shard.batch.rows:
                staged = stage_cursor(self.lake, CONNECTOR, state, number, shard.name).number
            else:
                rewrite_cursor(self.lake, shard.cursor, state)
        return _Finished(shard.name, number, staged, shard.batch, shard.attempts)

    def _commit_when_full(self) -> None:
        rows = sum(len(shard.rows.rows) for shard in self._done)
        size = sum(len(row["payload"]) for shard in self._done for row in shard.rows.rows) if rows else 0
        attempts = sum(len(shard.attempts) for shard in self._done)
        if rows >= _ROWS_AT_ONCE or size >= _BYTES_AT_ONCE or attempts >= _ATTEMPTS_AT_ONCE:
            self.commit()

    def commit(self) -> None:
        """Land the rows of the finished shards and their positions in one commit, then their attempts."""
        done, self._done = self._done, []
        batch = Batch()
        for shard in done:
            batch.absorb(shard.rows)
        attempts = [one for shard in done for one in shard.attempts]
        try:
            self._land(done, batch)
        except OvertakenError:
            self.report.yielded = True
            attempts = [replace(one, landed=0) for one in attempts]
        self.report.attempts += attempts
        log_attempts(self.lake, self.report, batch.batch_id, self.provenance, attempts)
        if self.report.yielded:
            raise OvertakenError

    def _land(self, done: Sequence[_Finished], batch: Batch) -> None:
        landing = [shard for shard in done if shard.staged]
        if not landing:
            return
        if any(self.table.transaction_version(app_id(shard.name)) != (shard.number or None) for shard in landing):
            raise OvertakenError  # a commit of our own brought the snapshot up to date, and another collector's with it
        positions = {app_id(shard.name): shard.staged for shard in landing}
        try:
            land(self.lake, self.table, batch, self.provenance, positions, self.report)
        except CommitFailedError as error:
            newest = self.lake.open(f"bronze.{CONNECTOR}")
            if all(newest.transaction_version(name) == self.table.transaction_version(name) for name in positions):
                raise  # not another collector: a fault, to be tried again
            raise OvertakenError from error
        for shard in landing:
            if shard.number:
                forget_older(self.lake, CONNECTOR, shard.number, shard.name)


def _by_shard(sources: Sequence[Source]) -> list[tuple[str, list[Source]]]:
    """Shards with their sources. Those whose busiest host takes longest come first: else all would wait for one of them at the end."""
    shards: dict[str, list[Source]] = defaultdict(list)
    for source in sources:
        shards[shard_of(source.platform)].append(source)

    def longest(item: tuple[str, list[Source]]) -> int:
        hosts: dict[str, int] = defaultdict(int)
        for source in item[1]:
            hosts[_host(source.url or "")] += 1
        return max(hosts.values())

    return sorted(shards.items(), key=longest, reverse=True)


def _host(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""  # no address at all; the request will say so


def _together(attempts: Sequence[FetchAttempt], told: Told) -> FetchAttempt:
    """One line of the log for all documents of a source: the first that failed speaks for it, else the first that brought something."""
    if not attempts:  # an index that names no sitemap, or that could not be had
        return told.attempt
    for outcomes in ({"ok", "not_modified"}, {"not_modified"}):
        if (first := next((one for one in attempts if one.outcome not in outcomes), None)) is not None:
            break
    else:
        first = attempts[0]
    numbered = f"sitemap {attempts.index(first) + 1} of {len(attempts)}: {first.detail}"
    return replace(
        first,
        fetched_at=max(one.fetched_at for one in attempts),
        received_bytes=sum(one.received_bytes for one in attempts),
        listed=sum(one.listed for one in attempts),
        landed=sum(one.landed for one in attempts),
        detail=numbered if first.detail and len(attempts) > 1 else first.detail,
    )


def collect(
    lake: Lake,
    sources: Iterable[Source],
    provenance: Provenance,
    clock: Clock = utc_now,
    *,
    only_due: bool = False,
    limits: Limits | None = None,
    resolver: AbstractResolver | None = None,
) -> CollectReport:
    """Poll the given feeds once (`only_due`: those whose time has come) and land what is new, with the position of each shard.

    Hosts that wish to be left alone are, due or not. A second collector on the same shard yields: its commit is refused, and its report
    says so. Raises StoreError when a position cannot be read.
    """
    polling = load_polling(lake, CONNECTOR)
    run, wanted = _Run(lake, provenance, clock, polling), list(sources)
    if only_due:
        wanted = polling.due(wanted, clock())
    with Fetcher(lake.settings, clock=clock, limits=limits, resolver=resolver) as fetcher:
        fetcher.client.hosts.restore(polling.hosts)
        fetcher.client.robots.restore(polling.robots)
        try:
            run.poll(wanted, fetcher)
        except OvertakenError:
            pass
        finally:
            polling.hosts, polling.robots = fetcher.client.hosts.state(), fetcher.client.robots.state()
    if wanted and not run.report.yielded:
        save_polling(lake, CONNECTOR, polling)
    return run.report
