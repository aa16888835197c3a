from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.quality.ptq import equalizing_factors


@given(st.integers(0, 1000))
def test_ranges_are_equal_and_the_function_is_the_same(seed: int) -> None:
    rng = np.random.default_rng(seed)
    first = rng.standard_normal((8, 5)) * np.exp(2 * rng.standard_normal((8, 1)))
    second, x = rng.standard_normal((3, 8)), rng.standard_normal((10, 5))
    factors = equalizing_factors(first, second)
    balanced, scaled_second = first / factors[:, None], second * factors
    np.testing.assert_allclose(np.abs(balanced).max(1), np.abs(scaled_second).max(0))
    relu = np.maximum(x @ balanced.T, 0) @ scaled_second.T
    np.testing.assert_allclose(relu, np.maximum(x @ first.T, 0) @ second.T, atol=1e-9)


def test_dead_channels_stay() -> None:
    first, second = np.array([[0.0, 0.0], [4.0, 1.0], [1.0, 0.0]]), np.array([[1.0, 1.0, 0.0]])
    np.testing.assert_array_equal(equalizing_factors(first, second), [1, 2, 1])
