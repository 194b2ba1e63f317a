"""Raw rows that providers send, in files or as a stream, read just enough to name and place them. Pure.

Belongs here: a row under canonical names, whatever its format, and its id. Not here: cutting files into rows (export_files.py), what a row
says as a post (assets/silver).
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from assets.bronze.envelope import Item, storable
from assets.bronze.export_files import canonical_row, matched_row, read_csv_record
from assets.bronze.export_workbook import read_workbook_row


def parse_row(payload: bytes, payload_format: str, context: Mapping[str, Any]) -> dict[str, Any]:
    """A raw export row under canonical names. Raises ValueError (json, unicode and CSV errors among them) when it cannot be read."""
    if payload_format == "csv_record":
        row = read_csv_record(payload, context)
    elif payload_format == "xlsx_row":
        row = read_workbook_row(payload, context)
    else:
        value = json.loads(payload)
        if not isinstance(value, dict):
            raise TypeError(f"a JSON {type(value).__name__} where an object is expected")
        row = matched_row(value, context["columns"]) if payload_format == "jsonl_line" else canonical_row(value, context["columns"])
    if context.get("kind"):
        row.setdefault("kind", context["kind"])
    return row


DELETION = "_deletion"
"""Ends the payload_format of a row by which a provider says that a post is deleted: jsonl_line_deletion is a jsonl_line."""
_NO = ("", "0", "false", "no", "không", "none", "null")


def is_deletion(row: Mapping[str, Any]) -> bool:
    """Whether a row under canonical names is a deletion notice: `deleted` is true, or `deleted_at` says when."""
    return any(str(row.get(name, "")).strip().lower() not in _NO for name in ("deleted", "deleted_at"))


def row_items(
    source_id: str, rows: Iterable[tuple[bytes, Mapping[str, Any]]], payload_format: str, raw_context: str, etag: str | None
) -> Iterator[Item]:
    """Rows, each with what it says under canonical names ({} where it cannot be read), as items.

    A row without id is named by its bytes and how often they came before among these rows; as a deletion notice it names no post, and is
    left to silver to reject.
    """
    repeats: Counter[str] = Counter()
    for payload, row in rows:
        row_format = payload_format
        native_id = storable(str(row.get("id", "")).strip())
        if not native_id:
            digest = hashlib.sha256(payload).hexdigest()
            native_id = f"sha256:{digest}" + (f"#{repeats[digest]}" if repeats[digest] else "")
            repeats[digest] += 1
        elif is_deletion(row):
            row_format = payload_format + DELETION
        published = row.get("published_at")
        yield Item(
            source_id=source_id,
            native_id=native_id,
            payload=payload,
            payload_format=row_format,
            payload_context=raw_context,
            url=storable(str(row["url"])) if row.get("url") else None,
            published_at=None if published is None else storable(str(published)),
            etag=etag,
        )
