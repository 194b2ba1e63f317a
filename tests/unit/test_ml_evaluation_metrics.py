"""The figures of a classifier, against examples computed by hand and against plain resampling."""

import numpy as np
import pytest

from ml.evaluation.metrics import (
    accuracy,
    calibration_error,
    confusion,
    f1_by_class,
    macro_f1,
    many_labels,
    weighted_f1,
    with_interval,
)

TRUE, PREDICTED = [0, 0, 0, 0, 1, 1, 2, 2], [0, 0, 1, 2, 1, 0, 2, 2]


def test_figures_by_hand() -> None:
    matrix = confusion(TRUE, PREDICTED, 3)
    assert matrix.tolist() == [[2, 1, 1], [1, 1, 0], [0, 0, 2]]
    assert accuracy(matrix) == pytest.approx(5 / 8)
    assert f1_by_class(matrix) == pytest.approx([4 / 7, 2 / 4, 4 / 5])
    assert macro_f1(matrix) == pytest.approx((4 / 7 + 1 / 2 + 4 / 5) / 3)
    assert weighted_f1(matrix) == pytest.approx((4 * 4 / 7 + 2 / 2 + 2 * 4 / 5) / 8)
    with pytest.raises(ValueError, match="3 true and 1 predicted"):
        confusion([0, 1, 1], [0], 3)


def test_a_class_that_never_occurs_is_left_out_of_the_macro_mean() -> None:
    assert macro_f1(confusion([0, 2], [0, 2], 3)) == 1.0
    assert macro_f1(confusion([0, 2], [0, 1], 3)) == pytest.approx(1 / 3)


def test_the_interval_is_that_of_resampled_texts() -> None:
    rng = np.random.default_rng(1)
    true = rng.integers(0, 3, 400)
    predicted = np.where(rng.random(400) < 0.8, true, rng.integers(0, 3, 400))
    figure = with_interval(confusion(true.tolist(), predicted.tolist(), 3), macro_f1)
    plain = []
    for _ in range(2000):
        rows = rng.integers(0, 400, 400)
        plain.append(float(macro_f1(confusion(true[rows].tolist(), predicted[rows].tolist(), 3))))
    assert figure.low < figure.value < figure.high
    assert (figure.low, figure.high) == pytest.approx(tuple(np.percentile(plain, (2.5, 97.5))), abs=0.006)
    assert with_interval(confusion(true.tolist(), predicted.tolist(), 3), macro_f1) == figure
    with pytest.raises(ValueError, match="no texts"):
        with_interval(np.zeros((3, 3)), accuracy)


def test_calibration_error() -> None:
    sure = np.array([[0.9, 0.05, 0.05]] * 10)
    assert calibration_error(sure, [0] * 9 + [1]) == pytest.approx(0.0, abs=1e-12)
    assert calibration_error(sure, [0] * 5 + [1] * 5) == pytest.approx(0.4)
    assert calibration_error(np.array([[1.0, 0.0, 0.0]]), [0]) == 0.0


def test_many_labels_by_hand() -> None:
    true = np.array([[1, 0, 0], [1, 1, 0], [0, 0, 0], [0, 1, 0]], bool)
    predicted = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 0]], bool)
    found = many_labels(true, predicted, ["a", "b", "c"])
    assert found.by_label == pytest.approx({"a": 2 / 3, "b": 1.0, "c": 0.0})
    assert found.texts_by_label == {"a": 2, "b": 2, "c": 0}
    assert found.micro.value == pytest.approx(6 / 8)
    assert found.macro.value == pytest.approx((2 / 3 + 1) / 2)  # c never occurs: it counts in the micro mean only
    assert found.micro.low <= found.micro.value <= found.micro.high
    with pytest.raises(ValueError, match="no texts"):
        many_labels(true[:0], predicted[:0], ["a", "b", "c"])
