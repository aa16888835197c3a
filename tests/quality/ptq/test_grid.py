from __future__ import annotations

import numpy as np
import pytest

from hwexplore.formats import Format
from hwexplore.quality.ptq import Grid, scaled

FORMATS = [
    "int4_g32",
    "int4_g32_asym",
    "int4_channel",
    "mxfp4",
    "mxint8",
    "nvfp4",
    "nvint4",
    "int4_g32_dual",
    "e4m3",
    "bf16",
]


@pytest.mark.parametrize("name", FORMATS)
def test_rounding_to_a_formats_own_grid_is_quantizing(name: str) -> None:
    weight = np.random.default_rng(0).standard_normal((5, 96))
    weight[2] = 0
    format = scaled(Format.parse(name))
    np.testing.assert_allclose(Grid.of(format, weight).round(weight), format.quantize(weight), rtol=1e-12)


@pytest.mark.parametrize("name", FORMATS)
def test_columns_are_rounded_as_in_the_whole(name: str) -> None:
    weight = np.random.default_rng(1).standard_normal((5, 96))
    grid = Grid.of(Format.parse(name), weight)
    columns = [grid.round(weight[:, column : column + 1], column) for column in range(96)]
    np.testing.assert_array_equal(np.hstack(columns), grid.round(weight))


def test_a_format_without_scales_gets_one_per_row_and_wide_floats_none() -> None:
    x = np.array([[1e-4, 2e-4], [100.0, -400.0]])
    np.testing.assert_allclose(scaled(Format.parse("int8")).quantize(x), x, rtol=0.01)
    for name in ("fp16", "bf16", "fp32", "mxfp4", "int4_g128"):
        assert scaled(Format.parse(name)) == Format.parse(name)
