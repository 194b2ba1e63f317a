"""Feeds as bytes: cut into entries unchanged, and each entry read by itself."""

import json
from collections.abc import Sequence
from html import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assets.bronze.feed_document import FeedDocument, decode, read_entries, split
from assets.bronze.legacy_text import UndecodableError
from ml.normalise import normalise
from orchestration.demo_city.feeds import encode_1258

RSS = '<?xml version="1.0" encoding="utf-8"?><rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel><title>Báo</title>{}</channel></rss>'
ATOM = '<?xml version="1.0" encoding="utf-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom"><title>Báo</title>{}</feed>'
RDF = (
    '<?xml version="1.0"?><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#" xmlns="http://purl.org/rss/1.0/"'
    ' xmlns:dc="http://purl.org/dc/elements/1.1/"><channel rdf:about="http://b.vn/"><items><rdf:Seq><rdf:li resource="http://b.vn/1"/>'
    "</rdf:Seq></items></channel>{}</rdf:RDF>"
)
ITEM = (
    "<item><title>Ngập ở Bình Thạnh</title><link>http://b.vn/1</link><guid>b-1</guid><pubDate>Tue, 13 Feb 2024 08:00:00 +0700</pubDate>"
    "<dc:creator>Nguyễn Văn An</dc:creator><description>Nước đã rút.</description></item>"
)
READ = {
    "id": "b-1",
    "link": "http://b.vn/1",
    "title": "Ngập ở Bình Thạnh",
    "text": "Nước đã rút.",
    "author": "Nguyễn Văn An",
    "published": "Tue, 13 Feb 2024 08:00:00 +0700",
}
ENTRY = (
    '<entry><title>Ngập ở Bình Thạnh</title><link rel="alternate" href="http://b.vn/1"/><id>b-1</id>'
    "<published>2024-02-13T08:00:00+07:00</published><updated>2024-02-14T08:00:00+07:00</updated>"
    '<author><name>Nguyễn Văn An</name></author><summary type="html">Nước đã rút.</summary></entry>'
)


def cut(document: str | bytes, content_type: str = "") -> FeedDocument:
    found = split(document.encode() if isinstance(document, str) else document, content_type)
    assert found is not None
    return found


def read(document: str | bytes, content_type: str = "") -> list[dict[str, object] | UndecodableError | None]:
    found = cut(document, content_type)
    return read_entries(found.entries, found.context)


def read_one(document: str | bytes, content_type: str = "") -> dict[str, object]:
    (entry,) = read(document, content_type)
    assert isinstance(entry, dict), entry
    return entry


def test_rss_with_a_namespace_declared_at_the_root() -> None:
    document = RSS.format(ITEM)
    assert cut(document).entries == (ITEM.encode(),)
    assert read_one(document) == READ


def test_atom() -> None:
    assert cut(ATOM.format(ENTRY)).entries == (ENTRY.encode(),)
    assert read_one(ATOM.format(ENTRY)) == READ | {"published": "2024-02-13T08:00:00+07:00"}


def test_rdf() -> None:
    item = (
        '<item rdf:about="http://b.vn/1"><title>Ngập</title><link>http://b.vn/1</link><dc:date>2024-02-13T08:00:00+07:00</dc:date>'
        "<dc:creator>An</dc:creator><description>Nước</description></item>"
    )
    assert cut(RDF.format(item)).entries == (item.encode(),)
    read_back = read_one(RDF.format(item))
    assert (read_back["link"], read_back["author"], read_back["published"]) == ("http://b.vn/1", "An", "2024-02-13T08:00:00+07:00")


@pytest.mark.parametrize(
    "inside",
    [
        "<description><![CDATA[ một </item> và <item> trong chữ ]]></description>",
        "<!-- <item> bỏ đi </item> --><description>x</description>",
        "<description>x</description><item_count>3</item_count><items/>",
        '<description>x</description><media:content url="a.jpg" medium="image"/>',
    ],
)
def test_what_looks_like_an_entry_inside_one_does_not_cut_it(inside: str) -> None:
    items = [f"<item><guid>{n}</guid><title>Tin {n}</title>{inside}</item>" for n in (1, 2)]
    document = RSS.format("\n<!-- <item>cũ</item> --><item/><item />\n".join(items))
    assert cut(document).entries == tuple(item.encode() for item in items)
    assert [entry["id"] for entry in read(document) if isinstance(entry, dict)] == ["1", "2"]


