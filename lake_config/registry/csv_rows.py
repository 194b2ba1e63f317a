"""The bulk form of a registry file: CSV, one row a line, read into plain rows that still know their line.

Belongs here: CSV syntax, and cells turned into the values that YAML would give. Not here: what the fields mean (models.py).

A registry folder may hold `switches.csv` and `checks.csv`, which the command `sources` keeps, and any number of other `*.csv` files with
sources. The first line names the columns, which are the fields; an empty cell says nothing, so that the field's default holds.
"""

import csv
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_args

from lake_config.registry.cross_checks import near
from lake_config.registry.models import Entry
from lake_config.registry.yaml_rows import Problem, RawFile, RawRow

_TRUTHS = {"true": True, "false": False}
_MAX_CELL_CHARACTERS = 131_072
_ABSENT = object()
_NO_LINES: dict[str, int] = {}
"""All fields of a row stand on its own line."""


def read_csv_rows(file: Path, section: str, model: type[Entry], *, completed: Collection[str] = ()) -> RawFile:
    """Read one CSV file of rows shaped like `model`. Never raises for the file's content: what is wrong stands in `problems`.

    `completed`: columns that may be missing although the field is required, because the caller fills them in.
    """
    out = RawFile()
    try:
        with file.open(encoding="utf-8-sig", newline="") as handle:
            first = handle.readline()
            handle.seek(0)
            # Spreadsheets write semicolons where the comma is the decimal sign, as in Vietnam.
            delimiter = ";" if ";" in first and "," not in first else ","
            _read(csv.reader(handle, strict=True, delimiter=delimiter), out, _Form(file, section, model, completed))
    except OSError as error:
        out.problems.append(Problem(file, 0, f"cannot be read ({error.strerror}); expected a readable CSV file"))
    except UnicodeDecodeError as error:
        out.problems.append(Problem(file, 0, f"byte {error.start} is not UTF-8; save the file as UTF-8"))
    return out


@dataclass(frozen=True)
class _Form:
    """What a file is and what its rows should be."""

    file: Path
    section: str
    model: type[Entry]
    completed: Collection[str]


def _read(reader: Any, out: RawFile, form: _Form) -> None:
    try:
        columns = [cell.strip() for cell in next(reader, [])]
        faults = _column_faults(columns, form)
        out.problems += [Problem(form.file, 1, fault) for fault in faults]
        if faults:
            return
        lines, rows = _cells(reader, len(columns), out, form.file)
    except csv.Error as error:
        sentence = f"is not valid CSV: {error}; correct the line (cells up to {_MAX_CELL_CHARACTERS} characters, quotes in pairs)"
        out.problems.append(Problem(form.file, max(1, reader.line_num), sentence))
        return
    # By column, each distinct cell once: of 100,000 rows most share owner, group and note, and so share the value too.
    values = [_column_values(column, cells, form.model) for column, cells in zip(columns, zip(*rows, strict=True), strict=False)]
    for line, row in zip(lines, zip(*values, strict=True), strict=True):
        given = {name: value for name, value in zip(columns, row, strict=True) if value is not _ABSENT}
        out.rows.append(RawRow(form.section, form.file, line, given, _NO_LINES))


def _column_faults(columns: list[str], form: _Form) -> list[str]:
    fields = list(form.model.model_fields)
    if not any(columns):
        return [f"the first line names no columns; expected some of {', '.join(fields)}"]
    unknown = [column for column in columns if column not in fields]
    faults = [f"column {column!r} is unknown{near(column, fields)}; expected some of {', '.join(fields)}" for column in unknown]
    faults += [f"column {column} comes twice; expected it once" for column in sorted({one for one in columns if columns.count(one) > 1})]
    required = [name for name, field in form.model.model_fields.items() if field.is_required() and name not in form.completed]
    return faults + [f"column {name} is missing; expected {form.model.wanted(name)}" for name in required if name not in columns]


def _cells(reader: Any, width: int, out: RawFile, file: Path) -> tuple[list[int], list[list[str]]]:
    """The lines and the cells of the rows that have as many as they should; a blank line is none."""
    lines, rows = [], []
    line = reader.line_num + 1
    for cells in reader:
        if len(cells) == width:
            lines.append(line)
            rows.append(cells)
        elif cells:
            found = f"the row has {len(cells)} cells, the first line names {width} columns"
            out.problems.append(Problem(file, line, f"{found}; expected as many, and quotes around text that holds commas"))
        line = reader.line_num + 1
    return lines, rows


def _column_values(column: str, cells: Sequence[str], model: type[Entry]) -> list[Any]:
    reader = _cell_reader(model, column)
    known = {cell: reader(cell.strip()) if cell.strip() else _ABSENT for cell in set(cells)}
    return [known[cell] for cell in cells]


def _cell_reader(model: type[Entry], column: str) -> Callable[[str], Any]:
    """What makes a value of a cell: text that is no such value stays text, for the model to refuse by name."""
    annotation = model.model_fields[column].annotation
    kinds = {annotation, *get_args(annotation)}
    if bool in kinds:
        return lambda text: _TRUTHS.get(text.lower(), text)
    if int in kinds:
        return lambda text: int(text) if text.isascii() and text.isdigit() else text
    if date in kinds:
        return _as_date
    return lambda text: text


def value_of(model: type[Entry], field: str, text: str) -> Any:
    """The value that the text of a cell means for a field; text that is no such value stays text, for the model to refuse by name.

    An empty text is None. Raises KeyError for a field the model does not have.
    """
    return _cell_reader(model, field)(text.strip()) if text.strip() else None


def _as_date(text: str) -> date | str:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return text


def write_csv(file: Path, model: type[Entry], rows: Iterable[Entry]) -> None:
    """Write rows so that `read_csv_rows` gives them back, atomically: who reads meanwhile sees the old file or the new one."""
    names = list(model.model_fields)
    file.parent.mkdir(parents=True, exist_ok=True)
    fresh = file.with_name(f".{file.name}.new")
    with fresh.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, lineterminator="\n")
        writer.writerow(names)
        writer.writerows([_cell(getattr(row, name)) for name in names] for row in rows)
    fresh.replace(file)


def _cell(value: object) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
