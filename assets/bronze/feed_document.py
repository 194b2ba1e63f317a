"""RSS and Atom documents as bytes: cut into their entries unchanged, and read again entry by entry. Pure.

The collector stores the raw bytes of each entry; silver reads them. Both use `read_entries`, so both see the same.
"""

import json
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import feedparser

_ENTRY_TOKEN = re.compile(rb"<!\[CDATA\[.*?\]\]>|<!--.*?-->|<(?P<open>item|entry)(?=[\s>])[^>]*>|</(?P<close>item|entry)\s*>", re.DOTALL)
_DECLARED = re.compile(rb"""<\?xml[^>]*encoding\s*=\s*["']([A-Za-z0-9._-]+)["']""")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_ROOT = re.compile(rb"<(?:rss|feed|rdf:RDF)\b[^>]*>")
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_VIETNAMESE_MARKED = frozenset("àáảãạăằắẳẵặâầấẩẫậđèéẻẽẹêềếểễệìíỉĩịòóỏõọôồốổỗộơờớởỡợùúủũụưừứửữựỳýỷỹỵ–—“”‘’…•°")
_PLAUSIBLE_SHARE = 0.9
_DAMAGE_SHARE = 0.005
"""Up to this share of broken characters a text counts as UTF-8 damaged on its way; they are shown as U+FFFD."""
_DEFAULT_ROOT = {"item": "<rss version='2.0'>", "entry": "<feed xmlns='http://www.w3.org/2005/Atom'>"}


class UndecodableError(ValueError):
    """Bytes that are neither what their document declares nor plausible Vietnamese in a legacy encoding."""


@dataclass(frozen=True)
class FeedDocument:
    """Raw entry slices in document order, with the JSON context needed to read them apart from the document."""

    entries: tuple[bytes, ...]
    context: str


def split(document: bytes, content_type: str = "") -> FeedDocument | None:
    """Cut a feed into its entries; None when it is no RSS or Atom document. A feed without entries gives an empty tuple.

    A UTF-16 document is first re-encoded as UTF-8: its entries could not be told apart as bytes.
    """
    if document.startswith(_UTF16_BOMS):
        document = re.sub(
            rb"encoding=[\"'][^\"']*[\"']", b'encoding="utf-8"', document.decode("utf-16", errors="replace").encode("utf-8"), count=1
        )
    root = _ROOT.search(document[:65536])
    if root is None:
        return None
    spans: list[bytes] = []
    start, depth, name = 0, 0, ""
    for token in _ENTRY_TOKEN.finditer(document, root.end()):
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
    declared = _DECLARED.search(document[:400])
    charset = _CHARSET.search(content_type)
    encoding = declared[1].decode("ascii") if declared else (charset[1] if charset else "utf-8")
    context = {"encoding": encoding, "root": root[0].decode("ascii", errors="replace"), "element": name}
    return FeedDocument(tuple(spans), json.dumps(context, sort_keys=True))


def decode(payload: bytes, declared: str) -> str:
    """Text of bytes that declare an encoding: as declared, else UTF-8 (a few broken bytes become U+FFFD), else windows-1258 where
    that gives plausible Vietnamese.

    Raises UndecodableError naming the first offending byte.
    """
    first_error: UnicodeDecodeError | None = None
    for encoding in (declared, "utf-8"):
        try:
            return payload.decode(encoding)
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
    where = f"byte {first_error.start} is 0x{payload[first_error.start]:02x}" if first_error else "unknown encoding"
    raise UndecodableError(f"not {declared}: {where}")


def _wrapped(texts: Sequence[str], root: str, element: str) -> bytes:
    body = "".join(texts)
    if element == "entry":
        document = f"<?xml version='1.0' encoding='utf-8'?>{root}{body}</feed>"
    elif root.startswith("<rdf"):
        document = f"<?xml version='1.0' encoding='utf-8'?>{root}{body}</rdf:RDF>"
    else:
        document = f"<?xml version='1.0' encoding='utf-8'?>{root}<channel>{body}</channel></rss>"
    return document.encode("utf-8", errors="replace")


def _parsed(texts: Sequence[str], root: str, element: str) -> list[Any]:
    result = feedparser.parse(_wrapped(texts, root, element), sanitize_html=False, resolve_relative_uris=False)
    return list(result.entries)


def read_entries(payloads: Sequence[bytes], context: str) -> list[dict[str, Any] | UndecodableError | None]:
    """Read raw entries of one document context.

    Gives per entry a dict (id, link, title, text, author, published), None where it is not well enough formed to be read, or the
    UndecodableError. One bad entry does not spoil the others.
    """
    known = json.loads(context)
    element = known.get("element") or "item"
    root = known.get("root") or _DEFAULT_ROOT[element]
    texts: list[str | UndecodableError] = []
    for payload in payloads:
        try:
            texts.append(decode(payload, known.get("encoding", "utf-8")))
        except UndecodableError as error:
            texts.append(error)
    good = [text for text in texts if isinstance(text, str)]
    entries = _parsed(good, root, element)
    if len(entries) != len(good):  # one of them is malformed and swallowed its neighbours: read each by itself
        single = [_parsed([text], root, element) for text in good]
        entries = [found[0] if len(found) == 1 else None for found in single]
    pending = iter(entries)
    return [text if isinstance(text, UndecodableError) else _fields(next(pending)) for text in texts]


def _fields(entry: Any) -> dict[str, Any] | None:
    if entry is None:
        return None
    content = entry.get("content") or []
    longest = max((part.get("value", "") for part in content), key=len, default="")
    fields = {
        "id": entry.get("id") or None,
        "link": entry.get("link") or None,
        "title": entry.get("title") or None,
        "text": longest or entry.get("summary") or "",
        "author": entry.get("author") or None,
        "published": entry.get("published") or entry.get("updated") or None,
    }
    return fields if fields["title"] or fields["text"] else None
