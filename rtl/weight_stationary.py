"""Weight-stationary arrays: weights stay in the PEs, activations move, and sums go down from PE to PE."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib.memory import Memory

from hwexplore.rtl.array import PEArray, ports
from hwexplore.rtl.core import delayed
from hwexplore.rtl.sequencer import Sequencer
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


class WeightStationaryArray(PEArray):
    """PEs hold the weights of a tile, rows work a tile's cycles apart; ports as for every `PEArray`.

    Sums enter at the top of a column, zeros or what the step before left, and leave below the lowest row in use.
    """

    sequencer = WeightStationarySequencer
    chained = True

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, control, bits = self.array, self.control, self.array.sum_bits
        latency = array.pe.latency_cycles
        moving = []
        for row in range(array.rows):
            entering = control.enable, control.clear, control.last, self.into_row(row)
            moving.append(delayed(m, f"into_row_{row}", entering, row * array.pe.tile.cycles))

        # What goes for a step, until the weights of the next one come.
        lowest, continues, final = (Signal.like(control[name], name=name) for name in ("row", "continues", "final"))
        token, finished = (Signal(range(array.depth), name=name) for name in ("token", "finished"))
        (ends,) = delayed(m, "ends", ((Cat(enable & last for enable, _, last, _ in moving) >> lowest)[0],), latency)
        with m.If(control.load):
            m.d.sync += [
                lowest.eq(control.row),
                continues.eq(control.continues),
                final.eq(control.final),
                self.half.eq(control.half),
                token.eq(0),
                finished.eq(0),
            ]
        with m.Else():
            m.d.sync += [token.eq(token + (control.enable & control.last)), finished.eq(finished + ends)]

        (reading,) = delayed(m, "reading", (token,), latency - 1)
        writing: Sequence[Value] = (ends, finished)
        leaving: list[Value] = []
        for column in range(array.cols):
            m.submodules[f"partial_sums_{column}"] = memory = Memory(shape=bits, depth=array.depth, init=[])
            read, write = memory.read_port(domain="comb"), memory.write_port()
            above, weights, sums = Mux(continues, read.data, 0), self.into_column(column), []
            for row in range(array.rows):
                enable, clear, last, activation = moving[row]
                weights = self._held(m, f"{row}_{column}", weights, enable)
                core = self.place(m, row, column, enable, clear, activation, weights)
                m.d.comb += ports(core, [f"{name}_in" for name in array.pe.outputs]).eq(above)
                above = ports(core, array.pe.outputs)
                sums.append(above)
                moving[row] = delayed(m, f"right_{row}_{column}", (enable, clear, last, activation), 1)
            m.d.comb += [
                read.addr.eq(reading),
                Cat(write.en, write.addr).eq(Cat(*writing)),
                write.data.eq((Cat(sums) >> lowest * bits)[:bits]),
            ]
            leaving += delayed(m, f"leaving_{column}", (write.data,), array.cols - 1 - column)
            valid = writing[0]
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
        with m.If(self.control.load | enable):
            m.d.sync += weights[0].eq(Mux(self.control.load, entering, weights[-1]))
            m.d.sync += [after.eq(before) for before, after in pairwise(weights)]
        return weights[-1]
