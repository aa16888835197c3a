"""Products as floating-point numbers that need no rounding."""

from __future__ import annotations

from amaranth.hdl import Module, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.pe.operand import Operand
from hwexplore.rtl.classifier import Classifier
from hwexplore.rtl.operand import OperandDecoder

__all__ = ["FloatingMultiplier"]


class FloatingMultiplier(wiring.Component):
    """The exact product of two operands, not normalised; combinational.

    Ports
    -----
    weight : In(weight.format.element_bits)
    activation : In(activation.format.element_bits)
    product : Out(layout)
        ``significand * 2**shift`` in units of the product of the operands' smallest steps, with the ``negative`` sign
        that IEEE 754 gives to zeros too; ``nan`` and ``inf`` override it.
    """

    def __init__(self, *, weight: Operand, activation: Operand) -> None:
        self.operands = weight, activation
        layout = data.StructLayout(
            {
                "negative": 1,
                "significand": weight.width + activation.width,
                "shift": range(weight.shifts + activation.shifts + 1),
                "nan": 1,
                "inf": 1,
            }
        )
        super().__init__(
            {
                "weight": In(weight.format.element_bits),
                "activation": In(activation.format.element_bits),
                "product": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        decoders, classifiers = [], []
        for name, operand in zip(("weight", "activation"), self.operands, strict=True):
            code = getattr(self, name)
            m.submodules[f"{name}_decoder"] = decoder = OperandDecoder(operand=operand, sign_magnitude=True)
            m.submodules[f"{name}_classifier"] = classifier = Classifier(format=operand.format)
            m.d.comb += [decoder.code.eq(code), classifier.code.eq(code)]
            decoders.append(decoder)
            classifiers.append(classifier)
        (weight, activation), (w_special, a_special) = decoders, classifiers
        zero_times_inf = (w_special.inf & ~activation.significand.any()) | (a_special.inf & ~weight.significand.any())
        m.d.comb += [
            self.product.negative.eq(weight.negative ^ activation.negative),
            self.product.significand.eq(self.multiply(weight.significand, activation.significand)),
            self.product.shift.eq(weight.shift + activation.shift),
            self.product.nan.eq(w_special.nan | a_special.nan | zero_times_inf),
            self.product.inf.eq(w_special.inf | a_special.inf),
        ]
        return m

    def multiply(self, weight: Value, activation: Value) -> Value:
        """The product of the significands."""
        return weight * activation
