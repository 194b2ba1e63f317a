"""The suites: a right table passes; a row that breaks a rule is named by table, day and column, with nothing of its content."""

from datetime import UTC, date, datetime
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

from assets.gold.figures import wilson
from lake_config.storage import conform
from lake_config.tables import TABLES, Table
from lake_config.tables.gold import SENTIMENTS
from quality.rejects import Reason
from quality.runner import Outcome, describe, failures, result_rows, run_by_day, run_suite
from quality.suites import RULES, expectations

DAY, NEXT_DAY = date(2024, 2, 13), date(2024, 2, 14)
NOW = datetime(2024, 2, 14, tzinfo=UTC)
SECRET = "lời bí mật 0951234567"
ROWS = 40
HASHES = {
    "payload_sha256",
    "post_key",
    "content_key",
    "skeleton_key",
    "cluster_key",
    "first_post_key",
    "weights_digest",
    "author_key",
    "parent_key",
    "context_key",
}
EQUAL = "expect_column_pair_values_to_be_equal"
Broken = tuple[str, str, Any]


def value(table: Table, name: str, number: int) -> Any:
    """A right value of a column, different from row to row where it is part of a key."""
    column = table.column(name)
    allowed = RULES[table.name].allowed.get(name) if table.name in RULES else None
    if allowed:
        return allowed[number % len(allowed)] if name not in table.key or len(allowed) > ROWS else allowed[0]
    if name in HASHES:
        return f"{number:064x}"
    if pa.types.is_date(column.type):
        return DAY
    if pa.types.is_timestamp(column.type):
        return NOW
    if pa.types.is_boolean(column.type):
        return number % 2 == 0
    if pa.types.is_floating(column.type):
        return (number % 11) / 10
    if pa.types.is_integer(column.type):
        return number % 24 if name == "event_hour" else number
    return f"{SECRET} {number}".encode() if pa.types.is_binary(column.type) else f"{SECRET} {number}"


