"""The pairs of tests/data/near_copies.txt, and how many of them are judged rightly by similarity."""

from collections import Counter
from pathlib import Path
from typing import NamedTuple

from ml.near_copies import PIECE, has_sketch, place, sketches
from ml.normalise import normalise, skeleton

PATH = Path(__file__).parent / "data" / "near_copies.txt"
APART = frozenset({"subject", "quote", "notice", "form", "told"})


class Pair(NamedTuple):
    """Two texts, what the second is of the first, and whether they are to be put together."""

    group: int
    kind: str
    first: str
    second: str

    @property
    def is_copy(self) -> bool:
        return self.kind not in APART


def pairs() -> list[Pair]:
    _, *blocks = PATH.read_text(encoding="utf-8").strip().split("\n\n")
    made = []
    for number, block in enumerate(blocks):
        first, *others = block.splitlines()
        made += [Pair(number, kind, first, second) for kind, second in (line.split("|", 1) for line in others)]
    return made


def similarity(pair: Pair) -> float:
    """The exact share of pieces that both have."""
    first, second = ({text[at : at + PIECE] for at in range(len(text) - PIECE + 1)} for text in map(shape, pair[2:]))
    return len(first & second) / len(first | second)


def shape(text: str) -> str:
    return skeleton(normalise(text))


def is_joined(pair: Pair) -> bool:
    first, second = shape(pair.first), shape(pair.second)
    if not (has_sketch(first) and has_sketch(second)):
        return first == second
    return place(sketches([first, second]))[1].leader == 0


def table() -> str:
    """Markdown: by similarity, how many copies and others there are and how many of each were joined."""
    counts: Counter[tuple[int, bool, bool]] = Counter()
    for pair in pairs():
        counts[min(9, int(similarity(pair) * 10)), pair.is_copy, is_joined(pair)] += 1
    lines = ["| similarity | copies | joined | not copies | joined |", "|---|---|---|---|---|"]
    for tenth in range(10):
        kept = [counts[tenth, is_copy, joined] for is_copy in (True, False) for joined in (True, False)]
        if sum(kept):
            lines.append(
                f"| {tenth / 10:.1f} to {(tenth + 1) / 10:.1f} | {kept[0] + kept[1]} | {kept[0]} | {kept[2] + kept[3]} | {kept[2]} |"
            )
    return "\n".join(lines)
