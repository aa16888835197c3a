from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.formats import Format
from hwexplore.quality.ptq import bias_correction, round_to_nearest


@given(st.integers(0, 1000), st.booleans())
def test_the_mean_output_is_exact(seed: int, with_activations: bool) -> None:
    rng = np.random.default_rng(seed)
    weight, x = rng.standard_normal((5, 16)), rng.standard_normal((50, 16)) + 2
    quantized = round_to_nearest(weight, Format.parse("int3"))
    read = round_to_nearest(x, Format.parse("int4")) if with_activations else x
    bias = bias_correction(weight, quantized, x, read if with_activations else None)
    exact, ours = x @ weight.T, read @ quantized.T
    np.testing.assert_allclose((ours + bias).mean(0), exact.mean(0), atol=1e-12)
    assert ((ours + bias - exact) ** 2).sum() <= ((ours - exact) ** 2).sum() + 1e-9


def test_outputs_with_inputs_of_their_own_are_layers_apart() -> None:
    rng = np.random.default_rng(0)
    weight, quantized, x, read = (rng.standard_normal(shape) for shape in ((3, 9), (3, 9), (50, 3, 9), (50, 3, 9)))
    each = [bias_correction(weight[[o]], quantized[[o]], x[:, o], read[:, o])[0] for o in range(3)]
    np.testing.assert_allclose(bias_correction(weight, quantized, x, read), each)
