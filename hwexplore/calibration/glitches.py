"""Simulation of a mapped netlist with the delays of its gates, within one cycle, many streams at once.

A waveform is an integer as well: each time step has a field of one bit per stream, the earliest lowest.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import fmean

import numpy as np
from numpy.typing import NDArray

from hwexplore.calibration.cells import Cell, Cells
from hwexplore.calibration.logic import function
from hwexplore.calibration.netlist import Netlist
from hwexplore.calibration.simulation import Transition
from hwexplore.calibration.timing import Timing

__all__ = ["Toggles", "toggles"]

STEPS_PER_DELAY = 8
"""Time steps in the mean delay of a netlist's gates; half as long ones change the toggles of adders and multipliers by
less than 5 %."""


@dataclass(frozen=True)
class Toggles:
    """Mean transitions of each net per cycle: between settled values, and all others, which glitches are."""

    useful: NDArray[np.float64]
    glitch: NDArray[np.float64]


def toggles(
    netlist: Netlist, cells: Cells, timing: Timing, transition: Transition, step_ps: float | None = None
) -> Toggles:
    """Count what happens between the settled states of ``transition``.

    Registers switch at their clock-to-output delay, inputs at that of the flip-flops in front of ports. A gate delays
    each input as ``timing`` says, in whole steps of ``step_ps``, by default the mean delay over `STEPS_PER_DELAY`. The
    smallest of an output's delays is inertial: shorter pulses than that vanish.
    """
    if step_ps is None:
        all_ps = [delay for gate in timing.delays_ps for output in gate for delay in output if delay > 0]
        step_ps = fmean(all_ps or [1.0]) / STEPS_PER_DELAY
    launches = _launches(netlist, cells, step_ps)
    gates = [
        (function(truth), gate.inputs, [round(delay / step_ps) for delay in delays_ps], net)
        for gate, of_outputs in zip(netlist.gates, timing.delays_ps, strict=True)
        for truth, delays_ps, net in zip(gate.cell.truth, of_outputs, gate.outputs, strict=True)
        if net is not None
    ]
    arrival = {0: 0, 1: 0} | launches
    last_reader: dict[int, int] = {}
    for number, (_, inputs, delays, net) in enumerate(gates):
        arrival[net] = max((arrival[i] + delay for i, delay in zip(inputs, delays, strict=True)), default=0)
        last_reader |= dict.fromkeys(inputs, number)

    before, after = transition.before, transition.after
    waveforms = _Waveforms(transition.streams, max(arrival.values()) + 1)
    waves = {0: 0, 1: waveforms.field} | {
        net: waveforms.edge(before[net], after[net], step) for net, step in launches.items()
    }
    useful = np.array([0, 0, *((old ^ new).bit_count() for old, new in zip(before[2:], after[2:], strict=True))], float)
    total = useful.copy()
    for number, (compute, inputs, delays, net) in enumerate(gates):
        inertia = min((delay for i, delay in zip(inputs, delays, strict=True) if i > 1), default=0)
        steps = arrival[net] + 1
        pins = [
            waveforms.placed(waves[i], arrival[i] + 1, max(delay - inertia, 0), steps)
            for i, delay in zip(inputs, delays, strict=True)
        ]
        waves[net] = waveforms.inertial(compute(waveforms.ones(steps), *pins), inertia, steps)
        total[net] = waveforms.changes(waves[net], steps).bit_count()
        for i in set(inputs):
            if i > 1 and last_reader[i] == number:
                del waves[i]
    return Toggles(useful / transition.streams, (total - useful) / transition.streams)


def _launches(netlist: Netlist, cells: Cells, step_ps: float) -> dict[int, int]:
    """The step after the clock's edge at which the nets of registers and of inputs switch."""

    def steps(cell: Cell, output: int, load_ff: float) -> int:
        tables = [table for arc in cell.arcs if arc.output == output for table in arc.delay]
        return round(fmean(table(cells.clock_slew_ps, load_ff) for table in tables) / step_ps)

    at_ports = steps(cells.smallest_flip_flop, 0, cells.port_load_ff)
    inputs = [net for nets in netlist.inputs.values() for net in nets if net != netlist.clock]
    return dict.fromkeys(inputs, at_ports) | {
        net: steps(instance.cell, output, netlist.load_ff(net, cells))
        for instance in netlist.flip_flops
        for output, net in enumerate(instance.outputs)
        if net is not None
    }


class _Waveforms:
    """Operations on waveforms: each has so many steps, of ``streams`` bits, and then keeps its last value."""

    def __init__(self, streams: int, most_steps: int) -> None:
        self.streams = streams
        self.most_steps = most_steps
        self.field = self.ones(1)
        self.ticks = self.ones(most_steps) // self.field

    def ones(self, steps: int) -> int:
        """All ones."""
        return (1 << self.streams * steps) - 1

    def constant(self, value: int, steps: int) -> int:
        """``value`` in every step."""
        return value * (self.ticks >> (self.most_steps - steps) * self.streams)

    def later(self, wave: int, steps: int) -> int:
        """``wave`` shifted in time, zeros before."""
        return wave << steps * self.streams

    def edge(self, before: int, after: int, step: int) -> int:
        """``before`` for so many steps, then one of ``after``."""
        return self.constant(before, step) | self.later(after, step)

    def placed(self, wave: int, own_steps: int, delay: int, steps: int) -> int:
        """``wave`` of ``own_steps``, ``delay`` later, among ``steps``; its first and its last value fill up."""
        end = own_steps + delay
        first, last = wave & self.field, wave >> (own_steps - 1) * self.streams
        wave = self.constant(first, delay) | self.later(wave, delay)
        return wave | self.later(self.constant(last, steps - end), end)

    def changes(self, wave: int, steps: int) -> int:
        """The steps at which ``wave`` is not what it was before."""
        return (wave ^ self.later(wave, 1)) & self.ones(steps) & ~self.field

    def inertial(self, wave: int, delay: int, steps: int) -> int:
        """``wave`` delayed, without the pulses shorter than the delay: a value stays until the next one has lasted."""
        if not delay:
            return wave
        ones = self.ones(steps)
        value = (self.later(wave, 1) | wave & self.field) & ones
        stays = self.recent(self.changes(value, steps), delay - 1) & ones
        value &= ~stays
        span = 1
        while stays:  # Ever more steps back, to the last value that has lasted.
            value |= self.later(value, span) & stays
            stays &= self.later(stays, span)
            span *= 2
        return value

    def recent(self, marks: int, steps: int) -> int:
        """Where there is a mark in the last ``steps`` steps, this one included."""
        span = 1
        while span < steps:
            more = min(span, steps - span)
            marks |= self.later(marks, more)
            span += more
        return marks if steps else 0
