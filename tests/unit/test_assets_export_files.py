"""Export files as bytes: cut into raw rows, and each row read under canonical names."""

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.export_files import ALIASES, column_map, matched_row, rows_of
from assets.bronze.export_rows import parse_row, row_items
from assets.silver.parse import Refused, parse_all
from lake_config.errors import BadInputError
from quality.rejects import Reason

HEADER = "id,text,likes"


def read(data: bytes, file_format: str, given: dict[str, str] | None = None) -> list[dict[str, Any]]:
    payload_format, context, payloads = rows_of(data, file_format, given)
    return [parse_row(payload, payload_format, json.loads(context)) for payload in payloads]


def parquet(columns: dict[str, Any] | pa.Table) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(columns if isinstance(columns, pa.Table) else pa.table(columns), buffer)
    return buffer.getvalue()


@pytest.mark.parametrize(("canonical", "alias"), [(canonical, alias) for canonical, names in ALIASES.items() for alias in names])
def test_every_alias_in_any_case_means_its_column(canonical: str, alias: str) -> None:
    others = {"text": "nội dung bài"} if canonical != "text" else {}
    row = {alias.upper(): "giá trị", **others}
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, list(row))
    writer.writeheader()
    writer.writerow(row)
    for data, file_format in (
        (json.dumps(row).encode(), "jsonl"),
        (buffer.getvalue().encode(), "csv"),
        (parquet({name: [value] for name, value in row.items()}), "parquet"),
    ):
        (found,) = read(data, file_format)
        assert found[canonical] == "giá trị"


def test_the_earlier_listed_alias_wins_and_a_map_goes_before_all() -> None:
    names = ["Comment", "content", "created_at", "date", "extra"]
    assert column_map(names) == {"text": "content", "published_at": "created_at"}
    assert column_map(names, {"text": "extra", "published_at": "date"}) == {"text": "extra", "published_at": "date"}


def test_a_map_leaves_the_aliases_of_other_columns_in_force() -> None:
    row = {"msg": "chào", "ID": 7, "author": "An", "text": "không phải"}
    wanted = {"text": "chào", "id": 7, "author": "An"}
    assert read(json.dumps(row).encode(), "jsonl", {"text": "msg"}) == [wanted]
    assert read(parquet({name: [value] for name, value in row.items()}), "parquet", {"text": "msg"}) == [wanted]
    assert read(b"msg,ID,author,text\nx,7,An,y\n", "csv", {"text": "msg"}) == [{"text": "x", "id": "7", "author": "An"}]


@pytest.mark.parametrize("file_format", ["jsonl", "csv", "parquet"])
def test_a_map_to_no_canonical_column_is_refused(file_format: str) -> None:
    data = {"jsonl": b'{"text": "a"}', "csv": b"text\na\n", "parquet": parquet({"text": ["a"]})}[file_format]
    with pytest.raises(BadInputError, match=r"--map txet=text: 'txet' is no column of the contract; known: id, text"):
        rows_of(data, file_format, {"txet": "text"})


@pytest.mark.parametrize("file_format", ["csv", "parquet"])
def test_a_file_whose_header_gives_no_text_is_refused(file_format: str) -> None:
    data = b"a;b\n1;2\n" if file_format == "csv" else parquet({"a": [1], "b": [2]})
    with pytest.raises(BadInputError, match="No column gives the text; the file has: a, b"):
        rows_of(data, file_format)
    with pytest.raises(BadInputError, match="has no column 'c'; it has: a, b"):
        rows_of(data, file_format, {"text": "c"})


def test_a_comment_column_makes_comments() -> None:
    assert read(b"id,Comment\n1,hay\n", "csv") == [{"id": "1", "text": "hay", "kind": "comment"}]
    assert read(b"id,Comment,kind\n1,hay,post\n", "csv") == [{"id": "1", "text": "hay", "kind": "post"}]


def test_json_lines_are_kept_byte_for_byte() -> None:
    lines = [b'{"id": 1,  "text":"a"}', b"not json", b'{"id": 2}\r', b"\xff\xfe\x80"]
    for order in (lines, lines[::-1]):
        for data in (b"\n".join(order), b"\xef\xbb\xbf" + b"\n".join(order) + b"\n\n  \n"):
            payload_format, _, payloads = rows_of(data, "jsonl")
            assert payload_format == "jsonl_line"
            assert list(payloads) == order


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be"])
def test_byte_order_marks_and_utf_16(encoding: str) -> None:
    bom = {"utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}.get(encoding, b"")
    table = "id\ttext\n1\tĐường ngập\n2\tđã khô\n"
    wanted = [{"id": "1", "text": "Đường ngập"}, {"id": "2", "text": "đã khô"}]
    assert read(bom + table.encode(encoding), "csv") == wanted
    lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in wanted)
    assert read(bom + lines.encode(encoding), "jsonl") == wanted


