"""What is asked of a model that is measured. Belongs here: the protocol, and how a labelled text is handed over. Not here: figures."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ml.labelled.texts import LabelledText
from ml.masking import mask_pii
from ml.normalise import normalise, without_diacritics


class Reading(Protocol):
    """Probabilities of sentiment (n, 3), of topics (n, topics) and of flags (n,) for n texts, and which of them needed the upper stage."""

    @property
    def sentiment(self) -> NDArray[np.float64]:
        """Columns negative, neutral, positive."""

    @property
    def topics(self) -> NDArray[np.float64]:
        """Columns as the model's topic_ids."""

    @property
    def flags(self) -> Mapping[str, NDArray[np.float64]]:
        """By flag name; empty where the model has none."""

    @property
    def deep(self) -> NDArray[np.bool_]:
        """Whether the upper stage was needed."""


class Reader(Protocol):
    """A loaded model; `topic_ids` is empty where it knows no topics."""

    @property
    def model_id(self) -> str:
        """Its name."""

    @property
    def weights_digest(self) -> str:
        """SHA-256 of its weights."""

    @property
    def topic_ids(self) -> tuple[str, ...]:
        """The topics it knows."""

    @property
    def topic_thresholds(self) -> NDArray[np.float64]:
        """The least probability with which each of them holds."""

    def read(self, texts: Sequence[str], contexts: Sequence[str | None] | None = None) -> Reading:
        """Read texts, each with the title or post it answers, where there is one."""


def read_as_the_lake(reader: Reader, texts: Sequence[LabelledText], *, contexts: bool = False, unaccented: bool = False) -> Reading:
    """The reading of labelled texts, normalised and masked as the lake does it before any model sees a text.

    With `unaccented`, texts and contexts lose their diacritics first.
    """

    def prepared(text: str) -> str:
        return mask_pii(normalise(without_diacritics(text) if unaccented else text))

    given = [prepared(text.text) for text in texts]
    return reader.read(given, [prepared(text.context) if text.context else None for text in texts] if contexts else None)
