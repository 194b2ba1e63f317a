"""Figures of a classifier. Belongs here: pure functions over counts and probabilities. Not here: models, sets, words.

Everything about one label of several is a function of the confusion matrix (rows true, columns predicted), also the bootstrap: drawing n
texts with replacement is drawing the cells of the matrix from a multinomial distribution, so 2,000 draws cost milliseconds.
Functions take matrices with any leading dimensions.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Matrix = NDArray[np.float64]
DRAWS = 2000
_SEED = 20251127
_BINS = 15


@dataclass(frozen=True)
class Figure:
    """A value between 0 and 1 with the bounds of its 95 % bootstrap interval (percentiles 2.5 and 97.5)."""

    value: float
    low: float
    high: float


def confusion(true: Sequence[int], predicted: Sequence[int], classes: int) -> Matrix:
    """Counts of shape (classes, classes): rows the true class, columns the predicted one. Raises ValueError for unequal lengths."""
    if len(true) != len(predicted):
        raise ValueError(f"{len(true)} true and {len(predicted)} predicted labels")
    cells = np.asarray(true, np.intp) * classes + np.asarray(predicted, np.intp)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes).astype(np.float64)


def _ratio(above: ArrayLike, below: ArrayLike) -> Matrix:
    """Above / below, and 0 where nothing is below."""
    above, below = np.asarray(above, np.float64), np.asarray(below, np.float64)
    out: Matrix = np.divide(above, below, out=np.zeros(np.broadcast_shapes(above.shape, below.shape)), where=below > 0)
    return out


def accuracy(matrix: Matrix) -> Matrix:
    """The share of right answers."""
    return _ratio(np.trace(matrix, axis1=-2, axis2=-1), matrix.sum(axis=(-2, -1)))


def f1_by_class(matrix: Matrix) -> Matrix:
    """F1 of each class, 2 tp / (true + predicted); 0 for a class that neither is nor was predicted."""
    right = np.diagonal(matrix, axis1=-2, axis2=-1)
    return _ratio(2 * right, matrix.sum(axis=-1) + matrix.sum(axis=-2))


def macro_f1(matrix: Matrix) -> Matrix:
    """The mean of the F1 of the classes that are true or predicted at least once."""
    present = (matrix.sum(axis=-1) + matrix.sum(axis=-2)) > 0
    return _ratio((f1_by_class(matrix) * present).sum(axis=-1), present.sum(axis=-1))


def weighted_f1(matrix: Matrix) -> Matrix:
    """The mean of the classes' F1, weighted by how many texts truly are of each."""
    return _ratio((f1_by_class(matrix) * matrix.sum(axis=-1)).sum(axis=-1), matrix.sum(axis=(-2, -1)))


def with_interval(matrix: Matrix, measure: Callable[[Matrix], Matrix], draws: int = DRAWS) -> Figure:
    """The measure of one matrix and its bootstrap interval over texts, by a fixed seed. Raises ValueError for an empty matrix."""
    texts = int(matrix.sum())
    if texts == 0:
        raise ValueError("no texts to measure on")
    drawn = np.random.default_rng(_SEED).multinomial(texts, matrix.ravel() / texts, size=draws).reshape(draws, *matrix.shape)
    low, high = np.percentile(measure(drawn.astype(np.float64)), (2.5, 97.5))
    return Figure(float(measure(matrix)), float(low), float(high))


def calibration_error(probabilities: Matrix, true: Sequence[int]) -> float:
    """Expected calibration error of the predicted class: 15 equal bins of confidence, |accuracy - confidence| weighted by texts.

    `probabilities` has shape (n, classes). Formula: Guo et al., On Calibration of Modern Neural Networks (2017), equation 3.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == np.asarray(true)
    bins = np.minimum((confidence * _BINS).astype(np.intp), _BINS - 1)
    gaps = np.abs(np.bincount(bins, right, _BINS) - np.bincount(bins, confidence, _BINS))
    return float(gaps.sum() / max(len(confidence), 1))


@dataclass(frozen=True)
class ManyLabels:
    """Figures of a task with any number of labels per text: micro F1, macro F1 over labels that occur, and F1 and count by label."""

    micro: Figure
    macro: Figure
    by_label: dict[str, float]
    texts_by_label: dict[str, int]


def many_labels(true: NDArray[np.bool_], predicted: NDArray[np.bool_], names: Sequence[str], draws: int = DRAWS) -> ManyLabels:
    """The figures of two boolean arrays of shape (texts, len(names)); intervals by bootstrap over texts. Raises ValueError for no texts."""
    if not len(true):
        raise ValueError("no texts to measure on")
    right, marked = (true & predicted).astype(np.float64), true.astype(np.float64) + predicted.astype(np.float64)
    weights = np.random.default_rng(_SEED).multinomial(len(true), np.full(len(true), 1 / len(true)), size=draws).astype(np.float64)
    occurs = true.any(axis=0)

    def micro(drawn_right: Matrix, drawn_marked: Matrix) -> Matrix:
        return _ratio(2 * drawn_right.sum(axis=-1), drawn_marked.sum(axis=-1))

    def macro(drawn_right: Matrix, drawn_marked: Matrix) -> Matrix:
        return _ratio((_ratio(2 * drawn_right, drawn_marked) * occurs).sum(axis=-1), occurs.sum())

    drawn, whole = (weights @ right, weights @ marked), (right.sum(axis=0), marked.sum(axis=0))

    def figure(measure: Callable[[Matrix, Matrix], Matrix]) -> Figure:
        low, high = np.percentile(measure(*drawn), (2.5, 97.5))
        return Figure(float(measure(*whole)), float(low), float(high))

    scores = _ratio(2 * whole[0], whole[1])
    return ManyLabels(
        micro=figure(micro),
        macro=figure(macro),
        by_label={name: float(score) for name, score in zip(names, scores, strict=True)},
        texts_by_label={name: int(count) for name, count in zip(names, true.sum(axis=0), strict=True)},
    )