def test_utf_16_cut_in_the_middle_of_a_letter_still_gives_its_rows() -> None:
    data = "id,text\n1,một\n2,hai\n".encode("utf-16")[:-1]
    assert read(data, "csv")[0] == {"id": "1", "text": "một"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_quotes_line_breaks_and_the_delimiter_inside_a_field(delimiter: str) -> None:
    texts = ['nói "hay"', f"một{delimiter}hai", "dòng một\ndòng hai\r\ndòng ba", " đầu", "bình thường"]
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerow(["id", "text", "likes"])
    writer.writerows([[n, text, n] for n, text in enumerate(texts)])
    data = buffer.getvalue().encode()
    payloads = list(rows_of(data, "csv")[2])
    assert all(payload in data for payload in payloads)
    assert [row["text"] for row in read(data, "csv")] == texts


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_every_line_end_and_blank_lines(line_end: str) -> None:
    data = line_end.join([HEADER, "1,a,5", "", "2,b,", ""]).encode()
    assert read(data, "csv") == [{"id": "1", "text": "a", "likes": "5"}, {"id": "2", "text": "b"}]


@pytest.mark.parametrize(("row", "count"), [("1,a", 2), ("1,a,5,6", 4), ("1,a,5,", 4)])
def test_a_ragged_row_is_an_error_of_that_row_alone(row: str, count: int) -> None:
    payload_format, context, payloads = rows_of(f"{HEADER}\n{row}\n2,b,7\n".encode(), "csv")
    ragged, good = payloads
    with pytest.raises(ValueError, match=f"{count} fields where the header has 3"):
        parse_row(ragged, payload_format, json.loads(context))
    assert parse_row(good, payload_format, json.loads(context)) == {"id": "2", "text": "b", "likes": "7"}


def test_bytes_that_are_no_utf_8_stay_as_they_came() -> None:
    payload_format, context, payloads = rows_of(b"id,text\n1,\xff\xfebad\n2,ok\n", "csv")
    bad, good = payloads
    assert bad == b"1,\xff\xfebad"
    with pytest.raises(UnicodeDecodeError):
        parse_row(bad, payload_format, json.loads(context))
    assert parse_row(good, payload_format, json.loads(context))["text"] == "ok"


def test_a_field_over_the_limit_costs_its_own_row_only() -> None:
    huge = b'1,"' + b"x" * (17 * 1024 * 1024) + b'",5\n'
    payload_format, context, payloads = rows_of(HEADER.encode() + b"\n0,a,1\n" + huge + b"2,b,7\n", "csv")
    first, over, last = payloads
    assert over == huge.rstrip(b"\n")
    with pytest.raises(ValueError, match="field limit"):
        parse_row(over, payload_format, json.loads(context))
    assert [parse_row(row, payload_format, json.loads(context))["id"] for row in (first, last)] == ["0", "2"]


def test_a_quote_that_never_closes_loses_no_bytes() -> None:
    payloads = list(rows_of(b'id,text\n1,"never closed\n2,b\n', "csv")[2])
    assert payloads == [b'1,"never closed\n2,b']


def test_of_two_columns_of_one_name_the_first_counts() -> None:
    assert read(b"text,text,id\nfirst,second,1\n", "csv") == [{"text": "first", "id": "1"}]
    twice = pa.Table.from_arrays([pa.array(["first"]), pa.array(["second"])], names=["text", "text"])
    assert read(parquet(twice), "parquet") == [{"text": "first"}]


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf"])
def test_empty_files(data: bytes) -> None:
    with pytest.raises(BadInputError, match="empty"):
        rows_of(data, "csv")
    assert read(data, "jsonl") == []
    with pytest.raises(BadInputError, match="not readable Parquet"):
        rows_of(data, "parquet")


def test_files_with_a_header_only() -> None:
    assert read(HEADER.encode(), "csv") == []
    assert read(parquet({"text": pa.array([], pa.string())}), "parquet") == []


@pytest.mark.parametrize("data", [b"PK\x03\x04\x00\x00text", parquet({"text": ["a"]}), b"id,text\n\x00\x00"])
def test_binary_is_not_csv(data: bytes) -> None:
    with pytest.raises(BadInputError, match="NUL bytes"):
        rows_of(data, "csv")


def test_parquet_of_odd_types_gives_plain_values() -> None:
    moment = datetime(2024, 2, 13, 1, 0, tzinfo=UTC)
    table = pa.table(
        {
            "text": pa.array(["có dấu", None]),
            "id": pa.array([2**60, 2]),
            "created_at": pa.array([moment, None], pa.timestamp("ns", "Asia/Ho_Chi_Minh")),
            "likes": pa.array([Decimal("12"), Decimal("0")]),
            "user": pa.array([{"name": "An", "tags": ["a"]}, None]),
            "title": pa.array([b"ti\xe1\xba\xbfng", b"\xff"]),
            "extra": pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
            "lang": pa.array(["vi", "en"]).dictionary_encode(),
        }
    )
    first, second = read(parquet(table), "parquet")
    assert first == {
        "text": "có dấu",
        "id": 2**60,
        "published_at": "2024-02-13 08:00:00.000000000+0700",
        "likes": "12",
        "author": {"name": "An", "tags": ["a"]},
        "title": "tiếng",
        "language": "vi",
    }
    assert second == {"id": 2, "likes": "0", "title": "\ufffd", "language": "en"}


def test_an_absurd_time_in_parquet_does_not_cost_the_file() -> None:
    table = {"text": ["a", "b"], "date": pa.array([2**62, 1_707_786_000_000_000], pa.timestamp("us"))}
    first, second = read(parquet(table), "parquet")
    assert (first["text"], second["published_at"]) == ("a", "2024-02-13 01:00:00.000000")


def test_damaged_parquet_is_refused() -> None:
    good = parquet({"text": [f"bài số {n}" for n in range(5000)]})
    with pytest.raises(BadInputError, match="not readable Parquet"):
        rows_of(good[:-20], "parquet")
    damaged = good[:200] + b"\xff" * 60 + good[260:]
    with pytest.raises(BadInputError, match="not readable Parquet"):
        list(rows_of(damaged, "parquet")[2])


FIELDS = st.text(st.characters(codec="utf-8", exclude_characters="\x00\ufeff"), max_size=12)


@given(st.lists(st.tuples(FIELDS, FIELDS), max_size=8), st.sampled_from(",;\t|"), st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]))
def test_what_a_csv_writer_wrote_comes_back(rows: list[tuple[str, str]], delimiter: str, encoding: str) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, delimiter=delimiter, quoting=csv.QUOTE_ALL)
    writer.writerows([("id", "text"), *rows])
    wanted = [{name: value for name, value in zip(("id", "text"), row, strict=True) if value} for row in rows]
    assert read(buffer.getvalue().encode(encoding), "csv") == wanted


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8), lambda inner: st.lists(inner, max_size=2), max_leaves=4
)


