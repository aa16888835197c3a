"""DRAM traffic of a matrix product tiled into an on-chip buffer, in closed form."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.hardware import Hardware
from hwexplore.accelerator.tables import OperatorTable

__all__ = ["dram_traffic"]

Array = NDArray[np.float64]

SLICE = 32
"""Steps of k buffered at a time where neither operand stays on chip."""


def dram_traffic(
    ops: OperatorTable, policy: NDArray[np.intp], hw: Hardware, unit_m: Array, unit_n: Array
) -> tuple[Array, NDArray[np.bool_]]:
    """Bytes read and written, and whether any tile fits, both [design, operator], of one such operator.

    Half of the buffer holds the tile in work, the other half the next. Three ways to tile are compared and the least
    traffic taken: whole rows of A stay and B streams past them once per tile; whole columns of B stay and A streams;
    a block of C stays and both stream in slices of ``SLICE`` steps. Tiles are multiples of ``unit_m`` rows and
    ``unit_n`` columns (or the whole dimension), the rows of a block doublings of ``unit_m``; partial sums stay on chip.
    Other operators move each element once.
    """
    a, b, c = ops.a_bytes[policy], ops.b_bytes[policy], ops.c_bytes[policy]
    space = hw.sram_bytes[..., None] / 2
    sum_bytes = hw.accumulator_bits[..., None] / 8
    with np.errstate(divide="ignore", invalid="ignore"):
        row, column = a / (ops.batch * ops.m), b / (ops.batch * ops.n)
        least_m, least_n = np.minimum(unit_m, ops.m), np.minimum(unit_n, ops.n)
        tile_m = _tile((space - least_n * column) / (row + least_n * sum_bytes), unit_m, ops.m)
        tile_n = _tile((space - least_m * row) / (column + least_m * sum_bytes), unit_n, ops.n)
        least = np.minimum(a + b * np.ceil(ops.m / tile_m), b + a * np.ceil(ops.n / tile_n))
        slice_fraction = np.minimum(1, SLICE / ops.k)
        for block_m in _doublings(least_m, ops.m):
            room = space - block_m * row * slice_fraction
            block_n = _tile(room / (block_m * sum_bytes + column * slice_fraction), unit_n, ops.n)
            least = np.minimum(least, a * np.ceil(ops.n / block_n) + b * np.ceil(ops.m / block_m))
    traffic = np.where(ops.is_gemm, least, a + b) + c
    return traffic, np.isfinite(traffic)


def _tile(most: Array, unit: Array, whole: Array) -> Array:
    """The largest tile of at most ``most``: the whole dimension or a multiple of ``unit``; 0 where none fits."""
    return np.where(most >= whole, whole, np.maximum(np.floor(most / unit) * unit, 0))


def _doublings(block: Array, whole: Array) -> Iterator[Array]:
    """``block``, twice that and so on, until the whole dimension."""
    yield block
    while (block < whole).any():
        block = np.minimum(2 * block, whole)
        yield block
