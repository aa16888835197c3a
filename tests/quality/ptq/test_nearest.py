from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwexplore.formats import Format
from hwexplore.quality.ptq import round_to_nearest


@given(arrays(np.float64, (3, 8), elements=st.floats(-100, 100, width=32)), st.integers(2, 8))
def test_no_integer_grid_of_that_scale_is_nearer(x: np.ndarray, bits: int) -> None:
    step = np.abs(x).max(1, keepdims=True) / (2 ** (bits - 1) - 1)
    error = np.abs(round_to_nearest(x, Format.parse(f"int{bits}")) - x)
    assert (error <= step / 2 * (1 + 1e-5) + 1e-30).all()