@given(st.dictionaries(st.sampled_from(["text", "Content", "id", "likes", "other", "DATE"]), JSON_VALUES, max_size=6))
def test_any_json_row_is_read_by_its_own_keys(row: dict[str, Any]) -> None:
    (found,) = read(json.dumps(row).encode(), "jsonl")
    texts = [row[name] for name in ("text", "Content") if row.get(name) is not None]
    assert json.dumps(found.get("text")) == json.dumps(texts[0] if texts else None)
    assert found.keys() <= {"text", "id", "likes", "published_at"}


@given(st.binary(max_size=60), st.sampled_from(["jsonl", "csv", "parquet"]))
def test_any_bytes_give_rows_or_a_sentence(data: bytes, file_format: str) -> None:
    try:
        payload_format, context, payloads = rows_of(data, file_format)
        rows = list(payloads)
    except BadInputError:
        return
    for row in rows:
        try:
            parse_row(row, payload_format, json.loads(context))
        except (ValueError, TypeError):
            continue


@pytest.mark.parametrize(
    ("row", "is_notice"),
    [
        ({"id": 1, "deleted": True}, True),
        ({"id": 1, "Deleted": "TRUE"}, True),
        ({"id": 1, "is_deleted": 1, "text": "cũ"}, True),
        ({"id": 1, "deleted_at": "2024-02-03T08:00:00Z"}, True),
        ({"id": 1, "deleted": False, "text": "a"}, False),
        ({"id": 1, "deleted": "false", "deleted_at": "", "text": "a"}, False),
        ({"id": 1, "deleted": 0, "deleted_at": None, "text": "a"}, False),
        ({"id": 1, "text": "deleted"}, False),
    ],
)
def test_deletion_notices_are_told_from_posts(row: dict[str, Any], is_notice: bool) -> None:
    (item,) = row_items("s", [(b"raw", matched_row(row, None))], "jsonl_line", "{}", None)
    assert (item.native_id, item.payload_format) == ("1", "jsonl_line_deletion" if is_notice else "jsonl_line")


def test_a_notice_that_names_no_post_is_a_reject_and_never_a_post() -> None:
    payload = b'{"text": "a", "deleted": true}'
    (item,) = row_items("s", [(payload, matched_row(json.loads(payload), None))], "jsonl_line", "{}", None)
    assert item.payload_format == "jsonl_line"
    (made,) = parse_all([{"payload": payload, "payload_format": item.payload_format, "payload_context": '{"columns": null}'}])
    assert made == Refused(Reason.MALFORMED_ROW, "a deletion notice that names no post id")


def test_a_file_of_nothing_but_deletions_is_understood() -> None:
    assert read(b"id,deleted_at\n1,2024-02-03\n", "csv") == [{"id": "1", "deleted_at": "2024-02-03"}]
    assert read(parquet({"post_id": ["1"], "deleted": [True]}), "parquet") == [{"id": "1", "deleted": True}]
    with pytest.raises(BadInputError, match="No column gives the text"):
        read(b"name,deleted_at\n1,2024-02-03\n", "csv")
