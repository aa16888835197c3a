"""Family ``mac``: one multiplier and one accumulator."""

from __future__ import annotations

from amaranth.hdl import Module, Mux, Signal

from hwexplore.pe import Mac
from hwexplore.rtl.core import Core
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

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.multiplier, m.submodules.adder = multiplier, adder = self._parts()
        m.d.comb += [multiplier.weight.eq(self.weight), multiplier.activation.eq(self.activation)]

        product, enable, clear = multiplier.product, self.enable, self.clear
        for stage in range(1, self.pe.stages):
            cut = (
                Signal(multiplier.product.shape(), name=f"product_{stage}", reset_less=True),
                Signal(name=f"enable_{stage}"),
                Signal(name=f"clear_{stage}", reset_less=True),
            )
            m.d.sync += [register.eq(value) for register, value in zip(cut, (product, enable, clear), strict=True)]
            product, enable, clear = cut

        m.d.comb += [
            adder.term.eq(product),
            adder.addend.eq(Mux(clear, 0, self.accumulator)),
        ]
        with m.If(enable):
            m.d.sync += self.accumulator.eq(adder.sum)
        return m

    def _parts(self) -> tuple[FixedMultiplier, FixedAdder] | tuple[FloatingMultiplier, FloatingAdder]:
        weight, activation, accumulator = self.pe.weight_port, self.pe.activation_port, self.pe.accumulator
        if accumulator.format is None:
            fixed = FixedMultiplier(weight=weight, activation=activation)
            width, saturate = self.pe.accumulator_bits, accumulator.kind == "saturate"
            return fixed, FixedAdder(width=width, term=fixed.product.shape(), saturate=saturate)
        floating = FloatingMultiplier(weight=weight, activation=activation)
        exponent = weight.step_exponent + activation.step_exponent
        return floating, FloatingAdder(format=accumulator.format, term=floating.product.shape(), exponent=exponent)
