"""The three classes of sentiment and the label that a row of probabilities stands for. Not here: computing them (`ml.language_model`)."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

LABELS = ("negative", "neutral", "positive")

_TIE_ORDER = ("neutral", "negative", "positive")  # the label that claims least wins a tie


def label_of(probabilities: Sequence[float] | NDArray[np.float64]) -> str:
    """The label with the highest of three probabilities (negative, neutral, positive); exact ties go to neutral, then negative.

    Raises ValueError unless there are exactly three numbers, none of them NaN.
    """
    if len(probabilities) != len(LABELS) or any(math.isnan(value) for value in probabilities):
        raise ValueError(f"expected three probabilities in the order {LABELS}, got {list(probabilities)}")
    by_label = dict(zip(LABELS, probabilities, strict=True))
    return max(_TIE_ORDER, key=lambda label: float(by_label[label]))
