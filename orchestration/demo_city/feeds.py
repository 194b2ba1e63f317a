"""The bytes of feeds, with what is wrong about some of them (see sites.yaml).

Belongs here: RSS 2.0 and Atom 1.0 rendering. Not here: article pages (article_pages.py), serving them (server.py).
"""

import json
import unicodedata
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime
from html import escape

from orchestration.demo_city.city import City, Reject, Version
from orchestration.demo_city.corpus import Site

MEDIA_TYPES = {
    "rss": "application/rss+xml; charset=utf-8",
    "atom": "application/atom+xml; charset=utf-8",
    "json": "application/feed+json",
    "sitemap": "application/xml; charset=utf-8",
    "index": "application/xml; charset=utf-8",
}
FORMS = {"rss.xml": "rss", "atom.xml": "atom", "feed.json": "json", "news-sitemap.xml": "sitemap", "sitemap-index.xml": "index"}
"""File name of a site's feed -> its form."""
UNREADABLE = b"<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1><hr>cong-vao-01</body></html>\n"
"""What an unreadable feed answers, with status 200 and a feed's media type."""
ABSURD_RSS = {"1970": "Thu, 01 Jan 1970 00:00:00 GMT", "2099": "Thu, 31 Dec 2099 23:59:00 +0700", "words": "hôm qua"}
ABSURD_ATOM = {"1970": "1970-01-01T00:00:00Z", "2099": "2099-12-31T23:59:00+07:00", "words": "hôm qua"}
BROKEN_BYTES = "broken_bytes"
"""The tag of the article whose bytes are no UTF-8."""
RELEASED_AT = {n: datetime(2024, 2, 26 + n, 1, 0, 0, tzinfo=UTC) for n in (1, 2, 3)}
"""When each round is released, for Last-Modified: fixed, for the city has no clock."""
TONE_MARKS = "\u0300\u0301\u0303\u0309\u0323"


def unreadable_feed_rejects(sites: Sequence[Site]) -> tuple[Reject, ...]:
    """One per feed document that is no feed (RSS and Atom of a site count as one: a source polls one of them)."""
    return tuple(
        Reject("news_feeds", site.source_id, site.unreadable_in_round, f"/sites/{site.slug}/", "malformed_feed", UNREADABLE)
        for site in sites
        if site.unreadable_in_round is not None
    )


def feed_bytes(city: City, site: Site, form: str, round_: int, base_url: str) -> tuple[bytes, int, datetime]:
    """A feed document (form: one of MEDIA_TYPES), the number of its items, and when it last changed (UTC)."""
    entries = city.feed_entries(site.slug, round_)
    changed = RELEASED_AT[max((v.release_round for v in entries), default=round_)]
    if site.unreadable_in_round == round_:
        return UNREADABLE, 0, changed
    if form in _IN_UTF_8:
        return _IN_UTF_8[form](site, entries, changed, base_url).encode(), len(entries), changed
    text = (_rss if form == "rss" else _atom)(site, entries, changed, base_url)
    data = text.encode() if site.charset == "utf-8" else encode_1258(text)
    for version in entries:
        if BROKEN_BYTES in version.tags:
            data = _break_item(data, version)
    return data, len(entries), changed


def article_id(version: Version) -> str:
    """The number in an article's address."""
    return version.native_id.rsplit(":", 1)[1]


def is_markup(version: Version) -> bool:
    """Whether the text is markup as written, to go out unescaped."""
    return bool(version.tags & {"html", "script"})


def _summary(version: Version) -> str:
    return version.text if is_markup(version) else f"<p>{escape(version.text, quote=False)}</p>"


def _link(site: Site, version: Version, base_url: str) -> str:
    """Mostly the page; now and then, as in life, a short link that redirects to it, or its AMP variant."""
    number = article_id(version)
    short = {3: f"s/{site.slug}/{number}", 7: f"sites/{site.slug}/articles/{number}.amp.html"}
    return f"{base_url}/{short.get(int(number) % 16, f'sites/{site.slug}/articles/{number}.html')}"


def _local(site: Site, moment: datetime) -> datetime:
    return moment.astimezone(timezone(timedelta(hours=site.offset_hours)))


def _rss(site: Site, entries: list[Version], changed: datetime, base_url: str) -> str:
    items = []
    for v in entries:
        stamp = ABSURD_RSS.get(v.stamp) or format_datetime(_local(site, v.published))
        pub_date = "" if v.stamp == "missing" else f"<pubDate>{stamp}</pubDate>"
        items.append(
            f"<item><title>{escape(v.title or '')}</title><link>{_link(site, v, base_url)}</link>"
            f'<guid isPermaLink="false">{v.native_id}</guid>'
            f"{pub_date}<dc:creator>{escape(v.author)}</dc:creator><description><![CDATA[{_summary(v)}]]></description></item>"
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0" xmlns:dc="http://purl.org/dc/elements/1.1/"><channel>\n'
        f"<title>{site.name}</title><link>{base_url}/sites/{site.slug}/</link><description>{site.name}: tin thành phố</description>"
        f"<language>vi</language>"
        f"<lastBuildDate>{format_datetime(changed)}</lastBuildDate>\n" + "\n".join(items) + "\n</channel></rss>\n"
    )


