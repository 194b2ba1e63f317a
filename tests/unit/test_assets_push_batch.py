"""A pushed batch from its raw body: every line counts, bad ones are named at once, and nothing grows beyond its limits."""

import gzip
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.push_batch import (
    ENCODINGS,
    MAX_BATCH_BYTES,
    MAX_LINE_BYTES,
    MAX_LINES,
    PushError,
    check_batch_id,
    read_batch,
    unpack_body,
)
from assets.silver.parse import Parsed, Refused, parse_all
from quality.rejects import Reason
from tests.unit.test_assets_export_packing import PACK

GOOD = json.dumps({"post_id": "p-1", "content": "Đường ngập", "created_at": "2026-01-05T08:00:00+07:00"}, ensure_ascii=False).encode()


def parsed(content: bytes) -> list[Parsed | Refused]:
    batch = read_batch("stream", "b-1", content)
    return parse_all(
        {"payload": item.payload, "payload_format": item.payload_format, "payload_context": item.payload_context} for item in batch.items
    )


def test_lines_keep_their_bytes_and_take_their_names_from_the_export_contract() -> None:
    batch = read_batch("stream", "b-1", b"\xef\xbb\xbf" + GOOD + b"\r\n\n" + GOOD.replace(b"p-1", b"p-2"))
    assert [item.payload for item in batch.items] == [GOOD + b"\r", GOOD.replace(b"p-1", b"p-2")]
    assert [item.native_id for item in batch.items] == ["p-1", "p-2"]
    assert batch.items[0].published_at == "2026-01-05T08:00:00+07:00"
    assert batch.fault_count == 0
    assert json.loads(batch.items[0].payload_context) == {"columns": None, "batch": "b-1", "body_sha256": batch.body_sha256}


def test_bad_lines_are_rows_that_silver_rejects_and_the_answer_names() -> None:
    content = b"\n".join([GOOD, b"{cut", b"[1]", b"", b'{"id": 5}', b'{"text": 7}', b'{"text": "\xe1"}', b'{"id": "\\ud800", "text": "a"}'])
    batch = read_batch("stream", "b-1", content)
    assert [fault.line for fault in batch.faults] == [2, 3, 5, 6, 7]
    assert batch.fault_count == 5
    assert "not JSON at character 1" in batch.faults[0].why
    made = parsed(content)
    assert [one.reason for one in made if isinstance(one, Refused)] == [
        Reason.MALFORMED_ROW,
        Reason.NOT_AN_OBJECT,
        Reason.MISSING_TEXT,
        Reason.WRONG_TYPE,
        Reason.UNDECODABLE,
    ]
    assert sum(isinstance(one, Parsed) for one in made) == 2


@given(st.lists(st.binary(max_size=40).filter(lambda line: b"\n" not in line), max_size=30))
def test_any_bytes_are_lines_or_a_refusal(lines: list[bytes]) -> None:
    content = b"\n".join(lines)
    try:
        batch = read_batch("stream", "b-1", content)
    except PushError as error:
        assert error.code == "empty_batch"  # noqa: PT017  only where nothing is in it
        assert not content.removeprefix(b"\xef\xbb\xbf").strip()
    else:
        assert b"\n".join(item.payload for item in batch.items).split() == content.removeprefix(b"\xef\xbb\xbf").split()
        assert batch.fault_count == sum(isinstance(one, Refused) for one in parsed(content))


def test_lines_without_id_are_told_apart() -> None:
    batch = read_batch("stream", "b-1", b'{"text": "ok"}\n{"text": "ok"}\n')
    assert len({item.native_id for item in batch.items}) == 2


@pytest.mark.parametrize(
    ("content", "status", "code", "line"),
    [
        (b"", 400, "empty_batch", None),
        (b"\n \r\n", 400, "empty_batch", None),
        (b"{}\n" * (MAX_LINES + 1), 413, "too_many_lines", None),
        (b"{}\n\n" + b'{"text": "' + b"x" * MAX_LINE_BYTES + b'"}', 413, "line_too_long", 3),
        (b"x" * (MAX_BATCH_BYTES + 1), 413, "too_large", None),
    ],
)
def test_what_cannot_be_cut_or_is_too_much_is_refused(content: bytes, status: int, code: str, line: int | None) -> None:
    with pytest.raises(PushError) as refused:
        read_batch("stream", "b-1", content)
    assert (refused.value.status, refused.value.code, refused.value.line) == (status, code, line)
    assert refused.value.as_dict()["message"]


def test_packed_bodies() -> None:
    assert set(ENCODINGS) == {"identity", *PACK}
    assert unpack_body(GOOD, "identity") == GOOD
    for encoding, pack in PACK.items():
        assert unpack_body(pack(GOOD), encoding) == GOOD
        with pytest.raises(PushError) as refused:
            unpack_body(pack(GOOD)[:-3], encoding)
        assert (refused.value.status, refused.value.code) == (400, "damaged_body")
        with pytest.raises(PushError) as refused:
            unpack_body(pack(bytes(MAX_BATCH_BYTES + 1)), encoding)
        assert (refused.value.status, refused.value.code) == (413, "too_large")
    with pytest.raises(PushError, match="not readable gzip"):
        unpack_body(GOOD, "gzip")
    assert unpack_body(gzip.compress(b""), "gzip") == b""


@pytest.mark.parametrize("given", [None, "", " a", "a b", "-a", "ă", "a" * 129, "a/b", "a\n"])
def test_batch_ids_that_name_nothing(given: str | None) -> None:
    with pytest.raises(PushError, match="Lake-Batch-Id") as refused:
        check_batch_id(given)
    assert refused.value.status == 400


@pytest.mark.parametrize("given", ["1", "2026-01-05T08:00:00.123_abc", "a" * 128])
def test_batch_ids(given: str) -> None:
    assert check_batch_id(given) == given
