"""Right shift that remembers whether it lost anything."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["StickyShifter"]


class StickyShifter(wiring.Component):
    """``value >> amount``, with every bit that is shifted out ORed into the lowest one; combinational.

    Ports
    -----
    value : In(width)
    amount : In(amount_width)
    result : Out(width)
    """

    def __init__(self, *, width: int, amount_width: int) -> None:
        super().__init__({"value": In(width), "amount": In(amount_width), "result": Out(width)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = self.value
        for level, bit in enumerate(self.amount):
            places = 1 << level
            shifted = Signal(len(value), name=f"shifted_{places}")
            m.d.comb += shifted.eq(Mux(bit, Cat(value[: places + 1].any(), value[places + 1 :]), value))
            value = shifted
        m.d.comb += self.result.eq(value)
        return m
