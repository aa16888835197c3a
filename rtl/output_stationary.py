"""Output-stationary arrays: sums stay in the PEs, both operands move."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.rtl.core import build, delayed
from hwexplore.rtl.separate import Separate, core_name
from hwexplore.rtl.sequencer import Sequencer, control_layout
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


class OutputStationaryArray(wiring.Component):
    """``rows`` x ``cols`` PEs: activations move along the rows, weights along the columns, a PE a cycle.

    Ports
    -----
    activations : In
        A beat of all rows.
    weights : In
        A beat of all columns.
    control : In(control_layout)
    sums : Out
        What the PEs of a row show, column by column.
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
                "control": In(control_layout(array, OutputStationarySequencer.flags)),
                "sums": Out(array.cols * array.sum_bits),
                "valid": Out(1),
                "half": Out(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        array, control, bits = self.array, self.control, self.array.sum_bits
        of_row, of_column = (bits // count for bits, count in zip(array.beat_bits, (array.rows, array.cols), strict=True))
        moving = [
            delayed(m, f"into_row_{row}", (control.enable, control.clear, self.activations.word_select(row, of_row)), row)
            for row in range(array.rows)
        ]
        weights = [
            delayed(m, f"into_column_{column}", (self.weights.word_select(column, of_column),), column)
            for column in range(array.cols)
        ]
        sums: list[list[Value]] = [[] for _ in range(array.cols)]
        for row in range(array.rows):
            for column in range(array.cols):
                m.submodules[f"pe_{row}_{column}"] = core = Separate(build(array.pe), core_name(array.pe, False))
                place = f"{row}_{column}"
                enable, clear, activation = moving[row]
                m.d.comb += [
                    core.enable.eq(enable),
                    core.clear.eq(clear),
                    Cat(getattr(core, name) for name in array.activation_ports).eq(activation),
                    Cat(getattr(core, name) for name in array.weight_ports).eq(*weights[column]),
                ]
                moving[row] = delayed(m, f"right_{place}", moving[row], 1)
                weights[column] = delayed(m, f"down_{place}", weights[column], 1)
                sums[column].append(Cat(getattr(core, name) for name in array.pe.outputs))
        m.d.comb += [
            self.sums.eq(Cat((Cat(column) >> control.row * bits)[:bits] for column in sums)),
            self.valid.eq(control.drain),
            self.half.eq(control.half),
        ]
        return m
