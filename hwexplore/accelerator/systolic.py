"""Systolic arrays: what one is, what streams in and out of it for a product, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator.cycles import cycles
from hwexplore.accelerator.feed import Feed
from hwexplore.errors import InputError, unknown
from hwexplore.formats import Encoded, Format, Scaled
from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.pe.vector_unit import VectorUnit

__all__ = ["Step", "SystolicArray"]

Bits = NDArray[np.uint8]
"""Bits along the last axis, the lowest first."""
SIZE_BITS = 16
"""Width of the run-time sizes, in tiles of the PE."""


class Step(NamedTuple):
    """What the array works on at a time: ranges of tiles of m, n and k, and whether it ends the sums over k."""

    m: range
    n: range
    k: range
    last: bool


@dataclass(frozen=True, kw_only=True)
class SystolicArray:
    """``rows`` x ``cols`` PEs, double-buffered operand memories and, if there is an ``output`` format, a vector unit.

    Output-stationary (``os``), tiles of m are on the rows and tiles of n on the columns; weight-stationary (``ws``),
    tiles of k on the rows and tiles of n on the columns. ``depth`` is how many tiles of the dimension that streams
    through, k or m, a half of the operand memories holds: longer ones are cut. Everything comes in words of
    ``bus_bits``. Input-stationary is weight-stationary of the transposed product, with the operands exchanged.
    """

    pe: PE
    rows: int
    cols: int
    dataflow: str = "os"
    depth: int = 64
    bus_bits: int = 64
    output: Format | None = None

    def __post_init__(self) -> None:
        if self.dataflow not in ("os", "ws"):
            raise unknown("dataflow of an array", self.dataflow, ["os", "ws"])
        for name in ("rows", "cols", "depth", "bus_bits"):
            number = getattr(self, name)
            if not isinstance(number, int) or number < 1:
                raise InputError(f"{name} = {number!r} must be a positive integer")
        if self.bus_bits % 8:
            raise InputError(f"bus_bits = {self.bus_bits} must be whole bytes")
        _ = self.vector_unit

    @property
    def vector_unit(self) -> VectorUnit | None:
        """The vector unit; None if sums leave as they are."""
        return None if self.output is None else VectorUnit.of(self.pe, self.output)

    @property
    def activation_ports(self) -> dict[str, int]:
        """Bits of the PE's operand ports that tokens stream through, by name."""
        return {name: bits for name, bits in self.pe.ports.items() if name.startswith("activation")}

    @property
    def weight_ports(self) -> dict[str, int]:
        """Bits of the PE's other operand ports."""
        return {name: bits for name, bits in self.pe.ports.items() if not name.startswith("activation")}

    @property
    def beat_bits(self) -> tuple[int, int]:
        """Bits of a beat of activations, for all rows, and of one of weights, for all columns."""
        return self.rows * sum(self.activation_ports.values()), self.cols * sum(self.weight_ports.values())

    @property
    def parameter_bits(self) -> int:
        """Bits of the vector unit's parameters for all columns."""
        unit = self.vector_unit
        return 0 if unit is None else self.cols * self.pe.tile.n * sum(unit.fields.values())

    @property
    def half_beats(self) -> tuple[int, int]:
        """Beats of weights and of activations that a half of the operand memories holds."""
        cycles = self.pe.tile.cycles
        return (self.rows if self.dataflow == "ws" else 0) * cycles, self.depth * cycles

    @property
    def sum_bits(self) -> int:
        """Bits of what a PE shows."""
        return sum(self.pe.outputs.values())

    @property
    def result_bits(self) -> int:
        """Bits of what a column gives for a tile."""
        m, n, *_ = self.pe.tile
        return self.sum_bits if self.output is None else m * n * self.output.element_bits

    @property
    def limits(self) -> dict[str, int]:
        """Tiles of each dimension that a step works on at most."""
        if self.dataflow == "os":
            return {"m": self.rows, "n": self.cols, "k": self.depth}
        return {"m": self.depth, "n": self.cols, "k": self.rows}

    @property
    def pipeline_cycles(self) -> int:
        """Cycles from the end of the last step to that of the product: memory, vector unit, queue of results."""
        return 3 + (0 if self.vector_unit is None else self.vector_unit.stages)

    @property
    def results_under_way(self) -> int:
        """Rows of results that can be on their way to a consumer who takes each at once."""
        cycles = self.pipeline_cycles
        if self.dataflow == "os":
            return cycles
        beats = self.pe.tile.cycles
        return ceil((cycles + self.rows * beats + self.cols + self.pe.latency_cycles) / beats)

    @property
    def feed(self) -> Feed:
        """What the streams do to the cycles of a product."""
        of_activations, of_weights = self.beat_bits
        if self.dataflow == "os":
            of_activations, of_weights = of_activations + of_weights, 0
        activations, weights, parameters = (
            ceil(bits / self.bus_bits) for bits in (of_activations, of_weights, self.parameter_bits)
        )
        return Feed(
            depth=self.depth,
            activations=activations,
            weights=weights,
            parameters=parameters,
            pipeline=self.pipeline_cycles,
        )

    def cycles(self, m: ArrayLike, n: ArrayLike, k: ArrayLike) -> NDArray[np.float64]:
        """Cycles of [m, k] x [k, n] products, exactly those for which the RTL is busy if no stream makes it wait."""
        pe = self.pe
        return cycles(m, n, k, self.rows, self.cols, self.dataflow, None, pe.tile, pe.latency_cycles, self.feed)

    def sizes(self, m: int, n: int, k: int) -> tuple[int, int, int]:
        """The sizes of a product in tiles of the PE, as the array takes them; InputError if one is too large."""
        tiles = ceil(m / self.pe.tile.m), ceil(n / self.pe.tile.n), ceil(k / self.pe.tile.k)
        for name, size, count in zip("mnk", (m, n, k), tiles, strict=True):
            if not 0 < count < 1 << SIZE_BITS:
                raise InputError(f"{name} = {size} makes {count} tiles of {self.pe}; an array takes 1 to 65535")
        return tiles

    def steps(self, m: int, n: int, k: int) -> Iterator[Step]:
        """The steps of a product of so many tiles, in their order."""
        tiles = {"m": m, "n": n, "k": k}
        ranges = {
            name: [range(start, min(start + limit, tiles[name])) for start in range(0, tiles[name], limit)]
            for name, limit in self.limits.items()
        }
        for of_n in ranges["n"]:
            for of_m in ranges["m"]:
                for of_k in ranges["k"]:
                    yield Step(of_m, of_n, of_k, of_k.stop == k)

    def stream(
        self,
        weights: Codes | Encoded,
        activations: Codes | Encoded,
        parameters: Mapping[str, Codes] | None = None,
    ) -> NDArray[np.uint8]:
        """What streams in for encoded weights [n, k] and activations [m, k]: bytes [words, bus_bits / 8], low first.

        ``parameters`` [n] of the vector unit, codes, as it makes them. Ragged tiles are filled up with zeros.
        """
        pe, (m, n, k) = self.pe, self._shape(weights, activations)
        tiles_m, tiles_n, tiles_k = self.sizes(m, n, k)
        w = pe.weight_beats(_padded(weights, pe.weight, tiles_n * pe.tile.n, tiles_k * pe.tile.k))
        a = pe.activation_beats(_padded(activations, pe.activation, tiles_m * pe.tile.m, tiles_k * pe.tile.k))
        # Bits [tile, tile of k, cycle, bit].
        stationary, moving = (
            _bits(codes, ports).reshape(len(next(iter(codes.values()))), tiles_k, pe.tile.cycles, -1)
            for codes, ports in ((w, self.weight_ports), (a, self.activation_ports))
        )
        of_columns = None if parameters is None else self._parameter_bits(parameters, tiles_n)
        words: list[NDArray[np.uint8]] = []
        for step in self.steps(tiles_m, tiles_n, tiles_k):
            tiles = slice(step.k.start, step.k.stop)
            of_weights = stationary[step.n.start : step.n.stop, tiles]
            of_activations = moving[step.m.start : step.m.stop, tiles]
            if self.dataflow == "ws":
                # A beat has all of k, and the weights of the lowest row enter first.
                of_weights = _filled(of_weights, 1, self.rows)[:, ::-1]
                of_activations = of_activations.swapaxes(0, 1)
            beats = [_beats(_filled(of_weights, 0, self.cols)), _beats(_filled(of_activations, 0, self.rows))]
            if self.dataflow == "os":
                beats = [np.concatenate(beats[::-1], axis=1)]
            words += map(self._words, beats)
            if step.last and of_columns is not None:
                words.append(self._words(_filled(of_columns[step.n.start : step.n.stop], 0, self.cols).reshape(1, -1)))
        return np.concatenate(words)

    def results(self, words: NDArray[np.uint8], m: int, n: int) -> Codes:
        """What streamed out, bytes [words, ceil(cols * result_bits / 8)], as codes [m, n].

        They are those of ``output``, or accumulator codes as `PE.golden` gives them.
        """
        tiles_m, tiles_n, _ = self.sizes(m, n, 1)
        bits = np.unpackbits(words, axis=1, bitorder="little")[:, : self.cols * self.result_bits]
        folds = bits.reshape(ceil(tiles_n / self.cols), tiles_m, self.cols, self.result_bits)
        of_tiles = folds.swapaxes(0, 1).reshape(tiles_m, -1, self.result_bits)[:, :tiles_n]
        rows, cols, *_ = self.pe.tile
        width = self.pe.accumulator_bits if self.output is None else self.output.element_bits
        codes = of_tiles[..., : rows * cols * width].reshape(tiles_m, tiles_n, rows, cols, width)
        if (beside := of_tiles[..., rows * cols * width :]).size:
            sums_of_row = beside.reshape(tiles_m, tiles_n, rows, 1, width)
            codes = np.concatenate([codes, np.broadcast_to(sums_of_row, codes.shape)], axis=-1)
        return _codes(codes.swapaxes(1, 2).reshape(tiles_m * rows, tiles_n * cols, -1)[:m, :n])

    def _shape(self, weights: Codes | Encoded, activations: Codes | Encoded) -> tuple[int, int, int]:
        w, a = (operand.codes if isinstance(operand, Encoded) else operand for operand in (weights, activations))
        if w.ndim != 2 or a.ndim != 2 or w.shape[1] != a.shape[1]:
            raise InputError(f"weights {w.shape} and activations {a.shape} must be [n, k] and [m, k] with one k")
        return a.shape[0], w.shape[0], a.shape[1]

    def _parameter_bits(self, parameters: Mapping[str, Codes], tiles_n: int) -> Bits:
        """Bits [tile of n, bit]."""
        assert self.vector_unit is not None
        bits = _bits(parameters, self.vector_unit.fields)
        return _filled(bits, 0, tiles_n * self.pe.tile.n).reshape(tiles_n, -1)

    def _words(self, beats: Bits) -> NDArray[np.uint8]:
        """Each of ``beats`` [beat, bit] in whole words of the bus."""
        words = _filled(beats, 1, _whole(beats.shape[1], self.bus_bits)).reshape(-1, self.bus_bits)
        return np.packbits(words, axis=1, bitorder="little")


