"""Feeds as bytes: cut into their entries unchanged, and read again entry by entry. Pure.

RSS and Atom here; JSON Feed in json_feed.py, news sitemaps in sitemap.py.

The collector stores the raw bytes of each entry; silver reads them. Both use `read_entries`, so both see the same.
"""

import codecs
import json
import re
import unicodedata
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import feedparser

from assets.bronze import json_feed, sitemap
from assets.bronze.json_feed import read_json_item, split_json_feed
from assets.bronze.legacy_text import UndecodableError, without_font
from assets.bronze.sitemap import read_sitemap_entry, split_sitemap

_ENTRY_TOKEN = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<(?P<open>item|entry)(?=[\s>])[^>]*>|</(?P<close>item|entry)\s*>", re.DOTALL)
_DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:rss|feed|rdf:RDF)(?=[\s>])[^>]*>")
_CLOSED = re.compile(r"</(?:item|entry)\s*>\s*\Z")
_CHARACTER_REFERENCE = re.compile(r"&#(?:[xX]([0-9a-fA-F]{1,9})|([0-9]{1,9}));?")
_WIDE = re.compile(r"(?:utf|ucs)[-_]?(?:16|32|2|4)", re.IGNORECASE)
_NOT_OF_FEEDS = frozenset({"idna", "punycode", "raw-unicode-escape", "undefined", "unicode-escape"})
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_VIETNAMESE_MARKED = frozenset("àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ–—“”‘’…•°")
_PLAUSIBLE_SHARE = 0.9
_DAMAGE_SHARE = 0.005
"""Up to this share of broken characters a text counts as UTF-8 damaged on its way; they are shown as U+FFFD."""
_DEFAULT_ROOT = {"item": "<rss version='2.0'>", "entry": "<feed xmlns='http://www.w3.org/2005/Atom'>"}


@dataclass(frozen=True)
class FeedDocument:
    """Raw entry slices in document order, with the JSON context needed to read them apart from the document."""

    entries: tuple[bytes, ...]
    context: str


def split(document: bytes, content_type: str = "") -> FeedDocument | None:
    """Cut a feed into its entries; None when it is no RSS, Atom, JSON Feed or sitemap. A feed without entries gives an empty tuple.

    A UTF-16 document is first re-encoded as UTF-8: its entries could not be told apart as bytes.
    """
    if document.startswith(_UTF16_BOMS):
        document = document.decode("utf-16", errors="replace").encode("utf-8")
    if (items := split_json_feed(document)) is not None:
        return FeedDocument(items, json.dumps({"encoding": "utf-8", "element": json_feed.ELEMENT}, sort_keys=True))
    if (root := _ROOT.search(document[:65536])) is not None:
        return _split_feed(document, root, content_type)
    if (found := split_sitemap(document)) is not None:
        context = {"encoding": _encoding(document, content_type), "root": found.root, "element": sitemap.ELEMENT}
        return FeedDocument(found.entries, json.dumps(context, sort_keys=True))
    return None


def _split_feed(document: bytes, root: re.Match[bytes], content_type: str) -> FeedDocument:
    spans: list[bytes] = []
    start, depth, name = 0, 0, ""
    for token in _ENTRY_TOKEN.finditer(document, root.end()):
        if token[0].endswith(b"/>"):
            continue  # an empty element: neither an entry nor the start of one
        if opened := token["open"]:
            if depth == 0:
                start, name = token.start(), opened.decode()
            depth += 1
        elif token["close"] and depth:
            depth -= 1
            if depth == 0:
                spans.append(document[start : token.end()])
    if depth:  # the body was cut off inside an entry: what came of it is kept, to be rejected with a reason
        spans.append(document[start:])
    context = {"encoding": _encoding(document, content_type), "root": root[0].decode("ascii", errors="replace"), "element": name}
    return FeedDocument(tuple(spans), json.dumps(context, sort_keys=True))


def _encoding(document: bytes, content_type: str) -> str:
    declared = _DECLARED.search(document[:400])
    charset = _CHARSET.search(content_type)
    encoding = declared[1].decode("ascii") if declared else (charset[1] if charset else "utf-8")
    # Its tags were found as single bytes: re-encoded by `split`, or declared by a program that wrote UTF-8 after all.
    return "utf-8" if _WIDE.match(encoding) else encoding


