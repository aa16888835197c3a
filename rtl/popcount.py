"""Counting of ones."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["Popcount"]


class Popcount(wiring.Component):
    """The number of ones among ``width`` bits, by a tree of full adders; combinational.

    Ports
    -----
    bits : In(width)
    count : Out(range(width + 1))
    """

    def __init__(self, *, width: int) -> None:
        super().__init__({"bits": In(width), "count": Out(range(width + 1))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.d.comb += self.count.eq(_ones(self.bits))
        return m


def _ones(bits: Value) -> Value:
    """Two counts and one more bit, which is the carry into their sum: no bit of an adder is spent on padding."""
    if len(bits) < 3:
        return sum(bits[1:], bits[0])
    half = len(bits) // 2
    return _ones(bits[1 : half + 1]) + _ones(bits[half + 1 :]) + bits[0]
