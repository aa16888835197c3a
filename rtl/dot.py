"""Family ``dot``: k products at a time, aligned, added, scaled once per block."""

from __future__ import annotations

from typing import Any

from amaranth.hdl import Module, Mux, Signal, Value, signed
from amaranth.lib import data

from hwexplore.pe import Dot
from hwexplore.rtl.core import Core, delayed
from hwexplore.rtl.fixed_adder import FixedAdder
from hwexplore.rtl.floating_adder import FloatingAdder
from hwexplore.rtl.product_sum import ProductSum
from hwexplore.rtl.scaler import Scaler

__all__ = ["DotCore"]


class DotCore(Core):
    """A dot-product unit; ports as for every `Core`.

    Of ``pe.stages`` pipeline stages, the last is the accumulator's, and the one before it sums the cycles of a block
    and scales them; the registers of the others follow the sum of products, from where synthesis may retime them.
    """

    pe: Dot

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self.pe
        sums = [self._products(m, part) for part in range(pe.parts)]
        scales = [getattr(self, f"{name}_scale") for name in pe.scales]
        first, last = self.position(m)
        inputs = (self.enable, self.clear, first, last, *sums, *scales)
        enable, clear, first, last, *operands = delayed(m, "sum", inputs, max(pe.stages - 2, 0))
        sums, scales = operands[: pe.parts], operands[pe.parts :]
        if pe.tile.cycles > 1:
            clear, sums = self._over_block(m, enable, clear, first, sums[0])
        if pe.accumulator.format is not None:
            sums = [self._scaled(m, part, sum, scales) for part, sum in enumerate(sums)]
        enable, clear, *sums = delayed(m, "term", (enable & last, clear, *sums), min(pe.stages - 1, 1))

        total: Value = Mux(clear, self.start("accumulator"), self.accumulator)
        for part, sum in enumerate(sums):
            m.submodules[f"adder_{part}"] = adder = self._adder(sum)
            m.d.comb += [adder.addend.eq(total), adder.term.eq(sum if pe.accumulator.format is not None else sum.value)]
            total = adder.sum
        with m.If(enable):
            m.d.sync += self.accumulator.eq(total)
        return m

    def _products(self, m: Module, part: int) -> Any:
        """The sum of the products of one block, or of as much of it as there are lanes."""
        m.submodules[f"products_{part}"] = products = ProductSum(pe=self.pe, lanes=self.pe.lanes // self.pe.parts)
        m.d.comb += [
            products.weight.eq(self.weight.word_select(part, len(products.weight))),
            products.activation.eq(self.activation.word_select(part, len(products.activation))),
        ]
        return products.sum

    def _over_block(self, m: Module, enable: Value, clear: Value, first: Value, sum: Any) -> tuple[Value, list[Any]]:
        """Whether the block clears the accumulator, and the sum over its cycles so far, which is exact."""
        pe = self.pe
        layout = {
            **{name: field.shape for name, field in sum.shape()},
            "value": signed(pe.largest_sum.bit_length() + 1),
            "shift": range(1),
        }
        before = Signal(data.StructLayout(layout), name="block")
        so_far = Signal(data.StructLayout(layout), name="block_so_far")
        clears_before, clears = Signal(name="block_clears"), Signal(name="this_block_clears")
        m.d.comb += [
            clears.eq(Mux(first, clear, clears_before)),
            so_far.value.eq(Mux(first, 0, before.value) + ((sum.value << sum.shift) >> max(pe.places, 0))),
            *(so_far[flag].eq((before[flag] & ~first) | sum[flag]) for flag in ("nan", "positive", "negative")),
        ]
        with m.If(enable):
            m.d.sync += [before.eq(so_far), clears_before.eq(clears)]
        return clears, [so_far]

    def _scaled(self, m: Module, part: int, sum: Any, scales: list[Value]) -> Any:
        m.submodules[f"scaler_{part}"] = scaler = Scaler(sum=sum.shape(), bits=self.pe.sum_bits, scales=self.pe.scales)
        m.d.comb += scaler.sum.eq(sum)
        for (name, operand), codes in zip(self.pe.scales.items(), scales, strict=True):
            m.d.comb += getattr(scaler, name).eq(codes.word_select(part, operand.format.element_bits))
        return scaler.term

    def _adder(self, term: Any) -> FixedAdder | FloatingAdder:
        pe = self.pe
        if pe.accumulator.format is None:
            saturate = pe.accumulator.kind == "saturate"
            return FixedAdder(width=pe.accumulator_bits, term=term.value.shape(), saturate=saturate)
        exponents = [operand.step_exponent for operand in (pe.weight_port, pe.activation_port, *pe.scales.values())]
        places = min(pe.places, 0) if pe.tile.cycles > 1 else pe.places
        return FloatingAdder(format=pe.accumulator.format, term=term.shape(), exponent=sum(exponents) - places)
