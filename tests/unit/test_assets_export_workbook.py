"""Workbooks as agencies send them: titles above headers, several sheets, dates, numbers, holes, and bombs."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, time
from typing import Any

import pytest
from openpyxl import Workbook

from assets.bronze.export_packing import MAX_UNPACKED_BYTES, rows_of_file
from assets.bronze.export_rows import parse_row
from assets.bronze.export_workbook import HEADER_ROWS, MAX_SHEET_ROWS, check_archive
from assets.silver.parse import Parsed, Refused, parse_all
from assets.times import parse_time
from lake_config.errors import BadInputError
from quality.rejects import Reason

HEADER = ["Mã", "Nội dung", "Ngày đăng", "likes"]


def workbook(sheets: Mapping[str, Sequence[Sequence[Any]]]) -> bytes:
    book = Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    buffer = io.BytesIO()
    book.save(buffer)
    return buffer.getvalue()


def changed(data: bytes, name: str, change: Any) -> bytes:
    """The workbook with one part of its archive changed."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(data)) as old, zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as new:
        for part in old.infolist():
            content = old.read(part)
            new.writestr(part.filename, change(content) if part.filename == name else content)
    return buffer.getvalue()


def read(data: bytes, given: dict[str, str] | None = None) -> list[dict[str, Any]]:
    payload_format, context, payloads = rows_of_file("a.xlsx", data, given)
    return [parse_row(payload, payload_format, json.loads(context)) for payload in payloads]


def parsed(data: bytes) -> list[Parsed | Refused]:
    payload_format, context, payloads = rows_of_file("a.xlsx", data)
    return parse_all({"payload": payload, "payload_format": payload_format, "payload_context": context} for payload in payloads)


def test_a_report_with_titles_holes_and_dates_gives_its_rows() -> None:
    moment = datetime(2024, 2, 3, 8, 30)  # noqa: DTZ001 - cells carry no zone
    data = workbook(
        {
            "Ý kiến": [
                ["BÁO CÁO TỔNG HỢP Ý KIẾN NGƯỜI DÂN"],
                [],
                ["Kỳ báo cáo", None, "Tháng 2"],
                ["id", *HEADER[1:]],
                [],
                [123456789012345, "Đường ngập\nnửa mét", moment, 3.0],
                [None, "  ", None],
                ["p-2", "Xe buýt đông", "03/02/2024 18:05", 0],
            ]
        }
    )
    rows = read(data)
    assert rows == [
        {"id": 123456789012345, "text": "Đường ngập\nnửa mét", "published_at": "2024-02-03T08:30:00", "likes": 3},
        {"id": "p-2", "text": "Xe buýt đông", "published_at": "03/02/2024 18:05", "likes": 0},
    ]
    assert parse_time(rows[0]["published_at"]) == datetime(2024, 2, 3, 1, 30, tzinfo=UTC)
    assert [row.likes for row in parsed(data) if isinstance(row, Parsed)] == [3, 0]


def test_each_sheet_has_its_own_header_and_empty_ones_count_for_nothing() -> None:
    data = workbook(
        {
            "A": [["id", "text"], [1, "một"]],
            "Trống": [],
            "B": [["Comment", "Tác giả", "id"], ["hai", "An", 2]],
            "C": [["id", "nội dung"]],
        }
    )
    assert read(data) == [{"id": 1, "text": "một"}, {"id": 2, "text": "hai", "author": "An", "kind": "comment"}]


def test_a_map_names_the_columns() -> None:
    data = workbook({"A": [["STT", "Lời dân"], [1, "một"]]})
    assert read(data, {"text": "Lời dân", "id": "STT"}) == [{"id": 1, "text": "một"}]
    with pytest.raises(BadInputError, match="'txet' is no column of the contract"):
        read(data, {"txet": "Lời dân"})


def test_a_sheet_without_header_is_one_reject_that_names_it_and_the_rows_of_the_others_land() -> None:
    notes = [[f"ghi chú {n}", n] for n in range(HEADER_ROWS + 5)]
    made = parsed(workbook({"Ghi chú": notes, "Ý kiến": [["id", "text"], [1, "một"]], "Ngắn": [["a"], ["b"]]}))
    texts = [one.text for one in made if isinstance(one, Parsed)]
    refused = [one for one in made if isinstance(one, Refused)]
    assert texts == ["một"]
    assert [(one.reason, one.detail.split(":")[0]) for one in refused] == [
        (Reason.MALFORMED_ROW, f"sheet 'Ghi chú', row {HEADER_ROWS}"),
        (Reason.MALFORMED_ROW, "sheet 'Ngắn', row 2"),
    ]


def test_a_workbook_without_any_rows_of_posts_is_refused() -> None:
    with pytest.raises(
        BadInputError, match=r"No sheet of the workbook holds rows of posts: sheet 'A', row 2: no cell .* --map text=Comment"
    ):
        read(workbook({"A": [["a", "b"], [1, 2]]}))


def test_cells_under_no_name_and_under_a_second_name_stay_with_the_row() -> None:
    _, _, payloads = rows_of_file("a.xlsx", workbook({"A": [["text", "id", "text"], ["một", 1, "hai", time(8, 30)]]}))
    assert [json.loads(payload) for payload in payloads] == [{"text": "một", "id": 1, "column C": "hai", "column D": "08:30:00"}]


