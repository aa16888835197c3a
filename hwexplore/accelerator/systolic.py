"""Systolic arrays: what one is, in which steps it works through a product, and how long that takes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator.cycles import cycles
from hwexplore.accelerator.feed import Feed
from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.pe.vector_unit import VectorUnit

__all__ = ["SIZE_BITS", "Step", "SystolicArray"]

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
        tile, latency = self.pe.tile, self.pe.latency_cycles
        return cycles(m, n, k, self.rows, self.cols, self.dataflow, tile=tile, latency=latency, feed=self.feed)

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
