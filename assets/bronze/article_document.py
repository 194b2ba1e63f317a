"""What an article page says, from its bytes alone: title, text without byline and boilerplate, author, its own address. Pure.

The collector and silver both use `read_article`, so both see the same. Belongs here: the words of a page. Not here: its encoding
(legacy_text.py), what its address means (article_address.py).
"""

import json
import re
from copy import deepcopy
from dataclasses import dataclass
from enum import StrEnum

from lxml import etree, html
from trafilatura import bare_extraction, extract_metadata
from trafilatura.settings import DEFAULT_CONFIG

from assets.bronze.legacy_text import UndecodableError, page_text

_CONFIG = deepcopy(DEFAULT_CONFIG)
for _name in ("MIN_EXTRACTED_SIZE", "MIN_OUTPUT_SIZE", "MIN_EXTRACTED_COMM_SIZE", "MIN_OUTPUT_COMM_SIZE"):
    _CONFIG["DEFAULT"][_name] = "1"  # a short article is an article; by default its page would be taken whole, menus and all
_NO_DATES = {"max_date": "2100-01-01", "extensive_search": False, "original_date": True}
"""The page's date is not used; without this the reader would look at the clock."""
_HTML_START = re.compile(r"<(?:!doctype\s+html|html|head|body|article|meta|title|div|p)\b", re.IGNORECASE)
_XML_DECLARATION = re.compile(r"^\s*<\?xml[^>]*\?>")
_END = re.compile(r"</(?:article|body|html)\s*>", re.IGNORECASE)
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_TOKENS = re.compile(r"[\s_-]+")
_BOILERPLATE = frozenset(
    {"ad", "ads", "advert", "advertisement", "advertising", "banner", "quangcao", "breadcrumb", "breadcrumbs", "comment", "comments"}
    | {"binhluan", "related", "relate", "recommend", "sidebar", "share", "sharing", "social", "tags", "newsletter", "subscribe", "promo"}
    | {"popup", "menu", "navbar", "nav", "footer", "toolbar"}
)
_BYLINES = frozenset({"byline", "author", "authors", "tacgia", "signature"})
_STAMPS = frozenset({"timestamp", "pubdate", "datetime", "dateline"})
_GONE = frozenset({"nav", "aside", "footer", "form", "time", "script", "style", "noscript", "iframe", "button", "select"})
_KEPT = frozenset({"html", "body", "main", "article"})
_NAME = re.compile(
    r"(?:(?:theo|tác giả|bài|ảnh|tin|nguồn)\s*:?\s*)?(?P<name>[^\W\d_][\w.'’-]*(?:\s+[^\W\d_][\w.'’-]*){1,4})", re.IGNORECASE
)


class Fault(StrEnum):
    """Why a page gives no article."""

    UNDECODABLE = "undecodable"
    NO_PAGE = "no_page"
    CUT_OFF = "cut_off"
    NO_TEXT = "no_text"


@dataclass(frozen=True)
class Unreadable:
    """A page that gives no article, with the reason for people."""

    fault: Fault
    detail: str


@dataclass(frozen=True)
class Article:
    """An article as its page gives it, not yet cleaned. `canonical` and `og_url` as written, relative ones among them."""

    title: str | None
    text: str
    author: str | None
    canonical: str | None = None
    og_url: str | None = None


def page_context(content_type: str, **more: str | None) -> str:
    """The JSON context a page's bytes are kept with: the header's content type, and what the collector adds to it."""
    return json.dumps({"content_type": content_type} | {key: value for key, value in more.items() if value is not None}, sort_keys=True)


def read_article(payload: bytes, context: str) -> Article | Unreadable:
    """The article of a page's bytes, as `page_context` describes them. Raises nothing for any bytes."""
    try:
        text = page_text(payload, json.loads(context).get("content_type", ""))
    except UndecodableError as error:
        return Unreadable(Fault.UNDECODABLE, str(error))
    if not _HTML_START.search(text):
        return Unreadable(Fault.NO_PAGE, "the body is no HTML page")
    if not _END.search(text):
        # Its text would pass for a shorter version of the article. Real pages close at least one of these.
        return Unreadable(Fault.CUT_OFF, "the page ends before its article does (no </article>, </body> or </html>)")
    try:
        return _read(_NOT_XML.sub("", _XML_DECLARATION.sub("", text)))
    except (etree.LxmlError, ValueError, RecursionError, AttributeError, TypeError) as error:
        # Of hostile markup the libraries raise more than they promise; it must not stop the collector, only this page.
        return Unreadable(Fault.NO_PAGE, f"the markup cannot be read ({type(error).__name__})")


