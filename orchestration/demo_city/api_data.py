"""What the platform interfaces of the demo city hold: pages with posts, comments and replies; channels with videos and comments.

The texts are those of the export streams demo-pages and demo-video; ids and platforms (trang-api.demo, video-api.demo) are their own, so
that nothing counts twice in a lake that takes in both. Belongs here: who belongs to whom, which version is out in a round, and the truth.
Not here: the interfaces' answers (graph.py, youtube.py).
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestration.demo_city.city import City, Version
from orchestration.demo_city.feeds import RELEASED_AT

PAGES = {"100200300": "Chuyện Sài Thành", "100200301": "Hẻm Phố", "100200302": "Góp Ý Thành Phố"}
"""Page id -> name."""
CHANNELS = {"UCdemoChuyenPhoPhuong00A": "Chuyện Phố Phường", "UCdemoThanhPhoNgayMoi00B": "Thành Phố Ngày Mới"}
"""Channel id -> name. A real id is 'UC' and 22 letters, and so are these."""
_REPLY_EVERY = 4
"""Every fourth comment on a post answers the comment before it."""


@dataclass(frozen=True)
class Entry:
    """A post, video or comment in the version that is out. owner: page or channel id; root: the post or video; parent: None of a post.

    changed: when this version was made (UTC or +07:00).
    """

    id: str
    owner: str
    root: str
    parent: str | None
    version: Version
    changed: datetime

    @property
    def is_reply(self) -> bool:
        """Whether it answers a comment."""
        return self.parent is not None and self.parent != self.root


@dataclass(frozen=True)
class Holdings:
    """Everything that one interface serves in one round, oldest first."""

    entries: Mapping[str, Entry]

    def posts(self, owner: str) -> list[Entry]:
        """Posts or videos of a page or channel, newest first."""
        found = [entry for entry in self.entries.values() if entry.parent is None and entry.owner == owner]
        return sorted(found, key=lambda entry: (entry.version.published, entry.id), reverse=True)

    def comments(self, parent: str) -> list[Entry]:
        """Direct comments on a post, or replies to a comment, newest first."""
        return _newest_first(entry for entry in self.entries.values() if entry.parent == parent)

    def below(self, root: str) -> list[Entry]:
        """Comments on a post and replies to them, newest first."""
        return _newest_first(entry for entry in self.entries.values() if entry.root == root and entry.parent is not None)


def _newest_first(entries: Iterable[Entry]) -> list[Entry]:
    return sorted(entries, key=lambda entry: (entry.version.published, entry.id), reverse=True)


def page_holdings(city: City, round_: int, gone: frozenset[str] = frozenset()) -> Holdings:
    """Pages as the Graph API names them: post '<page>_<number>', comment '<number of the post>_<number>'."""
    pages = list(PAGES)

    def post_id(native: str) -> tuple[str, str]:
        prefix, number = native.split("_")
        owner = pages[int(prefix) % len(pages)]
        return owner, f"{owner}_{number}"

    def comment_id(native: str, root: str, _: str) -> str:
        return f"{root.split('_')[1]}_{native.split('_')[1]}"

    return Holdings(_tree(city, "trang.demo", round_, post_id, comment_id, gone))


def video_holdings(city: City, round_: int, gone: frozenset[str] = frozenset()) -> Holdings:
    """Channels as the YouTube Data API names them: a video has 11 letters, a reply is '<comment>.<own id>'."""
    channels = list(CHANNELS)

    def post_id(native: str) -> tuple[str, str]:
        return channels[sum(native.encode()) % len(channels)], native[2:13]

    def comment_id(native: str, root: str, parent: str) -> str:
        return native if parent == root else f"{parent}.{native[2:]}"

    return Holdings(_tree(city, "video.demo", round_, post_id, comment_id, gone))


def _tree(
    city: City,
    platform: str,
    round_: int,
    post_id: Callable[[str], tuple[str, str]],
    comment_id: Callable[[str, str, str], str],
    gone: frozenset[str],
) -> dict[str, Entry]:
    """The stream's posts by their new ids, and below each its comments; a comment on a post that the stream does not hold is left out."""
    latest = {v.native_id: v for v in city.versions if v.platform == platform and v.release_round <= round_}
    born = {v.native_id: v.release_round for v in reversed(city.versions) if v.platform == platform}
    found: dict[str, Entry] = {}
    roots: dict[str, Entry] = {}
    for native, version in latest.items():
        if version.kind == "post":
            owner, new = post_id(native)
            roots[native] = found[new] = Entry(new, owner, new, None, version, _changed(version, born[native]))
    before: dict[str, list[str]] = {}
    for native, version in latest.items():
        root = roots.get(version.parent_id or "")
        if version.kind != "comment" or root is None:
            continue
        earlier = before.setdefault(root.id, [])
        earlier.append(native)
        # Which comment answers which must not change with the round: only comments of the same round or before stand before it.
        is_reply = len(earlier) % _REPLY_EVERY == 0
        parent = comment_id(earlier[-2], root.id, root.id) if is_reply and earlier[-2:-1] else root.id
        if is_reply and parent not in found:
            parent = root.id
        new = comment_id(native, root.id, parent)
        found[new] = Entry(new, root.owner, root.id, parent, version, _changed(version, born[native]))
    return {key: entry for key, entry in found.items() if not gone & {key, entry.root, entry.parent}}


def _changed(version: Version, first_round: int) -> datetime:
    return RELEASED_AT[version.release_round] if version.release_round > first_round else version.published
