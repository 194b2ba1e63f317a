"""Which comments of a page or channel are to be read, and when again: what its cursor remembers of posts and videos. Pure.

Belongs here: the order of reading and re-reading. Not here: how comments are asked for (page_posts.py, video_comments.py).
"""

from collections.abc import Iterable, Sequence
from typing import Any, TypedDict

KEPT_SECONDS = 90 * 86_400
"""A discussion is followed for so long after it began, counted from the newest one of its source."""
AGAIN_SECONDS = 24 * 3600
"""Comments that were read in full so long ago are due for another reading: an edit changes no count."""
EVERYTHING, NEWS = "all", "news"


class Discussion(TypedDict):
    """What is remembered of one post or video. Times are epoch seconds.

    `seen`: the counts and times that the platform showed last; `read`: when its comments were read in full, 0 for never; `todo`: what is to
    be read, EVERYTHING or NEWS (until a page brings none), or None; `next`: the page token where a reading had to stop; `tries`: readings
    that failed since the last good one.
    """

    created: int
    seen: list[Any]
    read: int
    todo: str | None
    next: str | None
    tries: int


class Discussions:
    """The discussions of one source, kept in `rows` (id -> Discussion), which is part of the source's committed state."""

    def __init__(self, rows: dict[str, Discussion]) -> None:
        self.rows = rows

    def note(self, name: str, created: int, seen: Sequence[Any], *, has_comments: bool) -> None:
        """A listing showed a post or video; something new about it makes a reading of its comments due."""
        fresh: Discussion = {"created": created, "seen": [], "read": 0, "todo": None, "next": None, "tries": 0}
        row = self.rows.setdefault(name, fresh)
        if has_comments and row["todo"] is None:
            row["todo"] = EVERYTHING if not row["read"] else NEWS if row["seen"] != list(seen) else None
        row["seen"] = list(seen)

    def due(self) -> list[str]:
        """What is to be read, in this order: readings that stopped midway, then the newest first; those that failed come last."""
        waiting = [name for name, row in self.rows.items() if row["todo"]]
        return sorted(
            waiting, key=lambda name: (self.rows[name]["tries"], self.rows[name]["next"] is None, -self.rows[name]["created"], name)
        )

    def stale(self, now: float) -> list[tuple[int, str]]:
        """(when read, id) of what is due for another reading though nothing shows a change, that read longest ago first."""
        return sorted(
            (row["read"], name) for name, row in self.rows.items() if row["read"] and not row["todo"] and now - row["read"] >= AGAIN_SECONDS
        )

    def finished(self, name: str, now: float, *, is_whole: bool) -> None:
        """A reading reached its end."""
        row = self.rows[name]
        row["next"], row["todo"], row["tries"] = None, None, 0
        if is_whole:
            row["read"] = int(now)

    def forget(self, name: str) -> None:
        """It is gone at the platform."""
        self.rows.pop(name, None)

    def forget_older(self, newest: int | None) -> None:
        """Drop what began too long before the newest."""
        for name in [name for name, row in self.rows.items() if row["created"] < (newest or 0) - KEPT_SECONDS]:
            del self.rows[name]

    def unlisted(self, start: int, listed: Iterable[str]) -> list[str]:
        """What began at `start` or later and is not among what a listing of that time showed."""
        shown = set(listed)
        return [name for name, row in self.rows.items() if row["created"] >= start and name not in shown]
