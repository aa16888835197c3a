"""Tables of signed sums of activations."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Mux, Shape, Signal, Value, signed
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.formats import Integer, Minifloat
from hwexplore.pe import Lut
from hwexplore.rtl.classifier import Classifier
from hwexplore.rtl.floating_adder import FloatingAdder
from hwexplore.rtl.operand import OperandDecoder

__all__ = ["Table", "table_layout"]


def table_layout(pe: Lut) -> data.StructLayout:
    """A table of ``pe``.

    ``entries`` are two's complement for integer activations. For floating-point ones they are codes of the table's
    format, or magnitude and sign if that is an integer. An entry counts ``2**scale`` times; ``nan`` says that all
    entries are NaN. Both have no bits where tables have no scale, or know NaN themselves.
    """
    entry: Shape | int = signed(pe.entry_bits) if pe.accumulator.format is None else pe.entry_bits
    has_nan = isinstance(pe.table, Integer) and pe.activation_port.is_float
    return data.StructLayout(
        {"entries": data.ArrayLayout(entry, pe.entries), "scale": range(pe.max_scale + 1), "nan": int(has_nan)}
    )


class Table(wiring.Component):
    """The table for a group of activations: their sums with all signs, the last one positive; combinational.

    Bit i of an entry's number says whether activation i counts positive.

    Ports
    -----
    activations : In(pe.k * pe.activation.element_bits)
    table : Out(table_layout(pe))
    """

    def __init__(self, *, pe: Lut) -> None:
        self.pe = pe
        super().__init__({"activations": In(pe.k * pe.activation.element_bits), "table": Out(table_layout(pe))})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        port = self.pe.activation_port
        sign = port.is_float and port.format.signed
        values, negative, specials = [], [], []
        for lane in range(self.pe.k):
            m.submodules[f"decoder_{lane}"] = decoder = OperandDecoder(operand=port)
            m.submodules[f"classifier_{lane}"] = special = Classifier(format=port.format)
            code = self.activations.word_select(lane, port.format.element_bits)
            magnitude = decoder.significand << decoder.shift
            value = Signal(signed(port.width + port.shifts + (not port.signed)), name=f"value_{lane}")
            m.d.comb += [
                decoder.code.eq(code),
                special.code.eq(code),
                value.eq(Mux(decoder.negative, -magnitude, magnitude) if sign else magnitude),
            ]
            values.append(value)
            negative.append(decoder.negative)
            specials.append(special)
        sums = _signed_sums(m, "sum", values)
        if self.pe.table is None:
            m.d.comb += [self.table.entries[index].eq(total) for index, total in enumerate(sums)]
        elif isinstance(self.pe.table, Minifloat):
            self._round(m, self.pe.table, sums, negative, specials)
        else:
            self._scale(m, self.pe.table, sums)
            m.d.comb += self.table.nan.eq(Cat(special.nan | special.inf for special in specials).any())
        return m

    def _round(
        self,
        m: Module,
        format: Minifloat,
        sums: Sequence[Value],
        negative: Sequence[Value],
        specials: Sequence[Classifier],
    ) -> None:
        """Entries in floating point: each sum rounded, as it is added to zero."""
        layout = data.StructLayout(
            {"negative": 1, "significand": self.pe.sum_bits, "shift": range(1), "nan": 1, "inf": 1}
        )
        nan = Cat(special.nan for special in specials).any()
        inf = Cat(special.inf for special in specials)
        signs = Cat(sign | Const(0, 1) for sign in negative)
        for index, total in enumerate(sums):
            counts_positive = Const(index | self.pe.entries, self.pe.k)
            up, down = (inf & (signs ^ counts_positive)).any(), (inf & ~(signs ^ counts_positive)).any()
            m.submodules[f"rounder_{index}"] = rounder = FloatingAdder(
                format=format, term=layout, exponent=self.pe.activation_port.step_exponent
            )
            m.d.comb += [
                rounder.term.significand.eq(abs(total)),
                rounder.term.negative.eq(Mux(inf.any(), down, total < 0)),
                rounder.term.inf.eq(inf.any()),
                rounder.term.nan.eq(nan | (up & down)),
                self.table.entries[index].eq(rounder.sum),
            ]

    def _scale(self, m: Module, format: Integer, sums: Sequence[Value]) -> None:
        """Entries in integers: each sum divided by a power of two that is the table's, and rounded to nearest even."""
        scale = self._scale_of(m, format, sums)
        below_half = Signal(self.pe.max_scale)
        m.d.comb += [self.table.scale.eq(scale), below_half.eq(((1 << scale) - 1)[1:])]
        for index, total in enumerate(sums):
            halves = Signal(signed(format.width + 1), name=f"halves_{index}")
            entry = Signal(signed(format.width), name=f"entry_{index}")
            up = halves[0] & (halves[1] | (total & below_half).any())
            scaled = Cat(Const(0, 1), total).as_signed()
            for level in reversed(range(len(scale))):
                scaled = Mux(scale[level], scaled >> (1 << level), scaled)
            m.d.comb += [
                halves.eq(scaled),
                entry.eq(halves[1:].as_signed() + up),
            ]
            if self.pe.activation_port.is_float:
                m.d.comb += self.table.entries[index].eq(Cat(abs(entry)[: format.width - 1], entry[-1]))
            else:
                m.d.comb += self.table.entries[index].eq(entry)

    def _scale_of(self, m: Module, format: Integer, sums: Sequence[Value]) -> Value:
        """log2 of the least power of two that brings all ``sums`` into the symmetric range of ``format``."""
        scale = Signal(range(self.pe.max_scale + 1))
        too_large = Signal((1 << len(scale)) - 1)
        magnitudes = [Signal(self.pe.sum_bits, name=f"magnitude_{index}") for index in range(len(sums))]
        m.d.comb += [magnitude.eq(abs(total)) for magnitude, total in zip(magnitudes, sums, strict=True)]
        for e in range(self.pe.max_scale):
            limit = format.max_value << e
            m.d.comb += too_large[e].eq(Cat(magnitude > limit for magnitude in magnitudes).any())
        for level in reversed(range(len(scale))):
            half = (1 << level) - 1
            m.d.comb += scale[level].eq(too_large[half])
            too_large = Mux(too_large[half], too_large[half + 1 :], too_large[:half])
        return scale


def _signed_sums(m: Module, name: str, values: Sequence[Value]) -> list[Value]:
    """The sums of ``values`` with all signs, the last one positive: those of each half, then of both."""
    if len(values) == 1:
        return list(values)
    half = len(values) // 2
    low, high = _signed_sums(m, f"{name}_low", values[:half]), _signed_sums(m, f"{name}_high", values[half:])
    sums = [total for x in high for total in [*(x - y for y in reversed(low)), *(x + y for y in low)]]
    signals = [Signal(total.shape(), name=f"{name}_{index}") for index, total in enumerate(sums)]
    m.d.comb += [signal.eq(total) for signal, total in zip(signals, sums, strict=True)]
    return list(signals)
