"""The demo city's YouTube Data API v3: channels, playlistItems, videos, commentThreads and comments, read with an API key.

Belongs here: parts, paging, etags, quota units, error bodies (developers.google.com/youtube/v3/docs, /docs/errors,
/determine_quota_cost). Not here: what the channels hold (api_data.py).
"""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestration.demo_city.api_answers import ApiAnswer, ApiError
from orchestration.demo_city.api_data import CHANNELS, Entry, Holdings

KEY = "demo-youtube-key"
PLATFORM = "video-api.demo"
UNITS = {"channels": 1, "playlistItems": 1, "videos": 1, "commentThreads": 1, "comments": 1, "search": 100}
"""What a call of each list costs, in quota units."""
_DOMAINS = {"quotaExceeded": "youtube.quota", "commentsDisabled": "youtube.commentThread", "videoNotFound": "youtube.commentThread"}
_MESSAGES = {
    "quotaExceeded": 'The request cannot be completed because you have exceeded your <a href="/youtube/v3/docs">quota</a>.',
    "commentsDisabled": "The video identified by the videoId parameter has disabled comments.",
    "videoNotFound": "The video identified by the videoId parameter could not be found.",
    "rateLimitExceeded": "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute'.",
    "forbidden": "Method doesn't allow unregistered callers. Please use API Key or other form of API consumer identity.",
}
_REPLIES_SHOWN = 5
"""A thread shows so many of its replies; the rest are at comments.list."""


def youtube_error(reason: str, status: int | None = None, message: str | None = None) -> ApiAnswer:
    """The answer that carries an error's reason."""
    code = status or {
        "quotaExceeded": 403,
        "commentsDisabled": 403,
        "videoNotFound": 404,
        "rateLimitExceeded": 429,
        "backendError": 500,
    }.get(reason, 403)
    text = message or _MESSAGES.get(reason, reason)
    error = {"message": text, "domain": _DOMAINS.get(reason, "youtube.parameter" if code == 400 else "global"), "reason": reason}
    if code == 400:
        error |= {"locationType": "parameter"}
    return ApiAnswer({"error": {"code": code, "message": text, "errors": [error]}}, code)


def youtube_answer(
    holdings: Holdings, resource: str, query: Mapping[str, str], key: str | None, without_comments: frozenset[str] = frozenset()
) -> ApiAnswer:
    """The answer to GET /youtube/v3/<resource>. Raises ApiError. without_comments: videos whose comments are off."""
    units = UNITS.get(resource, 0)
    if not units:
        raise ApiError(youtube_error("notFound", 404, "Not Found"))
    if key is None:
        raise ApiError(youtube_error("forbidden"))
    if key != KEY:
        raise ApiError(youtube_error("badRequest", 400, "API key not valid. Please pass a valid API key."))
    if "part" not in query and resource != "search":
        raise ApiError(youtube_error("missingRequiredParameter", 400, "No filter selected. Expected one of: part"))
    parts = set(query.get("part", "snippet").split(","))
    match resource:
        case "channels":
            rows = [_channel(name, parts, holdings) for name in query.get("id", "").split(",") if name in CHANNELS]
            found = _envelope("channelListResponse", rows, len(rows), 5)
        case "playlistItems":
            found = _playlist(holdings, query, parts)
        case "videos":
            named = [holdings.entries[name] for name in query.get("id", "").split(",")[:50] if name in holdings.entries]
            rows = [_video(entry, parts, holdings) for entry in named if entry.parent is None]
            found = _envelope("videoListResponse", rows, len(rows), len(rows))
        case "commentThreads":
            found = _threads(holdings, query, parts, without_comments)
        case "comments":
            found = _replies(holdings, query, parts)
        case _:
            raise ApiError(youtube_error("forbidden", 403, "search is not served to this key"))
    return ApiAnswer(found.value, found.status, found.headers, units, found.served)


def etag(row: object) -> str:
    """The etag of a resource: of what it says."""
    return base64.urlsafe_b64encode(hashlib.sha256(json.dumps(row, sort_keys=True).encode()).digest())[:27].decode()


def _tagged(kind: str, name: str | None, row: Mapping[str, Any]) -> dict[str, Any]:
    named = {"id": name} if name is not None else {}
    return {"kind": f"youtube#{kind}", "etag": etag([kind, name, row]), **named, **row}


def _envelope(kind: str, rows: Sequence[Mapping[str, Any]], total: int, per_page: int, following: str | None = None) -> ApiAnswer:
    more = {"nextPageToken": following} if following else {}
    info = {"totalResults": total, "resultsPerPage": per_page}
    value = {"kind": f"youtube#{kind}", "etag": etag(rows), **more, "pageInfo": info, "items": rows}
    served: list[tuple[str, str]] = []
    for row in rows:
        if row["kind"] == "youtube#commentThread":
            served += [_mark(row["snippet"]["topLevelComment"]), *map(_mark, row.get("replies", {}).get("comments", []))]
        elif row["kind"] in {"youtube#comment", "youtube#video"}:
            served.append(_mark(row))
    return ApiAnswer(value, served=tuple(served))


def _mark(row: Mapping[str, Any]) -> tuple[str, str]:
    return str(row["id"]), hashlib.sha256(json.dumps(row, ensure_ascii=False).encode()).hexdigest()


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _uploads(channel: str) -> str:
    return "UU" + channel[2:]


