"""Family ``bit_serial``: dot products of integers by bit planes."""

from __future__ import annotations

from amaranth.hdl import Const, Module, Mux, Shape, Signal, Value

from hwexplore.pe import BitSerial
from hwexplore.rtl.core import Core, delayed
from hwexplore.rtl.fixed_adder import FixedAdder
from hwexplore.rtl.popcount import Popcount

__all__ = ["BitSerialCore"]


class BitSerialCore(Core):
    """A bit-serial dot product; ports as for every `Core`, with a bit of each lane at ``weight`` and ``activation``.

    Of ``pe.stages`` pipeline stages, the last is the accumulator; the registers of the others follow the shifter,
    from where synthesis may retime them into the tree that counts.
    """

    pe: BitSerial

    def elaborate(self, platform: object) -> Module:
        m = Module()
        shift, negative = self._sequence(m)
        count = self._count(m)
        shifted = Signal(Shape(len(count) + self._places, count.shape().signed))
        m.d.comb += shifted.eq(count << shift)
        term = Mux(negative, -shifted, shifted)
        enable, term, clear = delayed(m, "cut", (self.enable, term, self.clear), self.pe.stages - 1)
        shape = Shape.cast(term.shape())
        m.submodules.adder = adder = FixedAdder(width=self.pe.accumulator_bits, term=shape, saturate=False)
        m.d.comb += [adder.term.eq(term), adder.addend.eq(Mux(clear, self.start("accumulator"), self.accumulator))]
        with m.If(enable):
            m.d.sync += self.accumulator.eq(adder.sum)
        return m

    @property
    def _places(self) -> int:
        """By how many places a pair of planes can count."""
        return self.pe.weight.element_bits + self.pe.activation.element_bits - 2

    def _sequence(self, m: Module) -> tuple[Value, Value]:
        """By how many places this cycle's pair of planes counts, and whether negative."""
        shift, negative, step = Const(0, 1), Const(0, 1), Const(1, 1)
        operands = (self.pe.weight, self.pe.activation)
        for format, has_sign in reversed(list(zip(operands, self.pe.sign_planes, strict=True))):
            counter = Signal(range(format.element_bits), name="plane")
            plane = Mux(self.clear, 0, counter)
            last = plane == format.element_bits - 1
            with m.If(self.enable):
                m.d.sync += counter.eq(Mux(step, Mux(last, 0, plane + 1), plane))
            shift += plane
            negative ^= last & has_sign
            step &= last
        return shift, negative

    def _count(self, m: Module) -> Value:
        """The sum over the lanes of the products of their bits."""
        weight, activation = self.pe.bipolar
        m.submodules.popcount = ones = Popcount(width=self.pe.lanes)
        if weight and activation:
            m.d.comb += ones.bits.eq(~(self.weight ^ self.activation))
            return (ones.count << 1) - self.pe.lanes
        m.d.comb += ones.bits.eq(self.weight & self.activation)
        if not (weight or activation):
            return ones.count
        m.submodules.second_popcount = others = Popcount(width=self.pe.lanes)
        m.d.comb += others.bits.eq(self.activation if weight else self.weight)
        return (ones.count << 1) - others.count