def _read(text: str) -> Article | Unreadable:
    tree = html.document_fromstring(text.encode("utf-8"), parser=html.HTMLParser(encoding="utf-8"))
    found = extract_metadata(deepcopy(tree), date_config=dict(_NO_DATES), extensive=False)
    headings = [_words(element) for element in tree.iter("h1")]
    title = next(iter(headings), "") if len(headings) == 1 else ""
    title = title or (found.title or "").strip()
    canonical = _first(tree, "//link[contains(concat(' ', normalize-space(@rel), ' '), ' canonical ')]/@href")
    og_url = _first(tree, "//meta[@property='og:url']/@content")
    given = _first(tree, "//meta[@name='author' or @property='article:author' or @name='dc.creator']/@content[not(contains(., '://'))]")
    # As written before as cleaned by the library, which cuts what it thinks no part of a name: the feed gives it as written, too.
    authors = [given] if given else []
    authors += _take_out(tree)
    authors += [name.strip() for name in (found.author or "").split(";") if name.strip()]
    extracted = bare_extraction(tree, fast=True, favor_precision=True, include_comments=False, include_tables=True, config=_CONFIG)
    body = str(extracted.text or "") if extracted is not None and not isinstance(extracted, dict) else ""
    lines, signed = _without_byline([line.strip() for line in body.split("\n") if line.strip()], title, authors)
    if not lines:
        return Unreadable(Fault.NO_TEXT, "nothing of the page is the text of an article")
    return Article(title or None, "\n".join(lines), next(iter(authors or signed), None), canonical, og_url)


def _first(tree: html.HtmlElement, path: str) -> str | None:
    return next((str(value).strip() for value in tree.xpath(path) if str(value).strip()), None)


def _words(element: html.HtmlElement) -> str:
    return " ".join(element.text_content().split())


def _take_out(tree: html.HtmlElement) -> list[str]:
    """Remove what is no part of an article from the tree; returns the names of authors found in it."""
    names = []
    for element in list(tree.iter(etree.Element)):
        role = _role(element)
        if role is None or element.getparent() is None:
            continue
        if role == "byline" and (name := _words(element)) and len(name) <= 80:
            names.append(re.sub(r"^(?:tác giả|theo|by)\s*:?\s*", "", name, flags=re.IGNORECASE))
        element.drop_tree()
    return names


def _role(element: html.HtmlElement) -> str | None:
    """What an element is, where it is no part of an article: boilerplate or byline; None for all others."""
    tag = element.tag
    if not isinstance(tag, str) or tag in _KEPT:
        return None
    tokens = set(_TOKENS.split(f"{element.get('class', '')} {element.get('id', '')}".lower()))
    attributes = (element.get("rel", ""), element.get("itemprop", ""))
    if tokens & _BYLINES or "author" in attributes or _is_signature(element):
        return "byline" if not _holds_article(element) else None
    if tag in _GONE or tag == "h1" or tokens & (_BOILERPLATE | _STAMPS) or "datePublished" in attributes:
        return "boilerplate" if tag == "h1" or not _holds_article(element) else None
    return None


def _is_signature(element: html.HtmlElement) -> bool:
    """A short line set to the right: how Vietnamese newsrooms sign an article."""
    style = element.get("style", "").replace(" ", "").lower()
    is_right = "text-align:right" in style or element.get("align", "").lower() == "right"
    return element.tag in {"p", "div", "span"} and is_right and 0 < len(_words(element)) <= 60


def _holds_article(element: html.HtmlElement) -> bool:
    """Whether an article lies inside: a class such as "with-sidebar" on the frame of a page must not throw the page away."""
    return bool(element.xpath("boolean(.//article | .//main | .//h1 | .//*[@itemprop='articleBody'])"))


def _without_byline(lines: list[str], title: str, authors: list[str]) -> tuple[list[str], list[str]]:
    """The lines without the title, names of the authors standing alone, and a name that signs the last line; and that name."""
    said = {" ".join(part.split()).casefold() for part in (title, *authors)}
    kept = [line for line in lines if " ".join(line.split()).casefold() not in said]
    if len(kept) > 1 and (name := signature(kept[-1])):
        return kept[:-1], [name]
    return kept, []


def signature(line: str) -> str | None:
    """The name in a line that is nothing but a name: two to five words, each with a capital, no stop at the end. Else None."""
    found = _NAME.fullmatch(line)
    if found is None or len(line) > 60:
        return None
    words = found["name"].split()
    return found["name"] if all(word[0].isupper() for word in words) else None
