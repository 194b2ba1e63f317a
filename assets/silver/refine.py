"""From bronze rows to posts and rejects: normalise, mask, hash, key. Pure: no clock, no store; the author key is handed in.

Every bronze row but deletion notices becomes exactly one row of exactly one of the two tables.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import unquote_plus, urlsplit, urlunsplit

import pyarrow as pa

from assets.bronze.export_rows import DELETION
from assets.content import content_of
from assets.silver.parse import Parsed, Refused, parse_all
from assets.times import is_plausible, parse_time
from lake_config.registry import Source
from lake_config.settings import LOCAL_ZONE
from lake_config.tables.silver import POSTS, REJECTS
from ml.author import author_key
from ml.language import detect_language
from ml.masking import mask_pii
from ml.normalise import content_key, fold, normalise, post_key, skeleton
from ml.spam import spam_score
from quality.rejects import Reason

_ROW_COLUMNS = ("event_date", "connector", "source_id", "batch_id", "row_number", "payload_sha256", "fetched_at")
_TRACKING = re.compile(r"(?:utm_\w*|fbclid|gclid|zarsrc|si)(?:=|$)", re.IGNORECASE)


@dataclass(frozen=True)
class Refined:
    """The two tables a batch of bronze rows becomes, in the schemas of silver.posts and silver.rejects."""

    posts: pa.Table
    rejects: pa.Table


def clean_url(url: str | None, author: str | None = None) -> str | None:
    """The public address without fragment, tracking and personal parameters.

    None for what is no http(s) address, and where the path itself holds a number or address of a person or is made of the author's
    account name (video.example/@handle/1): the raw address stays in bronze.
    """
    if not url:
        return None
    try:
        parts = urlsplit(url.strip())
    except ValueError:
        return None
    if parts.scheme not in {"http", "https"} or not parts.netloc:
        return None
    account = _account(author or "")
    if _is_personal(parts.path) or (account and account in map(_account, parts.path.split("/"))):
        return None
    query = "&".join(part for part in parts.query.split("&") if not _TRACKING.match(part) and not _is_personal(part))
    host = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit((parts.scheme, host, parts.path, query, ""))


def _is_personal(part: str) -> bool:
    shown = normalise(unquote_plus(part))
    masked = mask_pii(shown)
    # Long numbers in addresses name posts far more often than papers and accounts: only what cannot be such counts.
    return masked.count("[EMAIL]") + masked.count("[PHONE]") > shown.count("[EMAIL]") + shown.count("[PHONE]")


def _account(name: str) -> str:
    return fold(normalise(unquote_plus(name)).strip("@ "))


def refine(rows: list[dict[str, Any]], connector: str, sources: Mapping[str, Source], author_keys: Mapping[str, bytes]) -> Refined:
    """Refine bronze rows (schema of lake_config.tables.bronze.ENVELOPE) of one connector.

    Deletion notices are passed over: they become rows of silver.tombstones (tombstones.py). `author_keys` maps the calendar month
    'YYYY-MM' of the event day to the HMAC key for author names.
    """
    posts: list[dict[str, Any]] = []
    rejects: list[dict[str, Any]] = []
    rows = [row for row in rows if not row["payload_format"].endswith(DELETION)]
    for row, parsed in zip(rows, parse_all(rows), strict=True):
        common = {name: row[name] for name in _ROW_COLUMNS if name != "connector"} | {"connector": connector}
        source = sources.get(row["source_id"])
        made: dict[str, Any] | Refused
        if source is None:
            made = Refused(Reason.UNKNOWN_SOURCE, f"source {row['source_id']!r} is not in the registry")
        elif isinstance(parsed, Refused):
            made = parsed
        else:
            made = _post(row, parsed, source, author_keys)
        if isinstance(made, Refused):
            refused = {
                "native_id": mask_pii(normalise(row["native_id"])),
                "reason": made.reason.value,
                "detail": made.detail,
                "payload_bytes": len(row["payload"]),
            }
            rejects.append(common | refused)
        else:
            posts.append(common | made)
    return Refined(pa.Table.from_pylist(posts, schema=POSTS.schema), pa.Table.from_pylist(rejects, schema=REJECTS.schema))


def _post(row: Mapping[str, Any], parsed: Parsed, source: Source, author_keys: Mapping[str, bytes]) -> dict[str, Any] | Refused:
    raw_content = f"{parsed.title or ''}\n{parsed.text}"
    title = mask_pii(normalise(parsed.title)) if parsed.title else None
    text = mask_pii(normalise(parsed.text))
    content = content_of(parsed.kind, title, text)
    if not content.strip():
        return Refused(Reason.EMPTY_TEXT, f"nothing is left of {len(parsed.text)} characters once markup is gone")
    day = row["event_date"]
    published = parse_time(row["published_at"])
    fetched = row["fetched_at"]
    known = published if published is not None and is_plausible(published, fetched) else None
    return {
        "post_key": post_key(source.platform, row["native_id"]),
        "content_key": content_key(content),
        "skeleton_key": content_key(skeleton(content)),
        "platform": source.platform,
        "source_kind": source.kind,
        "kind": parsed.kind,
        "parent_key": post_key(source.platform, parsed.parent_id) if parsed.parent_id else None,
        "url": clean_url(row["url"], parsed.author),
        "title": title or None,
        "text": text,
        "language": detect_language(content),
        "published_at": known,
        "is_date_assumed": known is None or known.astimezone(LOCAL_ZONE).date() != day,
        "event_hour": _hour(known or fetched),
        "author_key": author_key(parsed.author, source.platform, author_keys[f"{day:%Y-%m}"]),
        "likes": parsed.likes,
        "shares": parsed.shares,
        "comment_count": parsed.comment_count,
        "spam_score": spam_score(raw_content),
    }


def _hour(moment: datetime) -> int:
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).astimezone(LOCAL_ZONE).hour