def _atom(site: Site, entries: list[Version], changed: datetime, base_url: str) -> str:
    items = []
    for v in entries:
        stamp = ABSURD_ATOM.get(v.stamp) or _local(site, v.published).isoformat()
        published = "" if v.stamp == "missing" else f"<published>{stamp}</published>"
        # An edit says when it was made. Entries with an absurd date do not, so that no good date helps the bad one out.
        is_edit = bool(v.tags & {"edit", "edit_date"}) and v.release_round > 1
        updated = f"<updated>{RELEASED_AT[v.release_round].isoformat()}</updated>" if is_edit else ""
        items.append(
            f'<entry><title>{escape(v.title or "")}</title><link rel="alternate" href="{_link(site, v, base_url)}"/>'
            f"<id>{v.native_id}</id>{published}{updated}<author><name>{escape(v.author)}</name></author>"
            f'<summary type="html">{escape(_summary(v))}</summary></entry>'
        )
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n<feed xmlns="http://www.w3.org/2005/Atom" xml:lang="vi">\n'
        f'<title>{site.name}</title><link href="{base_url}/sites/{site.slug}/"/><id>tag:{site.platform},2024:feed</id>'
        f"<updated>{changed.isoformat()}</updated>\n" + "\n".join(items) + "\n</feed>\n"
    )


def _json(site: Site, entries: list[Version], changed: datetime, base_url: str) -> str:
    del changed
    items = []
    for v in entries:
        item = {"id": v.native_id, "url": _link(site, v, base_url), "title": v.title or "", "content_html": _summary(v)}
        if v.stamp != "missing":
            item["date_published"] = ABSURD_ATOM.get(v.stamp) or _local(site, v.published).isoformat()
        items.append({**item, "authors": [{"name": v.author}]})
    head = {"version": "https://jsonfeed.org/version/1.1", "title": site.name, "home_page_url": f"{base_url}/sites/{site.slug}/"}
    return json.dumps({**head, "items": items}, ensure_ascii=False, indent=1)


def _sitemap(site: Site, entries: list[Version], changed: datetime, base_url: str) -> str:
    urls = []
    for v in entries:
        page = f"{base_url}/sites/{site.slug}/articles/{article_id(v)}.html"
        news = (
            f"<news:news><news:publication><news:name>{escape(site.name)}</news:name><news:language>vi</news:language></news:publication>"
            f"<news:publication_date>{_local(site, v.published).isoformat()}</news:publication_date>"
            f"<news:title>{escape(v.title or '')}</news:title></news:news>"
        )
        urls.append(f"<url><loc>{page}</loc><lastmod>{changed.isoformat()}</lastmod>{news}</url>")
    root = f'<urlset xmlns="{_SITEMAPS}" xmlns:news="http://www.google.com/schemas/sitemap-news/0.9">'
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{root}\n' + "\n".join(urls) + "\n</urlset>\n"


def _index(site: Site, entries: list[Version], changed: datetime, base_url: str) -> str:
    del entries
    address = f"{base_url}/sites/{site.slug}/news-sitemap.xml"
    child = f"<sitemap><loc>{address}</loc><lastmod>{changed.isoformat()}</lastmod></sitemap>"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<sitemapindex xmlns="{_SITEMAPS}">{child}</sitemapindex>\n'


_SITEMAPS = "http://www.sitemaps.org/schemas/sitemap/0.9"
_IN_UTF_8: dict[str, Callable[[Site, list[Version], datetime, str], str]] = {"json": _json, "sitemap": _sitemap, "index": _index}


def encode_1258(text: str) -> bytes:
    """Windows-1258 as old newsroom systems write it: vowel with its hat, then the tone as a combining mark; the rest as references.

    Decoding as windows-1258 and normalising to NFC gives the text back.
    """
    out = []
    for char in text:
        parts = unicodedata.normalize("NFD", char)
        tones = "".join(c for c in parts if c in TONE_MARKS)
        base = unicodedata.normalize("NFC", "".join(c for c in parts if c not in TONE_MARKS))
        whole = char if _fits_1258(char) else base + tones
        out.append(whole.encode("cp1258", errors="xmlcharrefreplace"))
    return b"".join(out)


def _fits_1258(char: str) -> bool:
    try:
        char.encode("cp1258")
    except UnicodeEncodeError:
        return False
    return True


def _break_item(data: bytes, version: Version) -> bytes:
    """Cut one byte out of the first two-byte-or-longer letter of that item's summary: no longer UTF-8, the rest of the feed untouched."""
    start = data.index(version.native_id.encode())
    at = next(i for i in range(data.index(b"<p>" if b"<p>" in data[start:] else b"&lt;p&gt;", start), len(data)) if data[i] >= 0xC0)
    return data[: at + 1] + data[at + 2 :]
