"""From examples to batches of token ids. Belongs here: drawing, augmenting, tokenising, padding. Not here: the network.

A pool of texts is drawn by the groups' shares, tokenised, sorted by length and cut into batches of about equally many tokens: little
padding, and every batch mixes the sets. Every group is gone through in a shuffled order, whole, before a text of it comes again.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from lake_config.errors import BadInputError
from ml.passes import PAD, Pass, Reader
from ml.recipes.recipe import Group, Recipe
from ml.training.augment import augmented
from ml.training.examples import Example

MAX_LENGTH, CONTEXT_LENGTH = 96, 40
"""Tokens of a text in one pass and of its context, both with their special tokens: as at run time."""
_POOL = 1600
_UNKNOWN, _FIRST_WORD = 3, 6  # <unk>; smaller ids are special tokens

Ids = NDArray[np.int64]


@dataclass(frozen=True)
class Batch:
    """Token ids and attention mask (texts, length), and which tokens are the text's own; `examples` are the rows."""

    ids: Ids
    mask: Ids
    own: NDArray[np.float32]
    examples: tuple[Example, ...]


def reader(folder: Path) -> Reader:
    """The tokenizer in a folder. Raises BadInputError when it is not there."""
    path = folder / "tokenizer.json"
    if not path.is_file():
        raise BadInputError(f"There is no tokenizer at {path}: name the folder of encoders that holds it (--shared).")
    return Reader(path.read_bytes(), MAX_LENGTH, CONTEXT_LENGTH)


def padded(passes: Sequence[Pass]) -> tuple[Ids, Ids, NDArray[np.float32]]:
    """Ids, mask and own tokens of passes, padded to the longest. Raises ValueError for none."""
    length = max(len(one.ids) for one in passes)
    ids, mask = np.full((len(passes), length), PAD, np.int64), np.zeros((len(passes), length), np.int64)
    own = np.zeros((len(passes), length), np.float32)
    for row, one in enumerate(passes):
        ids[row, : len(one.ids)], mask[row, : len(one.ids)], own[row, : one.own] = one.ids, 1, 1
    return ids, mask, own


@dataclass
class Stream:
    """Examples without end; `passes` counts how often all of them were begun."""

    examples: Sequence[Example]
    random: Generator
    passes: int = 0
    _left: list[int] = field(default_factory=list)

    def take(self, count: int) -> list[Example]:
        """The next examples."""
        taken = []
        for _ in range(count):
            if not self._left:
                self._left = self.random.permutation(len(self.examples)).tolist()
                self.passes += 1
            taken.append(self.examples[self._left.pop()])
        return taken


def hidden_tokens(ids: Sequence[int], share: float, random: Generator) -> list[int]:
    """The ids with about a `share` of the words' tokens replaced by <unk>."""
    draws = random.random(len(ids))
    return [_UNKNOWN if one >= _FIRST_WORD and draw < share else one for one, draw in zip(ids, draws, strict=True)]


@dataclass
class Feed:
    """Batches of a recipe, without end, from streams by group with their shares (which sum to 1)."""

    recipe: Recipe
    tokens: Reader
    streams: dict[Group, Stream]
    shares: dict[Group, float]
    random: Generator

    def __iter__(self) -> Iterator[Batch]:
        """Pool after pool."""
        while True:
            yield from self._pool()

    def _pool(self) -> Iterator[Batch]:
        drawn = [one for group, share in self.shares.items() for one in self.streams[group].take(max(round(_POOL * share), 1))]
        chances = self.recipe.augment
        texts = [augmented(one.text, chances, self.random) for one in drawn]
        contexts = [one.context if one.context and self.random.random() < chances.context else "" for one in drawn]
        passes = [
            Pass(hidden_tokens(windows[0].ids, chances.token_dropout, self.random), windows[0].own)
            for windows in self.tokens.passes(texts, contexts)
        ]  # of a text longer than a pass, the first window is trained on
        lengths = np.array([len(one.ids) for one in passes]) + 4 * self.random.random(len(passes))
        batches: list[list[int]] = [[]]
        longest = 0
        for row in np.argsort(lengths).tolist():
            longest = max(longest, len(passes[row].ids))
            if batches[-1] and longest * (len(batches[-1]) + 1) > self.recipe.batch_tokens:
                batches.append([])
                longest = len(passes[row].ids)
            batches[-1].append(row)
        for place in self.random.permutation(len(batches)).tolist():
            rows = batches[place]
            yield Batch(*padded([passes[row] for row in rows]), tuple(drawn[row] for row in rows))
