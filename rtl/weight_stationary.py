"""Weight-stationary arrays: weights stay in the PEs, activations move, and sums go down from PE to PE."""

from __future__ import annotations

from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.rtl.core import build, delayed
from hwexplore.rtl.separate import Separate, core_name
from hwexplore.rtl.sequencer import Sequencer, control_layout
from hwexplore.rtl.steps import Steps

__all__ = ["WeightStationaryArray", "WeightStationarySequencer"]


class WeightStationarySequencer(Sequencer):
    """Weights go in; then tokens stream through; then time for the farthest PE to finish.

    ``control``: ``load`` takes weights; with it come the lowest ``row`` that holds some, whether the sums go on from
    those of the step before (``continues``), and whether they are complete with this one (``final``). With ``enable``
    come activations, the first (``clear``) or the ``last`` of a tile.
    """

    flags = ("enable", "clear", "last", "load", "continues", "final")

    def plan(self, m: Module, steps: Steps, time: Value, works: Value) -> tuple[dict[str, Value], Value, Value]:
        array, (of_weights, _) = self.array, self.array.half_beats
        cycles = array.pe.tile.cycles
        streamed, beats = (Signal.like(time, name=name) for name in ("streamed", "beats"))
        beat = Signal(range(cycles))
        m.d.comb += [
            streamed.eq(time - of_weights),
            beats.eq(steps.m_size * cycles),
            self.weight_address.eq(time),
            self.activation_address.eq(streamed),
        ]
        load = time < of_weights
        enable, first, last = ~load & (streamed < beats), ~beat.any(), beat == cycles - 1
        with m.If(works & enable):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
        control = {
            "enable": enable,
            "clear": first,
            "last": last,
            "load": load,
            "continues": ~steps.first,
            "final": steps.last,
            "row": steps.k_size - 1,
        }
        settle = of_weights - cycles + array.cols + array.pe.latency_cycles - 2
        return control, enable & first & steps.last, ~load & (streamed == beats + settle - 1)


class WeightStationaryArray(wiring.Component):
    """``rows`` x ``cols`` PEs: activations move along the rows, a PE a cycle; rows work a tile's cycles apart.

    Sums enter at the top of a column, zeros or what the step before left, and leave below the lowest row in use.

    Ports
    -----
    activations : In
        A beat of all rows.
    weights : In
        A beat of all columns.
    control : In(control_layout)
    sums : Out
        What the PEs of a row show, column by column, as they are complete.
    valid : Out(1)
    half : Out(1)
    """

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        activations, weights = array.beat_bits
        super().__init__(
            {
                "activations": In(activations),
                "weights": In(weights),
                "control": In(control_layout(array, WeightStationarySequencer.flags)),
                "sums": Out(array.cols * array.sum_bits),
                "valid": Out(1),
                "half": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, control = self.array, self.control
        cycles, latency = array.pe.tile.cycles, array.pe.latency_cycles
        row, continues, final = (
            Signal.like(field, name=f"step_{name}")
            for name, field in (("row", control.row), ("continues", control.continues), ("final", control.final))
        )
        token, finished = (Signal(range(array.depth), name=name) for name in ("token", "finished"))
        with m.If(control.enable & control.last):
            m.d.sync += token.eq(token + 1)

        of_row, of_column = (bits // count for bits, count in zip(array.beat_bits, (array.rows, array.cols), strict=True))
        moving = []
        for number in range(array.rows):
            entering = control.enable, control.clear, control.last, self.activations.word_select(number, of_row)
            moving.append(delayed(m, f"into_row_{number}", entering, number * cycles))
        ends = (Cat(enable & last for enable, _, last, _ in moving) >> row)[0]
        (end,) = delayed(m, "end", (ends,), latency)
        with m.If(end):
            m.d.sync += finished.eq(finished + 1)
        with m.If(control.load):
            m.d.sync += [
                row.eq(control.row),
                continues.eq(control.continues),
                final.eq(control.final),
                self.half.eq(control.half),
                token.eq(0),
                finished.eq(0),
            ]

        (reading,) = delayed(m, "reading", (token,), latency - 1)
        writing = delayed(m, "writing", (end, finished), 0)
        leaving = []
        for column in range(array.cols):
            m.submodules[f"partial_sums_{column}"] = memory = Memory(shape=array.sum_bits, depth=array.depth, init=[])
            read, write = memory.read_port(domain="comb"), memory.write_port()
            m.d.comb += [read.addr.eq(reading), Cat(write.en, write.addr).eq(Cat(*writing))]
            weights = self.weights.word_select(column, of_column)
            above = Mux(continues, read.data, 0)
            sums: list[Value] = []
            for number in range(array.rows):
                m.submodules[f"pe_{number}_{column}"] = core = Separate(build(array.pe, True), core_name(array.pe, True))
                place = f"{number}_{column}"
                enable, clear, last, activation = moving[number]
                weights = self._held(m, place, weights, enable)
                m.d.comb += [
                    core.enable.eq(enable),
                    core.clear.eq(clear),
                    Cat(getattr(core, name) for name in array.activation_ports).eq(activation),
                    Cat(getattr(core, name) for name in array.weight_ports).eq(weights),
                    Cat(getattr(core, f"{name}_in") for name in array.pe.outputs).eq(above),
                ]
                moving[number] = delayed(m, f"right_{place}", (enable, clear, last, activation), 1)
                above = Cat(getattr(core, name) for name in array.pe.outputs)
                sums.append(above)
            m.d.comb += write.data.eq((Cat(sums) >> row * array.sum_bits)[: array.sum_bits])
            leaving += delayed(m, f"leaving_{column}", (write.data,), array.cols - 1 - column)
            valid, _ = writing
            (reading,) = delayed(m, f"reading_{column}", (reading,), 1)
            writing = delayed(m, f"writing_{column}", writing, 1)
        m.d.comb += [self.sums.eq(Cat(leaving)), self.valid.eq(valid & final)]
        return m

    def _held(self, m: Module, place: str, entering: Value, enable: Value) -> Value:
        """The weights of this beat: those of a tile go round, a beat at a time; new ones push them to the row below."""
        weights = [
            Signal.like(entering, name=f"weights_{place}_{beat}", reset_less=True)
            for beat in range(self.array.pe.tile.cycles)
        ]
        with m.If(self.control.load):
            m.d.sync += weights[0].eq(entering)
        with m.Elif(enable):
            m.d.sync += weights[0].eq(weights[-1])
        with m.If(self.control.load | enable):
            m.d.sync += [after.eq(before) for before, after in pairwise(weights)]
        return weights[-1]
