"""The article pages of the demo city: headline, byline and paragraphs amid what surrounds them on real sites, and their faults.

Belongs here: HTML of full, AMP and short-link pages, and their faults (as bytes). Not here: which fault when (faults.py), paths (pages.py).
"""

import re
import unicodedata
import zlib
from collections.abc import Mapping, Sequence
from html import escape

from assets.bronze.legacy_text import TCVN3, VNI
from orchestration.demo_city.city import City, Version
from orchestration.demo_city.corpus import Site
from orchestration.demo_city.feeds import article_id, encode_1258, is_markup

MEDIA_TYPE = "text/html; charset=utf-8"
UPDATE = "Tòa soạn cập nhật: cơ quan chức năng đã có văn bản trả lời bạn đọc."
"""The paragraph that a page gets when it is edited without a word in the feed."""
ARTICLE_FAULTS = ("edited", "cut_page", "charset_lie", "utf16", "windows_1258", "vni", "tcvn3", "zero_width", "garbled", "no_article")
_SECTIONS = ("Thời sự", "Đô thị", "Giao thông", "Môi trường", "Y tế", "Giáo dục", "Bạn đọc")
_ADS = ("Căn hộ ven sông trả góp", "Sữa chua mỗi ngày", "Vé máy bay giờ chót", "Khóa học lái xe cấp tốc", "Điện thoại đổi cũ lấy mới")
_RELATED = 4


def latest_version(city: City, site: Site, number: str, round_: int) -> Version | None:
    """The article of that number as it stands in a round, None where the site has none out."""
    out = [v for v in city.versions if v.source_id == site.source_id and v.release_round <= round_ and article_id(v) == number]
    return out[-1] if out else None


def has_validators(site: Site) -> bool:
    """Whether a site's pages answer conditional requests: every other one, as in life."""
    return zlib.crc32(site.slug.encode()) % 2 == 0


def article_html(site: Site, version: Version, *, base_url: str = "", fetch: int = 0, related: Sequence[Version] = ()) -> bytes:
    """The article's page as served: UTF-8, or the site's own old encoding under the name of UTF-8. `fetch` turns the advertisements."""
    address = f"{base_url}/sites/{site.slug}/articles/{article_id(version)}"
    sections = "".join(f'<li><a href="/sites/{site.slug}/">{name}</a></li>' for name in _SECTIONS)
    folder = f"{base_url}/sites/{site.slug}/articles"
    others = "".join(f'<li><a href="{folder}/{article_id(v)}.html">{escape(v.title or "")}</a></li>' for v in related[:_RELATED])
    section = _SECTIONS[int(article_id(version)) % len(_SECTIONS)]
    ad = f"{_ADS[fetch % len(_ADS)]} {fetch}"
    text = (
        f"{_head(site, version, address)}\n<body class='trang-bai with-comments'>"
        f'<header><a href="/">{site.name}</a><nav class="menu"><ul>{sections}</ul></nav></header>\n'
        f'<div class="breadcrumb"><a href="/">Trang chủ</a> » <a href="#">{section}</a></div>\n'
        f'<div class="ads banner" id="ad-top">{ad}</div>\n{_article(version)}\n'
        f'<div class="share">Chia sẻ: <a href="#">Facebook</a> <a href="#">Zalo</a></div>\n<div class="ads">Quảng cáo: {ad}</div>\n'
        f'<aside class="related"><h3>Tin liên quan</h3><ul>{others}</ul></aside>\n'
        f'<section class="comments" id="binh-luan"><h3>Bình luận ({fetch % 7})</h3><p class="comment">Bạn đọc {fetch}: Rất mong '
        'chính quyền sớm giải quyết cho dân.</p><form action="#"><textarea>Ý kiến của bạn</textarea><button>Gửi</button></form></section>\n'
        f"<footer>© {site.name}. Cấm sao chép dưới mọi hình thức.</footer>\n<script>var luot_xem = {fetch};</script></body></html>\n"
    )
    return text.encode() if site.charset == "utf-8" else encode_1258(text)


