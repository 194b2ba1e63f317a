"""What the feed connector takes from what it fetched: new and changed entries, once; and the envelope they land in."""

import hashlib
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze import feed_memory
from assets.bronze.envelope import Batch, FetchAttempt, Item, log_table
from assets.bronze.feed_memory import NOT_A_FEED, Document, Memory
from lake_config.registry import Source, load_registry
from lake_config.tables.bronze import FETCH_LOG, NEWS_FEEDS

FIRST = datetime(2024, 2, 13, 3, 0, tzinfo=UTC)
MAIN = load_registry().source("demo-saigon-sang")
SECTION = MAIN.model_copy(update={"id": "demo-saigon-sang-thoi-su"})
OTHER = load_registry().source("demo-do-thi-moi")
DAY = "Mon, 12 Feb 2024 08:00:00 +0700"


def item(native_id: str, text: str = "x", date_: str | None = DAY) -> str:
    stamp = f"<pubDate>{date_}</pubDate>" if date_ else ""
    return f"<item><guid isPermaLink='false'>{native_id}</guid><title>{text}</title>{stamp}</item>"


def fetched(*items: str, source: Source = MAIN, at: datetime = FIRST, body: bytes | None = None) -> Document:
    data = body if body is not None else f"<rss version='2.0'><channel>{''.join(items)}</channel></rss>".encode()
    return Document(source, FetchAttempt(source.id, at, "ok", 200, received_bytes=len(data)), data, "text/xml", '"e1"', "lm")


def take(memory: Memory, *answers: Document) -> list[dict[str, Any]]:
    batch = Batch()
    for answer in answers:
        memory.take(batch, answer)
    assert batch.to_arrow().schema == NEWS_FEEDS.schema
    return batch.rows


def named(rows: list[dict[str, Any]]) -> list[tuple[str, date, str]]:
    return [(row["native_id"], row["event_date"], row["event_date_origin"]) for row in rows]


def test_an_entry_fills_the_envelope() -> None:
    raw = item("1", "Tin")
    (row,) = take(Memory(), fetched(raw))
    assert row | {"batch_id": "", "payload_context": ""} == {
        "source_id": MAIN.id,
        "native_id": "1",
        "url": None,
        "fetched_at": FIRST,
        "published_at": DAY,
        "event_date": date(2024, 2, 12),
        "event_date_origin": "published",
        "http_status": 200,
        "etag": '"e1"',
        "last_modified": "lm",
        "batch_id": "",
        "row_number": 0,
        "payload": raw.encode(),
        "payload_sha256": hashlib.sha256(raw.encode()).hexdigest(),
        "payload_format": "feed_entry",
        "payload_context": "",
    }


def test_only_new_and_changed_entries_land_and_an_edit_keeps_the_first_event_day() -> None:
    memory = Memory()
    assert [row["native_id"] for row in take(memory, fetched(item("1"), item("2")))] == ["1", "2"]
    assert take(memory, fetched(item("2"), item("1"))) == []
    moved = take(memory, fetched(item("1", "sửa", "Tue, 13 Feb 2024 08:00:00 +0700"), item("2"), item("3", date_=None)))
    assert named(moved) == [("1", date(2024, 2, 12), "first_seen"), ("3", date(2024, 2, 13), "fetched")]
    undated = take(memory, fetched(item("3", "sửa", date_=None), at=FIRST + timedelta(days=2)))
    assert named(undated) == [("3", date(2024, 2, 13), "first_seen")]


def test_two_versions_in_one_document_both_land_and_a_repeated_one_once() -> None:
    rows = take(Memory(), fetched(item("1", "mới"), item("1", "cũ"), item("1", "mới")))
    assert [(row["native_id"], row["row_number"]) for row in rows] == [("1", 0), ("1", 1)]
    memory = Memory()
    take(memory, fetched(item("1", "mới"), item("1", "cũ")))
    assert take(memory, fetched(item("1", "cũ"), item("1", "mới"))) == []


def test_a_section_feed_that_lags_behind_lands_nothing_again() -> None:
    memory = Memory()
    take(memory, fetched(item("1", "cũ")), fetched(item("1", "cũ"), source=SECTION))
    assert len(take(memory, fetched(item("1", "mới")))) == 1
    assert take(memory, fetched(item("1", "cũ"), source=SECTION)) == []
    assert take(memory, fetched(item("1", "mới"), source=SECTION)) != []  # this feed had not said so before: a duplicate, not a post
    assert take(memory, fetched(item("1", "mới")), fetched(item("1", "mới"), source=SECTION)) == []


