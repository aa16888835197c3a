"""Systolic arrays: what one is, in which steps it works through a product, and how long that takes."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator.cycles import cycles
from hwexplore.accelerator.feed import Feed
from hwexplore.accelerator.geometry import SIZE_BITS, Geometry
from hwexplore.errors import InputError, unknown

__all__ = ["SIZE_BITS", "SystolicArray"]


@dataclass(frozen=True, kw_only=True)
class SystolicArray(Geometry):
    """PEs, double-buffered operand memories and, if there is an ``output`` format, a vector unit."""

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
