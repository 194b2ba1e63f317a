"""The record that every parser gives, or why there is none, and counts as sources write them. Pure."""

import re
from dataclasses import dataclass
from typing import Any

from quality.rejects import Reason

_GROUPED = re.compile(r"\d{1,3}(?:[.,]\d{3})+")


@dataclass(frozen=True)
class Parsed:
    """What a payload says, not yet cleaned. Counts are None where the source does not give them."""

    text: str
    title: str | None = None
    author: str | None = None
    kind: str = "post"
    parent_id: str | None = None
    likes: int | None = None
    shares: int | None = None
    comment_count: int | None = None


@dataclass(frozen=True)
class Refused:
    """Why a payload gives no post."""

    reason: Reason
    detail: str


def count_of(value: Any) -> int | None:
    """A count as sources write it (12, 12.0, "12", "12.0", "1.234", "1,234"); None for what is none, a negative or an absurd one."""
    text = str(value).strip()
    try:
        number = int(re.sub("[.,]", "", text)) if _GROUPED.fullmatch(text) and isinstance(value, str) else int(float(text))
    except (ValueError, OverflowError):
        return None
    return number if 0 <= number < 2**53 else None
