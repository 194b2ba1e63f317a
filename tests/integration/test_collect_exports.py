"""Export files against a real store: every line lands once, whatever happens on the way."""

import gzip
import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import polars as pl
import pytest

from assets.bronze import exports
from assets.bronze.export_packing import ENDINGS
from assets.bronze.landing import CollectReport
from lake_config.registry import load_registry
from lake_config.settings import Settings
from lake_config.storage import Lake, Provenance
from lake_config.tables import TABLES
from orchestration.demo_city import generate
from quality.runner import failures, run_suite
from tests.integration.clean_lake import Interrupted, KilledError, deliver, empty, kill, landed, log, put
from tests.unit.test_assets_export_workbook import workbook

pytestmark = pytest.mark.store

NOW = datetime(2024, 3, 1, 3, 0, tzinfo=UTC)
DELIVERIES = [source for source in load_registry().sources if source.group in {"demo", "upload"} and source.connector == "exports"]
WHO = Provenance("run", "bronze.exports", "2024-03-01", "code", {})


@pytest.fixture
def lake(lake_settings: Settings) -> Lake:
    empty(lake_settings)
    return Lake(lake_settings)


def take_in(lake: Lake, days: float = 0) -> CollectReport:
    return exports.collect(lake, DELIVERIES, WHO, lambda: NOW + timedelta(days=days))


def test_three_rounds_of_deliveries_land_every_line(lake: Lake) -> None:
    city = generate(scale=0.05)
    lines: Counter[bytes] = Counter()
    for round_ in (1, 2, 3):
        deliver(lake, city, round_)
        lines.update(line for file in city.files if file.release_round == round_ for line in file.lines if line.strip())
        report = take_in(lake, round_)
        assert report.failures == []
        rows = landed(lake, "exports")
        assert Counter(rows["payload"].to_list()) == lines
        version = lake.open("bronze.exports").version()
        assert take_in(lake, round_ + 0.5).landed == 0
        assert lake.open("bronze.exports").version() == version
    assert failures(run_suite(TABLES["bronze.exports"], rows.to_arrow())) == []
    # A post that comes again, edited or not, stays on the day under which it came first.
    by_post = rows.group_by("source_id", "native_id").agg(pl.col("event_date").n_unique(), pl.len())
    assert by_post["event_date"].max() == 1
    assert by_post["len"].max() > 1
    assert log(lake)["landed"].sum() == len(rows)


def test_what_belongs_to_no_source_or_format_waits_and_is_reported(lake: Lake) -> None:
    good = b'{"id": 1, "text": "a"}\n'
    for key in (
        "exports/nobody/a.jsonl",
        "exports/upload/b.docx",
        "exports/upload/noending",
        "exports/loose.jsonl",
        "exports/upload/c.JSONL",
    ):
        put(lake, key, good)
    for _ in range(2):
        report = take_in(lake)
        assert {(attempt.source_id, attempt.detail) for attempt in report.failures} == {
            ("nobody", "landing/exports/nobody/a.jsonl waits: its folder is no source id that is being collected"),
            ("loose.jsonl", "landing/exports/loose.jsonl waits: its folder is no source id that is being collected"),
            ("upload", f"landing/exports/upload/b.docx waits: its ending is none of {', '.join(ENDINGS)}"),
            ("upload", f"landing/exports/upload/noending waits: its ending is none of {', '.join(ENDINGS)}"),
        }
        assert {attempt.outcome for attempt in report.failures} == {"refused"}
    assert len(landed(lake, "exports")) == 1
    assert len(log(lake)) == 9


def test_a_map_comes_with_the_file_and_an_unreadable_one_is_one_row(lake: Lake) -> None:
    put(lake, "exports/upload/mapped.csv", "Mã;Lời\n7;xin chào\n".encode(), {"column-map": quote(json.dumps({"text": "Lời", "id": "Mã"}))})
    put(lake, "exports/upload/no-text.csv", b"a;b\n1;2\n")
    put(lake, "exports/upload/broken.parquet", b"PAR1 nothing")
    put(lake, "exports/upload/half.csv", "id,text\n1,a\n".encode("utf-16")[:-1])
    put(lake, "exports/upload/empty.jsonl", b"")
    report = take_in(lake)
    assert {attempt.outcome for attempt in report.attempts} == {"ok", "unreadable"}
    rows = landed(lake, "exports")
    assert sorted(rows.select("native_id", "payload_format").iter_rows()) == [
        ("1", "csv_record"),
        ("7", "csv_record"),
        ("file:exports/upload/broken.parquet", "file"),
        ("file:exports/upload/no-text.csv", "file"),
    ]
    assert take_in(lake).attempts == []