def test_ids_are_unique_by_platform_only() -> None:
    assert len(take(Memory(), fetched(item("1")), fetched(item("1"), source=OTHER))) == 2


def test_an_entry_without_id_is_named_by_its_link_else_by_its_bytes() -> None:
    linked = "<item><title>a</title><link>http://b.vn/1</link></item>"
    bare = "<item><title>b</title></item>"
    broken = "<item><nothing/></item>"
    found = [row["native_id"] for row in take(Memory(), fetched(linked, bare, broken))]
    assert found == ["http://b.vn/1", *(f"sha256:{hashlib.sha256(raw.encode()).hexdigest()}" for raw in (bare, broken))]


@pytest.mark.parametrize("body", [b"", b"<html>502 Bad Gateway</html>"])
def test_a_body_that_is_no_feed_lands_once_to_be_rejected(body: bytes) -> None:
    memory, batch = Memory(), Batch()
    attempt = memory.take(batch, fetched(body=body))
    (row,) = batch.rows
    assert (row["payload"], row["payload_format"], row["native_id"]) == (
        body,
        "feed_document",
        f"document:{hashlib.sha256(body).hexdigest()}",
    )
    assert (attempt.outcome, attempt.listed, attempt.landed, attempt.detail) == ("unreadable", 0, 1, NOT_A_FEED)
    assert take(memory, fetched(body=body)) == []
    # It is asked for again without validators: an answer that it is not modified would look like a sign of life.
    assert memory.validators(MAIN, "") == {}
    take(memory, fetched(item("1")))
    assert memory.validators(MAIN, "") == {"etag": '"e1"', "last_modified": "lm"}


def test_the_attempt_counts_what_was_listed_and_what_landed() -> None:
    memory = Memory()
    first = memory.take(Batch(), fetched(item("1"), item("2")))
    again = memory.take(Batch(), fetched(item("1"), item("2"), item("3")))
    assert (first.listed, first.landed, again.listed, again.landed) == (2, 2, 3, 1)
    log = log_table("news_feeds", "b", [first, again])
    assert log.schema == FETCH_LOG.schema
    assert log["event_date"].to_pylist() == [date(2024, 2, 13)] * 2


def test_the_memory_survives_its_cursor_and_forgets_what_is_listed_no_more() -> None:
    memory = Memory()
    take(memory, fetched(item("1"), item("2")))
    later = FIRST + timedelta(days=20)
    take(memory, fetched(item("2"), at=later))
    kept = Memory.of(memory.state(later + timedelta(days=15)))
    assert list(kept.posts[MAIN.platform]) == ["2"]
    assert take(kept, fetched(item("2"), at=later)) == []
    assert kept.validators(MAIN, "")["etag"] == '"e1"'


def test_a_feed_that_answers_not_modified_still_lists_what_it_listed() -> None:
    memory = Memory()
    take(memory, fetched(item("gone"), item("1", date_=None)))
    take(memory, fetched(item("1", date_=None), at=FIRST + timedelta(days=1)))
    now = FIRST + timedelta(days=60)
    memory = Memory.of(memory.state(now, {MAIN.id: "2024-04-12", OTHER.id: "2024-04-12"}))
    assert list(memory.posts[MAIN.platform]) == ["1"]
    changed = take(memory, fetched(item("1", "sửa", date_=None), at=now))
    assert named(changed) == [("1", date(2024, 2, 13), "first_seen")]


VERSIONS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("xyz")), max_size=5)


@given(st.lists(st.tuples(VERSIONS, st.sampled_from([MAIN, SECTION, OTHER])), max_size=8))
def test_every_version_ever_listed_lands_and_what_stays_listed_lands_once(answers: list[tuple[list[tuple[str, str]], Source]]) -> None:
    memory, landed = Memory(), set()
    for number, (versions, source) in enumerate(answers):
        answer = fetched(*(item(*version) for version in versions), source=source, at=FIRST + timedelta(hours=number))
        rows = take(memory, answer)
        landed |= {(source.platform, row["native_id"], row["payload"]) for row in rows}
        assert {(source.platform, key, item(key, text).encode()) for key, text in versions} <= landed
        assert take(memory, answer) == []
    days = {row["day"] for posts in memory.posts.values() for row in posts.values()}
    assert days <= {"2024-02-12"}


