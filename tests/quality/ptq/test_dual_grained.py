from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.ptq import clipped_grid, dual_grain, round_to_nearest


@given(arrays(np.float64, (3, 16), elements=st.floats(-50, 50, width=32)), st.integers(2, 7))
def test_two_steps_of_dequantization_are_exact_in_int8(weight: np.ndarray, bits: int) -> None:
    dual = dual_grain(weight, bits, group=4)
    assert dual.integers.dtype == np.int8
    wide = dual.codes.astype(int).reshape(3, 4, 4) * dual.group_scales.astype(int)[..., None]
    np.testing.assert_array_equal(dual.integers, wide.reshape(3, 16))
    np.testing.assert_array_equal(dual.values, wide.reshape(3, 16).astype(np.float32) * dual.channel_scales)
    assert np.abs(dual.codes).max() <= 2 ** (bits - 1) - 1
    assert dual.group_scales.min() >= 1


@pytest.mark.parametrize("seed", range(3))
def test_between_scales_per_channel_and_the_best_scales_per_group(seed: int) -> None:
    rng = np.random.default_rng(seed)
    weight = rng.standard_normal((16, 128)) * np.exp(0.5 * rng.standard_normal((16, 128 // 32))).repeat(32, axis=1)

    def error(values: np.ndarray) -> float:
        return float(((values - weight) ** 2).sum())

    dual = error(dual_grain(weight).values)
    assert error(clipped_grid(weight, Format.parse("int4s_g32")).round(weight)) < dual
    assert dual < 0.8 * error(round_to_nearest(weight, Format.parse("int4s_channel")))


def test_an_int8_array_computes_the_same_product() -> None:
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((6, 64)), rng.integers(-127, 128, (5, 64))
    dual = dual_grain(weight)
    sums = x @ dual.integers.astype(np.int32).T
    np.testing.assert_allclose(sums * dual.channel_scales.T, x @ dual.values.astype(float).T, atol=1e-3)


@pytest.mark.parametrize(
    ("bits", "group", "message"),
    [
        (8, 4, "bits is 8; dual-grained codes have 2 to 7"),
        (1, 4, "bits is 1"),
        (4, 5, "group is 5; it must divide the 16"),
    ],
)
def test_bad_sizes(bits: int, group: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        dual_grain(np.ones((1, 16)), bits, group)
