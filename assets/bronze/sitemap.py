"""Sitemaps (sitemaps.org) with Google's news elements: cut into their addresses unchanged, and read again one by one. Pure.

An address without a news element names a page and says nothing: it is no post.
"""

import re
from dataclasses import dataclass
from typing import Any

from lxml import etree

ELEMENT = "url"
MAX_CHILDREN = 10
"""Of a sitemap index so many sitemaps are read: those changed last. The rest of a paper's archive is not what is being said today."""
_URLSET = re.compile(rb"<(?:[\w.-]+:)?urlset(?=[\s>])[^>]*>")
_INDEX = re.compile(rb"<(?:[\w.-]+:)?sitemapindex(?=[\s>])[^>]*>")
_ENTRY = re.compile(
    rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<(?P<open>(?:[\w.-]+:)?url)(?=[\s>])[^>]*>|</(?P<close>(?:[\w.-]+:)?url)\s*>", re.DOTALL
)
_CHILD = re.compile(rb"<(?:[\w.-]+:)?sitemap(?=[\s>])[^>]*>.*?</(?:[\w.-]+:)?sitemap\s*>", re.DOTALL)


@dataclass(frozen=True)
class Sitemap:
    """The raw `<url>` elements that carry news, how many carry none, and the root element's start tag."""

    entries: tuple[bytes, ...]
    without_news: int
    root: str


def split_sitemap(document: bytes) -> Sitemap | None:
    """Cut a sitemap; None for what is none. An element that was cut off is kept, to be rejected with a reason."""
    root = _URLSET.search(document[:65536])
    if root is None:
        return None
    entries, start = [], None
    for token in _ENTRY.finditer(document, root.end()):
        if token["open"] and not token[0].endswith(b"/>") and start is None:
            start = token.start()
        elif token["close"] and start is not None:
            entries.append(document[start : token.end()])
            start = None
    news = [entry for entry in entries if b"news>" in entry]
    cut_off = [] if start is None else [document[start:]]
    return Sitemap((*news, *cut_off), len(entries) - len(news), root[0].decode("ascii", errors="replace"))


def children_of(document: bytes) -> list[str] | None:
    """The addresses of the sitemaps that an index names, those changed last first, MAX_CHILDREN at most; None for what is no index."""
    if _INDEX.search(document[:65536]) is None:
        return None
    found = []
    for number, raw in enumerate(_CHILD.findall(document)):
        element = _element(raw.decode("utf-8", errors="replace"), "<sitemapindex>")
        if element is not None and (address := _text(element, "loc")):
            found.append((_text(element, "lastmod") or "", number, address))
    newest_first = sorted(found, key=lambda child: (child[0], -child[1]), reverse=True)
    return list(dict.fromkeys(address for _, _, address in newest_first))[:MAX_CHILDREN]


def read_sitemap_entry(text: str, root: str) -> dict[str, Any] | None:
    """An address's fields, as feed_document's: the title is all its words; None where it has none or was cut off."""
    element = _element(text, root)
    news = None if element is None else next((child for child in element if _name(child) == "news"), None)
    if element is None or news is None or not (title := _text(news, "title")):
        return None
    address = _text(element, "loc")
    published = _text(news, "publication_date") or _text(element, "lastmod")
    return {"id": address, "link": address, "title": title, "text": "", "author": None, "published": published}


def _element(text: str, root: str) -> Any | None:
    """The element within its root, for its namespace prefixes; None where it is not well formed. No entity is resolved, nothing loaded."""
    name = re.match(r"<([\w.:-]+)", root)
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False)
    try:
        tree = etree.fromstring(f"{root}{text}</{name[1] if name else ''}>".encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None
    return tree[0] if len(tree) == 1 else None


def _name(element: Any) -> str:
    return str(etree.QName(element).localname) if isinstance(element.tag, str) else ""


def _text(element: Any, name: str) -> str | None:
    found = next((child for child in element if _name(child) == name), None)
    return None if found is None else ("".join(found.itertext()).strip() or None)