def test_the_fuller_text_is_taken() -> None:
    item = (
        '<item xmlns:content="http://purl.org/rss/1.0/modules/content/"><title>T</title><description>tóm tắt</description>'
        "<content:encoded><![CDATA[<p>toàn văn của bài</p>]]></content:encoded></item>"
    )
    assert read_one(RSS.format(item))["text"] == "<p>toàn văn của bài</p>"


def test_entries_without_any_id_or_date() -> None:
    entry = read_one(RSS.format("<item><title>Tin</title><pubDate></pubDate></item>"))
    assert entry == {"id": None, "link": None, "title": "Tin", "text": "", "author": None, "published": None}


def test_an_edit_date_stands_in_for_a_missing_publication_date() -> None:
    assert read_one(ATOM.format("<entry><id>1</id><title>T</title><updated>2024-02-14T08:00:00Z</updated></entry>"))["published"] == (
        "2024-02-14T08:00:00Z"
    )


@pytest.mark.parametrize(
    "broken",
    [
        "<item><guid>x</guid></item>",  # says nothing
        "<item><title>a</title><item><title>b</title></item></item>",  # which of the two is it?
    ],
)
def test_an_entry_that_makes_no_sense_spoils_only_itself(broken: str) -> None:
    document = RSS.format(ITEM + broken + ITEM.replace("b-1", "b-2"))
    first, spoilt, last = read(document)
    assert spoilt is None
    assert first == READ
    assert last == READ | {"id": "b-2"}


def test_a_body_cut_off_inside_an_entry_keeps_the_rest_but_is_not_taken_for_whole() -> None:
    whole = RSS.format(ITEM + ITEM.replace("b-1", "b-2"))
    for end in range(whole.index("b-2"), whole.rindex("</item>") + 6):
        found = cut(whole[:end])
        assert len(found.entries) == 2
        assert whole[:end].encode().endswith(found.entries[1])
        assert read_entries(found.entries, found.context) == [READ, None]


def test_sloppy_markup_is_read_as_far_as_it_goes() -> None:
    assert read_one(RSS.format("<item><title>Giá < 5 triệu & rẻ</title><guid>1</guid><description>Đúng</description></item>"))["id"] == "1"


@pytest.mark.parametrize(
    "body", [b"", b"<html><body>502</body></html>", b"{}", b"\x00\xff", b"<feedback>x</feedback>", b"<feed-list></feed-list>"]
)
def test_what_is_no_feed(body: bytes) -> None:
    assert split(body) is None


def test_a_feed_without_entries_is_a_feed() -> None:
    assert cut(RSS.format("")).entries == ()
    assert cut(ATOM.format("")).entries == ()


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
@pytest.mark.parametrize("declaration", ['<?xml version="1.0" encoding="utf-16"?>', "<?xml version='1.0'?>", ""])
@pytest.mark.parametrize("content_type", ["", "application/rss+xml; charset=utf-16"])
def test_utf_16(encoding: str, declaration: str, content_type: str) -> None:
    document = RSS.format(ITEM).replace('<?xml version="1.0" encoding="utf-8"?>', declaration)
    bom = {"utf-16": b"", "utf-16-le": b"\xff\xfe", "utf-16-be": b"\xfe\xff"}[encoding]
    assert read_one(bom + document.encode(encoding), content_type) == READ


def test_utf_8_that_calls_itself_utf_16() -> None:
    assert read_one(RSS.format(ITEM).replace("utf-8", "utf-16")) == READ


def test_windows_1258_declared_or_not() -> None:
    plain = RSS.format(ITEM)
    for document in (plain.replace("utf-8", "windows-1258"), plain):
        assert {key: normalise(str(value)) for key, value in read_one(encode_1258(document)).items()} == READ


