"""Export files as bytes: cut into rows unchanged (JSONL, CSV, Parquet), with the column contract that names their columns. Pure.

The contract: canonical columns id, text, title, url, published_at, author, kind, parent_id, likes, shares, comment_count, language,
deleted, deleted_at; other names are understood by ALIASES (case does not matter), or named by the sender with a column map
{canonical: column in the file}.
"""

import csv
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
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
    "deleted": ("deleted", "is_deleted"),
    "deleted_at": ("deleted_at", "deletion_time"),
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
    check_canonical(given or {})
    for canonical, wanted in (given or {}).items():
        if wanted not in names:
            raise BadInputError(f"--map {canonical}={wanted}: the file has no column {wanted!r}; it has: {', '.join(names)}.")
        found[canonical] = wanted
    for canonical, aliases in ALIASES.items():
        if canonical not in found:
            hit = next((by_lower[alias] for alias in aliases if alias in by_lower and by_lower[alias] not in found.values()), None)
            if hit is not None:
                found[canonical] = hit
    if "text" not in found and not ("id" in found and found.keys() & {"deleted", "deleted_at"}):
        raise BadInputError(f"No column gives the text; the file has: {', '.join(names)}. Name it, as in --map text=Comment.")
    return found


def check_canonical(given: Mapping[str, str]) -> None:
    """Raises BadInputError where a column map names a canonical column there is none of."""
    for canonical, wanted in given.items():
        if canonical not in ALIASES:
            raise BadInputError(f"--map {canonical}={wanted}: {canonical!r} is no column of the contract; known: {', '.join(ALIASES)}.")


def default_kind(columns: Mapping[str, str]) -> str | None:
    """The kind of a file's rows where no column says it: 'comment' when the text column is called so."""
    return "comment" if "kind" not in columns and columns.get("text", "").lower() == "comment" else None


def canonical_row(row: Mapping[str, Any], columns: Mapping[str, str]) -> dict[str, Any]:
    """The row under canonical names, by the column map of its whole file."""
    return {canonical: row[name] for canonical, name in columns.items() if row.get(name) is not None}


def matched_row(row: Mapping[str, Any], given: Mapping[str, str] | None) -> dict[str, Any]:
    """A JSON row under canonical names: a given map goes first, then its own keys, which may differ from row to row, by ALIASES."""
    found = canonical_row(row, given or {})
    taken = set((given or {}).values())
    lower = {str(key).strip().lower(): value for key, value in reversed(list(row.items())) if key not in taken}
    for canonical, aliases in ALIASES.items():
        if canonical not in found:
            value = next((lower[alias] for alias in aliases if lower.get(alias) is not None), None)
            if value is not None:
                found[canonical] = value
    return found


def rows_of(data: bytes, file_format: str, given: Mapping[str, str] | None = None) -> tuple[str, str, Iterator[bytes]]:
    """Cut a file into raw rows: (payload_format, payload_context, iterator over the payloads).

    Raises BadInputError, before the first row, for a file that cannot be read at all.
    """
    if file_format == "jsonl":
        check_canonical(given or {})
        return "jsonl_line", json.dumps({"columns": dict(given) if given else None}), _lines(data)
    if file_format == "csv":
        return _csv(data, given)
    return _parquet(data, given)


def _lines(data: bytes) -> Iterator[bytes]:
    # UTF-16, whose lines could not be told apart as bytes. The brace is needed: a first line of broken bytes may begin like the mark.
    if data[:4] in (b"\xff\xfe{\x00", b"\xfe\xff\x00{"):
        data = data.decode("utf-16", errors="replace").encode("utf-8", errors="replace")
    return (line for line in data.removeprefix(b"\xef\xbb\xbf").split(b"\n") if line.strip())


def _csv(data: bytes, given: Mapping[str, str] | None) -> tuple[str, str, Iterator[bytes]]:
    is_utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    text = data.decode("utf-16", errors="replace") if is_utf16 else data.decode("utf-8-sig", errors="surrogateescape")
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
    try:
        return next(iter(csv.reader(io.StringIO(record, newline=""), delimiter=delimiter, skipinitialspace=True)), [])
    except csv.Error as error:
        raise ValueError(f"not CSV: {error}") from error


def _records(text: str, delimiter: str) -> Iterator[str]:
    """Raw records, line breaks inside quotes included; the reader pulls as many lines as it needs and those are the record."""
    pulled: list[str] = []

    def pull() -> Iterator[str]:
        for line in io.StringIO(text, newline=""):
            pulled.append(line)
            yield line

    lines = pull()
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            next(reader)
        except StopIteration:
            return
        except csv.Error:  # a field over the limit: what was pulled is one record, to be rejected, and reading goes on after it
            reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
        yield "".join(pulled).rstrip("\r\n")
        pulled.clear()


def read_csv_record(payload: bytes, context: Mapping[str, Any]) -> dict[str, Any]:
    """One raw CSV record as canonical row. Raises UnicodeDecodeError, or ValueError where it is no CSV or has another number of fields."""
    fields = _fields_of(payload.decode("utf-8"), context["delimiter"])
    header = context["header"]
    if len(fields) != len(header):
        raise ValueError(f"{len(fields)} fields where the header has {len(header)}")
    row = dict(reversed(list(zip(header, fields, strict=True))))  # of two columns of one name the first counts
    return {name: value for name, value in canonical_row(row, context["columns"]).items() if value != ""}


def _parquet(data: bytes, given: Mapping[str, str] | None) -> tuple[str, str, Iterator[bytes]]:
    try:
        file = pq.ParquetFile(io.BytesIO(data))
    except (pa.ArrowException, OSError) as error:
        raise BadInputError(f"The file is not readable Parquet: {error}") from error
    columns = column_map(file.schema_arrow.names, given)
    return "parquet_row", json.dumps({"columns": columns, "kind": default_kind(columns)}, ensure_ascii=False), _parquet_rows(file)


def _parquet_rows(file: pq.ParquetFile) -> Iterator[bytes]:
    """Raises BadInputError where the file turns out to be damaged."""
    names = file.schema_arrow.names
    firsts = [index for index, name in enumerate(names) if names.index(name) == index]  # of two columns of one name the first counts
    try:
        for batch in file.iter_batches(_PARQUET_ROWS):
            plain = pa.RecordBatch.from_arrays([_plain(batch.column(index)) for index in firsts], [names[index] for index in firsts])
            for row in plain.to_pylist():
                yield json.dumps(row, ensure_ascii=False, default=_as_text, sort_keys=True).encode("utf-8", "replace")
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise BadInputError(f"The file is not readable Parquet: {error}") from error


def _plain(values: pa.Array) -> pa.Array:
    """Times as Arrow writes them: Python has no day for an absurd one, and one such value must not cost the file."""
    return pc.cast(values, pa.string()) if pa.types.is_temporal(values.type) and not pa.types.is_duration(values.type) else values


def _as_text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
