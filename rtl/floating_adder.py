"""Floating-point addition of a product, rounded once."""

from __future__ import annotations

import numpy as np
from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.formats import Minifloat
from hwexplore.pe.operand import Operand
from hwexplore.rtl.classifier import Classifier
from hwexplore.rtl.leading_zeros import LeadingZeros
from hwexplore.rtl.operand import OperandDecoder
from hwexplore.rtl.sticky_shifter import StickyShifter

__all__ = ["FloatingAdder"]


class FloatingAdder(wiring.Component):
    """``addend + term`` in ``format``, rounded to nearest even; combinational.

    Zeros, infinities and NaN follow IEEE 754, with one code for NaN: that of ``format.encode(nan)``. Overflow follows
    the format. A format without NaN gives no meaningful sum for terms that are NaN.

    ``term`` is laid out as the product of `FloatingMultiplier`, in units of ``2**exponent``. It need not be normalised:
    the significands are added in a window wide enough for both, so that no bit that the rounding looks at is lost.

    Ports
    -----
    addend : In(format.element_bits)
    term : In(term)
    sum : Out(format.element_bits)
    """

    def __init__(self, *, format: Minifloat, term: data.StructLayout, exponent: int) -> None:
        self.format = format
        self.exponent = exponent
        super().__init__({"addend": In(format.element_bits), "term": In(term), "sum": Out(format.element_bits)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        format, term = self.format, self.term
        m.submodules.decoder = addend = OperandDecoder(operand=Operand(format))
        m.d.comb += addend.code.eq(self.addend)

        # Exponents of the bit above each significand, counted from that of the smallest normal number.
        offset = self.exponent + len(term.significand) - (format.min_exponent + 1)
        term_top = _signal(m, "term_top", term.shift + offset)
        difference = _signal(m, "difference", term_top - addend.shift)
        term_is_large = _signal(m, "term_is_large", (difference > 0) & term.significand.any())

        width = len(term.significand) + format.mantissa_bits + 3
        aligned_term, aligned_addend = (
            Cat(Const(0, width - len(value) + 1), value) for value in (term.significand, addend.significand)
        )
        m.submodules.align = align = StickyShifter(width=width + 1, amount_width=len(difference))
        m.d.comb += [
            align.value.eq(Mux(term_is_large, aligned_addend, aligned_term)),
            align.amount.eq(Mux(term_is_large, difference, -difference)),
        ]
        large = Mux(term_is_large, aligned_term, aligned_addend)
        subtract = addend.negative ^ term.negative
        total = _signal(m, "total", Mux(subtract, large - align.result, large + align.result))
        magnitude = _signal(m, "magnitude", abs(total))[: width + 2]
        zero = ~total.any()
        sign_of_large = Mux(term_is_large, term.negative, addend.negative)
        negative = Mux(zero, addend.negative & term.negative, sign_of_large ^ (total < 0))

        # A one at the place of the smallest normal number stops the normalisation there.
        top = _signal(m, "top", Mux(term_is_large, term_top, addend.shift).as_unsigned() + 1)
        stop = Const(1 << width + 1, width + 2) >> top
        m.submodules.leading_zeros = zeros = LeadingZeros(width=width + 2)
        m.d.comb += zeros.value.eq(magnitude | stop)
        normalised = _signal(m, "normalised", (magnitude << zeros.count)[: width + 2])
        field = _signal(m, "field", Mux(zero, 0, top - zeros.count)[: len(top)])
        rounded = _signal(m, "rounded", self._round(normalised, field))

        m.submodules.classifier = special = Classifier(format=format)
        m.d.comb += special.code.eq(self.addend)
        self._pack(m, rounded, negative, special)
        return m

    def _round(self, normalised: Value, field: Value) -> Value:
        """Exponent and mantissa, to nearest even; a carry out of the mantissa counts the exponent up."""
        bits = self.format.mantissa_bits
        mantissa, guard, rest = normalised[-bits - 1 :], normalised[-bits - 2], normalised[: -bits - 2].any()
        rounded = (field << bits) + mantissa + (guard & (rest | mantissa[0]))
        if self.format.has_subnormals:
            return rounded
        up = normalised[-2] & normalised[:-2].any()
        return Mux(normalised[-1], rounded, up << bits)

    def _pack(self, m: Module, rounded: Value, negative: Value, addend: Classifier) -> None:
        """Overflow, infinities and NaN."""
        format, term = self.format, self.term
        largest, infinity = (int(format.encode(np.array(value))) for value in (format.max, np.inf))
        infinite = term.inf | addend.inf
        sign_of_inf = Mux(term.inf, term.negative, self.addend[-1])
        over = _signal(m, "over", infinite | (rounded > largest))
        code = _signal(m, "code", Mux(over, infinity, rounded)[: format.element_bits - 1])
        sign = Mux(infinite, sign_of_inf, negative)
        m.d.comb += self.sum.eq(Cat(code, sign if format.has_negative_zero else sign & code.any()))
        if format.has_nan:
            nan = term.nan | addend.nan | (term.inf & addend.inf & (term.negative ^ self.addend[-1]))
            if format.overflow == "infinity" and not format.has_inf:
                nan |= over
            with m.If(nan):
                m.d.comb += self.sum.eq(int(format.encode(np.array(np.nan))))


def _signal(m: Module, name: str, value: Value) -> Signal:
    """A named signal that carries ``value``."""
    signal = Signal(Shape.cast(value.shape()), name=name)
    m.d.comb += signal.eq(value)
    return signal
