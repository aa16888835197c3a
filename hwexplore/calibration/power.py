"""Power of a mapped netlist from the transitions that it makes with real operands."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hwexplore.calibration.cells import Cell, Cells
from hwexplore.calibration.glitches import Toggles, toggles
from hwexplore.calibration.netlist import Instance, Netlist
from hwexplore.calibration.simulation import simulate
from hwexplore.calibration.stimulus import stimulus
from hwexplore.calibration.timing import Timing
from hwexplore.pe import PE

__all__ = ["Activity", "Part", "Power", "cell_class", "power", "simulate_power"]

FEMTO_IN_PICO = 1e-3


@dataclass(frozen=True, kw_only=True)
class Part:
    """What some transitions at the outputs of cells take in a cycle: their number and their energy.

    ``internal_pj`` is inside the cells that make them, ``switching_pj`` half of load x voltage squared, the load being
    pins and wire.
    """

    toggles: float
    internal_pj: float
    switching_pj: float

    @property
    def energy_pj(self) -> float:
        """Internal and switching energy."""
        return self.internal_pj + self.switching_pj


@dataclass(frozen=True, kw_only=True)
class Activity:
    """Mean transitions per cycle at an output of the cells of one class, how many such outputs, their mean fanout."""

    outputs: int
    fanout: float
    useful: float
    glitch: float


@dataclass(frozen=True, kw_only=True)
class Power:
    """Energy per cycle and leakage of a netlist, and the ``activity`` of each class of its cells.

    ``useful`` are transitions between settled values, ``glitch`` all others, both at the outputs of cells. ``clock_pj``
    is what flip-flops and their clock pins take in a cycle without a change of data; the network that brings the clock
    to them is not included. ``input_pj`` is the charge of the nets of the inputs, which cells outside drive.
    """

    useful: Part
    glitch: Part
    clock_pj: float
    input_pj: float
    leakage_uw: float
    activity: Mapping[str, Activity]

    @property
    def internal_pj(self) -> float:
        """Energy inside of cells, without that of the clock."""
        return self.useful.internal_pj + self.glitch.internal_pj

    @property
    def switching_pj(self) -> float:
        """Energy that charges nets, those of inputs as well, without the clock."""
        return self.useful.switching_pj + self.glitch.switching_pj + self.input_pj

    @property
    def dynamic_pj_per_cycle(self) -> float:
        """All energy of a cycle but leakage."""
        return self.internal_pj + self.switching_pj + self.clock_pj


def simulate_power(
    pe: PE,
    netlist: Netlist,
    cells: Cells,
    timing: Timing,
    operands: str | Path = "gaussian",
    streams: int = 256,
    seed: int = 0,
) -> Power:
    """Power of ``netlist``, a synthesised core of ``pe``, at full rate, by simulation with delays.

    ``operands`` and ``streams`` are those of `stimulus`. InputError if the netlist does not compute what ``pe`` does.
    """
    transition = simulate(netlist, stimulus(pe, operands, streams, seed))
    return power(netlist, cells, timing, toggles(netlist, cells, timing, transition))


def power(netlist: Netlist, cells: Cells, timing: Timing, toggles: Toggles) -> Power:
    """Price the ``toggles`` of a netlist with the tables of its cells, at actual slews and loads."""
    load_ff = np.array([netlist.load_ff(net, cells) for net in range(netlist.nets)])
    charge_fj = load_ff * cells.voltage**2 / 2
    internal_fj, clock_fj, driven = np.zeros(netlist.nets), 0.0, np.zeros(netlist.nets, bool)
    for instance in netlist.instances:
        slew_ps = _slew_ps(instance, cells, timing)
        connected = [
            (net, table) for net, table in zip(instance.outputs, instance.cell.internal_fj, strict=True) if net
        ]
        for net, table in connected:
            driven[net] = True
            internal_fj[net] = table(slew_ps, load_ff[net])
        if (state := instance.cell.flip_flop) is not None:
            clock_fj += state.clock_fj + instance.cell.input_ff[state.clock] * cells.voltage**2
            internal_fj[connected[0][0]] += state.toggle_fj

    def part(count: NDArray[np.float64]) -> Part:
        return Part(
            toggles=float(count[driven].sum()),
            internal_pj=FEMTO_IN_PICO * float(count[driven] @ internal_fj[driven]),
            switching_pj=FEMTO_IN_PICO * float(count[driven] @ charge_fj[driven]),
        )

    return Power(
        useful=part(toggles.useful),
        glitch=part(toggles.glitch),
        clock_pj=FEMTO_IN_PICO * clock_fj,
        input_pj=FEMTO_IN_PICO * float(toggles.useful[~driven] @ charge_fj[~driven]),
        leakage_uw=netlist.leakage_uw,
        activity=_by_class(netlist, toggles),
    )


def _slew_ps(instance: Instance, cells: Cells, timing: Timing) -> float:
    """The mean slew of what drives a cell: of both edges of all inputs, of a flip-flop the clock's."""
    if instance.cell.flip_flop:
        return cells.clock_slew_ps
    slews = [slew for net in instance.inputs if net > 1 for slew in timing.slews_ps[net]]
    return fmean(slews) if slews else 0.0


def _by_class(netlist: Netlist, toggles: Toggles) -> dict[str, Activity]:
    nets: dict[str, list[int]] = {}
    for instance in netlist.instances:
        nets.setdefault(cell_class(instance.cell), []).extend(net for net in instance.outputs if net is not None)
    return {
        name: Activity(
            outputs=len(of_class),
            fanout=fmean(netlist.loads[net][1] for net in of_class),
            useful=float(toggles.useful[of_class].mean()),
            glitch=float(toggles.glitch[of_class].mean()),
        )
        for name, of_class in sorted(nets.items())
    }


def cell_class(cell: Cell) -> str:
    """The primitive that a cell is, by its function: adders have two outputs, one of them the parity of all inputs."""
    if cell.flip_flop:
        return "flip_flop"
    count = len(cell.inputs)
    rows = np.arange(1 << count)
    parity = np.bitwise_xor.reduce(rows[:, np.newaxis] >> np.arange(count) & 1, axis=1).astype(bool)
    is_parity = count > 1 and any(
        (np.array(truth) == parity).all() or (np.array(truth) != parity).all() for truth in cell.truth
    )
    if len(cell.outputs) == 2 and is_parity:
        return {2: "half_adder", 3: "full_adder"}.get(count, "other")
    if is_parity:
        return "xor"
    return "mux" if count == 3 and _is_mux(np.array(cell.truth[0]).reshape(2, 2, 2)) else "other"


def _is_mux(truth: NDArray[np.bool_]) -> bool:
    """Whether one input of three selects between the other two, inverted or not."""
    halves = (np.moveaxis(truth, select, 0) for select in range(3))
    return any(_follows(low, one) and _follows(high, 1 - one) for low, high in halves for one in (0, 1))


def _follows(truth: NDArray[np.bool_], axis: int) -> bool:
    """Whether a function of two inputs is one of them or its complement."""
    zero, one = np.moveaxis(truth, axis, 0)
    return bool((zero != one).all() and zero[0] == zero[1])
