"""Excel workbooks (.xlsx) as agencies send them, cut into rows: which sheets hold posts, where their header is, what cells mean. Pure.

A row becomes JSON: header -> value, all columns of its sheet, times in ISO 8601 as local time. A sheet that cannot be read becomes one JSON
string instead that says which sheet, which row and why; read as a row it is refused with these words.
"""

import io
import json
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from datetime import date, datetime, time
from itertools import islice
from typing import Any

from openpyxl import load_workbook
from openpyxl.utils import get_column_letter

from assets.bronze.export_files import canonical_row, check_canonical, column_map, default_kind
from lake_config.errors import BadInputError

HEADER_ROWS = 20
"""The header is looked for in so many rows with content: titles and notes often stand above it."""
MAX_SHEET_ROWS = 1_048_576
"""Excel's own limit. A row number beyond it would be filled up with empty rows for hours."""
MAX_PARTS = 10_000
_READ_BYTES = 1024**2
_TEXTLESS = "no cell of the first rows with content names the text"


def check_archive(data: bytes, max_bytes: int) -> None:
    """Unpack every part of the archive and drop it: what a part says of its size may be a lie, so it is counted.

    Raises BadInputError where it is no archive, is damaged or encrypted, or holds more than `max_bytes`; it stops reading there.
    """
    left = max_bytes
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            parts = archive.infolist()
            if len(parts) > MAX_PARTS or sum(part.file_size for part in parts) > left:
                raise BadInputError(f"The workbook unpacks to more than {max_bytes:,} bytes; send it as several files.")
            for part in parts:
                with archive.open(part) as stream:
                    while piece := stream.read(_READ_BYTES):
                        left -= len(piece)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError, EOFError, OSError, ValueError) as error:
        raise BadInputError(
            f"The file is no readable .xlsx workbook ({error}); save it from Excel as .xlsx without a password, and send it again."
        ) from error


def workbook_rows(data: bytes, given: Mapping[str, str] | None, max_bytes: int) -> tuple[str, str, Iterator[bytes]]:
    """Cut a workbook into rows: (payload_format, payload_context, iterator over the payloads). Sheets without any content are passed over.

    Raises BadInputError when it cannot be read, goes beyond `max_bytes` unpacked, or no sheet of it holds rows of posts.
    """
    check_canonical(given or {})
    check_archive(data, max_bytes)
    found: list[bytes] = []
    faults: list[str] = []
    # The reader warns of styles and extensions it leaves out, none of which hold text.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        except Exception as error:  # a damaged part makes the reader stumble in any way
            raise BadInputError(f"The file is no readable .xlsx workbook ({type(error).__name__}: {error}).") from error
        for sheet in book.worksheets:
            sheet.reset_dimensions()  # a stated size smaller than the sheet would hide rows
            rows, fault = _sheet_rows(sheet.iter_rows(values_only=True), given)
            found += rows
            if fault is not None:
                faults.append(f"sheet {sheet.title!r}, {fault}")
    if not found and faults:
        raise BadInputError(
            f"No sheet of the workbook holds rows of posts: {'; '.join(faults)}. Name the column, as in --map text=Comment."
        )
    found += [json.dumps(fault, ensure_ascii=False).encode("utf-8", "replace") for fault in faults]
    return "xlsx_row", json.dumps({"columns": dict(given) if given else None}, ensure_ascii=False), iter(found)


def _sheet_rows(cells: Iterator[Sequence[Any]], given: Mapping[str, str] | None) -> tuple[list[bytes], str | None]:
    """The rows of one sheet as payloads, and what is wrong with the sheet: 'row 3: why'; None where nothing is."""
    header: dict[int, str] | None = None
    rows: list[bytes] = []
    number = looked_at = 0
    try:
        for number, row in enumerate(islice(cells, MAX_SHEET_ROWS), start=1):
            filled = {place: value for place, value in enumerate(row) if value is not None and str(value).strip()}
            if not filled:
                continue
            if header is not None:
                rows.append(_payload(header, filled))
                continue
            looked_at += 1
            header = _header(filled, given)
            if header is None and looked_at == HEADER_ROWS:
                return [], f"row {number}: {_TEXTLESS}"
        if next(cells, None) is not None:
            return rows, f"row {MAX_SHEET_ROWS + 1}: a sheet ends at row {MAX_SHEET_ROWS}"
    except Exception as error:  # a damaged part makes the reader stumble in any way; the rows before it are whole
        return rows, f"row {number + 1}: not readable ({type(error).__name__})"
    return rows, f"row {number}: {_TEXTLESS}" if header is None and looked_at else None


def _header(filled: Mapping[int, Any], given: Mapping[str, str] | None) -> dict[int, str] | None:
    """Place -> name where these cells are a header that gives the text; None where they are none. Of two of one name the first counts."""
    names: dict[int, str] = {}
    for place, value in filled.items():
        name = str(value).strip()
        if name not in names.values():
            names[place] = name
    try:
        column_map(names.values(), given)
    except BadInputError:
        return None
    return names


def _payload(header: Mapping[int, str], filled: Mapping[int, Any]) -> bytes:
    row = {name: _plain(filled.get(place)) for place, name in header.items()}
    # Cells under no name, or under one that came before, stay with the row: nothing of it is lost.
    row |= {f"column {get_column_letter(place + 1)}": _plain(value) for place, value in filled.items() if place not in header}
    return json.dumps(row, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _plain(value: Any) -> Any:
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | bool) else str(value)


def read_workbook_row(payload: bytes, context: Mapping[str, Any]) -> dict[str, Any]:
    """One row as canonical row. Raises ValueError with the words of a sheet that could not be read."""
    value = json.loads(payload)
    if isinstance(value, str):
        raise ValueError(value)  # noqa: TRY004 - no wrong type: it is the sheet's own fault, in words
    columns = column_map(value, context["columns"])
    row = canonical_row(value, columns)
    kind = default_kind(columns)
    return row | ({"kind": kind} if kind else {})
