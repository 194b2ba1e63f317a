"""Near copies of a text: sketches of its letters (MinHash), and which earlier text a new one is a copy of. Pure.

Belongs here: sketch, comparison, and the choice of a cluster. Not here: where sketches are kept (assets/silver/clusters.py), who posted a
copy, how often. A text's skeleton (`ml.normalise`) is cut into pieces of PIECE characters; the similarity of two texts is the share of
their pieces that both have (Jaccard), estimated by the share of equal sketch values (Broder 1997). Candidates share all values of a band.

A cluster is led by the text that founded it: a text joins the most similar leader of at least THRESHOLD, or founds a cluster of its own.
Only leaders are compared with, so a chain of small edits cannot drift from one message to another.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
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
    """Where a text belongs: its own key, its cluster's (the leader's key), and how similar it is to the leader (1 for the leader itself).

    `nearby_key` is the leader of a second cluster that the text could have joined as well, None for most: the two clusters speak alike.
    """

    key: str
    cluster_key: str
    similarity: float
    nearby_key: str | None


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


def touching(leaders: Sketches, wanted: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which leaders share a band with any of the texts whose bands are `wanted` (any shape): all that those can be copies of."""
    return np.asarray(np.isin(bands(leaders), wanted).any(axis=-1), np.bool_)


class Leaders:
    """The leaders of clusters, in the order they were added, found by the bands of their sketches."""

    def __init__(self) -> None:
        self._keys: list[str] = []
        self._sketches: list[Sketches] = []
        self._by_band: dict[int, list[int]] = defaultdict(list)
        self._places: dict[str, int] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def add(self, keys: Iterable[str], of: Sketches) -> None:
        """Add leaders; one that is known already keeps its place."""
        for key, sketch, found in zip(keys, of, bands(of).tolist(), strict=True):
            if key in self._places:
                continue
            self._places[key] = place = len(self._keys)
            self._keys.append(key)
            self._sketches.append(sketch)
            for band in found:
                self._by_band[band].append(place)

    def nearest(self, sketch: Sketches) -> list[tuple[str, float]]:
        """Up to two leaders of at least THRESHOLD with their similarity to a sketch, the most similar first; at a tie the earlier one."""
        places = sorted({place for band in bands(sketch[None]).tolist()[0] for place in self._by_band.get(band, ())})
        if not places:
            return []
        alike = (np.stack([self._sketches[place] for place in places]) == sketch).mean(axis=1)
        best = np.argsort(-alike, kind="stable")[:2]
        return [(self._keys[places[at]], float(alike[at])) for at in best if alike[at] >= THRESHOLD]


def place(texts: Mapping[str, str], leaders: Leaders) -> Iterator[tuple[Placed, Sketches | None]]:
    """Place texts (key -> skeleton), in their order, among the leaders, which those that found a cluster join.

    With each comes its sketch, None for a text too short to have one.
    """
    long = [key for key, skeleton in texts.items() if has_sketch(skeleton)]
    made = dict(zip(long, sketches([texts[key] for key in long]), strict=True))
    for key in texts:
        sketch = made.get(key)
        near = [] if sketch is None else leaders.nearest(sketch)
        if sketch is not None and not near:
            leaders.add([key], sketch[None])
        (cluster, similarity), *second = near or [(key, 1.0)]
        yield Placed(key, cluster, similarity, second[0][0] if second else None), sketch
