"""From bronze rows to posts and rejects: every row becomes exactly one row of exactly one table, and nothing of a person goes along."""

import json
import re
import unicodedata
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.envelope import Batch, Item
from assets.content import content_of
from assets.silver.parse import Parsed, Refused, parse_all
from assets.silver.refine import Refined, clean_url, refine
from lake_config.registry import load_registry
from lake_config.storage import conform
from lake_config.tables.silver import POSTS, REJECTS
from ml.author import author_key
from ml.normalise import content_key, post_key
from quality.rejects import Reason

FETCHED = datetime(2024, 2, 13, 3, 30, tzinfo=UTC)
SOURCES = {source.id: source for source in load_registry().sources}
KEY = bytes(range(32))
KEYS = {"2024-02": KEY}
JSONL, FEED = json.dumps({"columns": None}), json.dumps({"encoding": "utf-8", "element": "item"})
AUTHOR, PHONE, MAIL = "Trần Thị Bí Mật", "0951 234 567", "bi.mat@thu-dan.example"


def bronze(payload: bytes, **given_: Any) -> dict[str, Any]:
    usual: dict[str, Any] = {"source_id": "demo-provider", "native_id": "n1", "payload_format": "jsonl_line", "payload_context": JSONL}
    fetched = given_.pop("fetched_at", FETCHED)
    first_day = given_.pop("first_day", None)
    batch = Batch("b1")
    batch.add(Item(payload=payload, **(usual | given_)), fetched, first_day)
    return batch.rows[0]


def run(*rows: dict[str, Any]) -> Refined:
    refined = refine(list(rows), "exports", SOURCES, KEYS)
    assert conform(POSTS, refined.posts).equals(refined.posts)
    assert conform(REJECTS, refined.rejects).equals(refined.rejects)
    return refined


