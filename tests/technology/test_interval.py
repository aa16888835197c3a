from __future__ import annotations

import numpy as np
import pytest

from hwexplore.technology import Interval


def test_five_and_ninety_five_percent_of_the_draws() -> None:
    interval = Interval.of(7.0, list(range(101)))
    assert (interval.low, interval.mid, interval.high) == (5, 7, 95)


def test_arrays_keep_their_shape() -> None:
    draws = [np.full((2, 3), float(draw)) * [[1, 2, 3], [4, 5, 6]] for draw in range(101)]
    interval = Interval.of(np.ones((2, 3)), draws)
    np.testing.assert_allclose(interval.low, [[5, 10, 15], [20, 25, 30]])
    np.testing.assert_allclose(interval.high, 19 * np.asarray(interval.low))
    assert np.shape(interval.mid) == (2, 3)


@pytest.mark.parametrize(
    ("interval", "text"),
    [(Interval(1, 2, 3), "2 [1 .. 3]"), (Interval(0.123456, 12345.6, 1e9), "1.235e+04 [0.1235 .. 1e+09]")],
)
def test_text(interval: Interval, text: str) -> None:
    assert str(interval) == text
