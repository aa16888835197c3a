"""Products as fixed-point numbers."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Shape, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.pe.operand import Operand
from hwexplore.rtl.operand import OperandDecoder

__all__ = ["FixedMultiplier"]


class FixedMultiplier(wiring.Component):
    """The exact product of two finite operands, in units of the product of their smallest steps; combinational.

    Ports
    -----
    weight : In(weight.format.element_bits)
    activation : In(activation.format.element_bits)
    product : Out(signed or unsigned)
        As wide as products of finite numbers need; unsigned if neither operand has a sign.
    """

    def __init__(self, *, weight: Operand, activation: Operand) -> None:
        self.operands = weight, activation
        width = sum(operand.width + operand.shifts for operand in self.operands)
        signed = weight.format.signed or activation.format.signed
        sign_bit = signed and not (weight.signed or activation.signed)
        super().__init__(
            {
                "weight": In(weight.format.element_bits),
                "activation": In(activation.format.element_bits),
                "product": Out(Shape(width + sign_bit, signed=signed)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.weight_decoder = weight = OperandDecoder(operand=self.operands[0])
        m.submodules.activation_decoder = activation = OperandDecoder(operand=self.operands[1])
        m.d.comb += [weight.code.eq(self.weight), activation.code.eq(self.activation)]
        significand = self.multiply(weight.significand, activation.significand)
        if not any(operand.is_float for operand in self.operands):
            m.d.comb += self.product.eq(significand)
            return m
        shifted = Signal.like(self.product)
        m.d.comb += [
            shifted.eq(significand << (weight.shift + activation.shift)),
            self.product.eq(Mux(weight.negative ^ activation.negative, -shifted, shifted)),
        ]
        return m

    def multiply(self, weight: Value, activation: Value) -> Value:
        """The product of the significands."""
        return weight * activation
