"""The demo city's Graph API: public pages, their posts, comments, replies and reaction counts, as Facebook documents the interface.

Belongs here: fields, paging, token, usage headers, error bodies (developers.facebook.com/docs/graph-api: guides/error-handling,
overview/rate-limiting, results). Not here: what the pages hold (api_data.py).
"""

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from orchestration.demo_city.api_answers import ApiAnswer, ApiError
from orchestration.demo_city.api_data import PAGES, Entry, Holdings

TOKEN = "demo-graph-token"  # noqa: S105 - the invented city's token; nothing else takes it
PLATFORM = "trang-api.demo"
_VERSION = re.compile(r"v\d{1,2}\.\d")
_MOST_ITEMS = 100
_STATUS = {1: 500, 2: 503, 4: 403, 10: 403, 17: 400, 32: 403, 100: 400, 190: 400, 200: 403, 613: 400, 803: 404}
"""HTTP status beside an error code; what counts is the code."""
_TRANSIENT = {1, 2, 4, 17, 32, 613}
_MESSAGES = {
    1: "An unknown error occurred",
    2: "Service temporarily unavailable",
    4: "(#4) Application request limit reached",
    10: "(#10) This endpoint requires the 'pages_read_engagement' permission or the 'Page Public Content Access' feature.",
    17: "(#17) User request limit reached",
    32: "(#32) Page request limit reached",
    190: "Error validating access token: Session has expired on Tuesday, 27-Feb-24 01:00:00 PST.",
    200: "(#200) Provide valid app ID",
    613: "(#613) Calls to this api have exceeded the rate limit.",
}
_POST_FIELDS = ("id", "message", "story", "created_time", "updated_time", "permalink_url", "from", "shares", "reactions", "comments")
_COMMENT_FIELDS = ("id", "message", "created_time", "permalink_url", "from", "like_count", "comment_count", "parent")
_FIELD = re.compile(r"([a-z_]+)((?:\.[a-z_]+\([^)]*\))*)(\{[^{}]*\})?")


def graph_error(code: int, message: str | None = None, subcode: int | None = None) -> ApiAnswer:
    """The answer that carries an error code, with subcode and type as documented."""
    kind = "OAuthException" if code not in {1, 2, 100} else "GraphMethodException" if code == 100 and subcode else "OAuthException"
    body: dict[str, Any] = {"message": message or _MESSAGES.get(code, f"(#{code}) Error"), "type": kind, "code": code}
    if subcode is not None:
        body["error_subcode"] = subcode
    if code in _TRANSIENT:
        body["is_transient"] = True
    body["fbtrace_id"] = "A" + hashlib.sha256(str(sorted(body.items())).encode()).hexdigest()[:22]
    headers = {"WWW-Authenticate": f'OAuth "Facebook Platform" "{kind}" "{code}"'} if code == 190 else {}
    return ApiAnswer({"error": body}, _STATUS.get(code, 400), headers)


def no_such_object(name: str) -> ApiAnswer:
    """Error 100, subcode 33: the object does not exist or may not be seen."""
    return graph_error(
        100,
        f"Unsupported get request. Object with ID '{name}' does not exist, cannot be loaded due to missing permissions, or does not support"
        " this operation. Please read the Graph API documentation at https://developers.facebook.com/docs/graph-api",
        33,
    )


def unknown_alias(name: str) -> ApiAnswer:
    """Error 803: what is no id names nothing."""
    return graph_error(803, f"(#803) Some of the aliases you requested do not exist: {name}")


