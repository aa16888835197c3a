# amaranth: UnusedElaboratable=no
"""Vector units: sums into numbers of an output format, all columns at once."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.formats import Integer, Minifloat
from hwexplore.pe.operand import Operand
from hwexplore.pe.vector_unit import Requantizer, Rescaler, VectorUnit
from hwexplore.rtl.classifier import Classifier
from hwexplore.rtl.core import delayed
from hwexplore.rtl.floating_adder import FloatingAdder
from hwexplore.rtl.floating_multiplier import FloatingMultiplier
from hwexplore.rtl.verilog import module_name

__all__ = ["Lane", "RequantizerLane", "RescalerLane", "lane", "lane_name"]


class Lane(wiring.Component):
    """One sum into one number, in two clock edges; it takes a sum in every cycle.

    Ports
    -----
    sum : In(accumulator_bits)
    activation_sum : In(accumulator_bits)
        If the PE has one.
    parameters : In(layout)
        The fields of the unit's description.
    result : Out(output.element_bits)
    """

    unit: Any

    def __init__(self, unit: VectorUnit) -> None:
        self.unit = unit
        bits = unit.pe.accumulator_bits
        sums = ("sum", "activation_sum")[: len(unit.factors)]
        super().__init__(
            {
                **{name: In(bits) for name in sums},
                "parameters": In(data.StructLayout(unit.fields)),
                "result": Out(unit.output.element_bits),
            }
        )


def lane(unit: VectorUnit) -> Lane:
    """The hardware of ``unit`` for one sum."""
    return RequantizerLane(unit) if isinstance(unit, Requantizer) else RescalerLane(unit)


def lane_name(unit: VectorUnit) -> str:
    """The name of the Verilog module of `lane`, such as ``mac_int8_int8_acc_int32_to_int8``."""
    return f"{module_name(unit.pe)}_to_{module_name(unit.output)}"


class RequantizerLane(Lane):
    """Multiplies in the first cycle, shifts, rounds and clamps in the second."""

    unit: Requantizer

    def elaborate(self, platform: object) -> Module:
        m = Module()
        total = self.sum.as_signed() + self.parameters.bias.as_signed()
        for factor in self.unit.factors[1:]:
            total = total + self.activation_sum.as_signed() * factor
        product = total * self.parameters.multiplier
        twice = Signal(signed(len(product) + 1), reset_less=True)
        m.d.sync += twice.eq(product << 1)

        rest = (self.parameters[name] for name in ("shift", "zero_point", "low", "high"))
        shift, *limits = delayed(m, "parameters", list(rest), 1)
        zero_point, low, high = (limit.as_signed() if self.unit.output.signed else limit for limit in limits)
        shifted = Signal.like(twice)
        lost = (twice & ((Const(1, 1) << shift) - 1)).any()
        m.d.comb += shifted.eq(twice >> shift)
        rounded = (shifted >> 1) + (shifted[0] & (lost | shifted[1])) + zero_point
        number = Signal(rounded.shape())
        m.d.comb += number.eq(rounded)
        m.d.sync += self.result.eq(Mux(number < low, low, Mux(number > high, high, number)))
        return m


class RescalerLane(Lane):
    """Multiplies and adds in the first cycle, rounds to the output and clamps in the second."""

    unit: Rescaler

    def elaborate(self, platform: object) -> Module:
        m = Module()
        unit = self.unit
        accumulator = Operand(unit.accumulator)
        total = self.sum
        for factor in unit.factors[1:]:
            port = Operand(Integer(width=factor.bit_length() + 1))
            code = Const(factor, port.width)
            total = self._added(m, "activation_sum", total, port, code, self.activation_sum)
        scaled = self._added(m, "scale", self.parameters.bias, accumulator, self.parameters.scale, total)
        wide = Signal.like(scaled, reset_less=True)
        m.d.sync += wide.eq(scaled)

        low, high = delayed(m, "limits", (self.parameters.low, self.parameters.high), 1)
        one = Operand(Integer(width=1, coding="unsigned"))
        number = self._added(m, "output", Const(0, len(self.result)), one, Const(1, 1), wide, unit.output)
        m.submodules.classifier = special = Classifier(format=unit.output)
        m.d.comb += special.code.eq(number)
        below, above = (_key(number) < _key(low)) & ~special.nan, (_key(number) > _key(high)) & ~special.nan
        m.d.sync += self.result.eq(Mux(below, low, Mux(above, high, number)))
        return m

    def _added(
        self,
        m: Module,
        name: str,
        addend: Value,
        factor: Operand,
        code: Value,
        number: Value,
        format: Minifloat | None = None,
    ) -> Value:
        """``addend + code * number``, the code that of a ``factor``, in the accumulator's format or in ``format``."""
        accumulator = Operand(self.unit.accumulator)
        m.submodules[f"{name}_multiplier"] = multiplier = FloatingMultiplier(weight=factor, activation=accumulator)
        m.submodules[f"{name}_adder"] = adder = FloatingAdder(
            format=format or self.unit.accumulator,
            term=multiplier.product.shape(),
            exponent=factor.step_exponent + accumulator.step_exponent,
        )
        m.d.comb += [
            multiplier.weight.eq(code),
            multiplier.activation.eq(number),
            adder.addend.eq(addend),
            adder.term.eq(multiplier.product),
        ]
        return adder.sum


def _key(code: Value) -> Value:
    """A number that orders codes as the values they stand for."""
    return Mux(code[-1], -code[:-1], code[:-1])
