"""Sums times the scales of their operands."""

from __future__ import annotations

from collections.abc import Mapping

from amaranth.hdl import Module
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.pe.operand import Operand
from hwexplore.rtl.classifier import Classifier
from hwexplore.rtl.operand import OperandDecoder

__all__ = ["Scaler"]


class Scaler(wiring.Component):
    """A sum times scales, exact and not normalised; combinational.

    Ports
    -----
    sum : In(layout)
        As `ProductSum` gives it; its magnitude has at most ``bits`` bits.
    one for each of scales : In(format.element_bits)
    term : Out(layout)
        As `FloatingAdder` takes it, in units of the sum's times those of the scales.
    """

    def __init__(self, *, sum: data.StructLayout, bits: int, scales: Mapping[str, Operand]) -> None:
        self.scales = scales
        largest_shift = 2 ** sum["shift"].width - 1
        for scale in scales.values():
            bits += scale.width * (scale.width > 1)
            largest_shift += scale.shifts
        term = {"negative": 1, "significand": bits, "shift": range(largest_shift + 1), "nan": 1, "inf": 1}
        super().__init__(
            {
                "sum": In(sum),
                **{name: In(scale.format.element_bits) for name, scale in scales.items()},
                "term": Out(data.StructLayout(term)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        value = self.sum.value
        infinite = self.sum.positive | self.sum.negative
        significand, shift = abs(value), self.sum.shift
        negative = self.sum.negative | ((value < 0) & ~self.sum.positive)
        nan = self.sum.nan | (self.sum.positive & self.sum.negative)
        zero = ~value.any() & ~infinite
        for name, operand in self.scales.items():
            code = getattr(self, name)
            m.submodules[f"{name}_decoder"] = scale = OperandDecoder(operand=operand, sign_magnitude=True)
            m.submodules[f"{name}_classifier"] = special = Classifier(format=operand.format)
            m.d.comb += [scale.code.eq(code), special.code.eq(code)]
            significand = significand * scale.significand
            shift = shift + scale.shift
            negative ^= scale.negative
            zero |= ~scale.significand.any() & ~special.inf
            nan |= special.nan
            infinite |= special.inf
        m.d.comb += [
            self.term.negative.eq(negative),
            self.term.significand.eq(significand),
            self.term.shift.eq(shift),
            self.term.nan.eq(nan | (infinite & zero)),
            self.term.inf.eq(infinite),
        ]
        return m
