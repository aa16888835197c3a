"""Output-stationary arrays: sums stay in the PEs, both operands move."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Module, Mux, Signal, Value

from hwexplore.rtl.array import PEArray, ports
from hwexplore.rtl.core import delayed
from hwexplore.rtl.sequencer import Sequencer
from hwexplore.rtl.steps import Steps

__all__ = ["OutputStationaryArray", "OutputStationarySequencer"]


class OutputStationarySequencer(Sequencer):
    """Beats of both operands; after the last of a sum, time for the farthest PE to finish, then row by row drains.

    ``control``: with ``enable`` come operands, which start new sums if ``clear``; ``drain`` takes the sums of ``row``.
    """

    flags = ("enable", "clear", "drain")

    def plan(self, m: Module, steps: Steps, time: Value, works: Value) -> tuple[dict[str, Value], Value, Value]:
        array = self.array
        beats, finished, row = (Signal.like(time, name=name) for name in ("beats", "finished", "row"))
        m.d.comb += [
            beats.eq(steps.k_size * array.pe.tile.cycles),
            finished.eq(beats + array.rows + array.cols + array.pe.latency_cycles - 3),
            row.eq(time - finished),
            self.activation_address.eq(time),
        ]
        drain = (time >= finished) & (row < steps.m_size)
        control = {"enable": time < beats, "clear": steps.first & ~time.any(), "drain": drain, "row": row}
        return control, drain, time == Mux(steps.last, finished + array.rows, beats) - 1


class OutputStationaryArray(PEArray):
    """Weights move along the columns, a PE a cycle; ports as for every `PEArray`."""

    sequencer = OutputStationarySequencer
    chained = False

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, control, bits = self.array, self.control, self.array.sum_bits
        moving = [
            delayed(m, f"into_row_{row}", (control.enable, control.clear, self.into_row(row)), row)
            for row in range(array.rows)
        ]
        weights = [
            delayed(m, f"into_column_{column}", (self.into_column(column),), column) for column in range(array.cols)
        ]
        sums: list[list[Value]] = [[] for _ in range(array.cols)]
        for row, column in np.ndindex(array.rows, array.cols):
            core = self.place(m, row, column, *moving[row], *weights[column])
            moving[row] = delayed(m, f"right_{row}_{column}", moving[row], 1)
            weights[column] = delayed(m, f"down_{row}_{column}", weights[column], 1)
            sums[column].append(ports(core, array.pe.outputs))
        m.d.comb += [
            self.sums.eq(Cat((Cat(column) >> control.row * bits)[:bits] for column in sums)),
            self.valid.eq(control.drain),
            self.half.eq(control.half),
        ]
        return m
