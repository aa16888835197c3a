"""Where each operator runs: on the array, in which mode of its PEs, or on the vector unit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import Folds
from hwexplore.accelerator.designs import Choices
from hwexplore.accelerator.operator_table import stationary
from hwexplore.accelerator.pe_table import first_units, units
from hwexplore.pe import PE
from hwexplore.workloads import Policy, Workload

__all__ = ["Placed", "Placement"]

Array = NDArray[np.float64]
FIGURES = ("m", "n", "k", "beat", "tile_m", "tile_n", "tile_k", "a_passes", "b_passes", "latency", "work_cycles")


@dataclass(frozen=True)
class Placed:
    """Products on the array, all [design, operator]; what runs elsewhere has ``on_array`` False and figures of 1.

    ``unit`` numbers the PE and its mode (see `PeTable`). ``m``, ``n`` and ``k`` count tiles of the PE, each of which
    takes ``beat`` cycles; ``tile_m``, ``tile_n`` and ``tile_k`` are the sides of a tile, ``a_passes`` and ``b_passes``
    how often its operands come to the ports, ``latency`` the clock edges from there to its sums. ``work_cycles`` are
    those in which one PE could do all useful products of one operator.
    """

    on_array: NDArray[np.bool_]
    unit: NDArray[np.intp]
    m: Array
    n: Array
    k: Array
    beat: Array
    tile_m: Array
    tile_n: Array
    tile_k: Array
    a_passes: Array
    b_passes: Array
    latency: Array
    work_cycles: Array

    def folds(self, rows: Array, cols: Array, dataflow: NDArray[np.intp]) -> Folds:
        """How the products are folded onto arrays [design, 1] of so many PEs under ``dataflow``, by index."""
        return Folds.of(self.m, self.n, self.k, rows, cols, dataflow, self.beat, self.beat, self.latency)


@dataclass(frozen=True)
class Placement:
    """The products of a workload under each policy on each PE: ``unit`` [policy, pe, operator] that runs them, or -1;
    ``figures`` [figure, policy, pe, operator] as in `Placed`."""

    unit: NDArray[np.intp]
    figures: Array

    @classmethod
    def of(cls, choices: Choices, workload: Workload) -> Placement:
        """Each product goes to the mode that accepts its formats and has the most products per cycle."""
        pes, policies = choices.values["pe"], choices.values["policy"]
        columns = workload.columns()
        unit = np.full((len(policies), len(pes), len(workload.operators)), -1, np.intp)
        figures = np.ones((len(FIGURES), *unit.shape))
        modes = [units(pe) for pe in pes]
        first_unit = first_units(pes)
        for place in np.ndindex(*unit.shape[:2]):
            number = place[1]
            for operator, chosen in enumerate(_chosen(pes[number], policies[place[0]], workload)):
                if chosen is not None:
                    unit[(*place, operator)] = first_unit[number] + modes[number].index(chosen)
                    sizes = (columns[name][operator] for name in ("batch", "m", "n", "k"))
                    figures[(slice(None), *place, operator)] = _figures(chosen, *sizes)
        return cls(unit, figures)

    @property
    def on_array(self) -> NDArray[np.bool_]:
        """By [policy, pe, operator]."""
        return self.unit >= 0

    @property
    def tile(self) -> Array:
        """Sides m, n and k of a PE's tile [side, policy, pe, operator]."""
        return self.figures[[FIGURES.index(f"tile_{side}") for side in "mnk"]]

    @property
    def timing(self) -> Array:
        """Cycles of a PE's tile and its latency [2, policy, pe, operator]."""
        return self.figures[[FIGURES.index("beat"), FIGURES.index("latency")]]

    @property
    def work_cycles(self) -> Array:
        """By [policy, pe, operator], 0 for what does not run on the array."""
        return np.where(self.on_array, self.figures[FIGURES.index("work_cycles")], 0)

    def at(self, policy: NDArray[np.intp], pe: NDArray[np.intp]) -> Placed:
        """Of designs with these indices."""
        pair = policy * self.unit.shape[1] + pe
        unit, *figures = (
            np.take(each.reshape(-1, each.shape[-1]), pair, axis=0) for each in (self.unit, *self.figures)
        )
        return Placed(unit >= 0, unit, *figures)


def _chosen(pe: PE, policy: Policy, workload: Workload) -> list[PE | None]:
    return [
        pe.for_operands(stationary(operator, operands).consumed, operands.activations.consumed, operator.k)
        if operator.is_gemm
        else None
        for operator, operands in zip(workload.operators, workload.operands(policy), strict=True)
    ]


def _figures(unit: PE, batch: float, m: float, n: float, k: float) -> tuple[float, ...]:
    tile = unit.tile
    tiles = (float(np.ceil(size / step)) for size, step in ((m, tile.m), (n, tile.n), (k, tile.k)))
    useful = batch * m * n * k / unit.macs_per_cycle
    return *tiles, tile.cycles, tile.m, tile.n, tile.k, *unit.passes, unit.latency_cycles, useful
