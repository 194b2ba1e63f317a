"""Numbers of the int8 graph: they stay within their bits, and evening channels out changes no product."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from ml.training.graph import Span, whole_numbers

RNG = np.random.default_rng(11)


def test_seven_bits_by_column() -> None:
    weight = RNG.normal(size=(64, 5)).astype(np.float32) * np.array([1, 100, 1e-3, 0, 1], np.float32)
    numbers, scales = whole_numbers(weight, 63, axis=0)
    assert scales.shape == (1, 5)
    assert np.abs(numbers).max(axis=0).tolist() == [63, 63, 63, 0, 63]
    assert (np.abs(numbers * scales - weight) <= scales / 2 + 1e-9).all()
    assert 2 * 255 * 63 < 2**15


@given(st.floats(-50, 50), st.floats(0, 50))
def test_a_span_holds_zero_and_both_ends(low: float, reach: float) -> None:
    scale, zero = Span(np.full(3, low, np.float32), np.full(3, low + reach, np.float32)).scale_and_zero()
    held = (np.array([0, 255]) - int(zero)) * float(scale)
    assert held[0] <= min(low, 0) + float(scale)
    assert held[1] >= max(low + reach, 0) - float(scale)
    assert 0 <= int(zero) <= 255


def test_evened_channels_give_the_same_product_more_exactly() -> None:
    given = RNG.normal(size=(200, 64)).astype(np.float32)
    given[:, 7] *= 40
    weight = RNG.normal(size=(64, 16)).astype(np.float32)
    span = Span(given.min(axis=0), given.max(axis=0))
    divisors = span.divisors(weight)
    assert np.allclose((given / divisors) @ (weight * divisors[:, None]), given @ weight, atol=1e-3)

    def rounded(values: np.ndarray, by: np.ndarray | float) -> np.ndarray:
        scale, zero = span.scale_and_zero(by)
        return (np.clip(np.rint(values / by / scale) + int(zero), 0, 255) - int(zero)) * scale * by

    off = [np.abs(rounded(given, by) - given)[:, :7].mean() for by in (1.0, divisors)]
    assert off[1] < off[0] / 3
