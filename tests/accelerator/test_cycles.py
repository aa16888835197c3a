from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwexplore.accelerator import DATAFLOWS, cycles, streams
from hwexplore.accelerator.feed import Feed
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.pe.base import Tile
from hwexplore.pe.vector_unit import Requantizer

Matrix = NDArray[np.int64]

SIZE = st.integers(1, 7)
ARRAY = st.integers(1, 4)


def output_stationary(a: Matrix, w: Matrix) -> tuple[Matrix, int]:
    """One fold, a [rows, k] times w [k, cols], stepped cycle by cycle; the product and the cycles it took."""
    (rows, k), cols = a.shape, w.shape[1]
    row, col = np.arange(rows), np.arange(cols)
    from_left = np.zeros((rows, cols), np.int64)
    from_above = np.zeros((rows, cols), np.int64)
    sums, received, cycle = np.zeros((rows, cols), np.int64), np.zeros((rows, cols), int), 0
    while (received < k).any():
        step_a, step_w = cycle - row, cycle - col
        enter_a = np.where((step_a >= 0) & (step_a < k), a[row, step_a.clip(0, k - 1)], 0)
        enter_w = np.where((step_w >= 0) & (step_w < k), w[step_w.clip(0, k - 1), col], 0)
        from_left = np.column_stack([enter_a, from_left[:, :-1]])
        from_above = np.vstack([enter_w, from_above[:-1]])
        sums += from_left * from_above
        step = cycle - row[:, None] - col
        received += (step >= 0) & (step < k)
        cycle += 1
    drained = []
    while len(drained) < rows:
        drained.append(sums[-1])
        sums = np.vstack([np.zeros_like(sums[:1]), sums[:-1]])
        cycle += 1
    return np.array(drained[::-1]), cycle


def weight_stationary(a: Matrix, w: Matrix) -> tuple[Matrix, int]:
    """One fold, a [m, rows] times w [rows, cols], stepped cycle by cycle; the product and the cycles it took."""
    m, (rows, cols) = len(a), w.shape
    held, cycle = np.zeros_like(w), 0
    for entering in w[::-1]:
        held = np.vstack([entering, held[:-1]])
        cycle += 1
    row, col = np.arange(rows), np.arange(cols)
    from_left, sums = np.zeros_like(w), np.zeros_like(w)
    product, left, start = np.zeros((m, cols), np.int64), m * cols, cycle
    while left:
        token = cycle - start - row
        entering = np.where((token >= 0) & (token < m), a[token.clip(0, m - 1), row], 0)
        from_left = np.column_stack([entering, from_left[:, :-1]])
        sums = np.vstack([np.zeros_like(sums[:1]), sums[:-1]]) + from_left * held
        token = cycle - start - (rows - 1) - col
        leaving = (token >= 0) & (token < m)
        product[token[leaving], col[leaving]] = sums[-1, leaving]
        left -= leaving.sum()
        cycle += 1
    return product, cycle


def pad(matrix: Matrix, rows: int, cols: int) -> Matrix:
    return np.pad(matrix, ((0, -len(matrix) % rows), (0, -matrix.shape[1] % cols)))


def simulate(a: Matrix, w: Matrix, rows: int, cols: int, dataflow: str) -> tuple[Matrix, int]:
    """The product a [m, k] x w [k, n], fold after fold, and its cycles."""
    if dataflow == "is":
        product, total = simulate(w.T, a.T, rows, cols, "ws")
        return product.T, total
    m, n = len(a), w.shape[1]
    of_m, of_k = (rows, 1) if dataflow == "os" else (1, rows)
    a, w = pad(a, of_m, of_k), pad(w, of_k, cols)
    product, total = np.zeros((len(a), w.shape[1]), np.int64), 0
    for right in (slice(j, j + cols) for j in range(0, w.shape[1], cols)):
        if dataflow == "os":
            for down in (slice(i, i + rows) for i in range(0, len(a), rows)):
                product[down, right], taken = output_stationary(a[down], w[:, right])
                total += taken
        else:
            for down in (slice(i, i + rows) for i in range(0, len(w), rows)):
                partial, taken = weight_stationary(a[:, down], w[down, right])
                product[:, right] += partial
                total += taken
    return product[:m, :n], total


def test_scalesim(data: Path) -> None:
    table = pd.read_csv(data / "scalesim_gemm.csv")
    assert len(table) == 72
    for dataflow, rows in table.groupby("dataflow"):
        ours = cycles(rows["M"], rows["N"], rows["K"], rows["rows"], rows["cols"], dataflow, compat="scalesim")
        np.testing.assert_array_equal(ours, rows["total_cycles"])


@given(SIZE, SIZE, SIZE, ARRAY, ARRAY, st.sampled_from(DATAFLOWS))
def test_stepped_array(m: int, n: int, k: int, rows: int, cols: int, dataflow: str) -> None:
    rng = np.random.default_rng(0)
    a, w = rng.integers(-8, 8, (m, k)), rng.integers(-8, 8, (k, n))
    product, taken = simulate(a, w, rows, cols, dataflow)
    np.testing.assert_array_equal(product, a @ w)
    assert cycles(m, n, k, rows, cols, dataflow) == taken


