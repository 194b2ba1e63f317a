"""How well places are linked: the linker against mentions labelled by hand, by half, period and kind of difficulty.

Belongs here: reading the labelled set, counting, and the table of the documentation. Not here: the linker itself.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from ml.places.linker import Context, Link, PlaceLinker

MENTIONS = Path(__file__).parent.parent / "corpus" / "place_mentions.jsonl"
"""Texts composed for this set, with every phrase that is a place (its id) or only looks like one (null)."""
MERGER = date(2025, 7, 1)
KINDS = {
    "plain": "name with its type",
    "short": "abbreviations, hashtags, English",
    "unaccented": "no diacritics",
    "list": "lists of units",
    "former": "old name in a new post",
    "merger": "one name before and after",
    "future": "new name before its day",
    "ambiguous": "one name, several units",
    "context": "title, source or text decides",
    "joined": "units of the joined provinces",
    "number_trap": "numbers that are no place",
    "name_trap": "streets, persons, bridges",
    "elsewhere": "places of other provinces",
    "everyday": "everyday words",
}
"""Kinds of difficulty of the labelled texts, in words."""
EASY = frozenset({"plain", "short"})


@dataclass(frozen=True)
class Labelled:
    """One text of the set: its context, its half (tuned, held_out), its kind, and the phrases as (start, end, place id or None)."""

    text: str
    context: Context
    half: str
    kind: str
    mentions: tuple[tuple[int, int, str | None], ...]


@dataclass
class Tally:
    """Counts of labelled phrases and how many of them came out right; `spurious` are links beside all labelled phrases."""

    right: int = 0
    total: int = 0
    spurious: int = 0
    wrong: list[str] = field(default_factory=list)

    @property
    def accuracy(self) -> float:
        """Right ones of all, 0 to 1; a spurious link counts as one more phrase, wrong."""
        return self.right / max(self.total + self.spurious, 1)


def read_labelled(path: Path = MENTIONS) -> list[Labelled]:
    """The labelled set, in file order."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        context = Context(date.fromisoformat(row["day"]), row.get("title"), row.get("area"))
        mentions = tuple((m["start"], m["start"] + len(m["surface"]), m["place"]) for m in row["mentions"])
        found.append(Labelled(row["text"], context, row["half"], row["kind"], mentions))
    return found


def measure(linker: PlaceLinker, rows: Sequence[Labelled]) -> dict[tuple[str, str, str], Tally]:
    """A tally for each (half, period, kind); period is before or after the merger of July 2025."""
    found: dict[tuple[str, str, str], Tally] = defaultdict(Tally)
    links = linker.link([row.text for row in rows], [row.context for row in rows])
    for row, got in zip(rows, links, strict=True):
        _count(found[row.half, "before" if row.context.day < MERGER else "after", row.kind], row, [one for one in got if one.place_id])
    return dict(found)


def _count(tally: Tally, row: Labelled, got: list[Link]) -> None:
    for start, end, place in row.mentions:
        inside = {link.place_id for link in got if link.start < end and start < link.end}
        tally.total += 1
        if inside == ({place} if place else set()):
            tally.right += 1
        else:
            tally.wrong.append(f"{row.context.day} {row.text[start:end]!r} in {row.text!r}: {sorted(map(str, inside))}, expected {place}")
    beside = [link for link in got if not any(link.start < end and start < link.end for start, end, _ in row.mentions)]
    tally.spurious += len(beside)
    tally.wrong += [f"{row.context.day} {link.surface!r} in {row.text!r}: {link.place_id}, expected nothing" for link in beside]


def together(tallies: Iterable[Tally]) -> Tally:
    """One tally for several."""
    made = Tally()
    for one in tallies:
        made.right, made.total, made.spurious = made.right + one.right, made.total + one.total, made.spurious + one.spurious
        made.wrong += one.wrong
    return made


def table(tallies: dict[tuple[str, str, str], Tally]) -> str:
    """The Markdown table of the documentation: right / phrases and the share, for each half."""

    def row(name: str, wanted: Iterable[tuple[str, str, str]]) -> str:
        keys = list(wanted)
        cells = []
        for half in ("tuned", "held_out"):
            one = together(tallies[key] for key in keys if key[0] == half)
            beside = f" +{one.spurious}" if one.spurious else ""
            cells.append(f"{one.right} / {one.total}{beside} = {100 * one.accuracy:.1f} %" if one.total else "-")
        return f"| {name} | {' | '.join(cells)} |"

    lines = ["| | tuned half | held-out half |", "|---|---|---|", row("**all**", tallies)]
    lines += [row(f"{period} July 2025", [key for key in tallies if key[1] == period]) for period in ("before", "after")]
    lines.append(row("hard kinds", [key for key in tallies if key[2] not in EASY]))
    lines += [row(words, [key for key in tallies if key[2] == kind]) for kind, words in KINDS.items()]
    return "\n".join(lines) + "\n"