def post(given_row: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    (made,) = run(given_row or bronze(json.dumps({"text": "Đường sạch", **fields}).encode())).posts.to_pylist()
    return dict(made)


def reason(row: dict[str, Any]) -> str:
    refined = run(row)
    assert refined.posts.num_rows == 0
    return str(refined.rejects["reason"][0])


def test_a_full_row() -> None:
    payload = {
        "text": f"<p>Đường  ngập, gọi {PHONE}</p>",
        "title": f"Ngập nặng, thư {MAIL}",
        "author": AUTHOR,
        "parent_id": "n0",
        "likes": "1.234",
        "shares": 5.0,
        "comment_count": "x",
        "kind": "COMMENT",
    }
    row = bronze(json.dumps(payload).encode(), published_at="2024-02-12T23:30:00Z", url=f"https://mxh.demo/p/n1?utm_source=a&to={MAIL}#c")
    found = post(row)
    text = "Đường ngập, gọi [PHONE]"
    assert {
        name: found[name] for name in ("event_date", "connector", "source_id", "batch_id", "row_number", "payload_sha256", "fetched_at")
    } == {
        **{name: row[name] for name in ("event_date", "source_id", "batch_id", "row_number", "payload_sha256", "fetched_at")},
        "connector": "exports",
    }
    assert (found["title"], found["text"], found["kind"], found["language"]) == ("Ngập nặng, thư [EMAIL]", text, "comment", "vi")
    assert found["post_key"] == post_key("mangxahoi.demo", "n1")
    assert found["parent_key"] == post_key("mangxahoi.demo", "n0")
    assert found["content_key"] == content_key(text)
    assert found["author_key"] == author_key(AUTHOR, "mangxahoi.demo", KEY)
    assert (found["likes"], found["shares"], found["comment_count"]) == (1234, 5, None)
    assert found["url"] == "https://mxh.demo/p/n1"
    assert (found["published_at"], found["event_hour"], found["is_date_assumed"]) == (datetime(2024, 2, 12, 23, 30, tzinfo=UTC), 6, False)
    assert (found["platform"], found["source_kind"]) == ("mangxahoi.demo", "provider")


@pytest.mark.parametrize(("published", "hour"), [(None, 10), ("2099-01-01", 10), ("hôm qua", 10), ("1970-01-01T00:00:00Z", 10)])
def test_without_a_usable_date_the_fetch_stands_in_and_it_says_so(published: str | None, hour: int) -> None:
    found = post(bronze(b'{"text": "a"}', published_at=published))
    assert (found["event_date"], found["published_at"], found["event_hour"], found["is_date_assumed"]) == (
        date(2024, 2, 13),
        None,
        hour,
        True,
    )


def test_an_edited_date_leaves_the_post_on_its_first_day() -> None:
    found = post(bronze(b'{"text": "a"}', published_at="2024-02-13T01:00:00Z", first_day=date(2024, 2, 12)))
    assert (found["event_date"], found["is_date_assumed"], found["event_hour"]) == (date(2024, 2, 12), True, 8)


@pytest.mark.parametrize(
    ("payload", "wanted"),
    [
        (b"{", Reason.MALFORMED_ROW),
        (b'{"text": 1' + b"0" * 5000 + b"}", Reason.MALFORMED_ROW),
        (b"[" * 100_000, Reason.MALFORMED_ROW),
        (b"", Reason.MALFORMED_ROW),
        (b"[1]", Reason.NOT_AN_OBJECT),
        (b"null", Reason.NOT_AN_OBJECT),
        (b'"text"', Reason.NOT_AN_OBJECT),
        (b"{}", Reason.MISSING_TEXT),
        (b'{"text": null, "title": "x"}', Reason.MISSING_TEXT),
        (b'{"text": 5}', Reason.WRONG_TYPE),
        (b'{"text": ["a"]}', Reason.WRONG_TYPE),
        (b'{"text": ""}', Reason.EMPTY_TEXT),
        ('{"text": " \u200b<br/>&nbsp;\\ud800"}'.encode(), Reason.EMPTY_TEXT),
        (b'{"text": "", "title": "of the parent", "kind": "comment"}', Reason.EMPTY_TEXT),
        (b"\x80\x81", Reason.UNDECODABLE),
    ],
)
def test_every_reason_of_an_export_row(payload: bytes, wanted: Reason) -> None:
    assert reason(bronze(payload)) == wanted


@pytest.mark.parametrize(
    ("payload", "payload_format", "context", "wanted"),
    [
        (
            b"a,b,c",
            "csv_record",
            {"delimiter": ",", "header": ["id", "text"], "columns": {"text": "text"}, "kind": None},
            Reason.MALFORMED_ROW,
        ),
        (
            b"1,\xff",
            "csv_record",
            {"delimiter": ",", "header": ["id", "text"], "columns": {"text": "text"}, "kind": None},
            Reason.UNDECODABLE,
        ),
        (b"1,", "csv_record", {"delimiter": ",", "header": ["id", "text"], "columns": {"text": "text"}, "kind": None}, Reason.MISSING_TEXT),
        (b'{"c": 1}', "parquet_row", {"columns": {"text": "c"}, "kind": None}, Reason.WRONG_TYPE),
        (b"<item><guid>1</guid></item>", "feed_entry", {"encoding": "utf-8", "element": "item"}, Reason.MALFORMED_ENTRY),
        (b"<item><title>a", "feed_entry", {"encoding": "utf-8", "element": "item"}, Reason.MALFORMED_ENTRY),
        (b"<item><title>" + bytes(range(0x80, 0xA0)) * 4 + b"</title></item>", "feed_entry", {"encoding": "utf-8"}, Reason.UNDECODABLE),
        (b"<html/>", "feed_document", {}, Reason.MALFORMED_DOCUMENT),
        (b"{}", "file", {}, Reason.UNREADABLE_FILE),
        (b"{}", "telex", {}, Reason.MALFORMED_ROW),
    ],
)
def test_every_reason_of_other_formats(payload: bytes, payload_format: str, context: dict[str, Any], wanted: Reason) -> None:
    assert reason(bronze(payload, payload_format=payload_format, payload_context=json.dumps(context))) == wanted


def test_a_source_the_registry_no_longer_knows() -> None:
    assert reason(bronze(b'{"text": "a"}', source_id="gone")) == Reason.UNKNOWN_SOURCE


def test_a_reject_refers_to_the_raw_bytes_and_quotes_none_of_them() -> None:
    payload = json.dumps({"author": AUTHOR, "phone": PHONE, "title": "bí mật"}).encode()
    (found,) = run(bronze(payload, native_id=f"<{MAIL}>")).rejects.to_pylist()
    assert found["payload_bytes"] == len(payload)
    assert found["detail"] == "no text among the columns author, title"
    assert MAIL not in found["native_id"]


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (12, 12),
        ("12", 12),
        ("12.0", 12),
        (12.9, 12),
        ("1.234", 1234),
        ("1,234,567", 1234567),
        (" 7 ", 7),
        (1.234, 1),
        (-1, None),
        ("-3", None),
        (float("nan"), None),
        (float("inf"), None),
        (10**30, None),
        (True, None),
        ([1], None),
        ({}, None),
        ("nhiều", None),
        (None, None),
    ],
)
def test_counts_as_sources_write_them(value: object, count: int | None) -> None:
    assert post(likes=value)["likes"] == count