def _padded(operand: Codes | Encoded, format: Format, rows: int, terms: int) -> Codes | Encoded:
    """``operand`` [..., k] with zeros behind its rows and terms; InputError if the format has no zero for terms."""
    codes = operand.codes if isinstance(operand, Encoded) else operand
    element = format.element if isinstance(format, Scaled) else format
    zero = element.encode(0.0)
    if terms > codes.shape[1] and element.decode(zero) != 0:
        raise InputError(f"k = {codes.shape[1]} is ragged, and {format} has no zero to fill a tile up to {terms}")

    def filled(part: NDArray[Any], width: int, value: Any) -> NDArray[Any]:
        padding = (0, rows - len(part)), (0, max(width - part.shape[1], 0))
        return np.pad(part, padding, constant_values=value)

    if not isinstance(operand, Encoded):
        return filled(codes, terms, zero)
    assert isinstance(format, Scaled)
    blocks = ceil(terms / (format.block or terms))
    zero_points = None if operand.zero_points is None else filled(operand.zero_points, blocks, 0)
    return Encoded(filled(codes, terms, zero), filled(operand.scales, blocks, 1.0), operand.tensor_scale, zero_points)


def _bits(codes: Mapping[str, Codes], fields: Mapping[str, int]) -> Bits:
    """The bits [..., bit] of ``fields`` side by side, the first lowest."""
    return np.concatenate([_unpacked(codes[name], width) for name, width in fields.items()], axis=-1)


def _unpacked(codes: Codes, width: int) -> Bits:
    places = np.arange(width).astype(codes.dtype)
    return np.asarray(codes[..., np.newaxis] >> places & np.array(1, codes.dtype), np.uint8)


def _codes(bits: Bits) -> Codes:
    dtype = np.uint64 if bits.shape[-1] <= 64 else object
    return np.asarray(bits.astype(dtype) @ (np.ones(1, dtype) << np.arange(bits.shape[-1]).astype(dtype)), dtype)


def _beats(operand: Bits) -> Bits:
    """Bits [lane, tile, cycle, bit] of lanes side by side: [beat, bit]."""
    lanes, tiles, cycles, bits = operand.shape
    return operand.transpose(1, 2, 0, 3).reshape(tiles * cycles, lanes * bits)


def _filled(array: NDArray[Any], axis: int, size: int) -> NDArray[Any]:
    """``array`` with zeros behind, ``size`` long along ``axis``."""
    padding = [(0, 0)] * array.ndim
    padding[axis] = (0, size - array.shape[axis])
    return np.pad(array, padding)


def _whole(size: int, unit: int) -> int:
    return ceil(size / unit) * unit
