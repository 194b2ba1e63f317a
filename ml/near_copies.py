"""Near copies of a text: sketches of its letters (MinHash), and which earlier text a new one is a copy of. Pure.

Belongs here: sketch, comparison, and the choice of a cluster. Not here: where sketches are kept (assets/silver/clusters.py), who posted a
copy, how often. A text's skeleton (`ml.normalise`) is cut into pieces of PIECE characters; the similarity of two texts is the share of
their pieces that both have (Jaccard), estimated by the share of equal sketch values (Broder 1997). Candidates share all values of a band.

A cluster is led by the text that founded it: a text joins the most similar leader of at least THRESHOLD, or founds a cluster of its own.
Only leaders are compared with, so a chain of small edits cannot drift from one message to another.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import rensa
from numpy.typing import NDArray

PIECE = 5
"""Characters to a piece. Words of Vietnamese have three to four letters, so a piece spans a word's edge and tells the order of words."""
VALUES, ROWS = 128, 4
"""Values of a sketch, and values to a band: 32 bands find a copy of similarity 0.55 with 95 %, one of 0.7 with 99.98 %."""
THRESHOLD = 0.55
"""Measured on tests/data/near_copies.txt, see docs/copies-and-spam.md."""
SHORTEST = 60
"""Characters of a skeleton below which people write the same by chance ("giao hang nhanh dong goi ky"): only equal ones are copies."""
_SEED = 42
_SKETCHED_AT_ONCE = 4_096
SKETCH_ID = f"rminhash{rensa.RMinHash.ALGORITHM_VERSION}-c{PIECE}-{VALUES}x16"
"""Names how a sketch was made. Sketches of another id say nothing of each other and are never compared."""

Sketches = NDArray[np.uint16]
"""Shape (texts, VALUES): the lower 16 bits of each value, for two unequal values agree in them once in 65,536 times."""


@dataclass(frozen=True)
class Placed:
    """Where a text belongs: its cluster's leader, by number, and its similarity to it (1 for the leader itself)."""

    leader: int
    similarity: float


def has_sketch(skeleton: str) -> bool:
    """Whether a text is long enough to be compared with others."""
    return len(skeleton) >= SHORTEST


def sketches(skeletons: Sequence[str]) -> Sketches:
    """One sketch per skeleton, the same on every machine and in every batch; linear in the length of the texts."""
    parts = [np.empty((0, VALUES), dtype=np.uint16)]
    for start in range(0, len(skeletons), _SKETCHED_AT_ONCE):
        pieces = [_pieces(skeleton) for skeleton in skeletons[start : start + _SKETCHED_AT_ONCE]]
        rows = rensa.RMinHash.digest_matrix_from_token_sets(pieces, VALUES, _SEED).to_rows()
        parts.append(np.array(rows, dtype=np.uint32).astype(np.uint16))
    return np.concatenate(parts)


def _pieces(skeleton: str) -> list[str]:
    return list({skeleton[at : at + PIECE] for at in range(max(1, len(skeleton) - PIECE + 1))})


def bands(of: Sketches) -> NDArray[np.uint64]:
    """Shape (texts, bands): one number per band, equal where two texts agree in all its values; bands have numbers of their own."""
    count = VALUES // ROWS
    words = np.ascontiguousarray(of).view(np.uint64).reshape(len(of), count)  # ROWS values of 16 bits are one word
    number = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)  # the golden ratio: an arbitrary odd constant
    return words ^ number


def place(of: Sketches) -> list[Placed]:
    """Put texts into clusters, in their order, by their sketches: each joins the nearest leader before it, or leads.

    At a tie the earlier leader is joined. Several thousand texts a second; memory about 2 kB a text.
    """
    common, numbered = _common_bands(bands(of))
    leading: list[list[int]] = [[] for _ in range(common)]
    placed = []
    for at, sketch in enumerate(of):
        shared = [leading[number] for number in numbered[at].tolist() if number >= 0]
        near = _nearest(sketch, of, shared)
        placed.append(near or Placed(at, 1.0))
        if near is None:
            for leaders in shared:
                leaders.append(at)
    return placed


def nearest(of: Sketches, known: Sketches) -> list[Placed | None]:
    """For each text the nearest of the `known` leaders, None where none reaches THRESHOLD; at a tie the one that stands first."""
    others = bands(known)
    leading: dict[int, list[int]] = {number: [] for number in np.unique(bands(of)).tolist()}
    for at in np.flatnonzero(np.isin(others, list(leading)).any(axis=1)).tolist():
        for number in others[at].tolist():
            if number in leading:
                leading[number].append(at)
    return [_nearest(sketch, known, [leading[number] for number in found]) for sketch, found in zip(of, bands(of).tolist(), strict=True)]


def _common_bands(found: NDArray[np.uint64]) -> tuple[int, NDArray[np.int32]]:
    """How many numbers stand in two rows or more, and each row with these numbered from 0, -1 for a number that stands in it alone."""
    _, inverse, counts = np.unique(found, return_inverse=True, return_counts=True)
    number = np.where(counts > 1, np.cumsum(counts > 1) - 1, -1).astype(np.int32)
    return int((counts > 1).sum()), number[inverse].reshape(found.shape)


def _nearest(sketch: Sketches, of: Sketches, shared: Iterable[Iterable[int]]) -> Placed | None:
    """The nearest of the leaders that the bands of a sketch are `shared` with, None where none reaches THRESHOLD."""
    candidates = sorted(set().union(*shared))
    if not candidates:
        return None
    alike = (of[candidates] == sketch).mean(axis=1)
    best = int(np.argmax(alike))
    return Placed(candidates[best], float(alike[best])) if alike[best] >= THRESHOLD else None
