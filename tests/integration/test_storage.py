"""Tables on a real object store: what is written, by whom, and what two writers can do to each other."""

import threading
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pytest
from deltalake import DeltaTable
from deltalake.exceptions import CommitFailedError, DeltaError

from lake_config.errors import BadInputError, StoreError
from lake_config.settings import LOCAL_ZONE, Settings, load_settings
from lake_config.storage import ContractError, Lake, Provenance, conform, days_with_many_files, files_by_day
from lake_config.tables import TABLES, table
from tests.integration.clean_lake import empty

pytestmark = pytest.mark.store

NAME = "gold.quality_results"
DECLARED = table(NAME)
DAY, NEXT = date(2024, 2, 13), date(2024, 2, 14)
NOW = datetime(2024, 2, 14, 8, 30, 0, 123456, tzinfo=LOCAL_ZONE)
WHO = Provenance("run-1", NAME, "2024-02-13", "c0de", {"silver.posts": 7, "bronze.exports": 3})


@pytest.fixture
def lake(lake_settings: Settings) -> Lake:
    empty(lake_settings)
    return Lake(lake_settings)


def rows(day: date, *numbers: int) -> pa.Table:
    made = [
        {
            "event_date": day,
            "table_name": "t",
            "expectation": "e",
            "column_name": None if number % 2 else "c",
            "is_success": True,
            "is_blocking": False,
            "checked_rows": number,
            "unexpected_rows": 0,
            "run_id": "r",
            "checked_at": NOW,
        }
        for number in numbers
    ]
    return pa.Table.from_pylist(made, schema=DECLARED.schema)


def numbers(lake: Lake, day: date, at: DeltaTable | None = None) -> list[int]:
    return sorted(lake.day(NAME, day, ["checked_rows"], at)["checked_rows"].to_list())


def test_a_table_is_made_as_declared_and_only_once(lake: Lake) -> None:
    assert not lake.exists(NAME)
    made = lake.open(NAME)
    assert lake.exists(NAME)
    assert (made.version(), lake.open(NAME).version()) == (0, 0)
    assert made.metadata().name == NAME
    assert made.metadata().description == DECLARED.description
    assert made.metadata().partition_columns == list(DECLARED.partition_by)
    assert [(field.name, field.nullable) for field in made.schema().fields] == [
        (column.name, column.nullable) for column in DECLARED.columns
    ]
    with pytest.raises(BadInputError, match=r"gold\.accounting does not exist yet, so it has no version 3"):
        lake.open("gold.accounting", 3)


def test_every_declared_table_takes_and_gives_back_an_empty_batch(lake: Lake) -> None:
    for name, declared in TABLES.items():
        at = lake.open(name)
        lake.append(at, name, declared.schema.empty_table(), WHO, {})
        assert lake.read(name, at.file_uris()).schema == pl.DataFrame(pl.from_arrow(declared.schema.empty_table())).schema


def test_what_is_appended_is_read_back_value_for_value(lake: Lake) -> None:
    at = lake.open(NAME)
    assert lake.append(at, NAME, rows(DAY, 1, 2), WHO, {"position": 5}) == 1
    assert lake.append(at, NAME, rows(NEXT, 3), WHO, {"position": 6}) == 2
    read = lake.day(NAME, DAY).sort("checked_rows")
    assert read.equals(pl.DataFrame(pl.from_arrow(rows(DAY, 1, 2))))
    assert lake.days(NAME, [NEXT, DAY, NEXT], ["event_date", "checked_rows"]).sort("checked_rows").rows() == [(DAY, 1), (DAY, 2), (NEXT, 3)]
    assert lake.day(NAME, date(2024, 2, 15), ["checked_at"]).schema == {"checked_at": pl.Datetime("us", "UTC")}
    assert numbers(lake, NEXT, lake.open(NAME, 1)) == []
    assert numbers(lake, NEXT, lake.open(NAME, 2)) == [3]
    assert (lake.open(NAME, 1).transaction_version("position"), lake.open(NAME).transaction_version("position")) == (5, 6)
    with pytest.raises(BadInputError, match=r"gold\.quality_results has no version 9; its newest is 2"):
        lake.open(NAME, 9)


