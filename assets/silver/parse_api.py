"""Reading the payloads of platform interfaces: Graph API posts and comments, YouTube videos and comments. Pure.

The author is handed on by the platform's id of the account where it gives one, else by name; only the keyed hash of it goes further.
"""

import json
from collections.abc import Mapping
from typing import Any

from assets.bronze.json_parts import inner
from assets.silver.records import Parsed, Refused, count_of
from quality.rejects import Reason

API_FORMATS = ("graph_post", "graph_comment", "youtube_video", "youtube_comment")


def parse_api(payload: bytes, payload_format: str, context: Mapping[str, Any]) -> Parsed | Refused:
    """What one payload says. `context` is the row's payload_context: post_id or video_id of a comment."""
    try:
        value = json.loads(payload)
    except UnicodeDecodeError as error:
        return Refused(Reason.UNDECODABLE, f"not UTF-8: byte {error.start} is 0x{payload[error.start]:02x}")
    except (ValueError, RecursionError) as error:
        return Refused(Reason.MALFORMED_ROW, str(error)[:200])
    if not isinstance(value, dict):
        return Refused(Reason.NOT_AN_OBJECT, f"a JSON {type(value).__name__} where an object is expected")
    if payload_format in {"graph_post", "graph_comment"}:
        return _graph(value, payload_format, context)
    return _youtube(value, payload_format, context)


def _graph(value: Mapping[str, Any], payload_format: str, context: Mapping[str, Any]) -> Parsed | Refused:
    text = _text(value.get("message") if value.get("message") is not None else value.get("story"), "message")
    if isinstance(text, Refused):
        return text
    is_post, author = payload_format == "graph_post", inner(value, "from")
    return Parsed(
        text=text,
        author=_name(author.get("id"), author.get("name")),
        kind="post" if is_post else "comment",
        parent_id=None if is_post else _name(inner(value, "parent").get("id"), context.get("post_id")),
        likes=count_of(inner(value, "reactions", "summary").get("total_count") if is_post else value.get("like_count")),
        shares=count_of(inner(value, "shares").get("count")) if is_post else None,
        comment_count=count_of(inner(value, "comments", "summary").get("total_count") if is_post else value.get("comment_count")),
    )


def _youtube(value: Mapping[str, Any], payload_format: str, context: Mapping[str, Any]) -> Parsed | Refused:
    snippet = inner(value, "snippet")
    if payload_format == "youtube_video":
        title = _text(snippet.get("title"), "title")
        if isinstance(title, Refused):
            return title
        description = _text(snippet.get("description") or "", "description")
        if isinstance(description, Refused):
            return description
        statistics = inner(value, "statistics")
        return Parsed(
            text=description or title,
            title=title or None,
            author=_name(snippet.get("channelId"), snippet.get("channelTitle")),
            likes=count_of(statistics.get("likeCount")),
            comment_count=count_of(statistics.get("commentCount")),
        )
    text = _text(snippet.get("textOriginal") if snippet.get("textOriginal") is not None else snippet.get("textDisplay"), "textOriginal")
    if isinstance(text, Refused):
        return text
    return Parsed(
        text=text,
        author=_name(inner(snippet, "authorChannelId").get("value"), snippet.get("authorDisplayName")),
        kind="comment",
        parent_id=_name(snippet.get("parentId"), context.get("video_id")),
        likes=count_of(snippet.get("likeCount")),
    )


def _text(text: object, name: str) -> str | Refused:
    if text is None:
        return Refused(Reason.MISSING_TEXT, f"no {name}: a picture or film without words")
    if not isinstance(text, str):
        return Refused(Reason.WRONG_TYPE, f"{name} is a {type(text).__name__}, expected a string")
    return text


def _name(*candidates: object) -> str | None:
    return next((str(one) for one in candidates if one and isinstance(one, str | int)), None)
