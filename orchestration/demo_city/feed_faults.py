"""What goes wrong inside feeds: an RSS document as one of FEED_FAULTS makes it.

Belongs here: faults of documents. Not here: those of answers (faults.py), of article pages (article_pages.py).
"""

import re
import unicodedata
from collections.abc import Callable
from itertools import cycle

from assets.bronze.legacy_text import TCVN3, VNI
from orchestration.demo_city.article_pages import shown_in, small_toned
from orchestration.demo_city.feeds import encode_1258

MEDIA_TYPE = "application/rss+xml; charset=utf-8"
LARGE_BYTES, HUGE_BYTES = 9 * 1024 * 1024, 11 * 1024 * 1024
_WORD = "ngập "
FEED_FAULTS = (
    *("duplicate_ids", "no_ids", "relative_links", "future_dates", "mixed_zones", "large_item", "huge_item", "cdata_tricks", "broken_utf8"),
    *("garbled", "utf16", "windows_1258", "vni", "tcvn3", "zero_width", "entity_bomb", "cut_feed", "empty_feed"),
)
_ZONES = ("Fri, 23 Feb 2024 08:00:00 GMT", "2024-02-23T15:00:00+07:00", "23/02/2024 15:00", "Fri, 23 Feb 2024 15:00:00 GMT+7", "1708675200")
"""One moment as five newsrooms write it."""
_BOMB = '<!DOCTYPE rss [<!ENTITY a0 "tin">' + "".join(f'<!ENTITY a{n} "{f"&a{n - 1};" * 10}">' for n in range(1, 10)) + "]>"


def spoil_feed(body: bytes, kind: str) -> tuple[bytes, str]:
    """A feed (RSS, UTF-8) as one of FEED_FAULTS makes it, and the content type it is sent with. What befalls one item befalls the first."""
    text = body.decode("utf-8", "replace")
    if kind in _IN_TEXT:
        return _IN_TEXT[kind](text).encode(), MEDIA_TYPE
    match kind:
        case "broken_utf8":
            at = next(place for place in range(body.index(b"<item>"), len(body)) if body[place] >= 0xC0)
            found = body[: at + 1] + body[at + 2 :], MEDIA_TYPE
        case "garbled":  # converted twice on its way: nothing can bring it back
            found = re.sub(rb"[\x80-\xff]", lambda part: bytes([part[0][0] % 32 + 0x80]), body), MEDIA_TYPE
        case "utf16":
            found = text.replace('encoding="UTF-8"', 'encoding="UTF-16"').encode("utf-16"), "application/rss+xml"
        case "windows_1258":
            found = encode_1258(text.replace('encoding="UTF-8"', 'encoding="windows-1258"')), "application/rss+xml"
        case _:  # tcvn3, under a name that no program knows
            plain = unicodedata.normalize("NFC", text.replace(' encoding="UTF-8"', ""))
            found = shown_in(small_toned(plain), TCVN3).encode("latin-1", "xmlcharrefreplace"), "application/rss+xml; charset=x-viet-tcvn3"
    return found


def _duplicate_ids(text: str) -> str:
    first = re.findall(r"<guid[^>]*>.*?</guid>", text)[0]
    return re.sub(r"<guid[^>]*>.*?</guid>", first, text, count=2)


def _mixed_zones(text: str) -> str:
    zones = cycle(_ZONES)
    return re.sub(r"<pubDate>.*?</pubDate>", lambda _: f"<pubDate>{next(zones)}</pubDate>", text)


def _in_first(text: str, pattern: str, instead: str) -> str:
    return re.sub(pattern, lambda _: instead, text, count=1, flags=re.DOTALL)


def _lengthened(text: str, size: int) -> str:
    return text.replace("<description><![CDATA[", f"<description><![CDATA[{_WORD * (size // len(_WORD.encode()))}", 1)


_TRICKS = "<![CDATA[Đường ngập <b>rất sâu</b> ]]]]><![CDATA[> sau mưa, </item><item> không phải tin mới]]>"
_IN_TEXT: dict[str, Callable[[str], str]] = {
    "duplicate_ids": _duplicate_ids,
    "no_ids": lambda text: re.sub(r"<guid[^>]*>.*?</guid>", "", text),
    "relative_links": lambda text: re.sub(r"<link>https?://[^/<]+/", "<link>/", text),
    "future_dates": lambda text: re.sub(r"<pubDate>.*?</pubDate>", "<pubDate>Thu, 31 Dec 2099 23:59:00 +0700</pubDate>", text),
    "mixed_zones": _mixed_zones,
    "large_item": lambda text: _lengthened(text, LARGE_BYTES),
    "huge_item": lambda text: _lengthened(text, HUGE_BYTES),
    "cdata_tricks": lambda text: _in_first(text, r"(?<=<description>)<!\[CDATA\[.*?\]\]>(?=</description>)", _TRICKS),
    "vni": lambda text: shown_in(text, VNI),
    "zero_width": lambda text: re.sub(r"(?<=[a-z]) (?=[a-z])(?![^<]*>)", " \u200b\u2060", text),
    "entity_bomb": lambda text: _in_first(text, r"<rss", f"{_BOMB}<rss").replace("<item><title>", "<item><title>&a9;", 1),
    "cut_feed": lambda text: text[: text.rindex("<description>") + 30],
    "empty_feed": lambda text: re.sub(r"<item>.*</item>", "", text, flags=re.DOTALL),
}
