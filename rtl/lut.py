"""Family ``lut``: dot products looked up in tables of sums of activations."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

from amaranth.hdl import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data

from hwexplore.formats import Minifloat
from hwexplore.pe import Lut
from hwexplore.pe.operand import Operand
from hwexplore.rtl.core import Core, delayed
from hwexplore.rtl.fixed_adder import FixedAdder
from hwexplore.rtl.floating_adder import FloatingAdder
from hwexplore.rtl.lookup import FixedLookup, FloatingLookup
from hwexplore.rtl.table import Table, table_layout

__all__ = ["LutCore"]


class LutCore(Core):
    """A LUT tensor core; ports as for every `Core`.

    Registers that cut the logic of the tables stand behind it, from where synthesis may retime them.
    """

    pe: Lut

    def elaborate(self, platform: object) -> Module:
        m = Module()
        pe = self.pe
        place = self._place(m)
        taken = self.enable, self.clear, place, self.weight
        enable, clear, taken_place, weight = delayed(m, "taken", taken, pe.table_stages)
        first = enable & ~taken_place.any()
        for row in range(pe.m):
            m.submodules[f"table_{row}"] = table = Table(pe=pe)
            m.d.comb += table.activations.eq(self.activation.word_select(row, pe.k * pe.activation.element_bits))
            load, made = delayed(m, f"made_{row}", (self.enable & ~place.any(), table.table), pe.table_stages - 1)
            held = Signal(table_layout(pe), name=f"held_{row}", reset_less=True)
            with m.If(load):
                m.d.sync += held.eq(made)
            for column in range(pe.n):
                index = row * pe.n + column
                planes = [weight.word_select(column * pe.bits + plane, pe.k) for plane in range(pe.bits)]
                terms = self._terms(m, f"sum_{index}", held, planes, taken_place)
                self._accumulate(m, f"sum_{index}", "accumulator", index, (enable, clear, *terms))
            if pe.offset is not None:
                all_positive = [Const(-1, pe.k)]
                terms = self._terms(m, f"activation_sum_{row}", held, all_positive, Const(0, 1))
                self._accumulate(m, f"activation_sum_{row}", "activation_sum", row, (first, clear, *terms))
        return m

    def _place(self, m: Module) -> Value:
        """The number of this cycle's first plane."""
        planes, bits = self.pe.planes, self.pe.bits
        counter, place = (Signal(range(planes - bits + 1), name=name) for name in ("next_place", "place"))
        m.d.comb += place.eq(Mux(self.clear, 0, counter))
        with m.If(self.enable):
            m.d.sync += counter.eq(Mux(place == planes - bits, 0, place + bits))
        return place

    def _terms(
        self, m: Module, name: str, table: data.View[data.StructLayout], planes: Sequence[Value], place: Value
    ) -> list[Value]:
        """What ``planes``, the first of them at ``place``, look up in ``table``; one sum of it in fixed point."""
        is_fixed = self.pe.accumulator.format is None
        terms = []
        for plane, weight in enumerate(planes):
            lookup = FixedLookup(pe=self.pe) if is_fixed else FloatingLookup(pe=self.pe)
            m.submodules[f"{name}_lookup_{plane}"] = lookup
            m.d.comb += [lookup.table.eq(table), lookup.weight.eq(weight), lookup.place.eq(place + plane)]
            terms.append(lookup.term)
        return [reduce(_with_carries, terms)] if is_fixed else terms

    def _accumulate(self, m: Module, name: str, output: str, index: int, taken: Sequence[Value]) -> None:
        """Add to the accumulator of this ``index``; ``taken`` are enable, clear, and the terms."""
        pe = self.pe
        enable, clear, *terms = delayed(m, name, taken, pe.lookup_stages)
        start, accumulator = (
            codes.word_select(index, pe.accumulator_bits) for codes in (self.start(output), getattr(self, output))
        )
        total = Mux(clear, start, accumulator)
        for plane, term in enumerate(terms):
            m.submodules[f"{name}_adder_{plane}"] = adder = self._adder(term)
            m.d.comb += adder.term.eq(term)
            if isinstance(adder, FixedAdder):
                m.d.comb += adder.addend.eq(Cat(term[0], total))
                total = adder.sum[1:]
            else:
                m.d.comb += adder.addend.eq(total)
                total = adder.sum
        with m.If(enable):
            m.d.sync += accumulator.eq(total)

    def _adder(self, term: Value) -> FixedAdder | FloatingAdder:
        pe = self.pe
        if pe.accumulator.format is None:
            return FixedAdder(width=pe.accumulator_bits + 1, term=term.shape(), saturate=False)
        unit = Operand(pe.table) if isinstance(pe.table, Minifloat) else pe.activation_port
        return FloatingAdder(format=pe.accumulator.format, term=term.shape(), exponent=unit.step_exponent)


def _with_carries(a: Value, b: Value) -> Value:
    """The sum of two terms that count ``(term >> 1) + term[0]``, as such a term."""
    return Cat(a[0], (Cat(b[0], a[1:]).as_signed() + b)[1:]).as_signed()
