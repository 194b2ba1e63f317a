"""JSON Feed and news sitemaps: cut into entries byte for byte, and read again."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.feed_document import read_entries, split
from assets.bronze.sitemap import MAX_CHILDREN, children_of

ITEMS = [
    {"id": "a:1", "url": "https://a.vn/1", "title": "Kẹt xe", "content_html": "<p>Đường \\u1ee9 đọng</p>", "authors": [{"name": "An"}]},
    {
        "id": 2,
        "external_url": "https://b.vn/2",
        "content_text": "Ngập",
        "date_modified": "2026-03-01T08:00:00+07:00",
        "author": {"name": "B"},
    },
    {"summary": "Chỉ tóm tắt"},
]


def feed(*items: str) -> bytes:
    return ('\ufeff{ "title": "x", "items": [' + " ,\n".join(items) + '], "version" : "https://jsonfeed.org/version/1.1" }').encode()


def test_json_feed() -> None:
    raw = [json.dumps(item, ensure_ascii=number % 2 == 0, indent=number) for number, item in enumerate(ITEMS)]
    document = split(feed(*raw))
    assert document is not None
    assert [entry.decode() for entry in document.entries] == raw
    first, second, third = read_entries(document.entries, document.context)
    assert first == {
        "id": "a:1",
        "link": "https://a.vn/1",
        "title": "Kẹt xe",
        "text": ITEMS[0]["content_html"],
        "author": "An",
        "published": None,
    }
    assert isinstance(second, dict)
    assert (second["id"], second["link"], second["author"], second["published"]) == (
        "2",
        "https://b.vn/2",
        "B",
        "2026-03-01T08:00:00+07:00",
    )
    assert isinstance(third, dict)
    assert (third["id"], third["text"]) == (None, "Chỉ tóm tắt")


@pytest.mark.parametrize("item", ["1", "null", "[]", "{}", '{"title": 5}', '{"id": "1", "title": ""}'])
def test_an_item_that_says_nothing_is_none(item: str) -> None:
    document = split(feed(item))
    assert document is not None
    assert read_entries(document.entries, document.context) == [None]


@pytest.mark.parametrize(
    "body", [b"{}", b'{"items": []}', b'{"version": "https://jsonfeed.org/version/1", "items": [{"id": "1"', b"[1]", b'{"a']
)
def test_what_is_no_whole_json_feed(body: bytes) -> None:
    assert split(body) is None


def test_a_json_feed_cut_off_anywhere_is_none() -> None:
    whole = b'{"version": "https://jsonfeed.org/version/1.1", "items": [{"id": "1", "title": "Tin"}, {"id": "2"}]}'
    assert split(whole) is not None
    assert [end for end in range(len(whole)) if split(whole[:end]) is not None] == []


def test_broken_bytes_of_an_item_are_kept_as_they_are() -> None:
    raw = b'{"id": "1", "title": "ch\xc3\xa0o b\xe1n"}'
    document = split(feed("{}").replace(b"{}", raw))
    assert document is not None
    assert document.entries == (raw,)
    (entry,) = read_entries(document.entries, document.context)
    assert isinstance(entry, dict)
    assert entry["title"] == "chào b\ufffdn"


ROOT = "<urlset xmlns='http://www.sitemaps.org/schemas/sitemap/0.9' xmlns:n='http://www.google.com/schemas/sitemap-news/0.9'>"


def url(address: str, title: str | None, more: str = "") -> str:
    news = "" if title is None else f"<n:news><n:publication_date>2026-03-01</n:publication_date><n:title>{title}</n:title></n:news>"
    return f"<url><loc>{address}</loc>{news}{more}</url>"


def read(*urls: str, root: str = ROOT) -> list[Any]:
    document = split(f"<?xml version='1.0'?>{root}{''.join(urls)}</urlset>".encode())
    assert document is not None
    return read_entries(document.entries, document.context)


def test_news_sitemap() -> None:
    one, two = read(
        url("https://a.vn/1?x=1&amp;y=2", "Kẹt xe &amp; ngập"), url("https://a.vn/2", None), url("https://a.vn/3", "<![CDATA[A <url> B]]>")
    )
    expected = {"id": "https://a.vn/1?x=1&y=2", "title": "Kẹt xe & ngập", "text": "", "author": None, "published": "2026-03-01"}
    assert one == expected | {"link": expected["id"]}
    assert two["title"] == "A <url> B"


def test_a_sitemap_entry_spoils_only_itself() -> None:
    broken, good, cut = read(url("a", "A & B"), url("b", "Tốt"), "<url><loc>c</loc>")
    assert (broken, good["title"], cut) == (None, "Tốt", None)


def test_no_entity_is_resolved() -> None:
    bomb = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b SYSTEM "file:///etc/passwd">]>'
    document = split(f"{bomb}{ROOT}{url('a', '&a;')}{url('b', '&b;')}</urlset>".encode())
    assert document is not None
    assert read_entries(document.entries, document.context) == [None, None]


def test_sitemap_index_newest_first_and_bounded() -> None:
    children = [f"<sitemap><loc>https://a.vn/{number}.xml</loc><lastmod>2026-01-{number:02}</lastmod></sitemap>" for number in range(1, 15)]
    body = f"<sitemapindex>{''.join(children)}<sitemap><loc>https://a.vn/x.xml</loc></sitemap></sitemapindex>".encode()
    assert children_of(body) == [f"https://a.vn/{number}.xml" for number in range(14, 14 - MAX_CHILDREN, -1)]
    assert children_of(ROOT.encode()) is None


@given(st.binary(max_size=80), st.sampled_from([b"<urlset>", b"<sitemapindex>", b'{"version":"jsonfeed.org","items":[']))
def test_any_bytes_are_cut_and_read_without_an_exception(noise: bytes, head: bytes) -> None:
    document = split(head + noise)
    children_of(head + noise)
    if document is not None:
        assert len(read_entries(document.entries, document.context)) == len(document.entries)
