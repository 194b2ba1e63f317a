"""The providers' export files: one JSON object a line, and the malformed lines among them.

Columns: id, text, title, url, published_at, author, kind, parent_id, likes, shares, comment_count. Belongs here: lines and files.
Not here: feeds (feeds.py).
"""

import json
import random
from collections.abc import Sequence
from datetime import UTC

from orchestration.demo_city.city import ROUNDS, ExportFile, Reject, Version
from orchestration.demo_city.corpus import Stream
from orchestration.demo_city.mishaps import TWICE_DELIVERED

FILES_IN_ROUND_1 = 4
MALFORMED_PER_ROUND = {1: 4, 2: 2, 3: 1}
"""How many malformed lines of each kind a round delivers, over all its files."""
REPEATED_SHARE = 0.02
EARLIER_WORDS = ("Cập nhật: tin đang được xác minh thêm.", "Bài viết sẽ được bổ sung.", "Tui viết vội, lát sửa lại sau.")
"""How the first version of an edited post ends."""
ABSURD_STAMPS = {"1970": "1970-01-01T00:00:00Z", "2099": "2099-12-31T23:59:00+07:00", "words": "hôm qua"}


def pack_exports(
    versions: Sequence[Version], streams: Sequence[Stream], rng: random.Random
) -> tuple[tuple[ExportFile, ...], tuple[Reject, ...]]:
    """The files of all rounds, in order of delivery, and the malformed lines they hold."""
    drafts: list[tuple[str, str, int, list[bytes], int]] = []
    for round_ in ROUNDS:
        for stream in streams:
            lines = [export_line(v) for v in versions if v.source_id == stream.source_id and v.release_round == round_]
            if round_ == 1:
                size = -(-len(lines) // FILES_IN_ROUND_1)
                parts = [lines[at : at + size] for at in range(0, len(lines), size)]
                drafts += [(f"{stream.source_id}-dot1-{n:02d}", stream.source_id, 1, part, 0) for n, part in enumerate(parts, start=1)]
            else:
                again = _repeats(drafts, stream.source_id, rng) if round_ == 2 else []
                drafts.append((f"{stream.source_id}-dot{round_}-01", stream.source_id, round_, lines + again, len(again)))
    twice = [draft for draft in drafts if draft[1] == TWICE_DELIVERED and draft[2] == 1][-1]
    rejects = _spoil(drafts, twice[0], rng)
    drafts.append((f"{twice[0]}-gui-lai", twice[1], 3, twice[3], len(twice[3])))
    files = tuple(ExportFile(name, source_id, round_, tuple(lines), repeats) for name, source_id, round_, lines, repeats in drafts)
    return files, rejects


def export_line(version: Version) -> bytes:
    """One line, UTF-8, without its line end; published_at is left out where the date is missing."""
    row: dict[str, object] = {
        "id": version.native_id,
        "text": version.text,
        "title": version.title,
        "url": f"https://{version.platform}/{version.kind}/{version.native_id}",
        "published_at": published_at(version),
        "author": version.author,
        "kind": version.kind,
        "parent_id": version.parent_id,
        "likes": version.likes,
        "shares": version.shares,
        "comment_count": version.comment_count,
    }
    if version.stamp == "missing":
        del row["published_at"]
    return json.dumps(row, ensure_ascii=False).encode()


def published_at(version: Version) -> str | int | None:
    """The date as the provider writes it: ISO 8601 with offset, epoch seconds, dd/mm/yyyy HH:MM in local time, an absurd one, or None."""
    if version.stamp in ABSURD_STAMPS:
        return ABSURD_STAMPS[version.stamp]
    if version.stamp == "missing":
        return None
    if version.stamp == "epoch":
        return int(version.published.timestamp())
    if version.stamp == "local":
        return version.published.strftime("%d/%m/%Y %H:%M")
    if version.stamp == "iso_utc":
        return version.published.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return version.published.isoformat()


def _repeats(drafts: list[tuple[str, str, int, list[bytes], int]], source_id: str, rng: random.Random) -> list[bytes]:
    """Lines of round 1 that are delivered once more. A post that is edited in this round would come back in its old words: left out."""
    before = [line for name, source, _, lines, _ in drafts if source == source_id for line in lines if not _is_to_be_edited(line)]
    return rng.sample(before, max(2, round(len(before) * REPEATED_SHARE)))


def _is_to_be_edited(line: bytes) -> bool:
    return str(json.loads(line)["text"]).endswith(EARLIER_WORDS)


def _spoil(drafts: list[tuple[str, str, int, list[bytes], int]], spared: str, rng: random.Random) -> tuple[Reject, ...]:
    """Put malformed lines at random places of the files, except the spared one, in place."""
    planned: dict[str, list[tuple[str, bytes]]] = {}
    for round_, count in MALFORMED_PER_ROUND.items():
        names = [name for name, _, of_round, lines, _ in drafts if of_round == round_ and name != spared and lines]
        for reason in ("truncated_json", "not_an_object", "missing_text", "empty_text", "binary_garbage"):
            for _ in range(count):
                planned.setdefault(rng.choice(names), []).append((reason, _malformed(reason, rng)))
    rejects = []
    for name, source_id, round_, lines, _ in drafts:
        for _, raw in planned.get(name, []):
            lines.insert(rng.randint(0, len(lines)), raw)
        for reason, raw in planned.get(name, []):
            rejects.append(Reject("exports", source_id, round_, f"{name}.jsonl:{lines.index(raw) + 1}", reason, raw))
    return tuple(rejects)


def _malformed(reason: str, rng: random.Random) -> bytes:
    number = rng.randrange(10**9)
    row: dict[str, object] = {"id": f"x{number:09d}", "published_at": "2024-02-01T09:00:00+07:00", "author": "Dân Hẻm 7", "kind": "post"}
    if reason == "missing_text":
        return json.dumps(row, ensure_ascii=False).encode()
    if reason == "empty_text":
        return json.dumps(row | {"text": rng.choice(["", "   ", "\n\t"])}, ensure_ascii=False).encode()
    if reason == "not_an_object":
        return rng.choice([f'["x{number}", "chỉ là một danh sách"]', f'"một chuỗi trơn {number}"', str(number)]).encode()
    if reason == "truncated_json":
        return json.dumps(row | {"text": "Đường trước nhà tui"}, ensure_ascii=False).encode()[: -rng.randint(5, 30)]
    # No line feed inside, else it would be two lines; the first byte can start neither JSON nor UTF-8.
    return b"\xff\xfe" + bytes(rng.choice([b for b in range(256) if b not in {10, 13}]) for _ in range(rng.randint(20, 60)))
