"""Putting back the marks of Vietnamese that was typed without them. Belongs here: the n-gram model of syllables and the search.

"duong ngap qua" can be read as "đường ngập quá" only through its neighbours. A trigram model of syllables with absolute discounting (Ney,
Essen and Kneser 1994, interpolated) weighs the candidates of each bare syllable; a beam search keeps the best readings. Not here: reading
sentiment, and normalising what the lake stores: marks are put back for the reading model only, the text of a post stays as it was written.
"""

import io
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from math import log
from typing import Self, TypeVar
from zipfile import BadZipFile

import numpy as np

from ml.normalise import without_diacritics

_WORD = re.compile(r"[^\W\d_]+")
_START, _END = "<s>", "</s>"
_DISCOUNT = 0.75  # the usual value for counts of this size; between 0.6 and 0.9 the accuracy moves by 0.1 points
_UNSEEN = 0.1  # pseudo-count of a syllable never seen
_CANDIDATES = 6  # readings tried for a bare syllable, the most frequent first
_BEAM = 6
_LEAST_WORDS = 2
_LEAST_SHARE = 0.6  # of the words must be bare forms of a syllable with marks, or the text is taken for another language

_Path = tuple[int, ...]
HistoryT = TypeVar("HistoryT")


def _syllables(text: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(unicodedata.normalize("NFC", text))]


def has_marks(text: str) -> bool:
    """Whether any letter of `text` carries a mark of Vietnamese (tone, circumflex, breve, horn, đ)."""
    return without_diacritics(text) != unicodedata.normalize("NFC", text)


