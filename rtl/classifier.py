"""Detection of NaN and infinities."""

from __future__ import annotations

from amaranth.hdl import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.formats import Integer, Minifloat

__all__ = ["Classifier"]


class Classifier(wiring.Component):
    """Whether a code stands for NaN or an infinity.

    Ports
    -----
    code : In(format.element_bits)
    nan : Out(1)
    inf : Out(1)
    """

    def __init__(self, *, format: Integer | Minifloat) -> None:
        self.format = format
        super().__init__({"code": In(format.element_bits), "nan": Out(1), "inf": Out(1)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        format = self.format
        if not isinstance(format, Minifloat):
            return m
        mantissa = self.code[: format.mantissa_bits]
        exponent = self.code[format.mantissa_bits :][: format.exponent_bits]
        match format.special:
            case "ieee":
                m.d.comb += [
                    self.nan.eq(exponent.all() & mantissa.any()),
                    self.inf.eq(exponent.all() & ~mantissa.any()),
                ]
            case "fn":
                m.d.comb += self.nan.eq(exponent.all() & mantissa.all())
            case "fnuz":
                m.d.comb += self.nan.eq(self.code[-1] & ~exponent.any() & ~mantissa.any())
        return m
