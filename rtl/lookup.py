"""What bit planes of weights look up in a table."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.formats import Minifloat
from hwexplore.pe import Lut
from hwexplore.pe.operand import Operand
from hwexplore.rtl.classifier import Classifier
from hwexplore.rtl.operand import OperandDecoder
from hwexplore.rtl.table import table_layout

__all__ = ["FixedLookup", "FloatingLookup"]


class FixedLookup(wiring.Component):
    """The entry of a bit plane, with its sign and place, in fixed point; combinational.

    Ports
    -----
    table : In(table_layout(pe))
    weight : In(pe.k)
        The number of an entry and, above it, whether to add the entry.
    place : In(range(pe.planes))
        log2 of what a one in the plane counts.
    term : Out(signed)
        Counts ``(term >> 1) + term[0]``: to negate an entry takes a carry, which is left to the adder.
    """

    def __init__(self, *, pe: Lut) -> None:
        super().__init__(
            {
                "table": In(table_layout(pe)),
                "weight": In(pe.k),
                "place": In(range(pe.planes)),
                "term": Out(signed(pe.entry_bits + pe.max_scale + pe.planes)),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shifted = _looked_up(self.table, self.weight).as_signed()
        for level, bit in enumerate(self.table.scale + self.place):
            shifted = Mux(bit, shifted << (1 << level), shifted)
        subtract = ~self.weight[-1]
        placed = Signal(signed(len(self.term) - 1))
        m.d.comb += [
            placed.eq(shifted),
            self.term.eq(Cat(subtract, placed ^ subtract.replicate(len(placed)))),
        ]
        return m


class FloatingLookup(wiring.Component):
    """The entry of a bit plane, with its sign and place, in floating point; combinational.

    Ports
    -----
    table : In(table_layout(pe))
    weight : In(pe.k)
        The number of an entry and, above it, whether to add the entry.
    place : In(range(pe.planes))
        log2 of what a one in the plane counts.
    term : Out(layout)
        As the product of `FloatingMultiplier`, in units of the table's smallest step: for a table of integers, that of
        the activations.
    """

    def __init__(self, *, pe: Lut) -> None:
        self.pe = pe
        float_table = Operand(pe.table) if isinstance(pe.table, Minifloat) else None
        layout = data.StructLayout(
            {
                "negative": 1,
                "significand": float_table.width if float_table else pe.entry_bits - 1,
                "shift": range((float_table.shifts if float_table else pe.max_scale) + pe.planes),
                "nan": 1,
                "inf": 1,
            }
        )
        super().__init__(
            {
                "table": In(table_layout(pe)),
                "weight": In(pe.k),
                "place": In(range(pe.planes)),
                "term": Out(layout),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        entry, subtract, term = _looked_up(self.table, self.weight), ~self.weight[-1], self.term
        if not isinstance(self.pe.table, Minifloat):
            m.d.comb += [
                term.negative.eq(entry[-1] ^ subtract),
                term.significand.eq(entry[:-1]),
                term.shift.eq(self.table.scale + self.place),
                term.nan.eq(self.table.nan),
            ]
            return m
        m.submodules.decoder = decoder = OperandDecoder(operand=Operand(self.pe.table))
        m.submodules.classifier = special = Classifier(format=self.pe.table)
        m.d.comb += [
            decoder.code.eq(entry),
            special.code.eq(entry),
            term.negative.eq(decoder.negative ^ subtract),
            term.significand.eq(decoder.significand),
            term.shift.eq(decoder.shift + self.place),
            term.nan.eq(special.nan),
            term.inf.eq(special.inf),
        ]
        return m


def _looked_up(table: data.View[data.StructLayout], weight: Value) -> Value:
    """The entry that a plane of a group of weights selects."""
    entries = [Value.cast(entry) for entry in table.entries]
    for bit in weight[:-1]:
        entries = [Mux(bit, high, low) for low, high in zip(entries[::2], entries[1::2], strict=True)]
    return entries[0]
