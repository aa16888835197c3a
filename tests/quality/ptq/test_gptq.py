from __future__ import annotations

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.ptq import Grid, clipped_grid, gptq

FORMATS = ["int3", "int4", "int4_g32", "int4_g32_asym", "mxfp4", "mxint4", "nvfp4", "nvint4", "e2m1"]


def correlated(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    mixing = rng.standard_normal((64, 64)) * np.exp(-np.arange(64) / 16)[:, None]
    return rng.standard_normal((24, 64)), rng.standard_normal((400, 64)) @ mixing


def output_error(weight: np.ndarray, quantized: np.ndarray, x: np.ndarray) -> float:
    return float(((x @ (quantized - weight).T) ** 2).sum())


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(4))
def test_less_output_error_than_round_to_nearest(name: str, seed: int) -> None:
    weight, x = correlated(seed)
    for grid in (Grid.of(Format.parse(name), weight), clipped_grid(weight, Format.parse(name))):
        ours = output_error(weight, gptq(weight, x, grid), x)
        assert ours < 0.8 * output_error(weight, grid.round(weight), x)


def test_uncorrelated_inputs_leave_nothing_to_make_up_for() -> None:
    rng = np.random.default_rng(0)
    weight = rng.standard_normal((8, 16))
    grid = Grid.of(Format.parse("int4"), weight)
    orthogonal = np.linalg.qr(rng.standard_normal((40, 16)))[0]
    np.testing.assert_allclose(gptq(weight, orthogonal, grid), grid.round(weight), atol=1e-12)


def test_each_column_is_the_best_given_those_before_it() -> None:
    """Two columns by hand: the second is rounded from where least squares puts it after the first's error."""
    weight, x = np.array([[1.0, 0.37]]), np.array([[1.0, 0.9], [0.8, 1.0], [0.1, 0.2]])
    grid = Grid.of(Format.parse("int3_g1"), weight)  # a scale per element: both exact, but for a coarser scale
    grid = grid.with_scales(np.array([[0.6, 0.25]]))
    hessian = x.T @ x
    hessian += 0.01 * np.mean(np.diag(hessian)) * np.eye(2)
    first = 0.6 * round(1 / 0.6)
    moved = 0.37 - hessian[0, 1] / hessian[1, 1] * (first - 1.0)
    np.testing.assert_allclose(gptq(weight, x, grid), [[first, 0.25 * round(moved / 0.25)]])


def test_an_input_that_is_never_there_is_allowed() -> None:
    weight, x = correlated(0)
    x[:, 3] = 0
    assert np.isfinite(gptq(weight, x, Grid.of(Format.parse("int4"), weight))).all()


@pytest.mark.parametrize("samples", [np.ones((4, 3)), np.ones(8), np.zeros((4, 8))])
def test_samples_that_do_not_fit(samples: np.ndarray) -> None:
    weight = np.ones((2, 8))
    with pytest.raises(InputError, match=r"a weight \(2, 8\) takes \[samples, 8\], not all zero"):
        gptq(weight, samples, Grid.of(Format.parse("int4"), weight))


@pytest.mark.parametrize("format", ["int4", "nvfp4", "int4_g4", "uint4_g4", "fp16"])
def test_outputs_with_inputs_of_their_own_are_layers_apart(format: str) -> None:
    """Scales, that of the tensor included, are those of the whole; a channel that is never there is rounded."""
    rng = np.random.default_rng(0)
    weight, x = rng.standard_normal((3, 9)), rng.standard_normal((50, 3, 9)) @ rng.standard_normal((9, 9))
    x[:, 2] = 0
    grid = Grid.of(Format.parse(format), weight)
    found = gptq(weight, x, grid)
    shared = [gptq(weight, x[:, o], grid)[o] for o in range(2)]
    np.testing.assert_allclose(found, [*shared, grid.round(weight)[2]], atol=1e-12)
