from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.quality.ptq import rotate


@given(st.integers(0, 1000), st.sampled_from([(96, 32), (96, None), (64, None), (64, 1), (7, None)]))
def test_product_and_norm_do_not_change_and_twice_is_nothing(seed: int, sizes: tuple[int, int | None]) -> None:
    n, block = sizes
    rng = np.random.default_rng(seed)
    weight, x = rng.standard_normal((5, n)), rng.standard_normal((3, n))
    np.testing.assert_allclose(rotate(x, block) @ rotate(weight, block).T, x @ weight.T, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(rotate(x, block), axis=1), np.linalg.norm(x, axis=1))
    np.testing.assert_allclose(rotate(rotate(x, block), block), x, atol=1e-12)


def test_an_outlier_spreads_over_its_block_alone() -> None:
    x = np.zeros((1, 96), np.float32)
    x[0, 40] = 8
    rotated = rotate(x, 32)
    assert rotated.dtype == np.float32
    np.testing.assert_allclose(np.abs(rotated[0, 32:64]), 8 / np.sqrt(32), rtol=1e-6)
    assert not rotated[0, :32].any()
    assert not rotated[0, 64:].any()


@pytest.mark.parametrize("block", [0, -2, 3, 64])
def test_blocks_that_do_not_fit(block: int) -> None:
    with pytest.raises(
        InputError, match=f"block is {block}; rotating 96 elements takes a power of two that divides 96"
    ):
        rotate(np.zeros((1, 96)), block)
