"""Arrays of PEs: what those of all dataflows have in common."""

from __future__ import annotations

from collections.abc import Iterable
from typing import ClassVar

from amaranth.hdl import Cat, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.rtl.core import build
from hwexplore.rtl.separate import Separate, core_name
from hwexplore.rtl.sequencer import Sequencer, control_layout

__all__ = ["PEArray", "ports"]


class PEArray(wiring.Component):
    """``rows`` x ``cols`` PEs, through which activations move along the rows, a PE a cycle.

    Ports
    -----
    activations : In
        A beat of all rows, the first lowest.
    weights : In
        A beat of all columns.
    control : In(control_layout(array, sequencer.flags))
        From the sequencer, in the cycle of the operands.
    sums : Out
        What the PEs of a row show, column by column.
    valid : Out(1)
        These sums are complete.
    half : Out(1)
        In which half of the memory the parameters for them are.
    """

    sequencer: ClassVar[type[Sequencer]]
    chained: ClassVar[bool]

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        activations, weights = array.beat_bits
        super().__init__(
            {
                "activations": In(activations),
                "weights": In(weights),
                "control": In(control_layout(array, self.sequencer.flags)),
                "sums": Out(array.cols * array.sum_bits),
                "valid": Out(1),
                "half": Out(1),
            }
        )

    def into_row(self, row: int) -> Value:
        """The activations for a row."""
        return self.activations.word_select(row, len(self.activations) // self.array.rows)

    def into_column(self, column: int) -> Value:
        """The weights for a column."""
        return self.weights.word_select(column, len(self.weights) // self.array.cols)

    def place(
        self, m: Module, row: int, column: int, enable: Value, clear: Value, activation: Value, weight: Value
    ) -> Separate:
        """A PE at its place, with these inputs."""
        m.submodules[f"pe_{row}_{column}"] = core = Separate(
            build(self.array.pe, self.chained), core_name(self.array.pe, self.chained)
        )
        m.d.comb += [
            core.enable.eq(enable),
            core.clear.eq(clear),
            ports(core, self.array.activation_ports).eq(activation),
            ports(core, self.array.weight_ports).eq(weight),
        ]
        return core


def ports(core: Separate, names: Iterable[str]) -> Value:
    """Ports side by side, the first lowest."""
    return Cat(getattr(core, name) for name in names)