def usage_headers(percent: int, page: str, wait_minutes: int = 0) -> dict[str, str]:
    """X-App-Usage and X-Business-Use-Case-Usage at a share of the limit, in per cent."""
    shares = {"call_count": percent, "total_cputime": percent // 2, "total_time": percent // 2}
    case = {"type": "pages", **shares, "estimated_time_to_regain_access": wait_minutes}
    return {"X-App-Usage": json.dumps(shares), "X-Business-Use-Case-Usage": json.dumps({page: [case]})}


def graph_answer(holdings: Holdings, path: Sequence[str], query: Mapping[str, str], token: str | None, base_url: str) -> ApiAnswer:
    """The answer to GET /<version>/<path>, path without the version's part being path[1:]. Raises ApiError."""
    if not path or not _VERSION.fullmatch(path[0]):
        raise ApiError(graph_error(2500, "Unknown path components: /" + "/".join(path)))
    if token is None:
        raise ApiError(graph_error(104, "An access token is required to request this resource."))
    if token != TOKEN:
        raise ApiError(graph_error(190, None, 463) if token.startswith("expired") else graph_error(190, "Invalid OAuth access token."))
    link = f"{base_url}/graph/{'/'.join(path)}"
    match list(path[1:]):
        case [page, "posts" | "feed"]:
            if page not in PAGES:
                raise ApiError(no_such_object(page) if page.isdigit() else unknown_alias(page))
            return _listing(holdings.posts(page), query, "posts", lambda entry: _post(entry, holdings), link)
        case [name, "comments"] if name in holdings.entries:
            is_flat, is_newest_first = query.get("filter") == "stream", query.get("order") == "reverse_chronological"
            found = holdings.below(name) if is_flat and holdings.entries[name].parent is None else holdings.comments(name)
            return _listing(found if is_newest_first else found[::-1], query, "comments", lambda entry: _comment(entry, holdings), link)
        case [page] if page in PAGES:
            return ApiAnswer(_chosen({"id": page, "name": PAGES[page]}, query.get("fields", "id,name"), ("id", "name")))
        case [name] if name in holdings.entries:
            entry = holdings.entries[name]
            if entry.parent is None:
                return ApiAnswer(_chosen(_post(entry, holdings), query.get("fields", "id,message,created_time"), _POST_FIELDS))
            return ApiAnswer(_chosen(_comment(entry, holdings), query.get("fields", "id,message,created_time"), _COMMENT_FIELDS))
        case [name, *_] if not re.fullmatch(r"\d+(_\d+)?", name):
            raise ApiError(unknown_alias(name))
        case [name, *_]:
            raise ApiError(no_such_object(name))
    raise ApiError(graph_error(2500, "Unknown path components: /" + "/".join(path[1:])))


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S+0000")


def _from(entry: Entry) -> dict[str, str]:
    if entry.parent is None:
        return {"name": PAGES[entry.owner], "id": entry.owner}
    return {"name": entry.version.author, "id": str(int(hashlib.sha256(entry.version.author.encode()).hexdigest()[:13], 16))}


def _post(entry: Entry, holdings: Holdings) -> dict[str, Any]:
    below, version = holdings.below(entry.id), entry.version
    updated = max([entry.changed, *(comment.version.published for comment in below)])
    return {
        "id": entry.id,
        "message": version.text,
        "created_time": _time(version.published),
        "updated_time": _time(updated),
        "permalink_url": f"https://{PLATFORM}/{entry.owner}/posts/{entry.id.split('_')[1]}",
        "from": _from(entry),
        "shares": {"count": version.shares},
        "reactions": {"data": [], "summary": {"total_count": version.likes, "viewer_reaction": "NONE"}},
        "comments": {"data": [], "summary": {"order": "ranked", "total_count": len(below), "can_comment": False}},
    }


def _comment(entry: Entry, holdings: Holdings) -> dict[str, Any]:
    row: dict[str, Any] = {
        "id": entry.id,
        "message": entry.version.text,
        "created_time": _time(entry.version.published),
        "permalink_url": f"https://{PLATFORM}/{entry.owner}/posts/{entry.root.split('_')[1]}?comment_id={entry.id.split('_')[1]}",
        "from": _from(entry),
        "like_count": entry.version.likes,
        "comment_count": len(holdings.comments(entry.id)),
    }
    if entry.is_reply:
        parent = holdings.entries[str(entry.parent)]
        row["parent"] = {"id": parent.id, "message": parent.version.text, "created_time": _time(parent.version.published)}
    return row


def _chosen(row: Mapping[str, Any], fields: str, known: Sequence[str]) -> dict[str, Any]:
    names, at = [], 0
    while at < len(fields):
        match = _FIELD.match(fields, at)
        if match is None or match[1] not in known:
            raise ApiError(graph_error(100, f"(#100) Tried accessing nonexisting field ({fields[at:].split(',', maxsplit=1)[0]})"))
        names.append((match[1], match[3]))
        at = match.end() + 1
    chosen: dict[str, Any] = {}
    for name, inner in names:
        if name in row:
            value = row[name]
            chosen[name] = (
                {key: value[key] for key in inner[1:-1].split(",") if key in value} if inner and isinstance(value, dict) else value
            )
    return {**chosen, "id": row["id"]}


def _listing(
    entries: Sequence[Entry], query: Mapping[str, str], edge: str, render: Callable[[Entry], dict[str, Any]], link: str
) -> ApiAnswer:
    known = _POST_FIELDS if edge == "posts" else _COMMENT_FIELDS
    default = "id,message,created_time" if edge == "posts" else "id,message,created_time,from"
    limit = _number(query, "limit", 25)
    if not 1 <= limit <= _MOST_ITEMS:
        raise ApiError(graph_error(100, f"(#100) For field '{edge}': limit must be between 1 and {_MOST_ITEMS}"))
    since, until = _number(query, "since", 0), _number(query, "until", 2**40)
    wanted = (
        [entry for entry in entries if since <= int(entry.version.published.timestamp()) <= until] if edge == "posts" else list(entries)
    )
    start = _after(wanted, query["after"]) if "after" in query else 0
    part = wanted[start : start + limit]
    rows = [_chosen(render(entry), query.get("fields", default), known) for entry in part]
    value: dict[str, Any] = {"data": rows}
    if part:
        value["paging"] = {"cursors": {"before": _cursor(part[0]), "after": _cursor(part[-1])}}
        if start + limit < len(wanted):
            kept = "".join(f"&{name}={query[name]}" for name in ("fields", "limit", "since", "until", "filter", "order") if name in query)
            # The real interface puts the caller's token here as well; one who follows it must keep it out of logs.
            value["paging"]["next"] = f"{link}?access_token={TOKEN}{kept}&after={_cursor(part[-1])}"
    return ApiAnswer(value, served=tuple((str(row["id"]), digest(row)) for row in rows))


def digest(row: Mapping[str, Any]) -> str:
    """The digest of a served row's JSON, as the served log names versions."""
    return hashlib.sha256(json.dumps(row, ensure_ascii=False).encode()).hexdigest()


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    raw = query.get(name)
    if raw is None:
        return default
    if not raw.isdigit():
        raise ApiError(graph_error(100, f"(#100) Param {name} must be a valid integer"))
    return int(raw)


def _cursor(entry: Entry) -> str:
    return base64.urlsafe_b64encode(f"c:{entry.id}".encode()).decode().rstrip("=")


def _after(entries: Sequence[Entry], cursor: str) -> int:
    """The place behind a cursor. A cursor whose entry is gone is refused, as is what is none."""
    for place, entry in enumerate(entries, start=1):
        if _cursor(entry) == cursor:
            return place
    raise ApiError(graph_error(100, "(#100) Invalid cursors values"))
