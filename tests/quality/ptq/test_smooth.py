from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.ptq import round_to_nearest, smoothing_factors


@given(st.integers(0, 1000), st.floats(0, 1))
def test_the_product_does_not_change(seed: int, strength: float) -> None:
    rng = np.random.default_rng(seed)
    weight, x = rng.standard_normal((6, 8)), rng.standard_normal((10, 8)) * np.exp(3 * rng.standard_normal(8))
    x[:, 0] = 0
    factors = smoothing_factors(weight, x, strength)
    assert (factors > 0).all()
    np.testing.assert_allclose(x / factors @ (weight * factors).T, x @ weight.T, rtol=1e-9, atol=1e-9)


def test_half_and_half_makes_both_ranges_equal_and_all_or_nothing_flattens_one() -> None:
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((6, 8)), rng.standard_normal((10, 8)) * np.arange(1, 9)
    half = smoothing_factors(weight, x)
    np.testing.assert_allclose(np.abs(x / half).max(0), np.abs(weight * half).max(0))
    np.testing.assert_allclose(np.abs(x / smoothing_factors(weight, x, 1)).max(0), 1)
    np.testing.assert_allclose(np.abs(weight * smoothing_factors(weight, x, 0)).max(0), 1)


def test_an_outlier_channel_costs_less() -> None:
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((32, 64)), rng.standard_normal((100, 64))
    x[:, 5] *= 100
    int8 = Format.parse("int8")
    factors = smoothing_factors(weight, x)

    def error(weight: np.ndarray, x: np.ndarray) -> float:
        return float(np.mean((round_to_nearest(x, int8) @ round_to_nearest(weight, int8).T - x @ weight.T) ** 2))

    assert error(weight * factors, x / factors) < error(weight, x) / 4


def test_a_strength_out_of_range() -> None:
    with pytest.raises(InputError, match=r"strength is 1\.5; smoothing takes a number from 0 to 1"):
        smoothing_factors(np.ones((1, 1)), np.ones((1, 1)), 1.5)