def test_packed_files_and_workbooks_land_their_rows_and_damaged_ones_say_where(lake: Lake) -> None:
    rows = [{"id": str(n), "text": f"bài {n}"} for n in range(300)]
    content = b"\n".join(json.dumps(row).encode() for row in rows)
    put(lake, "exports/upload/a.jsonl.gz", gzip.compress(content))
    put(lake, "exports/upload/b.jsonl.gz", gzip.compress(content)[:-20])
    put(lake, "exports/upload/c.xlsx", workbook({"Ghi chú": [["gửi phòng"]], "Ý kiến": [["id", "text"], ["x-1", "một"]]}))
    put(lake, "exports/upload/d.xlsx", b"PK no workbook")
    report = take_in(lake)
    assert sorted((attempt.outcome, attempt.landed) for attempt in report.attempts) == [
        ("ok", 2),
        ("ok", 300),
        ("unreadable", 1),
        ("unreadable", 1),
    ]
    details = sorted(str(attempt.detail) for attempt in report.failures)
    assert details[0].startswith("landing/exports/upload/b.jsonl.gz: It is not readable gzip beyond ")
    assert details[1].startswith("landing/exports/upload/d.xlsx: The file is no readable .xlsx workbook")
    found = landed(lake, "exports")
    assert Counter(found["payload_format"].to_list()) == {"jsonl_line": 300, "xlsx_row": 2, "file": 2}
    assert b"\n".join(found.filter(pl.col("payload_format") == "jsonl_line").sort("row_number")["payload"].to_list()) == content
    assert take_in(lake).attempts == []


def test_lone_surrogates_in_a_row_do_not_stop_a_file(lake: Lake) -> None:
    put(lake, "exports/upload/a.jsonl", b'{"id": "\\ud800", "text": "a", "url": "\\udfff", "date": "\\ud800"}\n{"id": 0, "text": "b"}\n')
    assert take_in(lake).landed == 2
    assert landed(lake, "exports")["native_id"].to_list() == ["\\ud800", "0"]


def test_rows_without_id_are_named_by_their_bytes_in_the_file(lake: Lake) -> None:
    put(lake, "exports/upload/a.jsonl", b'{"text": "ok"}\n{"text": "ok"}\n{"text": "other"}\n')
    take_in(lake)
    put(lake, "exports/upload/b.jsonl", b'{"text": "other"}\n{"text": "ok"}\n{"text": "ok"}\n')
    take_in(lake, 1)
    rows = landed(lake, "exports")
    names = rows["native_id"].to_list()
    assert len(set(names[:3])) == 3
    assert set(names[:3]) == set(names[3:])
    assert rows["event_date"].n_unique() == 1


def test_a_file_put_again_with_other_bytes_is_another_file(lake: Lake) -> None:
    put(lake, "exports/upload/a.jsonl", b'{"id": 1, "text": "first"}\n')
    assert take_in(lake).landed == 1
    put(lake, "exports/upload/a.jsonl", b'{"id": 1, "text": "second"}\n{"id": 2, "text": "more"}\n')
    assert take_in(lake, 1).landed == 2
    assert take_in(lake, 2).landed == 0


@pytest.mark.parametrize("at_append", [1, 2, 4])
def test_a_file_goes_on_where_a_killed_collector_stopped(lake: Lake, monkeypatch: pytest.MonkeyPatch, at_append: int) -> None:
    monkeypatch.setattr(exports, "_CHUNK_ROWS", 10)
    lines = [json.dumps({"text": f"bài {n}", "id": n if n % 3 else None}).encode() for n in range(35)]
    put(lake, "exports/upload/a.jsonl", b"\n".join(lines))
    with pytest.raises(KilledError):
        take_in(Interrupted(lake.settings, kill, at_append=at_append))
    assert len(landed(lake, "exports")) == 10 * (at_append - 1)
    assert take_in(lake, 1).landed == 35 - 10 * (at_append - 1)
    rows = landed(lake, "exports")
    assert sorted(rows["payload"].to_list()) == sorted(lines)
    assert rows["native_id"].n_unique() == 35


def test_two_collectors_on_one_file_land_it_once(lake: Lake, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exports, "_CHUNK_ROWS", 10)
    lines = [json.dumps({"text": f"bài {n}"}).encode() for n in range(35)]
    put(lake, "exports/upload/a.jsonl", b"\n".join(lines))
    put(lake, "exports/upload/b.jsonl", b"")
    reports: list[CollectReport] = []
    report = take_in(Interrupted(lake.settings, lambda: reports.append(take_in(lake)), at_append=2))
    assert report.yielded
    assert report.landed + reports[0].landed == 35
    assert sorted(landed(lake, "exports")["payload"].to_list()) == sorted(lines)


def test_two_collectors_on_an_empty_file_do_not_fail(lake: Lake) -> None:
    put(lake, "exports/upload/b.jsonl", b"")
    report = take_in(Interrupted(lake.settings, lambda: take_in(lake)))
    assert (report.yielded, report.landed) == (True, 0)
    assert take_in(lake).attempts == []


def test_the_body_of_an_object_is_read_whole(lake: Lake) -> None:
    content = b"\n".join(json.dumps({"id": n, "text": "x" * 1000}).encode() for n in range(3000))
    put(lake, "exports/upload/large.jsonl", content)
    assert take_in(lake).landed == 3000
    assert b"\n".join(landed(lake, "exports")["payload"].to_list()) == content