def test_every_commit_says_who_made_it_from_what(lake: Lake) -> None:
    at = lake.open(NAME)
    lake.append(at, NAME, rows(DAY, 1), WHO, {})
    lake.overwrite_day(at, NAME, DAY, rows(DAY, 2), replace(WHO, run_id="run-2"), {})
    newest, older = lake.open(NAME).history(2)
    assert {key: value for key, value in older.items() if key.startswith("lake.")} == {
        "lake.run_id": "run-1",
        "lake.asset_key": NAME,
        "lake.partition": "2024-02-13",
        "lake.code_version": "c0de",
        "lake.inputs": '{"bronze.exports": 3, "silver.posts": 7}',
    }
    assert newest["lake.run_id"] == "run-2"


def test_of_two_writers_that_reach_one_position_the_second_is_refused(lake: Lake) -> None:
    first, second = lake.open(NAME), lake.open(NAME)
    lake.append(first, NAME, rows(DAY, 1), WHO, {"cursor": 1})
    with pytest.raises(CommitFailedError):
        lake.append(second, NAME, rows(DAY, 2), WHO, {"cursor": 1})
    with pytest.raises(CommitFailedError):
        lake.append(lake.open(NAME, 0), NAME, rows(NEXT, 2), WHO, {"other": 1, "cursor": 9})
    assert numbers(lake, DAY) == [1]
    assert numbers(lake, NEXT) == []
    assert lake.open(NAME).transaction_version("cursor") == 1
    # Whoever starts from what the first one left may go on; another position was free all along.
    lake.append(lake.open(NAME), NAME, rows(DAY, 2), WHO, {"cursor": 2})
    lake.append(lake.open(NAME, 0), NAME, rows(DAY, 3), WHO, {"other": 1})
    assert numbers(lake, DAY) == [1, 2, 3]


def test_of_many_writers_at_once_one_reaches_the_position_and_the_rest_are_told(lake: Lake) -> None:
    start = threading.Barrier(6)
    outcomes: list[str] = []

    def write(number: int) -> None:
        at = Lake(lake.settings).open(NAME)
        start.wait()
        try:
            lake.append(at, NAME, rows(DAY, number), WHO, {"cursor": 1})
            outcomes.append("won")
        except CommitFailedError:
            outcomes.append("refused")

    lake.open(NAME)
    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["refused"] * 5 + ["won"]
    assert len(numbers(lake, DAY)) == 1


def test_writers_without_a_common_position_all_get_through(lake: Lake) -> None:
    lake.open(NAME)
    threads = [
        threading.Thread(target=lambda n=number: lake.append(Lake(lake.settings).open(NAME), NAME, rows(DAY, n), WHO, {f"file-{n}": 1}))
        for number in range(6)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers(lake, DAY) == list(range(6))


def test_overwriting_days_replaces_them_in_one_commit_and_touches_no_other(lake: Lake) -> None:
    third = date(2024, 2, 15)
    at = lake.open(NAME)
    for day in (DAY, NEXT, third):
        lake.append(at, NAME, rows(day, 1, 2, 3), WHO, {})
    before = files_by_day(at)
    version = lake.overwrite_days(at, NAME, {DAY: rows(DAY, 9), third: rows(third)}, WHO, {"p": 4})
    assert version == 4 == lake.open(NAME).version()
    assert (numbers(lake, DAY), numbers(lake, NEXT), numbers(lake, third)) == ([9], [1, 2, 3], [])
    assert files_by_day(at)[NEXT] == before[NEXT]
    assert numbers(lake, DAY, lake.open(NAME, 3)) == [1, 2, 3]
    assert lake.open(NAME).transaction_version("p") == 4
    assert lake.overwrite_days(at, NAME, {}, WHO, {}) == 4


def test_rows_that_came_meanwhile_are_not_swept_away_unseen(lake: Lake) -> None:
    at = lake.open(NAME)
    lake.append(at, NAME, rows(DAY, 1), WHO, {})
    stale = lake.open(NAME)
    lake.append(at, NAME, rows(DAY, 2), WHO, {})
    with pytest.raises(CommitFailedError):
        lake.overwrite_day(stale, NAME, DAY, rows(DAY, 9), WHO, {})
    assert numbers(lake, DAY) == [1, 2]


def test_rows_outside_the_days_being_replaced_are_refused(lake: Lake) -> None:
    at = lake.open(NAME)
    with pytest.raises(DeltaError):
        lake.overwrite_day(at, NAME, DAY, rows(NEXT, 1), WHO, {})
    assert numbers(lake, NEXT) == []


def column(name: str, values: Any) -> pa.Table:
    data = rows(DAY, 1, 2)
    return data.set_column(data.schema.get_field_index(name), name, values)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (rows(DAY, 1).drop_columns(["run_id", "checked_at"]), r"columns missing \['run_id', 'checked_at'\], not declared \[\]"),
        (rows(DAY, 1).append_column("extra", pa.array([1])), r"columns missing \[\], not declared \['extra'\]"),
        (column("run_id", pa.array(["a", None])), r"gold\.quality_results\.run_id: 1 of 2 values are null"),
        (column("checked_rows", pa.array(["1", "many"])), r"gold\.quality_results\.checked_rows: cannot become int64"),
        (column("checked_rows", pa.array([1.5, 2.0])), r"checked_rows: cannot become int64"),
        (column("run_id", pa.array([[1], [2]])), r"run_id: cannot become string"),
        (column("event_date", pa.array([True, False])), r"event_date: cannot become date32"),
    ],
)
def test_data_that_break_the_declaration_are_refused_by_table_and_column(lake: Lake, data: pa.Table, sentence: str) -> None:
    at = lake.open(NAME)
    with pytest.raises(ContractError, match=sentence):
        lake.append(at, NAME, data, WHO, {})
    assert lake.open(NAME).version() == 0