def test_a_feed_entry_is_an_article_and_every_context_is_read_in_its_own_way() -> None:
    rows = [
        bronze("<item><title>Tít</title><description>Bài</description></item>".encode(), payload_format="feed_entry", payload_context=FEED),
        bronze(b'{"text": "a"}'),
        bronze(
            b"<entry><title>T\xec</title></entry>",
            payload_format="feed_entry",
            payload_context=json.dumps({"encoding": "latin-1", "element": "entry"}),
        ),
        bronze(b"<item/>", payload_format="feed_entry", payload_context=FEED),
    ]
    first, second, third, fourth = parse_all(rows)
    assert first == Parsed("Bài", title="Tít", kind="article")
    assert second == Parsed("a")
    assert third == Parsed("", title="Tì", kind="article")
    assert isinstance(fourth, Refused)


@pytest.mark.parametrize(
    ("kind", "title", "text", "wanted"),
    [
        ("article", "T", "x", "T\nx"),
        ("post", None, "x", "x"),
        ("comment", "T", "x", "x"),
        ("post", "T", "T", "T"),
        ("article", "T", "", "T"),
    ],
)
def test_what_a_post_says(kind: str, title: str | None, text: str, wanted: str) -> None:
    assert content_of(kind, title, text) == wanted


@pytest.mark.parametrize(
    ("url", "clean"),
    [
        ("https://b.vn/a-1.html?utm_source=x&fbclid=y#top", "https://b.vn/a-1.html"),
        ("https://b.vn/t.php?sid=5&size=2&si=abc&id=1", "https://b.vn/t.php?sid=5&size=2&id=1"),
        ("https://b.vn/showthread.php?12345-ten-bai", "https://b.vn/showthread.php?12345-ten-bai"),
        ("https://user:pass@b.vn/x", "https://b.vn/x"),
        ("https://b.vn/x?q=%C4%91%E1%BB%9Di&to=a%40b.vn&tel=0951234567", "https://b.vn/x?q=%C4%91%E1%BB%9Di"),
        ("https://b.vn/story?story_fbid=122106789012345678&id=100064", "https://b.vn/story?story_fbid=122106789012345678&id=100064"),
        ("https://b.vn/bai-185240213085959678.htm", "https://b.vn/bai-185240213085959678.htm"),
        ("https://b.vn/0951234567/anh", None),
        ("https://b.vn/mailto/a@b.vn", None),
        ("https://video.example/@Bi.Mat/video/1", None),
        ("https://x.example/bi.mat/status/1", None),
        ("https://x.example/bi.mat.that/status/1", "https://x.example/bi.mat.that/status/1"),
        ("ftp://b.vn/x", None),
        ("javascript:alert(1)", None),
        ("http://[", None),
        ("/bai/1", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses(url: str | None, clean: str | None) -> None:
    assert clean_url(url, "bi.mat") == clean


def test_without_an_author_no_address_is_taken_for_his() -> None:
    for author in (None, "", "@", " "):
        assert clean_url("https://b.vn//a/", author) == "https://b.vn//a/"


TEXTS = st.text(max_size=40)
DIRTY = st.lists(
    st.one_of(
        TEXTS,
        st.sampled_from([AUTHOR, PHONE, MAIL, "<b>", "</p>", "&amp;", "&#769;", "o\u0302\u0301", "\u200b", "\x00", "\ud800", "[PHONE]"]),
    ),
    max_size=5,
).map(" ".join)
CLEAN = st.lists(
    st.one_of(st.text("đường phố sạch ế ờ <>&/", max_size=20), st.sampled_from([PHONE, MAIL, "+84951234567", "<i>"])), max_size=4
).map(" ".join)
FIELD = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS, st.lists(TEXTS, max_size=2))
OBJECTS = st.dictionaries(
    st.sampled_from(["text", "title", "author", "kind", "parent_id", "likes", "id", "other"]), st.one_of(FIELD, DIRTY), max_size=7
)
PAYLOADS = st.one_of(
    OBJECTS.map(lambda row: ("jsonl_line", {"columns": None}, json.dumps(row).encode())),
    st.binary(max_size=40).map(lambda data: ("jsonl_line", {"columns": {"text": "x"}}, data)),
    st.binary(max_size=40).map(
        lambda data: ("csv_record", {"delimiter": ",", "header": ["a", "b"], "columns": {"text": "b"}, "kind": "comment"}, data)
    ),
    st.binary(max_size=40).map(
        lambda data: ("feed_entry", {"encoding": "utf-8", "element": "item"}, b"<item><title>" + data + b"</title></item>")
    ),
    DIRTY.map(lambda text: ("feed_entry", {"encoding": "utf-8"}, f"<entry><summary>{text}</summary></entry>".encode(errors="replace"))),
    st.sampled_from(["feed_document", "file", "telex"]).map(lambda name: (name, {}, b"x")),
)


@given(
    st.lists(
        st.tuples(PAYLOADS, st.sampled_from(["demo-provider", "demo-pages", "gone"]), st.one_of(st.none(), TEXTS), st.text(max_size=9)),
        max_size=6,
    )
)
def test_every_bronze_row_becomes_one_row_of_one_table(given_: list[tuple[Any, str, str | None, str]]) -> None:
    batch = Batch("b")
    for (payload_format, context, payload), source_id, published, native_id in given_:
        usable = native_id.encode("utf-8", "replace").decode()
        date_ = None if published is None else published.encode("utf-8", "replace").decode()
        batch.add(Item(source_id, usable, payload, payload_format, json.dumps(context), published_at=date_), FETCHED)
    refined = run(*batch.rows)
    assert sorted([*refined.posts["row_number"].to_pylist(), *refined.rejects["row_number"].to_pylist()]) == list(range(len(given_)))
    for row in refined.posts.to_pylist():
        content = content_of(row["kind"], row["title"], row["text"])
        assert content.strip()
        assert content_key(content) == row["content_key"]
        for name, value in row.items():
            assert not isinstance(value, str) or unicodedata.is_normalized("NFC", value), name


def shown(table: pa.Table) -> str:
    return " ".join(str(value) for column in table.columns for value in column.to_pylist())


@given(CLEAN, CLEAN, st.sampled_from(["jsonl_line", "csv_record", "feed_entry"]), st.booleans())
def test_no_author_phone_or_address_comes_into_silver(text: str, title: str, payload_format: str, is_broken: bool) -> None:
    url = f"https://mxh.demo/bai?tel={PHONE.replace(' ', '')}&m={MAIL}&n=1"
    context: dict[str, Any] = {"columns": None}
    if payload_format == "jsonl_line":
        payload = json.dumps({"text": text, "title": title, "author": AUTHOR, "url": url}, ensure_ascii=False).encode()
    elif payload_format == "csv_record":
        context = {"delimiter": "\t", "header": ["a", "b", "c"], "columns": {"text": "a", "title": "b", "author": "c"}, "kind": None}
        payload = f"{text}\t{title}\t{AUTHOR}".encode()
    else:
        context = {"encoding": "utf-8", "element": "item"}
        payload = f"<item><title>{title}</title><description>{text}</description><author>{AUTHOR}</author></item>".encode()
    row = bronze(payload[:-3] if is_broken else payload, payload_format=payload_format, payload_context=json.dumps(context), url=url)
    refined = run(row)
    for table in (refined.posts, refined.rejects):
        everything = shown(table)
        assert "Bí M" not in everything
        assert "bi.mat" not in everything
        assert not re.search(r"951\D?234\D?567", everything)


def test_one_voice_under_two_spellings_and_two_platforms() -> None:
    row = {"text": "a", "author": unicodedata.normalize("NFD", AUTHOR)}
    one, other = bronze(json.dumps(row).encode()), bronze(json.dumps(row | {"author": AUTHOR}).encode())
    elsewhere = bronze(json.dumps(row).encode(), source_id="demo-pages")
    keys = run(one, other, elsewhere).posts["author_key"].to_pylist()
    assert keys[0] == keys[1] != keys[2]


def test_the_author_key_is_that_of_the_month_of_the_event_day() -> None:
    rows = [bronze(b'{"text": "a", "author": "An"}', fetched_at=FETCHED + timedelta(days=days)) for days in (0, 20)]
    keys = {"2024-02": KEY, "2024-03": KEY[::-1]}
    first, second = refine(rows, "exports", SOURCES, keys).posts["author_key"].to_pylist()
    assert (first, second) == (author_key("An", "mangxahoi.demo", KEY), author_key("An", "mangxahoi.demo", KEY[::-1]))