def right_row(table: Table, number: int) -> dict[str, Any]:
    row = {column.name: value(table, column.name, number) for column in table.columns}
    if "mentions" in row and "negative_count" in row:
        counts = dict(zip(SENTIMENTS, (number, 1, 2), strict=True))
        row["mentions"] = sum(counts.values())
        for name, count in counts.items():
            low, high = wilson(count, row["mentions"])
            row[f"{name}_count"] = count
            if f"{name}_share" in row:
                row |= {f"{name}_share": count / row["mentions"], f"{name}_share_low": low, f"{name}_share_high": high}
        # Few kinds and hours: the rest of the key tells the rows apart.
        row |= {"event_hour": number % 24} if "event_hour" in row else {}
        if "source_kind" in row:
            row["source_kind"] = RULES[table.name].allowed["source_kind"][number // 24 if "event_hour" in row else number % 6]
    if table.name == "gold.accounting":
        row |= {
            "connector": f"connector {number}",
            "landed": 5 * number,
            "kept": number,
            "superseded": number,
            "duplicate": number,
            "rejected": number,
            "withdrawn": number,
        }
    return row


def right_rows(table: Table) -> list[dict[str, Any]]:
    count = 6 if table.name == "gold.sentiment_daily" else ROWS
    return [right_row(table, number) for number in range(count)]


def arrow(table: Table, rows: list[dict[str, Any]]) -> pa.Table:
    """Without the declaration's ban on nulls, which storage enforces: here the suite must see them."""
    return pa.Table.from_pylist(rows, schema=pa.schema([pa.field(column.name, column.type) for column in table.columns]))


def column_rules(table: Table) -> list[Broken]:
    """(expectation, column, a value that breaks it) of every rule about single values, worked out from the declaration."""
    rules = RULES[table.name].allowed if table.name in RULES else {}
    found: list[Broken] = []
    for column in table.columns:
        name = column.name
        if name in {"payload", "text", "title", "payload_context", "detail", "sketch"}:
            continue
        if not column.nullable:
            found.append(("expect_column_values_to_not_be_null", name, None))
        if name in HASHES:
            found.append(("expect_column_values_to_match_regex", name, SECRET))
        if name.endswith(("_share", "_share_low", "_share_high", "_probability")) or name == "spam_score":
            found += [("expect_column_values_to_be_between", name, bad) for bad in (-0.01, 1.01)]
        counts = {
            "mentions",
            "unique_texts",
            "distinct_messages",
            "distinct_voices",
            "landed",
            "kept",
            "superseded",
            "duplicate",
            "rejected",
            "withdrawn",
            "listed",
            "likes",
            "shares",
        }
        if name in counts or name.endswith(("_count", "_bytes", "_sources", "_attempts", "_failures", "_rows")):
            found.append(("expect_column_values_to_be_between", name, -1))
        if name == "event_hour":
            found += [("expect_column_values_to_be_between", name, bad) for bad in (-1, 24)]
        if name in rules:
            found.append(("expect_column_values_to_be_in_set", name, SECRET))
    return found


@pytest.mark.parametrize("name", [name for name in TABLES if name != "gold.quality_results"])
def test_a_right_table_passes_and_every_broken_rule_is_found(name: str) -> None:
    table = TABLES[name]
    rows = right_rows(table)
    conform(table, pa.Table.from_pylist(rows, schema=table.schema))
    nulls = [row | {column.name: None for column in table.columns if column.nullable} for row in rows]
    for right in (rows, nulls):
        outcomes = run_suite(table, arrow(table, right))
        assert failures(outcomes) == []
        assert len(outcomes) == len(expectations(table)) > 0
        assert {outcome.checked_rows for outcome in outcomes} == {len(rows)}
    broken_rules = column_rules(table)
    broken = [right_row(table, number % len(rows)) | {column: bad} for number, (_, column, bad) in enumerate(broken_rules)]
    outcomes = run_suite(table, arrow(table, broken))
    for expectation in {expectation for expectation, _, _ in broken_rules}:
        for column in {column for other, column, _ in broken_rules if other == expectation}:
            count = sum(rule[:2] == (expectation, column) for rule in broken_rules)
            (outcome,) = [one for one in outcomes if (one.expectation, one.column) == (expectation, column)]
            assert (outcome.is_success, outcome.unexpected_rows) == (False, count), (expectation, column)
    assert SECRET not in repr(outcomes)


@pytest.mark.parametrize("name", [name for name, table in TABLES.items() if table.key and name != "gold.quality_results"])
def test_a_repeated_key_is_found(name: str) -> None:
    table = TABLES[name]
    first, second = right_row(table, 0), right_row(table, 1)
    (outcome,) = failures(run_suite(table, arrow(table, [first, second, second | {key: first[key] for key in table.key}])))
    assert (outcome.expectation, outcome.column, outcome.unexpected_rows) == (
        "expect_compound_columns_to_be_unique",
        ", ".join(table.key),
        2,
    )


FIGURE_TABLES = [name for name in TABLES if "negative_share_low" in TABLES[name].schema.names]
FIGURE_FAULTS = [
    *[({f"{name}_count": 9}, {"sum_of_sentiment_counts", f"{name}_share_recomputed"}) for name in SENTIMENTS],
    *[({f"{name}_share": 0.5}, {f"{name}_share_recomputed"}) for name in SENTIMENTS],
    *[({f"{name}_share_low": 0.99}, {f"{name}_share_low_at_most_share"}) for name in SENTIMENTS],
    *[({f"{name}_share_high": 0.01}, {f"{name}_share_high_at_least_share"}) for name in SENTIMENTS],
    ({"mentions": 9}, {"sum_of_sentiment_counts", *(f"{name}_share_recomputed" for name in SENTIMENTS)}),
]


@pytest.mark.parametrize(("fault", "checks"), FIGURE_FAULTS)
def test_figures_that_contradict_each_other_are_found(fault: dict[str, Any], checks: set[str]) -> None:
    assert len(FIGURE_TABLES) == 4
    table = TABLES[FIGURE_TABLES[0]]
    found = failures(run_suite(table, arrow(table, [right_row(table, 1), right_row(table, 4) | fault])))
    assert {str(outcome.column).split(", ")[0] for outcome in found} == checks
    assert {(outcome.expectation, outcome.unexpected_rows) for outcome in found} == {(EQUAL, 1)}


@pytest.mark.parametrize("column", ["landed", "kept", "superseded", "duplicate", "rejected", "withdrawn"])
def test_an_account_that_does_not_add_up_is_found(column: str) -> None:
    table = TABLES["gold.accounting"]
    rows = [right_row(table, 3), right_row(table, 4) | {column: right_row(table, 4)[column] + 1}]
    (outcome,) = failures(run_suite(table, arrow(table, rows)))
    assert outcome == Outcome(EQUAL, "accounted_rows, landed", False, 2, 1)


def posts(day: date, numbers: range) -> pa.Table:
    table = TABLES["silver.posts"]
    return arrow(table, [right_row(table, number) | {"event_date": day} for number in numbers])


def test_the_day_that_fails_is_named_and_the_other_is_not() -> None:
    table = TABLES["silver.posts"]
    good, bad = posts(DAY, range(5)), posts(NEXT_DAY, range(5, 9))
    bad = bad.set_column(bad.schema.get_field_index("event_hour"), "event_hour", pa.array([1, 2, 3, 99]))
    found = run_by_day(table, {DAY: good, NEXT_DAY: bad, date(2024, 2, 15): bad.slice(0, 0)})
    assert {day: len(failures(outcomes)) for day, outcomes in found.items()} == {DAY: 0, NEXT_DAY: 1}
    sentence = describe(table.name, NEXT_DAY, failures(found[NEXT_DAY]))
    assert sentence == (
        "silver.posts, event day 2024-02-14: 1 expectations do not hold, nothing was written: "
        "expect_column_values_to_be_between on event_hour: 1 of 4 rows."
    )


def test_days_that_hold_count_their_own_rows() -> None:
    found = run_by_day(TABLES["silver.posts"], {DAY: posts(DAY, range(5)), NEXT_DAY: posts(NEXT_DAY, range(5, 9))})
    assert {day: {(outcome.is_success, outcome.checked_rows) for outcome in outcomes} for day, outcomes in found.items()} == {
        DAY: {(True, 5)},
        NEXT_DAY: {(True, 4)},
    }


def test_one_key_on_two_days_is_a_failure_of_both() -> None:
    found = run_by_day(TABLES["silver.posts"], {DAY: posts(DAY, range(3)), NEXT_DAY: posts(NEXT_DAY, range(2, 5))})
    for outcomes in found.values():
        assert [outcome.expectation for outcome in failures(outcomes)] == ["expect_compound_columns_to_be_unique"]


def test_no_rows_no_outcomes() -> None:
    assert run_suite(TABLES["silver.posts"], TABLES["silver.posts"].schema.empty_table()) == []
    assert run_by_day(TABLES["silver.posts"], {}) == {}


def test_outcomes_become_rows_of_the_results_table() -> None:
    table = TABLES["gold.accounting"]
    outcomes = run_suite(table, arrow(table, [right_row(table, 3) | {"landed": 1}]))
    rows = result_rows(table.name, DAY, outcomes, "run", NOW, is_blocking=False)
    assert conform(TABLES["gold.quality_results"], rows).equals(rows)
    assert rows.num_rows == len(outcomes)
    frame = pl.DataFrame(pl.from_arrow(rows))
    assert frame.filter(~pl.col("is_success")).select("table_name", "column_name", "unexpected_rows", "is_blocking").rows() == [
        ("gold.accounting", "accounted_rows, landed", 1, False)
    ]
    assert SECRET not in repr(rows.to_pylist())


def test_every_reject_reason_has_its_meaning_and_a_stable_code() -> None:
    assert [reason.value for reason in Reason] == [
        "malformed_row",
        "not_an_object",
        "missing_text",
        "empty_text",
        "wrong_type",
        "undecodable",
        "malformed_entry",
        "malformed_document",
        "unreadable_file",
        "unknown_source",
    ]
