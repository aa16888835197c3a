"""Family ``shift_add``: low-bit weights times activations by shift and add, dequantized once per group."""

from __future__ import annotations

from dataclasses import replace
from typing import cast

from amaranth.hdl import Const, Module, Mux, Signal, Value

from hwexplore.formats import Integer
from hwexplore.pe import Mac, ShiftAdd
from hwexplore.pe.operand import Operand
from hwexplore.rtl.core import Core, delayed
from hwexplore.rtl.floating_adder import FloatingAdder
from hwexplore.rtl.floating_multiplier import FloatingMultiplier
from hwexplore.rtl.mac import MacCore
from hwexplore.rtl.shift_add_multiplier import FixedShiftAddMultiplier, FloatingShiftAddMultiplier

__all__ = ["ShiftAddCore"]


class GroupSum(MacCore):
    """A multiply-accumulate unit whose products are formed by shift and add."""

    multipliers = FixedShiftAddMultiplier, FloatingShiftAddMultiplier


class ShiftAddCore(Core):
    """Sums of groups, dequantized as they are complete; ports as for every `Core`.

    The first of ``pe.stages`` pipeline stages forms the group sums, the last is the accumulator; the registers of the
    others follow the multiplication by the scale, from where synthesis may retime them into it. What follows the group
    sum sees zero unless one is complete.
    """

    pe: ShiftAdd

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self.pe

        first, last = self.position(m)
        ends = self.enable & last
        group_clears = Signal()
        """The group under way starts a new sum."""
        with m.If(self.enable & first):
            m.d.sync += group_clears.eq(self.clear)
        complete = Signal()
        clear = Signal(reset_less=True)
        scale = Signal.like(self.scale, reset_less=True)
        m.d.sync += complete.eq(ends)
        with m.If(ends):
            m.d.sync += [scale.eq(self.scale), clear.eq(Mux(first, self.clear, group_clears))]

        recoded = replace(pe.group_sum, weight_port=pe.recoded_weight)
        total: Value = Mux(complete, self._sum(m, "group_sum", recoded, self.weight, first), 0)
        if pe.weight.zero_point:
            zero_point = Signal.like(self.zero_point, reset_less=True)
            with m.If(ends):
                m.d.sync += zero_point.eq(self.zero_point)
            activations = self._sum(m, "activation_sum", pe.activation_sum, Const(1), first)
            total = self._less(m, total, zero_point, Mux(complete, activations, 0))

        m.submodules.multiplier = multiplier = FloatingMultiplier(weight=pe.scale_port, activation=pe.group_sum_port)
        m.d.comb += [multiplier.weight.eq(scale), multiplier.activation.eq(total)]
        complete, clear, scaled = delayed(m, "scaled", (complete, clear, multiplier.product), pe.stages - 2)

        assert pe.accumulator.format is not None
        exponent = pe.scale_port.step_exponent + pe.group_sum_exponent
        m.submodules.adder = adder = FloatingAdder(
            format=pe.accumulator.format, term=multiplier.product.shape(), exponent=exponent
        )
        m.d.comb += [adder.term.eq(scaled), adder.addend.eq(Mux(clear, self.start("accumulator"), self.accumulator))]
        with m.If(complete):
            m.d.sync += self.accumulator.eq(adder.sum)
        return m

    def _sum(self, m: Module, name: str, mac: Mac, weight: Value, clear: Value) -> Value:
        """What holds the sum of a group."""
        m.submodules[name] = group_sum = GroupSum(mac)
        m.d.comb += [
            group_sum.weight.eq(weight),
            group_sum.activation.eq(self.activation),
            group_sum.enable.eq(self.enable),
            group_sum.clear.eq(clear),
        ]
        return cast(Value, group_sum.accumulator)

    def _less(self, m: Module, total: Value, zero_point: Value, activations: Value) -> Value:
        """``total - zero_point * activations``."""
        port = Operand(Integer(width=len(zero_point), coding="unsigned"))
        format = self.pe.group_sum.accumulator.format
        if format is None:
            fixed = FixedShiftAddMultiplier(weight=port, activation=Operand(Integer(width=len(activations))))
            m.submodules.correction = fixed
            m.d.comb += [fixed.weight.eq(zero_point), fixed.activation.eq(activations)]
            return (total - fixed.product)[: len(total)]
        multiplier = FloatingShiftAddMultiplier(weight=port, activation=Operand(format))
        layout = multiplier.product.shape()
        adder = FloatingAdder(format=format, term=layout, exponent=Operand(format).step_exponent)
        m.submodules.correction, m.submodules.subtraction = multiplier, adder
        m.d.comb += [
            multiplier.weight.eq(zero_point),
            multiplier.activation.eq(activations),
            adder.addend.eq(total),
            adder.term.eq(multiplier.product),
            adder.term.negative.eq(~multiplier.product.negative),
        ]
        return adder.sum
