from __future__ import annotations

import numpy as np
import pytest

from hwexplore.formats import Format
from hwexplore.quality.ptq import Grid, clipped_grid

FORMATS = ["int3", "int4_g32", "int4_g32_asym", "mxfp4", "mxint4", "nvfp4", "nvint4", "e2m1_channel", "int4_g32_dual"]


def block_errors(grid: Grid, weight: np.ndarray) -> np.ndarray:
    return ((grid.round(weight) - weight) ** 2).reshape(len(weight), -1, grid.format.block or weight.shape[1]).sum(-1)


@pytest.mark.parametrize("name", FORMATS)
@pytest.mark.parametrize("seed", range(3))
def test_no_block_has_more_error_than_rounded_to_nearest(name: str, seed: int) -> None:
    weight = np.random.default_rng(seed).standard_t(3, (8, 128))
    format = Format.parse(name)
    assert (block_errors(clipped_grid(weight, format), weight) <= block_errors(Grid.of(format, weight), weight)).all()


@pytest.mark.parametrize("name", ["int3", "int4_g32", "nvint4", "mxfp4"])
def test_heavy_tails_gain(name: str) -> None:
    weight = np.random.default_rng(0).standard_t(3, (8, 128))
    format = Format.parse(name)
    gain = (
        block_errors(Grid.of(format, weight), weight).sum() / block_errors(clipped_grid(weight, format), weight).sum()
    )
    assert gain > 1.03


def test_the_scales_are_those_that_the_format_can_store() -> None:
    weight = np.random.default_rng(0).standard_t(3, (8, 128))
    scales = clipped_grid(weight, Format.parse("mxfp4")).scales
    assert scales is not None
    np.testing.assert_array_equal(np.log2(scales), np.rint(np.log2(scales)))


def test_the_scale_of_a_gaussian_at_two_bits_is_near_the_lloyd_optimum() -> None:
    """Uniform 3-level quantizer (-1, 0, 1 times the step): least squared error at 1.2240 sigma (Max, 1960: N = 3)."""
    weight = np.random.default_rng(0).standard_normal((1, 20_000))
    scales = clipped_grid(weight, Format.parse("int2s")).scales
    assert scales is not None
    step = np.linspace(0.9, 1.6, 71)
    errors = [np.mean((np.clip(np.rint(weight / s), -1, 1) * s - weight) ** 2) for s in step]
    reach = np.abs(weight).max()
    tried = reach * np.linspace(0.4, 2, 41)
    assert scales.item() == pytest.approx(tried[np.abs(tried - step[np.argmin(errors)]).argmin()], rel=1e-6)


def test_without_scales_there_is_nothing_to_clip() -> None:
    weight = np.random.default_rng(0).standard_normal((2, 4))
    assert clipped_grid(weight, Format.parse("bf16")).scales is None
