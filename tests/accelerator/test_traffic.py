from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from types import SimpleNamespace
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.accelerator.traffic import SLICE, dram_traffic

SUM_BYTES = 4.0
ROUNDING = 1e-9
GEMM = {
    "m": st.integers(1, 40),
    "n": st.integers(1, 40),
    "k": st.integers(1, 90),
    "batch": st.integers(1, 3),
    "element_a": st.sampled_from([0.25, 1, 2]),
    "element_b": st.sampled_from([0.25, 1, 2]),
    "unit_m": st.integers(1, 32),
    "unit_n": st.integers(1, 32),
}
LARGE = {**GEMM, "m": st.integers(1, 200), "n": st.integers(1, 200), "k": st.integers(1, 200)}
SIZE = st.integers(24, 60).map(lambda quarter: 2 ** (quarter / 4))
"""Buffers from 64 bytes to 32 KiB, each 19 % larger than the one before."""


def moved(buffers: list[float], gemm: dict[str, Any]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Bytes of A and B of one product under buffers of several sizes; inf where no tile fits."""
    a, b = operand_bytes(gemm)
    dims = {name: np.array([gemm[name]], float) for name in ("m", "n", "k", "batch")}
    ops: Any = SimpleNamespace(
        **dims, is_gemm=np.array([True]), a_bytes=np.array([[a]]), b_bytes=np.array([[b]]), c_bytes=np.array([[7.0]])
    )
    hw: Any = SimpleNamespace(sram_bytes=np.array(buffers), accumulator_bits=np.full(len(buffers), 8 * SUM_BYTES))
    policy = np.zeros(len(buffers), np.intp)
    traffic, fits = dram_traffic(ops, policy, hw, np.array([gemm["unit_m"]]), np.array([gemm["unit_n"]]))
    np.testing.assert_array_equal(fits, np.isfinite(traffic))
    return np.asarray(traffic[:, 0] - 7.0)


def operand_bytes(gemm: dict[str, Any]) -> tuple[float, float]:
    a = gemm["batch"] * gemm["m"] * gemm["k"] * gemm["element_a"]
    b = gemm["batch"] * gemm["n"] * gemm["k"] * gemm["element_b"]
    return a, b


def tiles(unit: int, whole: int) -> list[int]:
    return [*range(unit, whole, unit), whole]


def tilings(buffer: float, gemm: dict[str, Any]) -> Iterator[float]:
    """Bytes of A and B under every tiling of the three loop orders that fits half of the buffer."""
    m, n, k, half = gemm["m"], gemm["n"], gemm["k"], buffer / 2
    a, b = operand_bytes(gemm)
    row, column, part = k * gemm["element_a"], k * gemm["element_b"], min(1, SLICE / k)
    for tile_m in tiles(gemm["unit_m"], m):
        for tile_n in tiles(gemm["unit_n"], n):
            sums = tile_m * tile_n * SUM_BYTES
            if tile_m * row + tile_n * column + sums <= half:
                yield a + b * ceil(m / tile_m)
                yield b + a * ceil(n / tile_n)
            if (tile_m * row + tile_n * column) * part + sums <= half:
                yield a * ceil(n / tile_n) + b * ceil(m / tile_m)


@settings(max_examples=500)
@given(st.fixed_dictionaries(GEMM), SIZE)
def test_achievable_and_close_to_the_best_tiling(gemm: dict[str, Any], buffer: float) -> None:
    found = moved([buffer], gemm)[0]
    assert found >= min(tilings(buffer * (1 + ROUNDING), gemm), default=np.inf)
    assert found <= 2 * min(tilings(buffer * (1 - ROUNDING), gemm), default=np.inf)


@given(st.fixed_dictionaries(LARGE), SIZE)
def test_never_below_compulsory(gemm: dict[str, Any], buffer: float) -> None:
    assert moved([buffer], gemm)[0] >= sum(operand_bytes(gemm))
    assert moved([1e9], gemm)[0] == sum(operand_bytes(gemm))


@given(st.fixed_dictionaries(LARGE), st.lists(SIZE, min_size=10, max_size=20))
def test_a_larger_buffer_never_moves_more(gemm: dict[str, Any], buffers: list[float]) -> None:
    traffic = moved(sorted(buffers), gemm)
    assert np.all(traffic[1:] <= traffic[:-1])


def test_operands_that_stay_move_once() -> None:
    gemm = {"m": 64, "n": 64, "k": 64, "batch": 1, "element_a": 1, "element_b": 1, "unit_m": 8, "unit_n": 8}
    half_of_a = 32 * 64 + 8 * 64 + 32 * 8 * SUM_BYTES
    assert moved([2 * half_of_a - 1, 2 * half_of_a], gemm).tolist() == [64 * 64 * 4, 64 * 64 * 3]
