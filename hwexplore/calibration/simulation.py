"""Simulation of a mapped netlist without delays, cycle by cycle, many streams at once.

The value of a net is an integer whose bit s is that of stream s.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.calibration.logic import expression
from hwexplore.calibration.netlist import Netlist
from hwexplore.calibration.stimulus import Stimulus
from hwexplore.errors import InputError

__all__ = ["Transition", "simulate"]


@dataclass(frozen=True)
class Transition:
    """The settled value of each net before and after a clock edge, in ``streams`` streams."""

    before: tuple[int, ...]
    after: tuple[int, ...]
    streams: int


def simulate(netlist: Netlist, stimulus: Stimulus) -> Transition:
    """Run all cycles of ``stimulus``; the transition that each stream is observed in.

    InputError if an output is not what is expected in the last cycle.
    """
    streams = len(stimulus.observed)
    circuit = _Circuit(netlist, (1 << streams) - 1)
    inputs = [(netlist.inputs[name], _words(bits)) for name, bits in stimulus.ports.items()]
    sources = [net for nets, _ in inputs for net in nets] + [net for net, *_ in circuit.registers]
    observed = {int(cycle): _word(stimulus.observed == cycle) for cycle in np.unique(stimulus.observed)}

    values, before, after = ([0] * netlist.nets for _ in range(3))
    for cycle in range(len(stimulus.ports["rst"])):
        if cycle:
            circuit.clock(values)
        for nets, words in inputs:
            for net, word in zip(nets, words[cycle], strict=True):
                values[net] = word
        leaving, arriving = observed.get(cycle, 0), observed.get(cycle - 1, 0)
        for net in sources if leaving | arriving else ():
            before[net] |= values[net] & leaving
            after[net] |= values[net] & arriving
        circuit.settle(values)
    for name, bits in stimulus.expected.items():
        for bit, (net, expected) in enumerate(zip(netlist.outputs[name], bits, strict=True)):
            if values[net] != _word(expected):
                raise InputError(f"the netlist's output {name}[{bit}] differs from what the golden model gives")
    circuit.settle(before)
    circuit.settle(after)
    return Transition(tuple(before), tuple(after), streams)


class _Circuit:
    """A netlist compiled to Python; registers are (net, data, inverted)."""

    def __init__(self, netlist: Netlist, ones: int) -> None:
        self.ones = ones
        lines = [
            f"values[{net}] = {expression(truth, [f'values[{i}]' for i in gate.inputs])}"
            for gate in netlist.gates
            for truth, net in zip(gate.cell.truth, gate.outputs, strict=True)
            if net is not None
        ]
        self.gates = compile("\n".join(lines), "netlist", "exec")
        self.registers = [
            (net, instance.inputs[state.data], inverted)
            for instance in netlist.flip_flops
            if (state := instance.cell.flip_flop)
            for net, inverted in zip(instance.outputs, state.inverted, strict=True)
            if net is not None
        ]

    def settle(self, values: list[int]) -> None:
        """Give the nets behind gates their values, from those of inputs and registers."""
        values[1] = self.ones
        exec(self.gates, {"values": values, "ones": self.ones})

    def clock(self, values: list[int]) -> None:
        """Give the registers what is at their data inputs."""
        for net, value in [(net, values[data] ^ -inverted & self.ones) for net, data, inverted in self.registers]:
            values[net] = value


def _word(bits: NDArray[np.bool_]) -> int:
    return int.from_bytes(np.packbits(bits, bitorder="little").tobytes(), "little")


def _words(bits: NDArray[np.bool_]) -> list[list[int]]:
    """Bits [cycle, bit, stream] as a word of all streams for each cycle and bit."""
    packed = np.packbits(bits, axis=-1, bitorder="little")
    return [[int.from_bytes(word.tobytes(), "little") for word in cycle] for cycle in packed]
