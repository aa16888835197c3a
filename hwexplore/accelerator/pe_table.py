"""What PEs cost in an array: one table, computed once per distinct PE, dataflow, clock and voltage."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import DATAFLOWS
from hwexplore.accelerator.designs import Choices
from hwexplore.pe import PE
from hwexplore.technology import Bill, Item, Technology

__all__ = ["PeTable", "first_units", "operand_registers", "units"]

Array = NDArray[np.float64]

ACTIVITY = 0.5
"""Transitions of a bit of random data."""
MM_PER_SQRT_UM2 = 1e-3


def operand_registers(pe: PE, dataflow: str = "os") -> Bill:
    """The registers of one PE that pass its operands on to its neighbours, and hold the stationary one.

    A stationary operand stays for a whole tile of the PE, all cycles of it.
    """
    activations, weights = pe.port_bits
    if dataflow == "ws":
        weights = max(weights, _held_bits(pe, 1))
    if dataflow == "is":
        activations = max(activations, _held_bits(pe, 0))
    why = "one per bit of the operand ports, or of the tile that stays; random data"
    return Bill((Item("operand registers", "flip_flop", activations + weights, ACTIVITY, why),))


def units(pe: PE) -> list[PE]:
    """``pe`` in each of its modes."""
    return [pe.in_mode(mode) for mode in pe.modes] or [pe]


def first_units(pes: Sequence[PE]) -> NDArray[np.intp]:
    """The number of the first unit of each of ``pes``, when all their `units` are numbered through."""
    return np.cumsum([0, *(len(units(pe)) for pe in pes[:-1])])


@dataclass(frozen=True)
class PeTable:
    """Cost of one PE in the array. A *unit* is a PE in one of its modes, those of the first PE first.

    - [pe, clock_mhz, voltage]: ``reachable`` tells where the largest effort meets the clock; elsewhere ``period_s`` is
      longer than the clock's.
    - [pe, dataflow, clock_mhz, voltage], core and operand registers together: ``clock_pj`` per cycle, ``leakage_uw``;
      ``core_um2`` and ``register_um2`` apart.
    - [unit, dataflow, clock_mhz, voltage], per cycle in which a PE works: ``core_pj`` of the core, ``register_pj`` of
      the operands that move through it, ``wire_pj`` of the wires that bring them and the sums from the neighbours.
    - [pe]: ``accumulator_bits``; ``operand_bits`` [2, pe] of activations and weights that come to its ports in one
      cycle on average, scales included, in the mode that takes most; ``port_bits`` of all these ports;
      ``sums_per_cycle``.
    """

    reachable: NDArray[np.bool_]
    period_s: Array
    core_um2: Array
    register_um2: Array
    clock_pj: Array
    leakage_uw: Array
    core_pj: Array
    register_pj: Array
    wire_pj: Array
    accumulator_bits: Array
    operand_bits: Array
    port_bits: Array
    sums_per_cycle: Array

    @classmethod
    def of(cls, choices: Choices, technology: Technology, operands: str) -> PeTable:
        """Price every PE of ``choices`` at every clock and voltage; where a PE is slower, the clock yields.

        The distribution of ``operands`` (gaussian or uniform) sets the activities of the cores.
        """
        pes, clocks, voltages = (choices.values[name] for name in ("pe", "clock_mhz", "voltage"))
        nodes = [technology.at(voltage) for voltage in voltages]
        modes = [units(pe) for pe in pes]
        per_pe = len(pes), len(DATAFLOWS), len(clocks), len(nodes)
        per_unit = sum(map(len, modes)), *per_pe[1:]
        first_unit = first_units(pes)
        reachable, period_s = np.empty(per_pe, bool), np.empty(per_pe)
        by_pe = {name: np.empty(per_pe) for name in ("core_um2", "register_um2", "clock_pj", "leakage_uw")}
        by_unit = {name: np.empty(per_unit) for name in ("core_pj", "register_pj", "wire_pj")}
        for place in np.ndindex(len(pes), len(clocks), len(nodes)):
            pe, target_ps, node = pes[place[0]], _period_ps(clocks[place[1]]), nodes[place[2]]
            bill = pe.bill(operands)
            effort = node.effort(bill, target_ps)
            core = node.price(bill, effort)
            here = (place[0], slice(None), *place[1:])
            reachable[here] = target_ps == 0 or core.delay_ps <= target_ps * (1 + 1e-9)
            period_s[here] = max(target_ps, core.delay_ps) * 1e-12
            registers = [node.price(operand_registers(pe, dataflow)) for dataflow in DATAFLOWS]
            register_um2 = np.array([price.area_um2 for price in registers])
            by_pe["core_um2"][here], by_pe["register_um2"][here] = core.area_um2, register_um2
            by_pe["clock_pj"][here] = core.clock_pj + np.array([price.clock_pj for price in registers])
            by_pe["leakage_uw"][here] = core.leakage_uw + np.array([price.leakage_uw for price in registers])
            pitch_mm = np.sqrt(core.area_um2 + register_um2) * MM_PER_SQRT_UM2
            for number, unit in enumerate(modes[place[0]], start=int(first_unit[place[0]])):
                there = (number, *here[1:])
                in_mode = core if unit is pe else node.price(unit.bill(operands), effort)
                moving, bits = _moving_bits(unit)
                by_unit["core_pj"][there] = in_mode.dynamic_pj
                by_unit["register_pj"][there] = ACTIVITY * node.primitives["flip_flop"].energy_pj * moving
                by_unit["wire_pj"][there] = node.wire_pj_per_bit_mm * pitch_mm * bits
        return cls(
            reachable=reachable[:, 0],
            period_s=period_s[:, 0],
            **by_pe,
            **by_unit,
            accumulator_bits=np.array([pe.accumulator_bits for pe in pes], float),
            operand_bits=np.array([np.max([_operand_bits(unit) for unit in of_pe], axis=0) for of_pe in modes]).T,
            port_bits=np.array([pe.port_bits for pe in pes], float).T,
            sums_per_cycle=np.array([pe.tile.m * pe.tile.n / pe.tile.cycles for pe in pes]),
        )

    def working_pj(
        self, unit: NDArray[np.intp], dataflow: NDArray[np.intp], clock: NDArray[np.intp], voltage: NDArray[np.intp]
    ) -> dict[str, Array]:
        """Energy of a cycle in which a PE works, by term; indices broadcast."""
        _, dataflows, clocks, voltages = self.core_pj.shape
        place = unit * (dataflows * clocks * voltages) + ((dataflow * clocks + clock) * voltages + voltage)
        terms = {"MAC": self.core_pj, "operand registers": self.register_pj, "array wires": self.wire_pj}
        return {term: np.take(picojoules, place) for term, picojoules in terms.items()}


def _moving_bits(unit: PE) -> tuple[Array, Array]:
    """Bits that move through operand registers, and over wires, in a cycle, for each of ``DATAFLOWS``."""
    a, w = _operand_bits(unit)
    sums = sum(unit.outputs.values()) / unit.tile.cycles
    return np.array([a + w, a, w]), np.array([a + w, a + sums, w + sums])


def _operand_bits(unit: PE) -> tuple[float, float]:
    """Bits of activations and weights, scales included, that come to the ports in a cycle on average."""
    m, n, k, cycles = unit.tile
    a, w = (f.element_bits + f.bits - f.element.bits for f in (unit.activation, unit.weight))
    return unit.passes[0] * m * k * a / cycles, unit.passes[1] * n * k * w / cycles


def _held_bits(pe: PE, operand: int) -> int:
    """Bits of a tile of operand 0 (activations) or 1 (weights)."""
    return max(round(_operand_bits(unit)[operand] * unit.tile.cycles / unit.passes[operand]) for unit in units(pe))


def _period_ps(clock_mhz: float | str) -> float:
    """The period of a clock, 0 for the fastest."""
    return 0.0 if clock_mhz == "max" else 1e6 / float(clock_mhz)
