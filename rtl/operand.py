"""Decoding of operand codes into significand, sign and shift."""

from __future__ import annotations

from amaranth.hdl import Cat, Const, Module, Shape, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.formats import Integer, Minifloat
from hwexplore.pe.operand import Operand

__all__ = ["OperandDecoder"]


class OperandDecoder(wiring.Component):
    """The number that a code stands for: ``significand * 2**shift``, negated if ``negative``, in steps of the operand.

    Codes of NaN and infinities give numbers without meaning.

    Ports
    -----
    code : In(operand.format.element_bits)
    significand : Out(operand.width)
        Two's complement if the operand is a signed integer, unless ``sign_magnitude``; unsigned otherwise.
    negative : Out(1)
        Absent (0 bits) where no sign stands apart.
    shift : Out(range(operand.shifts + 1))
        Absent for integers.
    """

    def __init__(self, *, operand: Operand, sign_magnitude: bool = False) -> None:
        self.operand = operand
        self.sign_magnitude = sign_magnitude
        sign_apart = operand.format.signed and (operand.is_float or sign_magnitude)
        super().__init__(
            {
                "code": In(operand.format.element_bits),
                "significand": Out(Shape(operand.width, signed=operand.signed and not sign_magnitude)),
                "negative": Out(int(sign_apart)),
                "shift": Out(range(operand.shifts + 1)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        format = self.operand.format
        if isinstance(format, Minifloat):
            mantissa = self.code[: format.mantissa_bits]
            exponent = self.code[format.mantissa_bits :][: format.exponent_bits]
            normal = exponent.any() if format.has_zero else Const(1)
            if not format.has_subnormals:
                mantissa &= normal.replicate(format.mantissa_bits)
            m.d.comb += [
                self.significand.eq(Cat(mantissa, normal)),
                self.shift.eq(exponent - normal if format.has_zero else exponent),
                self.negative.eq(self.code[-1]),
            ]
        else:
            value = _integer(format, self.code)
            m.d.comb += self.significand.eq(abs(value) if self.sign_magnitude else value)
            if self.sign_magnitude:
                m.d.comb += self.negative.eq(value < 0)
        return m


def _integer(format: Integer, code: Value) -> Value:
    if format.coding == "unsigned":
        return code
    if format.coding == "bipolar":
        return Cat(Const(1, 1), code[:-1], ~code[-1]).as_signed()
    return code.as_signed()