class MarkRestorer:
    """Syllable n-grams of texts written with marks, and the reading of texts without. Immutable, thread-safe, deterministic."""

    def __init__(self, syllables: Sequence[str], grams: Sequence[np.ndarray], counts: Sequence[np.ndarray]) -> None:
        """`syllables` by id; `grams[k]` of shape (rows, k + 1) and `counts[k]` (rows,): the (k+1)-grams of ids and how often each stood."""
        self._syllables = tuple(syllables)
        self._grams, self._counts = tuple(grams), tuple(counts)
        ids = {syllable: number for number, syllable in enumerate(self._syllables)}
        self._start = ids[_START]
        self._one: dict[int, int] = dict(zip(grams[0][:, 0].tolist(), counts[0].tolist(), strict=True))
        self._total = sum(self._one.values()) + _UNSEEN * len(self._syllables)
        self._two: dict[_Path, int] = dict(zip(map(tuple, grams[1].tolist()), counts[1].tolist(), strict=True))
        self._three: dict[_Path, int] = dict(zip(map(tuple, grams[2].tolist()), counts[2].tolist(), strict=True))
        self._after_one, self._kinds_after_one = _by_history((key[0], count) for key, count in self._two.items())
        self._after_two, self._kinds_after_two = _by_history((key[:2], count) for key, count in self._three.items())
        readings: dict[str, list[tuple[int, int]]] = defaultdict(list)
        for syllable, number in ids.items():
            if syllable not in (_START, _END):
                readings[without_diacritics(syllable)].append((-self._one.get(number, 0), number))
        self._readings = {bare: tuple(number for _, number in sorted(found)[:_CANDIDATES]) for bare, found in readings.items()}
        self._bare = {without_diacritics(syllable) for syllable in ids if has_marks(syllable)}
        self._known: dict[tuple[int, int], float] = {}

    @classmethod
    def from_texts(cls, texts: Iterable[str]) -> Self:
        """Counted over the texts that carry marks; the others, whose syllables say nothing of marks, are left out.

        Raises ValueError when no text has marks.
        """
        ids: dict[str, int] = {_START: 0, _END: 1}
        counts: tuple[Counter[_Path], Counter[_Path], Counter[_Path]] = (Counter(), Counter(), Counter())
        for text in texts:
            if has_marks(text):
                row = [0, 0, *(ids.setdefault(word, len(ids)) for word in _syllables(text)), 1]
                for end in range(2, len(row)):
                    for order in range(3):
                        counts[order][tuple(row[end - order : end + 1])] += 1
        if not counts[0]:
            raise ValueError("no text with Vietnamese marks was given")
        grams = [np.array(sorted(counted), np.uint16) for counted in counts]
        return cls(tuple(ids), grams, [np.array([counted[key] for key in sorted(counted)], np.uint32) for counted in counts])

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """What `to_bytes` gave. Raises ValueError when it is something else."""
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as stored:
                grams = [stored[f"grams{order}"] for order in (1, 2, 3)]
                counts = [stored[f"counts{order}"] for order in (1, 2, 3)]
                return cls(stored["syllables"].tobytes().decode().split("\n"), grams, counts)
        except (OSError, KeyError, EOFError, ValueError, BadZipFile) as error:
            raise ValueError(f"not a table of syllables ({error})") from error

    def to_bytes(self) -> bytes:
        """The table as a NumPy archive; the same bytes for the same texts in the same order."""
        stored = {"syllables": np.frombuffer("\n".join(self._syllables).encode(), np.uint8)}
        for order in range(3):
            stored |= {f"grams{order + 1}": self._grams[order], f"counts{order + 1}": self._counts[order]}
        out = io.BytesIO()
        np.savez_compressed(out, allow_pickle=False, **stored)
        return out.getvalue()

    def restore(self, text: str) -> str:
        """`text` with the marks it most likely lost; itself when it has any mark, under two words, or reads like another language.

        Only letters change, one word for one word; capitals stay. Linear in the length. Raises nothing.
        """
        words = list(_WORD.finditer(text))
        if len(words) < _LEAST_WORDS or has_marks(text):
            return text
        bare = [word.group().lower() for word in words]
        if sum(word in self._bare for word in bare) < _LEAST_SHARE * len(bare):
            return text
        pieces, end = [], 0
        for word, reading in zip(words, self._best(bare), strict=True):
            pieces += [text[end : word.start()], word.group() if reading is None else _as_written(word.group(), reading)]
            end = word.end()
        return "".join(pieces) + text[end:]

    def _best(self, bare: list[str]) -> list[str | None]:
        """The most likely reading of each word; None for a word that is no bare syllable."""
        beam: dict[tuple[int, int], float] = {(self._start, self._start): 0.0}
        steps: list[dict[tuple[int, int], tuple[int, int]]] = []
        for word in bare:
            best: dict[tuple[int, int], tuple[float, tuple[int, int]]] = {}
            for state, score in beam.items():
                for reading in self._readings.get(word, (-1,)):
                    reached, value = (state[1], reading), score + log(self._probability(state, reading))
                    if reached not in best or best[reached][0] < value:
                        best[reached] = (value, state)
            kept = sorted(best.items(), key=lambda item: (-item[1][0], item[0]))[:_BEAM]
            beam = {reached: value for reached, (value, _) in kept}
            steps.append({reached: state for reached, (_, state) in kept})
        state = max(beam, key=lambda key: beam[key])
        found: list[str | None] = []
        for step in reversed(steps):
            found.append(self._syllables[state[1]] if state[1] >= 0 else None)
            state = step[state]
        return found[::-1]

    def _probability(self, state: tuple[int, int], reading: int) -> float:
        pair = (state[1], reading)
        below = self._known.get(pair)
        if below is None:
            below = self._known[pair] = self._of_pair(pair)
        seen = self._after_two.get(state, 0)
        if not seen:
            return below
        counted = self._three.get((*state, reading), 0)
        held = _DISCOUNT * self._kinds_after_two[state] * below
        return (counted - _DISCOUNT + held if counted else held) / seen

    def _of_pair(self, pair: tuple[int, int]) -> float:
        below = (self._one.get(pair[1], 0) + _UNSEEN) / self._total
        seen = self._after_one.get(pair[0], 0)
        if not seen:
            return below
        return (max(self._two.get(pair, 0) - _DISCOUNT, 0.0) + _DISCOUNT * self._kinds_after_one[pair[0]] * below) / seen


def _by_history(counted: Iterable[tuple[HistoryT, int]]) -> tuple[dict[HistoryT, int], dict[HistoryT, int]]:
    """How often each history stood, and before how many different syllables; `counted` names a history once per syllable after it."""
    seen: dict[HistoryT, int] = {}
    kinds: dict[HistoryT, int] = {}
    for history, count in counted:
        seen[history] = seen.get(history, 0) + count
        kinds[history] = kinds.get(history, 0) + 1
    return seen, kinds


def _as_written(word: str, reading: str) -> str:
    """`reading` in the capitals of `word`."""
    return "".join(new.upper() if old.isupper() else new for old, new in zip(word, reading, strict=True))