def _channel(name: str, parts: set[str], holdings: Holdings) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if "snippet" in parts:
        row["snippet"] = {"title": CHANNELS[name], "description": "", "publishedAt": "2019-05-01T00:00:00Z"}
    if "contentDetails" in parts:
        row["contentDetails"] = {"relatedPlaylists": {"likes": "", "uploads": _uploads(name)}}
    if "statistics" in parts:
        row["statistics"] = {"videoCount": str(len(holdings.posts(name)))}
    return _tagged("channel", name, row)


def _playlist(holdings: Holdings, query: Mapping[str, str], parts: set[str]) -> ApiAnswer:
    channel = next((name for name in CHANNELS if _uploads(name) == query.get("playlistId")), None)
    if channel is None:
        raise ApiError(youtube_error("playlistNotFound", 404, "The playlist identified with the playlistId parameter cannot be found."))

    def item(entry: Entry) -> dict[str, Any]:
        moment, row = _time(entry.version.published), dict[str, Any]()
        if "snippet" in parts:
            row["snippet"] = {
                "publishedAt": moment,
                "channelId": channel,
                "title": _title(entry),
                "resourceId": {"kind": "youtube#video", "videoId": entry.id},
            }
        if "contentDetails" in parts:
            row["contentDetails"] = {"videoId": entry.id, "videoPublishedAt": moment}
        return _tagged("playlistItem", "UUitem" + entry.id, row)

    return _paged("playlistItem", holdings.posts(channel), query, item, 50)


def _title(entry: Entry) -> str:
    return entry.version.title or entry.version.text[:60]


def _video(entry: Entry, parts: set[str], holdings: Holdings) -> dict[str, Any]:
    row: dict[str, Any] = {}
    if "snippet" in parts:
        row["snippet"] = {
            "publishedAt": _time(entry.version.published),
            "channelId": entry.owner,
            "title": _title(entry),
            "description": entry.version.text,
            "channelTitle": CHANNELS[entry.owner],
        }
    if "statistics" in parts:
        count = len(holdings.below(entry.id))
        row["statistics"] = {"viewCount": str(entry.version.likes * 40), "likeCount": str(entry.version.likes), "commentCount": str(count)}
    return _tagged("video", entry.id, row)


def _comment(entry: Entry) -> dict[str, Any]:
    account = "UC" + hashlib.sha256(entry.version.author.encode()).hexdigest()[:22]
    snippet = {
        "channelId": entry.owner,
        "textDisplay": entry.version.text,
        "textOriginal": entry.version.text,
        "authorDisplayName": "@" + entry.version.author,
        "authorChannelUrl": f"http://www.{PLATFORM}/@{entry.version.author}",
        "authorChannelId": {"value": account},
        "canRate": True,
        "viewerRating": "none",
        "likeCount": entry.version.likes,
        "publishedAt": _time(entry.version.published),
        "updatedAt": _time(entry.changed),
    }
    where = {"parentId": entry.parent} if entry.is_reply else {"videoId": entry.root}
    return _tagged("comment", entry.id, {"snippet": snippet | where})


def _threads(holdings: Holdings, query: Mapping[str, str], parts: set[str], without_comments: frozenset[str]) -> ApiAnswer:
    video = holdings.entries.get(query.get("videoId", ""))
    if video is None or video.parent is not None:
        raise ApiError(youtube_error("videoNotFound"))
    if video.id in without_comments:
        raise ApiError(youtube_error("commentsDisabled"))

    def thread(entry: Entry) -> dict[str, Any]:
        replies = holdings.comments(entry.id)
        snippet = {
            "channelId": entry.owner,
            "videoId": video.id,
            "topLevelComment": _comment(entry),
            "canReply": True,
            "totalReplyCount": len(replies),
            "isPublic": True,
        }
        row: dict[str, Any] = {"snippet": snippet}
        if "replies" in parts and replies:
            row["replies"] = {"comments": [_comment(reply) for reply in replies[:_REPLIES_SHOWN]]}
        return _tagged("commentThread", entry.id, row)

    return _paged("commentThread", holdings.comments(video.id), query, thread, 100)


def _replies(holdings: Holdings, query: Mapping[str, str], parts: set[str]) -> ApiAnswer:
    del parts  # a comment has one part that matters
    parent = holdings.entries.get(query.get("parentId", ""))
    if parent is None:
        raise ApiError(youtube_error("commentNotFound", 404, "One or more of the specified comments cannot be found."))
    return _paged("comment", holdings.comments(parent.id), query, _comment, 100)


def _paged(
    kind: str, entries: Sequence[Entry], query: Mapping[str, str], render: Callable[[Entry], dict[str, Any]], most: int
) -> ApiAnswer:
    raw = query.get("maxResults", "5" if most == 50 else "20")
    if not raw.isdigit() or not 1 <= int(raw) <= most:
        raise ApiError(youtube_error("invalidParameter", 400, f"Invalid value '{raw}' for maxResults: 1 to {most}"))
    limit, start = int(raw), 0
    if "pageToken" in query:
        start = next((n for n, entry in enumerate(entries, start=1) if _page_token(entry) == query["pageToken"]), 0)
        if not start:
            raise ApiError(youtube_error("invalidPageToken", 400, "The request specifies an invalid page token."))
    part = entries[start : start + limit]
    following = _page_token(part[-1]) if part and start + limit < len(entries) else None
    return _envelope(f"{kind}ListResponse", [render(entry) for entry in part], len(entries), limit, following)


def _page_token(entry: Entry) -> str:
    return "Q" + base64.urlsafe_b64encode(entry.id.encode()).decode().rstrip("=")
