"""Loading the model that is measured. Belongs here: from a model folder to a `Reader`. Not here: how models compute."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ml.evaluation.reader import Reader
from ml.sentiment import SentimentModel


@dataclass(frozen=True)
class _SentimentOnly:
    """A reading of a model that knows sentiment alone, in one stage."""

    sentiment: NDArray[np.float64]
    topics: NDArray[np.float64]
    flags: dict[str, NDArray[np.float64]]
    deep: NDArray[np.bool_]


@dataclass(frozen=True)
class _SentimentReader:
    model: SentimentModel
    topic_ids: tuple[str, ...] = ()

    @property
    def model_id(self) -> str:
        return self.model.model_id

    @property
    def weights_digest(self) -> str:
        return self.model.weights_digest

    @property
    def topic_thresholds(self) -> NDArray[np.float64]:
        return np.zeros(0)

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> _SentimentOnly:  # contexts tell it nothing
        del contexts
        sentiment = self.model.score(texts)
        return _SentimentOnly(sentiment, np.zeros((len(texts), 0)), {}, np.zeros(len(texts), np.bool_))


def load_reader(folder: Path, *, threads: int = 2) -> Reader:
    """The model in a folder, every file's digest checked. Raises ModelError when a file is missing or altered."""
    return _SentimentReader(SentimentModel.load(folder, threads=threads))
