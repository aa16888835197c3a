"""Family ``mac``: one multiplier and one accumulator."""

from __future__ import annotations

from typing import ClassVar

from amaranth.hdl import Module, Mux

from hwexplore.pe import Mac
from hwexplore.rtl.core import Core, delayed
from hwexplore.rtl.fixed_adder import FixedAdder
from hwexplore.rtl.fixed_multiplier import FixedMultiplier
from hwexplore.rtl.floating_adder import FloatingAdder
from hwexplore.rtl.floating_multiplier import FloatingMultiplier

__all__ = ["MacCore"]


class MacCore(Core):
    """A multiply-accumulate unit; ports as for every `Core`.

    Of ``pe.stages`` pipeline stages, the last is the accumulator; the registers of the others follow the multiplier,
    from where synthesis may retime them into it.
    """

    pe: Mac
    multipliers: ClassVar[tuple[type[FixedMultiplier], type[FloatingMultiplier]]] = FixedMultiplier, FloatingMultiplier

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiplier, m.submodules.adder = multiplier, adder = self._parts()
        m.d.comb += [multiplier.weight.eq(self.weight), multiplier.activation.eq(self.activation)]

        cuts = self.pe.stages - 1
        enable, product, clear = delayed(m, "cut", (self.enable, multiplier.product, self.clear), cuts)
        m.d.comb += [
            adder.term.eq(product),
            adder.addend.eq(Mux(clear, self.start("accumulator"), self.accumulator)),
        ]
        with m.If(enable):
            m.d.sync += self.accumulator.eq(adder.sum)
        return m

    def _parts(self) -> tuple[FixedMultiplier, FixedAdder] | tuple[FloatingMultiplier, FloatingAdder]:
        fixed_multiplier, floating_multiplier = self.multipliers
        weight, activation, accumulator = self.pe.weight_port, self.pe.activation_port, self.pe.accumulator
        if accumulator.format is None:
            fixed = fixed_multiplier(weight=weight, activation=activation)
            width, saturate = self.pe.accumulator_bits, accumulator.kind == "saturate"
            return fixed, FixedAdder(width=width, term=fixed.product.shape(), saturate=saturate)
        floating = floating_multiplier(weight=weight, activation=activation)
        exponent = weight.step_exponent + activation.step_exponent
        return floating, FloatingAdder(format=accumulator.format, term=floating.product.shape(), exponent=exponent)