@given(
    st.text(max_size=20), st.one_of(st.none(), st.text(max_size=20)), st.binary(max_size=20), st.dates(date(2015, 1, 1), date(2030, 1, 1))
)
def test_any_item_can_be_landed(native_id: str, published: str | None, payload: bytes, first_day: date) -> None:
    batch = Batch()
    usual = {"source_id": "s", "payload": payload, "payload_format": "jsonl_line", "payload_context": "{}"}
    day = batch.add(Item(native_id=native_id, published_at=published, **usual), FIRST)
    assert batch.add(Item(native_id=native_id, published_at=published, **usual), FIRST, first_day) == first_day
    table = batch.to_arrow()
    assert table["event_date"].to_pylist() == [day, first_day]
    assert table["row_number"].to_pylist() == [0, 1]
    assert batch.event_days == sorted({day, first_day})


# A feed and a sitemap of one paper

ADDRESS = "https://saigon-sang.example/tin/1.html"
SITEMAP = MAIN.model_copy(update={"id": "demo-saigon-sang-sitemap"})


def linked(native_id: str, text: str, address: str = ADDRESS) -> str:
    return f"<item><guid isPermaLink='false'>{native_id}</guid><title>{text}</title><link>{address}?utm_source=rss</link></item>"


def listed_page(text: str, address: str = ADDRESS) -> Document:
    news = f"<news:news><news:title>{text}</news:title><news:publication_date>2024-02-12T08:00:00+07:00</news:publication_date></news:news>"
    urls = f"<url><loc>{address}</loc>{news}</url><url><loc>https://saigon-sang.example/cu.html</loc></url>"
    root = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:news='http://www.google.com/schemas/sitemap-news/0.9'>"
    return fetched(source=SITEMAP, body=f"{root}{urls}</urlset>".encode())


def test_a_page_in_a_sitemap_after_its_feed_entry_is_no_second_post() -> None:
    memory = Memory()
    assert len(take(memory, fetched(linked("1", "Tin")))) == 1
    assert take(memory, listed_page("Tin")) == []
    assert take(memory, listed_page("Tin sửa")) == []
    assert len(take(memory, fetched(linked("1", "Tin sửa")))) == 1
    assert take(memory, listed_page("Tin sửa nữa")) == []


def test_a_feed_entry_after_its_page_in_a_sitemap_is_a_version_of_it() -> None:
    memory = Memory()
    (first,) = take(memory, listed_page("Tin"))
    assert (first["native_id"], first["url"], first["event_date"]) == (ADDRESS, ADDRESS, date(2024, 2, 12))
    (edit,) = take(memory, listed_page("Tin sửa"))
    (fuller,) = take(memory, fetched(linked("1", "Tin đầy đủ")))
    assert {row["native_id"] for row in (first, edit, fuller)} == {ADDRESS}
    memory = Memory.of(memory.state(FIRST))
    assert take(memory, listed_page("Tin sửa nữa")) == []
    assert take(memory, fetched(linked("1", "Tin đầy đủ"))) == []


def test_entries_that_share_a_link_stay_posts_of_their_own() -> None:
    rows = take(Memory(), fetched(linked("1", "a", "http://x.vn/"), linked("2", "b", "http://x.vn/")))
    assert [row["native_id"] for row in rows] == ["1", "2"]


def test_relative_links_become_addresses() -> None:
    document = fetched("<item><guid>1</guid><title>a</title><link>/tin/1.html</link></item>")
    (row,) = take(Memory(), replace(document, url="https://a.vn/rss/x.xml"))
    assert row["url"] == "https://a.vn/tin/1.html"


def test_an_entry_that_is_known_byte_for_byte_is_not_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, read = Memory(), []
    take(memory, fetched(item("1"), item("2")))
    entries = feed_memory.read_entries
    monkeypatch.setattr(feed_memory, "read_entries", lambda payloads, context: read.extend(payloads) or entries(payloads, context))
    memory = Memory.of(memory.state(FIRST))
    assert len(take(memory, fetched(item("1"), item("3"), item("2")))) == 1
    assert read == [item("3").encode()]
