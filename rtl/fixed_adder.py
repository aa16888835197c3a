"""Fixed-point addition."""

from __future__ import annotations

from amaranth.hdl import Module, Shape, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["FixedAdder"]


class FixedAdder(wiring.Component):
    """``addend + term`` in two's complement, which wraps or, if ``saturate``, clips; combinational.

    Ports
    -----
    addend : In(width)
    term : In(term)
    sum : Out(width)
    """

    def __init__(self, *, width: int, term: Shape, saturate: bool) -> None:
        self.saturate = saturate
        super().__init__({"addend": In(width), "term": In(term), "sum": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = self.addend.as_signed() + self.term
        if not self.saturate:
            m.d.comb += self.sum.eq(total)
            return m
        high = (1 << len(self.sum) - 1) - 1
        exact = Signal(signed(len(total)))
        m.d.comb += [exact.eq(total), self.sum.eq(exact)]
        with m.If(exact > high):
            m.d.comb += self.sum.eq(high)
        with m.Elif(exact < -high - 1):
            m.d.comb += self.sum.eq(-high - 1)
        return m
