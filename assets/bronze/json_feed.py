"""JSON Feed documents (jsonfeed.org, versions 1 and 1.1): cut into their items unchanged, and read again item by item. Pure."""

import json
from typing import Any

from assets.bronze.json_parts import elements, member

_BOM = b"\xef\xbb\xbf"
ELEMENT = "json_item"


def split_json_feed(document: bytes) -> tuple[bytes, ...] | None:
    """The raw bytes of the items; None for what is no JSON Feed, or one that was cut off. Bytes that are no UTF-8 stay as they are."""
    body = document.removeprefix(_BOM)
    if body.lstrip()[:1] != b"{":
        return None
    text = body.decode("utf-8", "surrogateescape")
    try:
        version = member(text, "version")
        if version is None or "jsonfeed.org" not in version:
            return None
        return tuple(item.encode("utf-8", "surrogateescape") for item in elements(member(text, "items")))
    except (ValueError, RecursionError):
        return None


def read_json_item(text: str) -> dict[str, Any] | None:
    """An item's id, link, title, text, author and published time, as feed_document's fields; None where there is no object or no word."""
    try:
        item = json.loads(text)
    except (ValueError, RecursionError):
        return None
    if not isinstance(item, dict):
        return None
    authors = item.get("authors") if isinstance(item.get("authors"), list) else [item.get("author")]
    names = [author["name"] for author in authors or [] if isinstance(author, dict) and isinstance(author.get("name"), str)]
    fields = {
        "id": str(item["id"]) if isinstance(item.get("id"), str | int | float) and item["id"] != "" else None,
        "link": _string(item, "url", "external_url"),
        "title": _string(item, "title"),
        "text": _string(item, "content_html", "content_text", "summary") or "",
        "author": ", ".join(names) or None,
        "published": _string(item, "date_published", "date_modified"),
    }
    return fields if fields["title"] or fields["text"] else None


def _string(item: dict[str, Any], *names: str) -> str | None:
    return next((item[name] for name in names if isinstance(item.get(name), str) and item[name]), None)