def test_cells_of_a_wrong_kind_are_rejects_or_fall_back() -> None:
    data = workbook({"A": [["id", "text", "date", "likes"], [1, 5, None, None], [2, "#REF!", "hôm qua", "nhiều"], [3, None, None, 1]]})
    made = parsed(data)
    assert [one.reason for one in made if isinstance(one, Refused)] == [Reason.WRONG_TYPE, Reason.MISSING_TEXT]
    assert [one.likes for one in made if isinstance(one, Parsed)] == [None]


def test_a_sheet_that_is_cut_off_gives_the_rows_before_and_says_where() -> None:
    data = workbook({"A": [["id", "text"], *([n, f"bài {n}"] for n in range(2, 500))], "B": [["text"], ["đủ"]]})
    made = parsed(changed(data, "xl/worksheets/sheet1.xml", lambda part: part[: len(part) // 2]))
    texts = [one.text for one in made if isinstance(one, Parsed)]
    refused = [one for one in made if isinstance(one, Refused)]
    assert texts[-1] == "đủ"
    assert texts[:-1] == [f"bài {n}" for n in range(2, len(texts) + 1)]
    assert 100 < len(texts) < 400
    (one,) = refused
    assert one.detail.startswith("sheet 'A', row ")
    assert "not readable" in one.detail


@pytest.mark.parametrize("name", ["xl/workbook.xml", "xl/worksheets/sheet1.xml", "xl/styles.xml", "[Content_Types].xml"])
@pytest.mark.parametrize("content", [b"", b"<", b"<a/>", b"\xff\xfe"])
def test_damaged_parts_never_do_more_than_refuse(name: str, content: bytes) -> None:
    data = changed(workbook({"A": [["id", "text"], [1, "một"]]}), name, lambda _: content)
    try:
        rows = read(data)
    except BadInputError as error:
        assert "workbook" in str(error)  # noqa: PT017  not every part is needed
    else:
        assert len(rows) <= 1


def test_a_row_number_beyond_excels_own_does_not_run_for_ever() -> None:
    data = workbook({"A": [["id", "text"], [1, "một"]]})
    far = changed(
        data, "xl/worksheets/sheet1.xml", lambda part: part.replace(b'<row r="2"', b'<row r="99999999999"').replace(b'"A2"', b'"A9"')
    )
    with pytest.raises(BadInputError, match=rf"sheet 'A', row {MAX_SHEET_ROWS + 1}: a sheet ends"):
        read(far)


def test_bombs_are_refused_before_they_go_off() -> None:
    data = workbook({"A": [["id", "text"], [1, "một"]]})
    bomb = changed(data, "xl/styles.xml", lambda _: bytes(MAX_UNPACKED_BYTES // 16))
    with pytest.raises(BadInputError, match="unpacks to more than"):
        check_archive(bomb, MAX_UNPACKED_BYTES // 16)
    entities = b'<!DOCTYPE a [<!ENTITY a "' + b"x" * 1000 + b'"><!ENTITY b "' + b"&a;" * 100 + b'"><!ENTITY c "' + b"&b;" * 1000 + b'">]>'
    laughs = changed(
        data,
        "xl/worksheets/sheet1.xml",
        lambda part: part.replace(b"<worksheet", entities + b"<worksheet", 1).replace(b"<v>1<", b"<v>&c;<"),
    )
    with pytest.raises(BadInputError, match="sheet 'A'"):
        read(laughs)


def test_texts_in_one_shared_list_as_excel_writes_them() -> None:
    data = workbook({"A": [["id", "text"], [1, "một"]]})
    inline, shared = b't="inlineStr"><is><t>m&#7897;t</t></is>', b't="s"><v>0</v>'
    strings = '<r><t>m\u1ed9t</t></r><r><t xml:space="preserve"> hai</t></r>'
    buffer = io.BytesIO(changed(data, "xl/worksheets/sheet1.xml", lambda part: part.replace(inline, shared)))
    kind = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"
    override = b'<Override PartName="/xl/sharedStrings.xml" ContentType="' + kind + b'"/></Types>'
    buffer = io.BytesIO(changed(buffer.getvalue(), "[Content_Types].xml", lambda part: part.replace(b"</Types>", override)))
    with zipfile.ZipFile(buffer, "a") as archive:
        archive.writestr(
            "xl/sharedStrings.xml", f'<sst xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><si>{strings}</si></sst>'
        )
    assert read(buffer.getvalue()) == [{"id": 1, "text": "một hai"}]


def test_a_part_that_lies_about_its_size_is_refused() -> None:
    data = bytearray(workbook({"A": [["id", "text"], *([n, "một hai ba bốn năm"] for n in range(2000))]}))
    place = data.rindex(b"PK\x01\x02", 0, data.rindex(b"xl/worksheets/sheet1.xml"))
    data[place + 24 : place + 28] = (100).to_bytes(4, "little")
    with pytest.raises(BadInputError, match="no readable"):
        read(bytes(data))