def decode(payload: bytes, declared: str) -> str:
    """Text of bytes that declare an encoding: as declared, else UTF-8 (a few broken bytes become U+FFFD), else windows-1258 where
    that gives plausible Vietnamese, else VNI or TCVN3 where one of them does.

    Raises UndecodableError naming the first offending byte.
    """
    first_error: UnicodeDecodeError | None = None
    for encoding in (declared, "utf-8"):
        try:
            if codecs.lookup(encoding).name not in _NOT_OF_FEEDS:
                return without_font(payload.decode(encoding))
        except UnicodeDecodeError as error:
            first_error = first_error or error
        except LookupError:
            continue
    damaged = payload.decode("utf-8", errors="replace")
    if damaged.count("\ufffd") <= max(1, len(damaged) * _DAMAGE_SHARE):
        return damaged
    try:
        legacy = unicodedata.normalize("NFC", payload.decode("windows-1258"))
    except UnicodeDecodeError:
        legacy = ""
    foreign = [character for character in legacy.lower() if ord(character) > 127]
    if foreign and sum(character in _VIETNAMESE_MARKED for character in foreign) / len(foreign) >= _PLAUSIBLE_SHARE:
        return legacy
    if (shown := payload.decode("latin-1")) != (found := without_font(shown)):
        return found
    where = f"byte {first_error.start} is 0x{payload[first_error.start]:02x}" if first_error else "unknown encoding"
    raise UndecodableError(f"not {declared}: {where}")


def _wrapped(text: str, root: str) -> bytes:
    if root.startswith("<feed"):
        document = f"<?xml version='1.0' encoding='utf-8'?>{root}{text}</feed>"
    elif root.startswith("<rdf"):
        document = f"<?xml version='1.0' encoding='utf-8'?>{root}{text}</rdf:RDF>"
    else:
        document = f"<?xml version='1.0' encoding='utf-8'?>{root}<channel>{text}</channel></rss>"
    return document.encode("utf-8")


def _character(reference: re.Match[str]) -> str:
    code = int(reference[1], 16) if reference[1] else int(reference[2])
    return reference[0] if code < 0xD800 or 0xDFFF < code < 0x110000 else chr(code) if code < 0x110000 else "\ufffd"


def _read_entry(text: str, root: str) -> dict[str, Any] | None:
    if not _CLOSED.search(text):
        return None  # cut off: a reader would take the part for the whole
    # feedparser fails on references to no character; two halves of an emoji, as some programs write it, are joined here.
    text = _CHARACTER_REFERENCE.sub(_character, text).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    try:
        entries = feedparser.parse(_wrapped(text, root), sanitize_html=False, resolve_relative_uris=False).entries
    except Exception:  # whatever a hostile entry can make it raise must not stop the collector, only this entry
        return None
    return _fields(entries[0]) if len(entries) == 1 else None


def read_entries(payloads: Sequence[bytes], context: str) -> list[dict[str, Any] | UndecodableError | None]:
    """Read raw entries of one document context.

    Gives per entry a dict (id, link, title, text, author, published), None where it is not well enough formed to be read, or the
    UndecodableError. Each is parsed by itself (half as dear again as all at once): what one says never depends on its neighbours, so the
    collector and silver read the same, and no entry can pass its words off as another's.
    """
    known = json.loads(context)
    read = _reader(known.get("element") or "item", known.get("root") or "")
    found: list[dict[str, Any] | UndecodableError | None] = []
    for payload in payloads:
        try:
            found.append(read(decode(payload, known.get("encoding", "utf-8"))))
        except UndecodableError as error:
            found.append(error)
    return found


def _reader(element: str, root: str) -> Callable[[str], dict[str, Any] | None]:
    if element == json_feed.ELEMENT:
        return read_json_item
    if element == sitemap.ELEMENT:
        return partial(read_sitemap_entry, root=root or "<urlset>")
    return partial(_read_entry, root=root or _DEFAULT_ROOT[element])


def _fields(entry: Any) -> dict[str, Any] | None:
    content = entry.get("content") or []
    longest = max((part.get("value", "") for part in content), key=len, default="")
    updated = entry["updated"] if "updated" in entry else None  # noqa: SIM401 - get() answers with `published`, and a warning
    fields = {
        "id": entry.get("id") or None,
        "link": entry.get("link") or None,
        "title": entry.get("title") or None,
        "text": longest or entry.get("summary") or "",
        "author": entry.get("author") or None,
        "published": entry.get("published") or updated or None,
    }
    return fields if fields["title"] or fields["text"] else None