def test_other_types_of_the_same_meaning_and_another_order_become_the_declared_ones() -> None:
    data = rows(DAY, 1, 2)
    odd = data.select(data.column_names[::-1]).cast(
        pa.schema(
            [
                pa.field(field.name, {pa.string(): pa.large_string(), pa.int64(): pa.int32()}.get(field.type, field.type), nullable=True)
                for field in reversed(data.schema)
            ]
        )
    )
    assert conform(DECLARED, odd).equals(data)
    assert conform(DECLARED, column("column_name", pa.nulls(2))).schema == DECLARED.schema


def test_days_in_many_files_are_found_from_the_log(lake: Lake) -> None:
    at = lake.open(NAME)
    assert days_with_many_files(at) == []
    assert files_by_day(at) == {}
    lake.append(at, NAME, pa.concat_tables([rows(DAY, 1), rows(NEXT, 2, 3)]), WHO, {})
    assert days_with_many_files(at) == []
    lake.append(at, NAME, rows(NEXT, 4), WHO, {})
    assert days_with_many_files(at) == [NEXT]
    assert {day: sorted(files.values()) for day, files in files_by_day(at).items()} == {DAY: [1], NEXT: [1, 2]}


def test_the_days_that_commits_added_are_known(lake: Lake) -> None:
    at = lake.open(NAME)
    for offset in range(3):
        lake.append(at, NAME, rows(DAY + timedelta(days=offset), 1), WHO, {})
    assert lake.days_added(NAME, None, at) == {DAY, NEXT, date(2024, 2, 15)}
    assert lake.days_added(NAME, 1, at) == {NEXT, date(2024, 2, 15)}
    assert lake.days_added(NAME, 3, at) == set()


@pytest.mark.parametrize("identity", ["bi", "collector"])
def test_an_identity_without_the_right_cannot_write(lake: Lake, identity: str) -> None:
    lake.append(lake.open(NAME), NAME, rows(DAY, 1), WHO, {})
    other = Lake(lake.settings, identity)
    if identity == "bi":
        assert numbers(other, DAY) == [1]
    with pytest.raises((DeltaError, OSError, StoreError)):
        other.append(other.open(NAME), NAME, rows(DAY, 2), WHO, {})
    assert numbers(lake, DAY) == [1]


def test_a_store_that_does_not_answer_is_one_sentence(tmp_path: Path) -> None:
    environment = {"LAKE_S3_ENDPOINT": "http://127.0.0.1:9", "LAKE_S3_KEY": "k", "LAKE_S3_SECRET": "s" * 12}
    gone = load_settings({"LAKE_HOME": str(tmp_path), **environment})
    for ask in (lambda: Lake(gone).open(NAME), lambda: Lake(gone).exists(NAME)):
        with pytest.raises(StoreError, match=r"^The object store at http://127\.0\.0\.1:9 does not answer .*lake status") as told:
            ask()
        assert "\n" not in str(told.value)
