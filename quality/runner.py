"""Running a table's suite over rows that are about to be written, and saying what did not hold.

Belongs here: calling Great Expectations and turning its answer into rows of gold.quality_results. Not here: the rules (suites.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from typing import Any

import polars as pl
import pyarrow as pa

from lake_config.errors import LakeError
from lake_config.tables import Table, table
from lake_config.tables.gold import QUALITY_RESULTS
from quality.gx import batch_definition, great_expectations
from quality.suites import check_columns, expectations

# Sample values would carry post data into results: counts only.
_RESULT_FORMAT = {"result_format": "BASIC", "partial_unexpected_count": 0}


class QualityError(LakeError):
    """Rows broke an expectation; nothing was written."""


@dataclass(frozen=True)
class Outcome:
    """One expectation over one batch of rows."""

    expectation: str
    column: str | None
    is_success: bool
    checked_rows: int
    unexpected_rows: int


@lru_cache(maxsize=64)
def _suite(name: str) -> Any:
    return great_expectations().ExpectationSuite(name=name, expectations=expectations(table(name)))


def run_suite(declared: Table, rows: pa.Table) -> list[Outcome]:
    """Run the suite of a table over rows in its schema; an empty batch gives no outcome."""
    if rows.num_rows == 0:
        return []
    frame = pl.from_arrow(rows)
    checked = check_columns(declared, pl.DataFrame(frame)).to_pandas()
    batch = batch_definition().get_batch({"dataframe": checked})
    validation = batch.validate(_suite(declared.name), result_format=_RESULT_FORMAT)
    return [_outcome(one, rows.num_rows) for one in validation.results]


def run_by_day(declared: Table, by_day: Mapping[date, pa.Table]) -> dict[date, list[Outcome]]:
    """Outcomes per event day. All days are checked together first, since every rule is about single rows or holds a key with the day in it:
    what holds for all holds for each. Only when something fails is each day checked by itself, to name the day; what then fails on no day
    alone (one key on two days) is a failure of all of them.
    """
    filled = {day: rows for day, rows in by_day.items() if rows.num_rows}
    if not filled:
        return {}
    together = run_suite(declared, pa.concat_tables(filled.values()))
    if all(outcome.is_success for outcome in together):
        return {day: [replace(outcome, checked_rows=rows.num_rows) for outcome in together] for day, rows in filled.items()}
    single = {day: run_suite(declared, rows) for day, rows in filled.items()}
    if any(failures(outcomes) for outcomes in single.values()):
        return single
    return {day: [replace(outcome, checked_rows=rows.num_rows) for outcome in together] for day, rows in filled.items()}


def _outcome(one: Any, row_count: int) -> Outcome:
    arguments = one.expectation_config.kwargs
    columns = arguments.get("column") or ", ".join(
        arguments.get("column_list") or [arguments.get("column_A", ""), arguments.get("column_B", "")]
    )
    unexpected = int(one.result.get("unexpected_count") or 0)
    if not one.success and unexpected == 0:
        unexpected = row_count  # the expectation itself could not be evaluated
    return Outcome(one.expectation_config.type, columns or None, bool(one.success), row_count, unexpected)


def failures(outcomes: Sequence[Outcome]) -> list[Outcome]:
    """Those that did not hold."""
    return [outcome for outcome in outcomes if not outcome.is_success]


def describe(name: str, day: date, failed: Sequence[Outcome]) -> str:
    """One sentence for people on what failed."""
    parts = "; ".join(f"{f.expectation} on {f.column}: {f.unexpected_rows} of {f.checked_rows} rows" for f in failed)
    return f"{name}, event day {day}: {len(failed)} expectations do not hold, nothing was written: {parts}."


def result_rows(
    name: str, day: date, outcomes: Sequence[Outcome], run_id: str, checked_at: datetime, *, is_blocking: bool = True
) -> pa.Table:
    """The outcomes in the schema of gold.quality_results."""
    rows = [
        {
            "event_date": day,
            "table_name": name,
            "expectation": outcome.expectation,
            "column_name": outcome.column,
            "is_success": outcome.is_success,
            "is_blocking": is_blocking,
            "checked_rows": outcome.checked_rows,
            "unexpected_rows": outcome.unexpected_rows,
            "run_id": run_id,
            "checked_at": checked_at,
        }
        for outcome in outcomes
    ]
    return pa.Table.from_pylist(rows, schema=QUALITY_RESULTS.schema)
