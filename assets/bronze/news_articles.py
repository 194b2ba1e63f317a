"""The connector for article pages: the full text of what the feeds list, each new or changed text once, exactly once.

It reads the entries that bronze.news_feeds got since the version its own cursor names, and fetches the page of each; later visits, farther
and farther apart, find edits (article_visits.py). An article is a version of its feed entry's post: same platform, same native id, same
event day. Not here: what a page says (article_document.py), its address (article_address.py), which version of a post wins
(assets/silver/versions.py).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlsplit

import polars as pl

from assets.bronze.article_address import Address, Publishers, article_address, clean_address
from assets.bronze.article_document import Article, Unreadable, page_context, read_article
from assets.bronze.article_log import Seen, attempts_of
from assets.bronze.article_visits import Due, Entry, PageState, Visits
from assets.bronze.committing import Committer
from assets.bronze.envelope import Batch, Item, storable
from assets.bronze.fetching import Answer, Fetcher
from assets.bronze.landing import Clock, CollectReport, log_attempts, utc_now
from assets.content import content_of
from lake_config.registry import Source, load_registry
from lake_config.storage import Lake, Provenance
from lake_config.tables.bronze import ROBOTS_DISALLOW
from ml.masking import mask_pii
from ml.normalise import content_key, normalise

CONNECTOR = "news_articles"
_FEEDS = "news_feeds"
_HOSTS_AT_ONCE = 32
_PAGES_PER_RUN = 5_000
_PAGES_PER_COMMIT = 1_000
_PAGES_PER_HOST = 60
"""Pages of one host in one commit: with a second between them, a minute."""
_RUN_SECONDS = 480
"""After so long a run ends with its next commit and leaves the rest to the next one: feeds wait for the same job."""
_ENTRY_COLUMNS = (
    "source_id",
    "native_id",
    "url",
    "event_date",
    "published_at",
    "payload_sha256",
    "payload_format",
    "fetched_at",
    "row_number",
)
_NO_PAGES = ("image/", "video/", "audio/", "font/", "application/pdf", "application/zip", "application/json")
"""Content types whose bodies are no pages, unless they are pages all the same."""
_COMMIT_BEHIND = 100
"""A cursor this many versions behind bronze.news_feeds is committed even if nothing else changed."""
_DIGITS = 16


@dataclass(frozen=True)
class Visit:
    """The outcome of asking for one page: the answer, and the row that lands of it where its text is new."""

    due: Due
    answer: Answer
    outcome: str
    item: Item | None = None
    detail: str | None = None


def article_key(article: Article) -> str:
    """The content_key that silver.posts gives this article: the name of its text, the same for the same words."""
    title = mask_pii(normalise(article.title)) if article.title else None
    return content_key(content_of("article", title, mask_pii(normalise(article.text))))


def judge(due: Due, answer: Answer, publishers: Publishers) -> Visit:
    """What an answer means for its page: a new text or fault lands, all else but an unchanged text is a finding. Plans the next visit."""
    page, now = due.page, answer.fetched_at
    if answer.outcome == "not_modified":
        page.visited(now)
        return Visit(due, answer, "not_modified")
    if answer.outcome == "postponed":
        return Visit(due, answer, "postponed", detail=answer.detail)  # nobody was asked: the visit stays due
    if answer.outcome != "ok":
        page.visited(now, is_last=answer.status == 410)
        return Visit(due, answer, answer.outcome, detail=_said(page, _finding(answer)))
    content_type = _header(answer, "content-type") or ""
    found = read_article(answer.body, page_context(content_type))
    if isinstance(found, Unreadable):
        return _unreadable(due, answer, found, content_type)
    key = article_key(found)
    is_new = page.text != key[:_DIGITS]
    page.text, page.fault = key[:_DIGITS], None
    # Validators of a page that was read only: "not modified" must never stand for a page that was not understood.
    page.etag, page.last_modified = _header(answer, "etag"), _header(answer, "last-modified")
    page.visited(now, is_new=is_new)
    if not is_new:
        return Visit(due, answer, "ok")
    hints = {"canonical": found.canonical, "og_url": found.og_url}
    address = article_address(page.url, answer.final_url or page.url, hints, publishers)
    return Visit(due, answer, "ok", _item(due, answer, content_type, address, key))


def _unreadable(due: Due, answer: Answer, found: Unreadable, content_type: str) -> Visit:
    page = due.page
    is_new = page.fault != found.fault.value
    page.fault, page.etag, page.last_modified = found.fault.value, None, None
    page.visited(answer.fetched_at)
    if content_type.lower().startswith(_NO_PAGES):
        return Visit(due, answer, "unreadable", detail=_said(page, f"answered with {content_type[:60]}: {found.detail}"))
    # Its bytes land once, to be rejected in silver with the reason: the evidence of what was served.
    item = _item(due, answer, content_type, Address(clean_address(page.url) or page.url), None) if is_new else None
    return Visit(due, answer, "unreadable", item, _said(page, found.detail))


def seen(visit: Visit, *, is_committed: bool) -> Seen:
    """The visit without its page, for the log."""
    page, answer = visit.due.page, visit.answer
    # That one page is gone or elsewhere says nothing of the source; that none may be read does.
    finding = answer.finding if answer.finding == ROBOTS_DISALLOW else None
    landed = is_committed and visit.item is not None
    return Seen(page.source, visit.outcome, answer.status, finding, answer.fetched_at, len(answer.body), landed, visit.detail)


def _item(due: Due, answer: Answer, content_type: str, address: Address, key: str | None) -> Item:
    return Item(
        source_id=due.page.source,
        native_id=due.native_id,
        payload=answer.body,
        payload_format="article_page",
        payload_context=page_context(storable(content_type), content_key=key, original=address.elsewhere),
        url=storable(address.url),
        published_at=due.page.published,
        http_status=answer.status,
        etag=_header(answer, "etag"),
        last_modified=_header(answer, "last-modified"),
    )


def _header(answer: Answer, name: str) -> str | None:
    return answer.headers.get(name)


def _finding(answer: Answer) -> str:
    return answer.detail or (f"HTTP {answer.status}" if answer.status else answer.outcome)


def _said(page: PageState, what: str) -> str:
    return f"{what} ({page.url})"


def _validators(due: Due) -> dict[str, str]:
    page = due.page
    given = {"If-None-Match": page.etag, "If-Modified-Since": page.last_modified}
    # Some hosts send validators that no request header may carry, and would get them back for ever.
    return {name: value for name, value in given.items() if value and value.isascii() and value.isprintable()}


def _host(url: str) -> str:
    try:
        return urlsplit(url).netloc
    except ValueError:
        return url  # no address at all; the request will say so


def ask(fetcher: Fetcher, waiting: Sequence[Due], sources: Mapping[str, Source]) -> list[Answer]:
    """Fetch pages, hosts in parallel; answers in the order of `waiting`."""
    by_host: dict[str, list[int]] = defaultdict(list)
    for index, due in enumerate(waiting):
        by_host[_host(due.page.url)].append(index)

    def one_host(indices: list[int]) -> list[tuple[int, Answer]]:
        return [(i, fetcher.get(sources[waiting[i].platform], waiting[i].page.url, headers=_validators(waiting[i]))) for i in indices]

    with ThreadPoolExecutor(_HOSTS_AT_ONCE) as pool:
        found = dict(pair for group in pool.map(one_host, by_host.values()) for pair in group)
    return [found[index] for index in range(len(waiting))]


def portions(waiting: Iterable[Due]) -> Iterator[list[Due]]:
    """What is visited and committed together: in the order given, but only so many pages of one host, for they are asked one by one."""
    left = list(waiting)
    while left:
        taken, later, by_host = list[Due](), list[Due](), Counter[str]()
        for due in left:
            host = _host(due.page.url)
            if len(taken) < _PAGES_PER_COMMIT and by_host[host] < _PAGES_PER_HOST:
                by_host[host] += 1
                taken.append(due)
            else:
                later.append(due)
        yield taken
        left = later


def entries_since(lake: Lake, visits: Visits, platforms: Iterable[str], registry: Sequence[Source]) -> tuple[int, list[Entry]]:
    """The feed entries of these platforms that `visits` does not know yet, as they landed, and the version of the table they reach."""
    table = lake.open(f"bronze.{_FEEDS}")
    platform_of = {source.id: source.platform for source in registry if source.connector == _FEEDS}
    found: list[Entry] = []
    for since, behind in visits.behind(platforms, table.version()):
        rows = lake.read(f"bronze.{_FEEDS}", lake.files_added(f"bronze.{_FEEDS}", since, table), _ENTRY_COLUMNS)
        wanted = [source_id for source_id, platform in platform_of.items() if platform in behind]
        listed = rows.filter(
            pl.col("source_id").is_in(wanted) & pl.col("url").is_not_null() & (pl.col("payload_format") != "feed_document")
        ).sort("fetched_at", "source_id", "row_number")
        found += [
            Entry(
                platform_of[row["source_id"]],
                row["native_id"],
                row["url"],
                row["event_date"],
                row["published_at"],
                row["payload_sha256"][:_DIGITS],
            )
            for row in listed.iter_rows(named=True)
        ]
    return table.version(), found


def collect(lake: Lake, sources: Iterable[Source], provenance: Provenance, clock: Clock = utc_now) -> CollectReport:
    """Visit the article pages that are due, and land the new and changed texts, some pages per commit with the cursor.

    `sources` are those of this connector: one per platform, whose feeds may be several. What a run leaves over comes next. A second
    collector on the same table yields: its commit is refused, and its report says so.
    """
    by_platform = {source.platform: source for source in sources}
    if not by_platform:
        return CollectReport(CONNECTOR)
    committer, began = Committer(lake, CONNECTOR, provenance), clock()
    registry = load_registry(lake.settings.extra_registry).sources
    publishers = Publishers(source.platform for source in registry)
    visits = Visits.of(committer.cursor.state)
    version, entries = entries_since(lake, visits, by_platform, registry)
    changed = visits.listed(entries, {platform: source.id for platform, source in by_platform.items()}, began)
    behind = version - min(visits.reached.get(platform, -_COMMIT_BEHIND) for platform in by_platform)
    visits.reached.update(dict.fromkeys(by_platform, version))
    waiting = visits.due(by_platform, began, _PAGES_PER_RUN)
    visited_so_far = list[Seen]()
    with Fetcher(lake.settings, clock=clock) as fetcher:
        fetcher.client.hosts.restore(committer.cursor.state.get("hosts", {}))
        fetcher.client.robots.restore(committer.cursor.state.get("robots", {}))
        for portion in portions(waiting) if waiting else ([[]] if changed or behind >= _COMMIT_BEHIND else []):
            answers = ask(fetcher, portion, by_platform)
            visited = [judge(due, answer, publishers) for due, answer in zip(portion, answers, strict=True)]
            batch = Batch()
            for visit in visited:
                if visit.item is not None:
                    batch.add(visit.item, visit.answer.fetched_at, date.fromisoformat(visit.due.page.day))
            manners = {"hosts": fetcher.client.hosts.state(), "robots": fetcher.client.robots.state()}
            is_committed = committer.commit(batch, visits.state(clock()) | manners)
            visited_so_far += [seen(visit, is_committed=is_committed) for visit in visited]
            if not is_committed or (clock() - began).total_seconds() > _RUN_SECONDS:
                break
    report = committer.report
    report.attempts = attempts_of(visited_so_far)
    log_attempts(lake, report, report.batches[-1] if report.batches else Batch().batch_id, provenance)
    return report
