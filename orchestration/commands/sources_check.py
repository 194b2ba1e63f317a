"""sources check: ask each named source once, as its collector would, and say what it answers.

Belongs here: asking, and knowing a feed or sitemap when it comes. Not here: how a host is asked (assets.bronze.fetching), reading entries
(the connectors), what is listed or switched (sources.py).
"""

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from assets.bronze import json_feed, sitemap
from assets.bronze.feed_document import split
from assets.bronze.fetching import Answer, Fetcher
from assets.bronze.sitemap import children_of
from assets.times import local_day
from lake_config.errors import BadInputError
from lake_config.registry import Source, Verification
from lake_config.registry.csv_rows import write_csv
from lake_config.registry.models import DEMO_CITY
from lake_config.settings import Settings
from orchestration.commands.sources import Filters, changing, kept_rows, list_sources, local_registry

_AT_ONCE = 32


@dataclass(frozen=True)
class Checked:
    """What a source answered. `document` is null where no document came that the lake can read; `said` is for people."""

    id: str
    outcome: str
    document: str | None
    entries: int
    http_status: int | None
    finding: str | None
    said: str

    @property
    def is_good(self) -> bool:
        """Whether the source answered with something to read."""
        return self.document is not None


def document_of(body: bytes, content_type: str = "") -> tuple[str, int] | None:
    """The kind of a feed or sitemap and how many entries its collector would find; None where it is neither, or a sitemap without news."""
    if (children := children_of(body)) is not None:
        return "sitemap index", len(children)
    if (feed := split(body, content_type)) is None:
        return None
    context = json.loads(feed.context)
    root = str(context.get("root", "")).lower()
    if context["element"] == json_feed.ELEMENT:
        return "JSON Feed", len(feed.entries)
    if context["element"] == sitemap.ELEMENT:
        return ("news sitemap", len(feed.entries)) if feed.entries else None
    return "Atom" if root.startswith("<feed") else "RSS 1.0" if root.startswith("<rdf") else "RSS", len(feed.entries)


def chosen(settings: Settings, source_ids: Sequence[str], filters: Filters) -> list[Source]:
    """The sources with those ids, or those that the filters mean, that have an address. Raises BadInputError where none is meant."""
    registry = local_registry(settings)
    if source_ids:
        found = [registry.source(source_id) for source_id in dict.fromkeys(source_ids)]
    elif filters == Filters():
        raise BadInputError("Name the sources to check by id, or by --connector, --kind, --area, --group or --state.")
    else:
        found = [registry.source(one.id) for one in list_sources(settings, filters)]
    asked = [source for source in found if source.url is not None]
    if not asked:
        raise BadInputError("None of the sources meant has an address to ask; sources of files are checked by the files they bring.")
    return asked


def check_sources(settings: Settings, sources: Sequence[Source], progress: Callable[[str], None]) -> list[Checked]:
    """Ask each source once, several hosts at a time, and keep in `checks.csv` which answered with a document that the lake can read."""

    def ask(source: Source) -> tuple[Source, Answer]:
        return source, fetcher.get(source, str(source.url).replace(DEMO_CITY, settings.demo_city_url))

    progress(f"Asking {len(sources):,} sources")
    with Fetcher(settings) as fetcher, ThreadPoolExecutor(_AT_ONCE) as pool:
        answers = list(pool.map(ask, sources))
    found = [_judged(source, answer) for source, answer in answers]
    fresh = [
        Verification(source_id=one.id, verified_on=local_day(answer.fetched_at), document=one.document, entries=one.entries)
        for one, (_, answer) in zip(found, answers, strict=True)
        if one.document is not None
    ]
    with changing(settings) as folder:
        _keep(folder / "checks.csv", fresh)
    return found


def _keep(file: Path, fresh: Sequence[Verification]) -> None:
    """The file with these findings, each in place of an earlier one of its source."""
    if fresh:
        kept = {row.source_id: row for row in kept_rows(file) if isinstance(row, Verification)}
        write_csv(file, Verification, (kept | {row.source_id: row for row in fresh}).values())


def _judged(source: Source, answer: Answer) -> Checked:
    document = document_of(answer.body, answer.headers.get("content-type", "")) if answer.outcome == "ok" else None
    kind, entries = document or (None, 0)
    if answer.outcome != "ok":
        said = answer.detail or answer.outcome
    elif document is None:
        said = (
            f"neither feed nor news sitemap, but {answer.headers.get('content-type') or 'bytes without a type'}, {len(answer.body):,} bytes"
        )
    else:
        said = f"moved: {answer.final_url.split('?')[0]}" if answer.finding else ""
    return Checked(source.id, answer.outcome, kind, entries, answer.status, answer.finding, said)
