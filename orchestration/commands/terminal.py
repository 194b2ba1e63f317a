"""How commands speak: steps to standard error, results to standard output. Nothing else."""

import base64
import csv
import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from rich.console import Console
from rich.table import Table

_OUT = Console(highlight=False)


class Steps:
    """Says each step on standard error with the seconds since the start; callable, so that it serves as a progress function."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._console = Console(stderr=True, highlight=False)

    @property
    def seconds(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._began

    def __call__(self, message: str) -> None:
        """Say a step."""
        self._console.print(f"{self.seconds:7.1f} s  {message}", markup=False, soft_wrap=True)


def plain(value: object) -> Any:
    """A value as JSON has it: times in ISO 8601, bytes in base64."""
    if isinstance(value, datetime | date):
        return value.isoformat()
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, Iterable):
        return [plain(item) for item in value]
    return str(value)


def print_json(value: object) -> None:
    """One JSON document on standard output."""
    sys.stdout.write(json.dumps(plain(value), ensure_ascii=False, indent=2) + "\n")


def print_lines(lines: Iterable[object]) -> None:
    """Plain lines on standard output."""
    for line in lines:
        sys.stdout.write(f"{line}\n")


def print_csv(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """CSV (RFC 4180) with a header on standard output."""
    writer = csv.writer(sys.stdout)
    writer.writerow(columns)
    writer.writerows([plain(value) for value in row] for row in rows)


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None) -> None:
    """A table for people on standard output; never cut off, also where the output is no terminal."""
    table = Table(title=title, title_justify="left", show_edge=False, pad_edge=False, title_style="bold")
    listed = [[_shown(value) for value in row] for row in rows]
    for number, column in enumerate(columns):
        is_numeric = bool(listed) and all(row[number].replace(".", "", 1).lstrip("-").isdigit() for row in listed if row[number])
        table.add_column(column, justify="right" if is_numeric else "left", overflow="fold")
    for row in listed:
        table.add_row(*row)
    console = _OUT if sys.stdout.isatty() else Console(width=10_000, highlight=False)
    console.print(table, markup=False)


def _shown(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.4f}" if isinstance(value, float) else str(plain(value))
