"""The loops over the tiles of a product."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SIZE_BITS, SystolicArray

__all__ = ["Steps"]


class Steps(wiring.Component):
    """Walks the steps of a product: over k, then m, then n.

    Ports
    -----
    m, n, k : In(16)
        Tiles of the product, as long as it is ``running``.
    start : In(1)
        Begin with the first step in the next cycle.
    advance : In(1)
        Go on to the next step.
    running : Out(1)
    m_size, k_size : Out
        Tiles of this step.
    first, last : Out(1)
        Whether it is the first or the last along k.
    """

    def __init__(self, array: SystolicArray) -> None:
        self.limits = array.limits
        super().__init__(
            {
                **{name: In(SIZE_BITS) for name in "mnk"},
                **{name: In(1) for name in ("start", "advance")},
                **{f"{name}_size": Out(range(self.limits[name] + 1)) for name in "mk"},
                **{name: Out(1) for name in ("running", "first", "last")},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ends, left = {}, {}
        for name, limit in self.limits.items():
            left[name] = Signal(SIZE_BITS, name=f"{name}_left", reset_less=True)
            ends[name] = Signal(name=f"{name}_ends")
            m.d.comb += ends[name].eq(left[name] <= limit)
        m.d.comb += self.last.eq(ends["k"])
        for name in "mk":
            m.d.comb += getattr(self, f"{name}_size").eq(Mux(ends[name], left[name], self.limits[name]))

        with m.If(self.start):
            m.d.sync += [left[name].eq(getattr(self, name)) for name in "mnk"]
            m.d.sync += [self.running.eq(1), self.first.eq(1)]
        with m.Elif(self.advance):
            m.d.sync += [
                self.first.eq(ends["k"]),
                left["k"].eq(Mux(ends["k"], self.k, left["k"] - self.limits["k"])),
            ]
            with m.If(ends["k"]):
                m.d.sync += left["m"].eq(Mux(ends["m"], self.m, left["m"] - self.limits["m"]))
                with m.If(ends["m"]):
                    m.d.sync += left["n"].eq(left["n"] - self.limits["n"])
                    with m.If(ends["n"]):
                        m.d.sync += self.running.eq(0)
        return m