def amp_html(site: Site, version: Version, *, base_url: str = "") -> bytes:
    """The AMP variant: the same words, and the full page as its canonical address. UTF-8."""
    address = f"{base_url}/sites/{site.slug}/articles/{article_id(version)}"
    head = _head(site, version, address).replace('<html lang="vi">', '<html ⚡ lang="vi">')
    return f"{head}\n<body><header>{site.name}</header>\n{_article(version)}\n<footer>© {site.name}</footer></body></html>\n".encode()


def _head(site: Site, version: Version, address: str) -> str:
    title = escape(version.title or "", quote=True)
    return (
        f'<!DOCTYPE html>\n<html lang="vi"><head><meta charset="utf-8"><title>{title} - {site.name}</title>'
        f'<link rel="canonical" href="{address}.html?utm_source=canonical"><link rel="amphtml" href="{address}.amp.html">'
        f'<meta property="og:title" content="{title}"><meta property="og:url" content="{address}.html"></head>'
    )


def _article(version: Version) -> str:
    # Bare text between tags, not in paragraphs of its own where the text is markup: that is how such posts come.
    paragraphs = [version.text] if is_markup(version) else [escape(p) for p in re.split(r"(?<=[.!?]) ", version.text)]
    body = "\n".join(f"<p>{p}</p>" for p in paragraphs)
    stamp = version.published.strftime("%d/%m/%Y %H:%M")
    byline = f'<p class="byline">{escape(version.author)}</p><time>{stamp}</time>'
    return f"<article><h1>{escape(version.title or '')}</h1>\n{byline}\n{body}\n</article>"


def spoil_article(body: bytes, kind: str) -> tuple[bytes, str]:
    """A page (UTF-8) as one of ARTICLE_FAULTS makes it, and the content type it is sent with."""
    text = body.decode("utf-8", "replace")
    match kind:
        case "edited":
            found = text.replace("</article>", f"<p>{UPDATE}</p>\n</article>").encode(), MEDIA_TYPE
        case "cut_page":  # within the article: a proxy gave up, and counted what it had
            found = text[: text.index("</article>") - 20].encode(), MEDIA_TYPE
        case "charset_lie":
            found = text.replace('<meta charset="utf-8">', "").encode(), "text/html; charset=iso-8859-1"
        case "utf16":
            found = text.encode("utf-16-le"), "text/html"
        case "windows_1258":
            found = encode_1258(text.replace('charset="utf-8"', 'charset="windows-1258"')), "text/html"
        case "vni":
            style = '<style>body { font-family: "VNI-Times"; }</style></head>'
            found = shown_in(text.replace("</head>", style), VNI).encode(), MEDIA_TYPE
        case "tcvn3":
            plain = unicodedata.normalize("NFC", text.replace('<meta charset="utf-8">', ""))
            found = shown_in(small_toned(plain), TCVN3).encode("latin-1", "xmlcharrefreplace"), "text/html; charset=x-viet-tcvn3"
        case "zero_width":
            found = re.sub(r"(?<=[a-z]) (?=[a-z])(?![^<]*>)", " \u200b\u2060", text).encode(), MEDIA_TYPE
        case "garbled":  # converted twice on its way: nothing can bring it back
            found = re.sub(rb"[\x80-\xff]", lambda part: bytes([part[0][0] % 32 + 0x80]), body), MEDIA_TYPE
        case _:
            found = re.sub(r"<article>.*</article>", "<div></div>", text, flags=re.DOTALL).encode(), MEDIA_TYPE
    return found


def shown_in(text: str, table: Mapping[str, str]) -> str:
    """Text in the characters of a legacy font."""
    into = {letter: shown for shown, letter in reversed(list(table.items())) if len(letter) == 1}
    return "".join(into.get(letter, letter) for letter in unicodedata.normalize("NFC", text))


def small_toned(text: str) -> str:
    """Text without the capitals that a font of small letters cannot show."""
    # TCVN3 has capitals with a tone only in fonts of capitals, in the places of the small letters.
    known = set(TCVN3.values())
    return "".join(c if c in known or c.lower() not in known else c.lower() for c in text)