def test_the_charset_of_the_answer_counts_where_the_document_says_nothing() -> None:
    document = encode_1258(RSS.format(ITEM).replace(' encoding="utf-8"', ""))
    assert json.loads(cut(document, "text/xml; charset=windows-1258").context)["encoding"] == "windows-1258"


@pytest.mark.parametrize("declared", ["no-such-codec", "hex", "idna", "punycode", "undefined", "unicode_escape"])
def test_an_encoding_that_is_none_falls_back_to_utf_8(declared: str) -> None:
    assert decode("Đường".encode(), declared) == "Đường"


def test_a_lost_byte_is_shown_as_such() -> None:
    raw = RSS.format(ITEM).encode()
    at = raw.index("Nước".encode()) + 2
    assert read_one(raw[:at] + raw[at + 1 :]) == READ | {"text": "N\ufffdớc đã rút."}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("&#55357;&#56832;", "\U0001f600"),
        ("&#xD83D;&#xDE00", "\U0001f600"),
        ("&#xD83D;", "\ufffd"),
        ("&#1114112;", "\ufffd"),
        ("&#999999999;", "\ufffd"),
    ],
)
@pytest.mark.parametrize("sloppy", ["", " & "])
def test_references_to_half_a_character_or_to_none(written: str, shown: str, sloppy: str) -> None:
    entry = read_one(RSS.format(ITEM.replace("b-1", f"b-{written}").replace("Nước", f"{written}Nước{sloppy}")))
    assert entry["id"] == f"b-{shown}"
    assert str(entry["text"]).startswith(f"{shown}Nước")


def test_bytes_of_no_encoding_are_refused_with_their_place() -> None:
    noise = bytes(range(0x80, 0xA0)) * 4
    bad = b"<item><guid>x</guid><title>" + noise + b"</title></item>"
    found = cut(RSS.format("@").encode().replace(b"@", bad + ITEM.encode()))
    error, good = read_entries(found.entries, found.context)
    assert isinstance(error, UndecodableError)
    assert str(error) == "not utf-8: byte 27 is 0x80"
    assert good == READ


TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), max_size=30)


@st.composite
def entry_bodies(draw: st.DrawFn) -> str:
    pieces: Sequence[str] = draw(
        st.lists(
            st.one_of(
                TEXTS.map(lambda text: f"<description>{escape(text)}</description>"),
                TEXTS.map(lambda text: f"<description><![CDATA[<item>{text.replace(']]>', '')}</item>]]></description>"),
                TEXTS.map(lambda text: f"<!--</item>{text.replace('-', '')}-->"),
                st.sampled_from(["<items/>", "<category>entry</category>", "<entry_count>2</entry_count>"]),
            ),
            max_size=4,
        )
    )
    return "".join(pieces)


@given(st.lists(entry_bodies(), max_size=6), st.sampled_from([RSS, RDF]))
def test_cutting_gives_the_entries_byte_for_byte(bodies: list[str], frame: str) -> None:
    items = [f'<item id="{n}"><guid>{n}</guid><title>Tin {n}</title>{body}</item>' for n, body in enumerate(bodies)]
    document = frame.replace("{}", "\n".join(items))
    assert cut(document).entries == tuple(item.encode() for item in items)
    assert [entry["id"] for entry in read(document) if isinstance(entry, dict)] == [str(n) for n in range(len(items))]


FRAGMENTS = st.sampled_from(
    [
        b"<rss>",
        b"<feed>",
        b"<item>",
        b"</item>",
        b"<entry x='1'>",
        b"</entry>",
        b"<![CDATA[",
        b"]]>",
        b"<!--",
        b"-->",
        b"<title>",
        b"&#0;",
        b"&x;",
    ]
)


@given(st.lists(st.one_of(FRAGMENTS, st.binary(max_size=8)), max_size=14).map(b"".join), st.sampled_from(["utf-8", "utf-16", "x", "ascii"]))
def test_any_bytes_are_cut_and_read_without_an_exception(noise: bytes, charset: str) -> None:
    for document in (noise, b"<rss>" + noise, b"\xff\xfe" + noise):
        found = split(document, f"text/xml; charset={charset}")
        if found is not None:
            assert len(read_entries(found.entries, found.context)) == len(found.entries)
