"""Counting of leading zeros."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["LeadingZeros"]


class LeadingZeros(wiring.Component):
    """The number of zeros above the highest one, by halving; combinational.

    Ports
    -----
    value : In(width)
    count : Out(range(width))
        Without meaning if ``value`` is zero.
    """

    def __init__(self, *, width: int) -> None:
        super().__init__({"value": In(width), "count": Out(range(width))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        levels = len(self.count)
        remaining = Cat(Const(0, (1 << levels) - len(self.value)), self.value)
        for level in reversed(range(levels)):
            half = 1 << level
            upper_is_zero = ~remaining[half:].any()
            halved = Signal(half, name=f"upper_{half}")
            m.d.comb += [
                self.count[level].eq(upper_is_zero),
                halved.eq(Mux(upper_is_zero, remaining[:half], remaining[half:])),
            ]
            remaining = halved
        return m