def fed(array: SystolicArray, m: int, n: int, k: int) -> int:
    """Cycles of a product, stepped: the bus fills one half of the operand memories, the array works from the other."""
    works, loads = [], []
    for step in array.steps(m, n, k):
        a, w = (np.zeros((len(side), len(step.k)), np.int64) for side in (step.m, step.n))
        if array.dataflow == "ws":
            works.append(weight_stationary(pad(a, 1, array.rows), pad(w.T, array.rows, array.cols))[1])
        elif step.last:
            works.append(output_stationary(pad(a, array.rows, 1), pad(w.T, 1, array.cols))[1])
        else:
            works.append(len(step.k))
        comes = array if step.last else replace(array, output=None)
        unit = comes.vector_unit
        parameters = unit.parameters(np.ones(len(step.n))) if isinstance(unit, Requantizer) else None
        loads.append(len(streams.words(comes, w.astype(np.uint64), a.astype(np.uint64), parameters)))

    full, loading, working, left_to_load, left_to_work, cycle = [False, False], 0, 0, loads[0], works[0], 0
    while working < len(works):
        comes, goes = loading < len(loads) and not full[loading % 2], full[working % 2]
        left_to_load -= comes
        left_to_work -= goes
        if comes and not left_to_load:
            full[loading % 2] = True
            loading += 1
            left_to_load = loads[loading] if loading < len(loads) else 0
        if goes and not left_to_work:
            full[working % 2] = False
            working += 1
            left_to_work = works[working] if working < len(works) else 0
        cycle += 1
    return cycle + array.pipeline_cycles


@given(
    st.tuples(SIZE, SIZE, SIZE),
    st.tuples(ARRAY, ARRAY, ARRAY),
    st.sampled_from(["os", "ws"]),
    st.sampled_from([8, 16, 128]),
    st.sampled_from([None, Format.parse("int8")]),
)
def test_stepped_memories(
    size: tuple[int, int, int], shape: tuple[int, int, int], dataflow: str, bus_bits: int, output: Format | None
) -> None:
    rows, cols, depth = shape
    pe = PE.parse("mac(int8, int8, acc=int32)")
    array = SystolicArray(pe=pe, rows=rows, cols=cols, dataflow=dataflow, depth=depth, bus_bits=bus_bits, output=output)
    assert array.cycles(*size) == fed(array, *size)


@given(st.tuples(SIZE, SIZE, SIZE), ARRAY, ARRAY, st.sampled_from(DATAFLOWS), ARRAY, ARRAY)
def test_a_feed_that_costs_nothing(
    size: tuple[int, int, int], rows: int, cols: int, dataflow: str, beat: int, latency: int
) -> None:
    tile = Tile(2, 3, 2, beat)
    free = Feed(depth=1e9, activations=0, weights=0)
    assert cycles(*size, rows, cols, dataflow, tile=tile, latency=latency) == cycles(
        *size, rows, cols, dataflow, tile=tile, latency=latency, feed=free
    )


def test_input_stationary_is_weight_stationary_of_the_transposed_product() -> None:
    feed = Feed(depth=5, activations=3, weights=2, parameters=7, pipeline=4)
    transposed = Feed(depth=5, activations=2, weights=3, parameters=7, pipeline=4)
    assert cycles(23, 9, 17, 4, 3, "is", feed=feed) == cycles(9, 23, 17, 4, 3, "ws", feed=transposed)


def test_a_feed_broadcasts() -> None:
    m, depth, words = np.array([[1], [20], [33]]), np.array([2, 8, 64]), np.array([1, 2, 9])
    for dataflow in DATAFLOWS:
        table = cycles(m, 12, 50, 4, 4, dataflow, feed=Feed(depth=depth, activations=words, weights=words))
        assert table.shape == (3, 3)
        for row, column in np.ndindex(table.shape):
            one = Feed(depth=depth[column], activations=words[column], weights=words[column])
            assert table[row, column] == cycles(m[row, 0], 12, 50, 4, 4, dataflow, feed=one)
        assert (np.diff(table, axis=1) > 0).any()


def test_broadcasts() -> None:
    table = cycles([[1], [64]], 64, 64, [8, 16, 32], 8, "ws")
    assert table.shape == (2, 3)
    assert table[1, 2] == cycles(64, 64, 64, 32, 8, "ws")


@pytest.mark.parametrize("name", ["m", "n", "k", "rows", "cols"])
@pytest.mark.parametrize("size", [0, -1, float("nan"), float("inf"), "8", None, [4, 0], 1j, True])
def test_bad_sizes(name: str, size: object) -> None:
    sizes = {"m": 1, "n": 1, "k": 1, "rows": 1, "cols": 1, name: size}
    with pytest.raises(InputError, match=f"^{name} = .* must be a positive number$"):
        cycles(**sizes)


def test_unknown_options() -> None:
    with pytest.raises(InputError, match="unknown dataflow 'oss'; did you mean os"):
        cycles(1, 1, 1, 1, 1, "oss")
    with pytest.raises(InputError, match="unknown compat 'scale-sim'; did you mean scalesim"):
        cycles(1, 1, 1, 1, 1, compat="scale-sim")
    with pytest.raises(InputError, match="compat = 'scalesim' counts without a feed"):
        cycles(1, 1, 1, 1, 1, compat="scalesim", feed=Feed(depth=1, activations=1, weights=1))
