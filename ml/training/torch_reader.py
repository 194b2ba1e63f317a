"""Reading texts with a network that is still in torch, for measuring during training. Belongs here: that. Not here: figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ml.labelled.texts import FLAGS, LABELS
from ml.passes import Reader
from ml.training.batches import padded
from ml.training.network import Network

_TEXTS = 64
_THRESHOLD = 0.5

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TorchReading:
    """As `ml.evaluation.reader.Reading`."""

    sentiment: Floats
    topics: Floats
    flags: dict[str, Floats]
    deep: NDArray[np.bool_]


@dataclass(frozen=True)
class TorchReader:
    """A network as a model that can be measured, by the answers of one exit, in bf16; windows of a long text as at run time."""

    network: Network
    tokens: Reader
    topic_ids: tuple[str, ...]
    at_exit: int
    model_id: str = "in training"
    weights_digest: str = ""

    @property
    def topic_thresholds(self) -> Floats:
        """The same for every topic."""
        return np.full(len(self.topic_ids), _THRESHOLD)

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> TorchReading:
        """As `ml.evaluation.reader.Reader.read`."""
        windows = self.tokens.passes(texts, [context or "" for context in contexts] if contexts else [""] * len(texts))
        flat = [(row, one) for row, passes in enumerate(windows) for one in passes]
        flat.sort(key=lambda entry: len(entry[1].ids))
        outputs = len(LABELS) + len(self.topic_ids) + len(FLAGS)
        sums, weights = np.zeros((len(texts), outputs)), np.zeros(len(texts))
        self.network.train(False)
        with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
            for start in range(0, len(flat), _TEXTS):
                part = flat[start : start + _TEXTS]
                given = [torch.from_numpy(array) for array in padded([one for _, one in part])]
                found = self.network.logits(*given)[self.at_exit].float().numpy()
                for (row, one), logits in zip(part, found, strict=True):
                    sums[row] += one.own * logits
                    weights[row] += one.own
        logits = sums / weights[:, None]
        first, second = len(LABELS), len(LABELS) + len(self.topic_ids)
        exponents = np.exp(logits[:, :first] - logits[:, :first].max(axis=1, keepdims=True))
        yes = 1 / (1 + np.exp(-logits[:, first:]))
        return TorchReading(
            sentiment=exponents / exponents.sum(axis=1, keepdims=True),
            topics=yes[:, : len(self.topic_ids)],
            flags={name: yes[:, second - first + place] for place, name in enumerate(FLAGS)},
            deep=np.zeros(len(texts), np.bool_),
        )
