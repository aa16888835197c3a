"""The products of a workload mapped to the buffers of designs; every distinct mapping is solved once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import by_dataflow, setup_cycles
from hwexplore.accelerator.designs import Choices
from hwexplore.accelerator.operator_table import OperatorTable
from hwexplore.accelerator.placement import Placement
from hwexplore.accelerator.tiling import STAYS, Products, Tiling, best_tiling

__all__ = ["Mapped", "Mapper"]

Array = NDArray[np.float64]
Keys = NDArray[np.int64]
Index = Mapping[str, NDArray[np.intp]]

KEPT_BYTES = 2**25
"""Most memory for solutions that later calls may need again."""
STATIONARY = ("outputs", "weights", "activations")
"""What stays in the array, for each of ``DATAFLOWS``."""
STREAMED = 16
"""Cycles that operands are to stream for each one that the array fills or drains. On the default space, the latency is
then within 1.3 times that of the best tiling at each bandwidth, and within 1.05 times for 99 % of the designs."""
HARDWARE = ("rows", "cols", "dataflow", "vector_lanes", "sram_kib")
"""The parameters besides PE and policy that decide a tiling."""


class Mapped(NamedTuple):
    """What mappings decide, arrays [..., operator].

    ``again_bytes`` are the DRAM bytes that operands and partial sums move beyond A and B once, infinite where no tile
    fits. ``setups`` is how often each fold of the array is set up: once for every tile of the dimension that streams,
    unless a tile is a single fold, whose stationary operand stays where it is. ``a_passes`` and ``b_passes`` are how
    often the operands move from DRAM.
    """

    again_bytes: Array
    setups: Array
    a_passes: Array
    b_passes: Array


class Mapper:
    """The best tiling of a workload's products into half of each design's buffer; the other half takes the next tiles.

    Tiles are multiples of what the array takes at once under its dataflow, or of the lanes of the vector unit; in the
    dimension that streams, of so much that the array works for `STREAMED` times as long as it takes to fill and drain,
    or of as much as the buffer has room for. Products and designs that agree in dimensions, operand widths, array,
    buffer and dataflow share one solution. Solutions are kept for later calls, in ``KEPT_BYTES`` at most; when that is
    full, and in pickled copies, they are forgotten and found again. An operator that is no product counts as one of a
    single element that moves nothing; activations that fusion leaves on chip come there once, further passes over them
    would go through DRAM.
    """

    def __init__(self, ops: OperatorTable, placement: Placement, accumulator_bits: Array, choices: Choices) -> None:
        self._arguments = ops, placement, accumulator_bits, choices
        self._numbers = {name: choices.numbers(name) for name in ("rows", "cols", "vector_lanes", "sram_kib")}
        self._dataflow = choices.dataflows
        self._accumulator_bytes = accumulator_bits / 8

        on_chip_bytes = ops.batch * ops.m * ops.k * ops.a_width
        operators = {
            **{name: np.where(ops.is_gemm, np.ceil(getattr(ops, name)), 1) for name in ("m", "n", "k")},
            "a_bytes": np.where(ops.is_gemm, np.where(ops.a_bytes > 0, ops.a_bytes, on_chip_bytes), 0),
            "b_bytes": np.where(ops.is_gemm, ops.b_bytes, 0),
            **{name: np.where(ops.is_gemm, getattr(ops, name), 1) for name in ("a_width", "b_width")},
            "outputs": np.where(ops.is_gemm, ops.batch * ops.m * ops.n, 0),
            "on_array": placement.on_array,
            "tile": placement.tile,
            "timing": placement.timing,
        }
        every = np.vstack([values.reshape(-1, ops.m.size) for values in operators.values()])
        _, first, column = np.unique(every, axis=1, return_index=True, return_inverse=True)
        self._operators = {name: values[..., first] for name, values in operators.items()}
        self._column = column.ravel()

        on_array = placement.on_array
        policies, pe_count = on_array.shape[:2]
        policy, pe = (axis.ravel() for axis in np.indices((policies, pe_count)))
        by_policy = [self._operators[name][policy] for name in ("a_bytes", "b_bytes", "a_width", "b_width")]
        every = np.hstack(
            [
                *by_policy,
                self._operators["on_array"][policy, pe],
                *self._operators["tile"][:, policy, pe],
                *self._operators["timing"][:, policy, pe],
                self._accumulator_bytes[pe, None],
            ]
        )
        _, first, pair = np.unique(every, axis=0, return_index=True, return_inverse=True)
        self._policy, self._pe = policy[first], pe[first]
        self._pair = pair.reshape(policies, pe_count)
        self._on_array = np.asarray(on_array.any(axis=-1))
        self._on_vector = np.asarray((ops.is_gemm & ~on_array).any(axis=-1))
        self._shape = (first.size, *(len(choices.values[name]) for name in HARDWARE))
        self._kept = self._nothing

    def __reduce__(self) -> tuple[Any, ...]:
        return Mapper, self._arguments

    def mapped(self, index: Index) -> Mapped:
        """The mappings, [design, operator] of one such operator.

        The indices may broadcast; the result does where no mapping depends on them.
        """
        keys = self._keys(index)
        distinct, inverse = np.unique(keys, return_inverse=True)
        solutions = self._solutions(distinct)
        shape = *keys.shape, self._column.size
        rows = inverse.reshape(-1, 1)
        return Mapped(*(solutions[rows, field, self._column].reshape(shape) for field in range(len(Mapped._fields))))

    def tiling(self, index: Index) -> Tiling:
        """The tilings, [design, operator] of one such operator."""
        solved = best_tiling(self._products(index))
        return Tiling(**{field.name: getattr(solved, field.name)[..., self._column] for field in fields(Tiling)})

    def moved(self, index: Index) -> dict[str, Array]:
        """DRAM bytes [design, operator] of one such operator by what they belong to; their sum is the traffic.

        "weights" are the KV cache in attention, "outputs" those of any operator.
        """
        ops, policy, tiling = self._arguments[0], index["policy"], self.tiling(index)
        again = self._products(index)
        return {
            "activations": ops.a_bytes[policy] + again.a_bytes[..., self._column] * (tiling.a_passes - 1),
            "weights": ops.b_bytes[policy] + again.b_bytes[..., self._column] * (tiling.b_passes - 1),
            "outputs": ops.c_bytes[policy],
            "partial sums": 2 * again.sum_bytes[..., self._column] * (tiling.sum_passes - 1),
        }

    def shortage(self, index: Index, names: Sequence[str]) -> str:
        """Which operator of one design needs the largest buffer for its smallest tiles, and how large, in words.

        ``names`` are those of the operators.
        """
        products = self._products(index)
        worst = int(np.argmax(products.least_space[self._column]))
        sides = (np.broadcast_to(side, products.least_space.shape) for side in products.smallest)
        m, n, k = (side[self._column[worst]] for side in sides)
        need = 2 * products.least_space[self._column[worst]] / 1024
        return (
            f"{names[worst]} needs {need:,.6g} KiB for two sets of its smallest tiles, {m:g} x {n:g} x {k:g}, "
            f"but sram_kib is {self._numbers['sram_kib'][index['sram_kib']]:g}"
        )

    def _keys(self, index: Index) -> Keys:
        """A number for each set of designs that share their mappings."""
        pair = index["policy"], index["pe"]
        on_array, on_vector = self._on_array[pair], self._on_vector[pair]
        parts = (
            self._pair[pair],
            *(np.where(on_array, index[name], 0) for name in ("rows", "cols", "dataflow")),
            np.where(on_vector, index["vector_lanes"], 0),
            index["sram_kib"],
        )
        return np.asarray(np.ravel_multi_index(np.broadcast_arrays(*parts), self._shape))

    @property
    def _nothing(self) -> tuple[Keys, Array]:
        """No solutions: a key that no design has."""
        return np.array([-1]), np.zeros((1, len(Mapped._fields), self._operators["m"].size))

    def _solutions(self, keys: Keys) -> Array:
        """The fields of `Mapped` [key, field, distinct operator] of ascending keys."""
        known, values = self._kept
        place = np.searchsorted(known, keys, side="right") - 1
        old = known[place] == keys
        solutions = np.empty((keys.size, *values.shape[1:]))
        solutions[old] = values[place[old]]
        new = keys[~old]
        if new.size:
            pair, *hardware = np.unravel_index(new, self._shape)
            index = {"policy": self._policy[pair], "pe": self._pe[pair], **dict(zip(HARDWARE, hardware, strict=True))}
            solutions[~old] = np.stack(self._solved(index), axis=1)
            self._keep(new, solutions[~old])
        return solutions

    def _keep(self, keys: Keys, values: Array) -> None:
        most = KEPT_BYTES // (8 * (values[0].size + 1))
        known, solved = self._kept
        if known.size + keys.size > most:
            (known, solved), keys, values = self._nothing, keys[:most], values[:most]
        keys = np.concatenate([known, keys])
        order = np.argsort(keys, kind="stable")
        self._kept = keys[order], np.concatenate([solved, values])[order]

    def _solved(self, index: Index) -> Mapped:
        """The distinct products [..., product] on designs of indices [...], mapped."""
        products = self._products(index)
        tiling, dataflow = best_tiling(products), self._dataflow[index["dataflow"]][..., None]
        with np.errstate(divide="ignore"):
            tiles = {side: np.ceil(getattr(products, side) / getattr(tiling, f"tile_{side}")) for side in "mnk"}
        m, n, k = (getattr(tiling, f"tile_{side}") <= getattr(products, f"unit_{side}") for side in "mnk")
        stays = tiling.stays == by_dataflow(dataflow, *map(STAYS.index, STATIONARY))
        one_fold = stays & (by_dataflow(dataflow, m & n, n & k, m & k) > 0)
        on_array = self._operators["on_array"][index["policy"], index["pe"]]
        streams = by_dataflow(dataflow, tiles["k"], tiles["m"], tiles["n"])
        setups = np.where(on_array & ~one_fold, streams, 1.0)
        return Mapped(tiling.again_bytes, setups, tiling.a_passes, tiling.b_passes)

    def _products(self, index: Index) -> Products:
        """The distinct products [..., product] on designs of indices [...]."""
        policy, pe = index["policy"], index["pe"]
        rows, cols, lanes, sram_kib = (values[index[name]][..., None] for name, values in self._numbers.items())
        tile_m, tile_n, tile_k = self._operators["tile"][:, policy, pe]
        sum_width = self._accumulator_bytes[pe][..., None]
        dataflow = self._dataflow[index["dataflow"]][..., None]
        on_array = self._operators["on_array"][policy, pe]
        smallest = Products(
            **{name: self._operators[name] for name in ("m", "n", "k")},
            unit_m=np.where(on_array, tile_m * by_dataflow(dataflow, rows, 1, cols), 1),
            unit_n=np.where(on_array, tile_n * by_dataflow(dataflow, cols, cols, 1), lanes),
            unit_k=np.where(on_array, tile_k * by_dataflow(dataflow, 1, rows, rows), 1),
            **{name: self._operators[name][policy] for name in ("a_bytes", "b_bytes", "a_width", "b_width")},
            sum_bytes=self._operators["outputs"] * sum_width,
            sum_width=sum_width,
            space=sram_kib * 512,
        )
        beat, latency = self._operators["timing"][:, policy, pe]
        enough = np.ceil(STREAMED * setup_cycles(rows, cols, dataflow, beat, latency) / beat)
        steps = np.clip(_fitting_steps(smallest, dataflow), 1, np.where(on_array, enough, 1))
        return replace(
            smallest,
            unit_m=smallest.unit_m * by_dataflow(dataflow, 1, steps, 1),
            unit_n=smallest.unit_n * by_dataflow(dataflow, 1, 1, steps),
            unit_k=smallest.unit_k * by_dataflow(dataflow, steps, 1, 1),
        )


def _fitting_steps(products: Products, dataflow: NDArray[np.intp]) -> Array:
    """How many units of the dimension that streams fit beside the smallest tile of what stays in the array."""
    m, n, k = products.smallest
    a, b, sums = products.a_width, products.b_width, products.sum_width
    held = by_dataflow(dataflow, m * n * sums, k * n * b, m * k * a)
    a_step, b_step, c_step = k * m * a, k * n * b, m * n * sums
    each = by_dataflow(dataflow, a_step + b_step, a_step + c_step, b_step + c_step)
    return np.floor((products.space - held) / each)
