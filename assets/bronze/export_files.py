"""Export files as bytes: cut into rows unchanged (JSONL, CSV, Parquet), with the column contract that names their columns. Pure.

The contract: canonical columns id, text, title, url, published_at, author, kind, parent_id, likes, shares, comment_count, language; other
names are understood by ALIASES (case does not matter), or named by the sender with a column map {canonical: column in the file}.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from lake_config.errors import BadInputError

ALIASES: Mapping[str, tuple[str, ...]] = {
    "id": ("id", "native_id", "post_id", "comment_id", "message_id", "_id"),
    "text": ("text", "content", "comment", "message", "body", "sentence", "free_text", "noi_dung", "nội dung"),
    "title": ("title", "headline", "tieu_de", "tiêu đề"),
    "url": ("url", "link", "permalink", "permalink_url"),
    "published_at": (
        "published_at", "published", "created_at", "created_time", "created", "timestamp", "datetime", "date", "time",
        "ngay_dang", "ngày đăng",
    ),
    "author": ("author", "author_name", "author_id", "user", "username", "user_name", "user_id", "from", "tac_gia", "tác giả"),
    "kind": ("kind", "post_type"),
    "parent_id": ("parent_id", "parent", "in_reply_to", "article_id", "thread_id"),
    "likes": ("likes", "like_count", "likes_count", "userlike", "reactions", "reaction_count"),
    "shares": ("shares", "share_count", "shares_count"),
    "comment_count": ("comment_count", "comments_count", "comments", "reply_count", "replies"),
    "language": ("language", "lang"),
}  # fmt: skip
FORMATS = {".jsonl": "jsonl", ".ndjson": "jsonl", ".csv": "csv", ".parquet": "parquet"}
_SNIFF_BYTES = 64 * 1024
_PARQUET_ROWS = 10_000
csv.field_size_limit(16 * 1024 * 1024)


def column_map(columns: Iterable[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Canonical column -> column in the file. A given map goes first; of several aliases present the earlier listed one wins.

    Raises BadInputError when the map names a column the file lacks, a canonical name there is none of, or nothing gives the text.
    """
    names = list(columns)
    by_lower = {name.strip().lower(): name for name in reversed(names)}
    found: dict[str, str] = {}
    for canonical, wanted in (given or {}).items():
        if canonical not in ALIASES:
            raise BadInputError(f"--map {canonical}={wanted}: {canonical!r} is no column of the contract; known: {', '.join(ALIASES)}.")
        if wanted not in names:
            raise BadInputError(f"--map {canonical}={wanted}: the file has no column {wanted!r}; it has: {', '.join(names)}.")
        found[canonical] = wanted
    for canonical, aliases in ALIASES.items():
        if canonical not in found:
            hit = next((by_lower[alias] for alias in aliases if alias in by_lower and by_lower[alias] not in found.values()), None)
            if hit is not None:
                found[canonical] = hit
    if "text" not in found:
        raise BadInputError(f"No column gives the text; the file has: {', '.join(names)}. Name it, as in --map text=Comment.")
    return found


def default_kind(columns: Mapping[str, str]) -> str | None:
    """The kind of a file's rows where no column says it: 'comment' when the text column is called so."""
    return "comment" if "kind" not in columns and columns["text"].lower() == "comment" else None


def canonical_row(row: Mapping[str, Any], columns: Mapping[str, str] | None) -> dict[str, Any]:
    """The row under canonical names; without a map the row's own keys are matched by ALIASES."""
    if columns is None:
        lower = {str(key).strip().lower(): value for key, value in reversed(list(row.items()))}
        pairs = ((canonical, next((lower[a] for a in aliases if lower.get(a) is not None), None)) for canonical, aliases in ALIASES.items())
        return {canonical: value for canonical, value in pairs if value is not None}
    return {canonical: row[name] for canonical, name in columns.items() if row.get(name) is not None}


def rows_of(data: bytes, file_format: str, given: Mapping[str, str] | None = None) -> tuple[str, str, Iterator[bytes]]:
    """Cut a file into raw rows: (payload_format, payload_context, iterator over the payloads).

    Raises BadInputError, before the first row, for a file that cannot be read at all.
    """
    if file_format == "jsonl":
        return "jsonl_line", json.dumps({"columns": dict(given) if given else None}), _lines(data)
    if file_format == "csv":
        return _csv(data, given)
    return _parquet(data, given)


def _lines(data: bytes) -> Iterator[bytes]:
    return (line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())


def _csv(data: bytes, given: Mapping[str, str] | None) -> tuple[str, str, Iterator[bytes]]:
    encoding = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = data.decode(encoding, errors="surrogateescape")
    if "\x00" in text[:_SNIFF_BYTES]:
        raise BadInputError("The file is not CSV text (it holds NUL bytes).")
    header_line = next(iter(text.splitlines()), "")
    delimiter = max(",;\t|", key=header_line.count)
    records = _records(text, delimiter)
    first = next(records, None)
    if first is None:
        raise BadInputError("The file is empty; expected a header line and rows.")
    header = [name.strip() for name in _fields_of(first, delimiter)]
    columns = column_map(header, given)
    context = {"delimiter": delimiter, "header": header, "columns": columns, "kind": default_kind(columns)}
    return (
        "csv_record",
        json.dumps(context, ensure_ascii=False),
        (record.encode("utf-8", "surrogateescape") for record in records if record.strip()),
    )


def _fields_of(record: str, delimiter: str) -> list[str]:
    return next(iter(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, skipinitialspace=True)), [])


def _records(text: str, delimiter: str) -> Iterator[str]:
    """Raw records, line breaks inside quotes included; the reader pulls as many lines as it needs and those are the record."""
    pulled: list[str] = []

    def lines() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            pulled.append(line)
            yield line

    for _ in csv.reader(lines(), delimiter=delimiter, skipinitialspace=True):
        yield "".join(pulled).rstrip("\r\n")
        pulled.clear()
    if pulled:
        yield "".join(pulled).rstrip("\r\n")


def read_csv_record(payload: bytes, context: Mapping[str, Any]) -> dict[str, Any]:
    """One raw CSV record as canonical row. Raises UnicodeDecodeError, or ValueError when the number of fields is not the header's."""
    fields = _fields_of(payload.decode("utf-8"), context["delimiter"])
    header = context["header"]
    if len(fields) != len(header):
        raise ValueError(f"{len(fields)} fields where the header has {len(header)}")
    row = dict(zip(header, fields, strict=True))
    return {name: value for name, value in canonical_row(row, context["columns"]).items() if value != ""}


def _parquet(data: bytes, given: Mapping[str, str] | None) -> tuple[str, str, Iterator[bytes]]:
    try:
        file = pq.ParquetFile(io.BytesIO(data))
    except (pa.ArrowInvalid, OSError) as error:
        raise BadInputError(f"The file is not readable Parquet: {error}") from error
    columns = column_map(file.schema_arrow.names, given)

    def rows() -> Iterator[bytes]:
        for batch in file.iter_batches(_PARQUET_ROWS):
            for row in batch.to_pylist():
                yield json.dumps(row, ensure_ascii=False, default=str, sort_keys=True).encode()

    return "parquet_row", json.dumps({"columns": columns, "kind": default_kind(columns)}, ensure_ascii=False), rows()
