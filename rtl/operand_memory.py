"""Operand memories in two halves: one is filled while the array works from the other."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import NamedTuple

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SIZE_BITS, SystolicArray
from hwexplore.rtl.steps import Steps

__all__ = ["OperandMemory"]


class Section(NamedTuple):
    """Beats that come in for a step: where they are seen, how many there are, and which one is read."""

    output: Value
    beats: Value
    address: Value


class OperandMemory(wiring.Component):
    """Beats of weights and activations of two steps, and the parameters of the vector unit, as they stream in.

    For each step come its operands and, if it completes sums, the parameters. Output-stationary, the operands are beats
    of activations with weights above them; weight-stationary, beats of weights, then beats of activations. Each beat
    begins with a new word of the stream.

    Ports
    -----
    m, n, k : In(16)
    start : In(1)
    words : In(stream)
    loading : Out(1)
        There are words to come.
    full : Out(2)
        Which halves hold a step.
    release : In(1)
        The array is done with the ``half``.
    half : In(1)
    weight_address, activation_address : In
        Of beats in the ``half``, which are seen in the next cycle.
    weights, activations : Out
    parameters_half : In(1)
    parameters : Out
        Those in this half, in the same cycle.
    """

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        activations, weights = array.beat_bits
        of_weights, of_activations = array.half_beats
        super().__init__(
            {
                **{name: In(SIZE_BITS) for name in "mnk"},
                **{name: In(1) for name in ("start", "release", "half", "parameters_half")},
                "words": In(stream.Signature(array.bus_bits)),
                "loading": Out(1),
                "full": Out(2),
                "weight_address": In(range(of_weights or 1)),
                "activation_address": In(range(of_activations)),
                "weights": Out(weights),
                "activations": Out(activations),
                "parameters": Out(array.parameter_bits),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, words = self.array, self.words
        m.submodules.steps = steps = Steps(array)
        m.d.comb += [getattr(steps, name).eq(getattr(self, name)) for name in ("m", "n", "k", "start")]

        sections = self._sections(steps)
        pieces = [ceil(len(section.output) / array.bus_bits) for section in sections]
        most = max(pieces)

        half, piece, address = Signal(), Signal(range(most)), Signal(range(max(array.half_beats)))
        section = Signal(len(sections), init=1)
        """Which of the sections comes in."""
        held = Signal((most - 1) * array.bus_bits, reset_less=True)
        received = Cat(held, words.payload)
        no_parameters = ~(steps.last & (pieces[-1] > 0))
        ends_beat, ends_section, ends_step = Signal(), Signal(), Signal()
        m.d.comb += [
            self.loading.eq(steps.running),
            words.ready.eq(steps.running & ~(self.full >> half)[0]),
            ends_beat.eq(words.valid & words.ready & _at(section, [~(piece ^ count - 1).any() for count in pieces])),
            ends_section.eq(ends_beat & _at(section, [~(address ^ part.beats - 1).any() for part in sections])),
            ends_step.eq(ends_section & (section[-1] | (section[-2] & no_parameters))),
            steps.advance.eq(ends_step),
        ]
        with m.If(words.valid & words.ready):
            m.d.sync += [held.eq(received[array.bus_bits :]), piece.eq(Mux(ends_beat, 0, piece + 1))]
        with m.If(ends_beat):
            m.d.sync += address.eq(Mux(ends_section, 0, address + 1))
        with m.If(ends_section):
            m.d.sync += section.eq(Mux(ends_step, 1, section << 1))
        with m.If(ends_step):
            m.d.sync += half.eq(~half)
        m.d.sync += self.full.eq((self.full | ends_step << half) & ~(self.release << self.half))

        for number, (output, _, read_address) in enumerate(sections):
            memory = Memory(shape=len(output), depth=1 << len(read_address), init=[])
            m.submodules[f"section_{number}"] = memory
            read = memory.read_port(domain="comb" if number == len(sections) - 1 else "sync")
            write = memory.write_port()
            m.d.comb += [
                read.addr.eq(read_address),
                output.eq(read.data),
                write.en.eq(ends_beat & section[number]),
                write.addr.eq(Cat(address[: len(read_address) - 1], half)),
                write.data.eq(received[(most - pieces[number]) * array.bus_bits :]),
            ]
        return m

    def _sections(self, steps: Steps) -> list[Section]:
        """What comes in for a step, in this order; the parameters, last, only for steps that end sums."""
        cycles = self.array.pe.tile.cycles
        of_weights, of_activations = (
            Cat(address, self.half) for address in (self.weight_address, self.activation_address)
        )
        parameters = Section(self.parameters, Const(1), Cat(self.parameters_half))
        if self.array.dataflow == "os":
            both = Cat(self.activations, self.weights)
            return [Section(both, steps.k_size * cycles, of_activations), parameters]
        return [
            Section(self.weights, Const(self.array.rows * cycles), of_weights),
            Section(self.activations, steps.m_size * cycles, of_activations),
            parameters,
        ]


def _at(section: Value, conditions: Sequence[Value]) -> Value:
    """That one of ``conditions`` which ``section``, one-hot, selects."""
    return (section & Cat(conditions)).any()
