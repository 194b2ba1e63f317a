"""Reading what a raw payload says: one parser per payload format, all giving the same record. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from assets.bronze.article_document import Fault, Unreadable, read_article
from assets.bronze.export_rows import is_deletion, parse_row
from assets.bronze.feed_document import read_entries
from assets.bronze.feed_memory import NOT_A_FEED
from assets.bronze.legacy_text import UndecodableError
from assets.silver.parse_api import API_FORMATS, parse_api
from assets.silver.records import Parsed, Refused, count_of
from quality.rejects import Reason

__all__ = ["KINDS", "Parsed", "Refused", "parse_all"]

_ROW_FORMATS = ("jsonl_line", "csv_record", "parquet_row", "xlsx_row")
KINDS = ("article", "post", "comment")


def parse_all(rows: Iterable[Mapping[str, Any]]) -> list[Parsed | Refused]:
    """Parse bronze rows (needs payload, payload_format, payload_context); the result is in the order of the rows."""
    listed = list(rows)
    results: list[Parsed | Refused] = [Refused(Reason.MALFORMED_ROW, "unknown payload format")] * len(listed)
    feeds: dict[str, list[int]] = defaultdict(list)
    contexts: dict[str, Any] = {}
    for index, row in enumerate(listed):
        payload_format, context = row["payload_format"], row["payload_context"]
        if payload_format == "feed_entry":
            feeds[context].append(index)
        elif payload_format == "article_page":
            results[index] = _article(row["payload"], context)
        elif payload_format == "feed_document":
            results[index] = Refused(Reason.MALFORMED_DOCUMENT, NOT_A_FEED)
        elif payload_format == "file":
            results[index] = Refused(
                Reason.UNREADABLE_FILE, "the file cannot be cut into rows; it lies in the landing bucket, and bronze.fetch_log says why"
            )
        elif payload_format in _ROW_FORMATS:
            if context not in contexts:
                contexts[context] = json.loads(context)
            results[index] = _export(row["payload"], payload_format, contexts[context])
        elif payload_format in API_FORMATS:
            results[index] = parse_api(row["payload"], payload_format, json.loads(context))
    for context, indices in feeds.items():
        for index, entry in zip(indices, read_entries([listed[i]["payload"] for i in indices], context), strict=True):
            results[index] = _feed(entry)
    return results


def _feed(entry: dict[str, Any] | UndecodableError | None) -> Parsed | Refused:
    if isinstance(entry, UndecodableError):
        return Refused(Reason.UNDECODABLE, str(entry))
    if entry is None:
        return Refused(Reason.MALFORMED_ENTRY, "not well enough formed to be read, or without title and text")
    return Parsed(text=entry["text"], title=entry["title"], author=entry["author"], kind="article")


_PAGE_FAULTS = {
    Fault.UNDECODABLE: Reason.UNDECODABLE,
    Fault.NO_PAGE: Reason.MALFORMED_DOCUMENT,
    Fault.CUT_OFF: Reason.MALFORMED_DOCUMENT,
    Fault.NO_TEXT: Reason.MISSING_TEXT,
}


def _article(payload: bytes, context: str) -> Parsed | Refused:
    found = read_article(payload, context)
    if isinstance(found, Unreadable):
        return Refused(_PAGE_FAULTS[found.fault], found.detail)
    return Parsed(text=found.text, title=found.title, author=found.author, kind="article")


def _export(payload: bytes, payload_format: str, context: Mapping[str, Any]) -> Parsed | Refused:
    try:
        row = parse_row(payload, payload_format, context)
    except UnicodeDecodeError as error:
        return Refused(Reason.UNDECODABLE, f"not UTF-8: byte {error.start} is 0x{payload[error.start]:02x}")
    except json.JSONDecodeError as error:
        return Refused(Reason.MALFORMED_ROW, f"not JSON at character {error.pos}: {error.msg}")
    except TypeError as error:
        return Refused(Reason.NOT_AN_OBJECT, str(error))
    except (ValueError, RecursionError) as error:
        return Refused(Reason.MALFORMED_ROW, str(error)[:200])
    if is_deletion(row):
        return Refused(Reason.MALFORMED_ROW, "a deletion notice that names no post id")
    text = row.get("text")
    if text is None:
        return Refused(Reason.MISSING_TEXT, f"no text among the columns {', '.join(sorted(row)) or '(none)'}")
    if not isinstance(text, str):
        return Refused(Reason.WRONG_TYPE, f"text is a {type(text).__name__}, expected a string")
    parent = row.get("parent_id")
    kind = str(row.get("kind") or ("comment" if parent else "post")).lower()
    return Parsed(
        text=text,
        title=str(row["title"]) if row.get("title") else None,
        author=str(row["author"]) if row.get("author") else None,
        kind=kind if kind in KINDS else "post",
        parent_id=str(parent) if parent else None,
        likes=count_of(row.get("likes")),
        shares=count_of(row.get("shares")),
        comment_count=count_of(row.get("comment_count")),
    )
