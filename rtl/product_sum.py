"""Sums of aligned products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial, reduce
from operator import add, or_

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.pe import Dot
from hwexplore.rtl.fixed_multiplier import FixedMultiplier
from hwexplore.rtl.floating_multiplier import FloatingMultiplier

__all__ = ["ProductSum"]


class ProductSum(wiring.Component):
    """The sum of ``lanes`` products, exact or aligned in the window of ``pe``; combinational.

    Ports
    -----
    weight : In(lanes * pe.weight.element_bits)
    activation : In(lanes * pe.activation.element_bits)
    sum : Out(layout)
        ``value * 2**shift`` in steps, in the aligned case in units of ``2**-pe.places`` steps; ``positive`` and
        ``negative`` tell of infinite products, ``nan`` of NaN, which override it.
    """

    def __init__(self, *, pe: Dot, lanes: int) -> None:
        self.pe = pe
        self.lanes = lanes
        carries = (lanes - 1).bit_length()
        layout = data.StructLayout(
            {
                "value": signed(pe.sum_window + carries),
                "shift": range(pe.exact_window - pe.product_bits if pe.is_aligned else 1),
                "nan": 1,
                "positive": 1,
                "negative": 1,
            }
        )
        super().__init__(
            {
                "weight": In(lanes * pe.weight.element_bits),
                "activation": In(lanes * pe.activation.element_bits),
                "sum": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self.pe
        kind = FloatingMultiplier if pe.is_float else FixedMultiplier
        products = []
        for lane in range(self.lanes):
            multiplier = kind(weight=pe.weight_port, activation=pe.activation_port)
            m.submodules[f"multiplier_{lane}"] = multiplier
            m.d.comb += [
                multiplier.weight.eq(self.weight.word_select(lane, len(multiplier.weight))),
                multiplier.activation.eq(self.activation.word_select(lane, len(multiplier.activation))),
            ]
            products.append(multiplier.product)
        if not pe.is_float:
            m.d.comb += self.sum.value.eq(_tree(add, products))
            return m
        m.d.comb += [
            self.sum.nan.eq(reduce(or_, (product.nan for product in products))),
            self.sum.positive.eq(reduce(or_, (product.inf & ~product.negative for product in products))),
            self.sum.negative.eq(reduce(or_, (product.inf & product.negative for product in products))),
        ]
        numbers = [Mux(product.negative, -product.significand, product.significand) for product in products]
        shifts = [product.shift for product in products]
        if not pe.is_aligned:
            terms = [number << shift for number, shift in zip(numbers, shifts, strict=True)]
        else:
            top = Signal.like(self.sum.shift)
            m.d.comb += [
                top.eq(_tree(partial(_larger, m), [Mux(p.significand.any(), p.shift, 0) for p in products])),
                self.sum.shift.eq(top),
            ]
            terms = [self._aligned(m, *product, top) for product in zip(numbers, shifts, strict=True)]
        m.d.comb += self.sum.value.eq(_tree(add, terms))
        return m

    def _aligned(self, m: Module, number: Value, shift: Value, top: Value) -> Value:
        """``number`` with its lowest bits floored, so far below the ``top`` of the window as its shift is."""
        places = self.pe.places
        below = Signal(len(top))
        aligned = Signal(signed(self.pe.sum_window))
        m.d.comb += below.eq(top - shift)
        raised = number << places if places > 0 else number >> -places
        m.d.comb += aligned.eq(raised >> below)
        return aligned


def _tree(combine: Callable[[Value, Value], Value], values: Sequence[Value]) -> Value:
    """``values`` combined in pairs, and so on."""
    while len(values) > 1:
        odd = values[len(values) & ~1 :]
        values = [*map(combine, values[::2], values[1::2]), *odd]
    return values[0]


def _larger(m: Module, a: Value, b: Value) -> Value:
    larger = Signal(max(len(a), len(b)))
    m.d.comb += larger.eq(Mux(a > b, a, b))
    return larger
