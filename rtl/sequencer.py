"""What an array does in each cycle of a step."""

from __future__ import annotations

from abc import abstractmethod
from typing import ClassVar

from amaranth.hdl import Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SIZE_BITS, SystolicArray
from hwexplore.rtl.steps import Steps

__all__ = ["Sequencer", "control_layout"]


def control_layout(array: SystolicArray, flags: tuple[str, ...]) -> data.StructLayout:
    """What an array is told in each cycle: ``flags``, a ``row``, and in which ``half`` the parameters are."""
    return data.StructLayout({**dict.fromkeys((*flags, "half"), 1), "row": range(array.rows)})


class Sequencer(wiring.Component):
    """Has the array work through the steps of a product as their operands come.

    Ports
    -----
    m, n, k : In(16)
    start : In(1)
    full : In(2)
        Which halves of the operand memories hold the operands of a step.
    room : In(1)
        There is room for one more row of results.
    running : Out(1)
    half : Out(1)
        The half that the array works from.
    release : Out(1)
        It is done with it.
    weight_address, activation_address : Out
        Of beats within the half.
    control : Out(control_layout(array, flags))
        For what is read there, a cycle later.
    begins : Out(1)
        A row of results is on its way.
    """

    flags: ClassVar[tuple[str, ...]]

    def __init__(self, array: SystolicArray) -> None:
        self.array = array
        weights, activations = array.half_beats
        super().__init__(
            {
                **{name: In(SIZE_BITS) for name in "mnk"},
                **{name: In(1) for name in ("start", "room")},
                "full": In(2),
                **{name: Out(1) for name in ("running", "half", "release", "begins")},
                "weight_address": Out(range(weights or 1)),
                "activation_address": Out(range(activations)),
                "control": Out(control_layout(array, self.flags)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.steps = steps = Steps(self.array)
        m.d.comb += [getattr(steps, name).eq(getattr(self, name)) for name in ("m", "n", "k", "start")]
        m.d.comb += [steps.advance.eq(self.release), self.running.eq(steps.running)]

        time, works = Signal(range(self.longest_step)), Signal()
        control, gives, ends = self.plan(m, steps, time, works)
        m.d.comb += [
            works.eq(steps.running & (self.full >> self.half)[0] & (self.room | ~gives)),
            self.begins.eq(works & gives),
            self.release.eq(works & ends),
        ]
        m.d.sync += self.control.eq(0)
        with m.If(works):
            m.d.sync += [self.control[name].eq(value) for name, value in {**control, "half": self.half}.items()]
            m.d.sync += time.eq(Mux(ends, 0, time + 1))
        with m.If(self.release):
            m.d.sync += self.half.eq(~self.half)
        return m

    @property
    def longest_step(self) -> int:
        """Cycles that no step takes."""
        array = self.array
        return sum(array.half_beats) + array.rows * (array.pe.tile.cycles + 1) + array.cols + array.pe.latency_cycles

    @abstractmethod
    def plan(self, m: Module, steps: Steps, time: Value, works: Value) -> tuple[dict[str, Value], Value, Value]:
        """Drive the addresses for the cycle ``time`` of a step, in which the array ``works`` or waits.

        Returns the control but for ``half``, whether a row of results begins in this cycle, and whether the step ends.
        """
