"""The slave's side of AXI4-Lite (Arm IHI 0022): its handshakes on one side, plain reads and writes on the other."""

from __future__ import annotations

from amaranth.hdl import Cat, Module, Mux, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

__all__ = ["OKAY", "SLVERR", "WORD_BYTES", "AxiLiteSlave", "lite_ports"]

WORD_BYTES = 4
OKAY, SLVERR = 0b00, 0b10


def lite_ports(address_bits: int) -> dict[str, wiring.Member]:
    """The ports of a slave by their AXI names in lower case."""
    return {
        "awaddr": In(address_bits),
        "awprot": In(3),
        "awvalid": In(1),
        "awready": Out(1),
        "wdata": In(8 * WORD_BYTES),
        "wstrb": In(WORD_BYTES),
        "wvalid": In(1),
        "wready": Out(1),
        "bresp": Out(2),
        "bvalid": Out(1),
        "bready": In(1),
        "araddr": In(address_bits),
        "arprot": In(3),
        "arvalid": In(1),
        "arready": Out(1),
        "rdata": Out(8 * WORD_BYTES),
        "rresp": Out(2),
        "rvalid": Out(1),
        "rready": In(1),
    }


class AxiLiteSlave(wiring.Component):
    """Takes one write and one read at a time, independently of each other; every one is answered.

    A write's address and data may come in any order. No output depends on an input of the same cycle.

    Ports
    -----
    those of `lite_ports`
        ``awprot`` and ``arprot`` are not looked at.
    write : Out(1)
        Write ``write_data`` (32) to the bytes ``write_strobe`` (4) of word ``write_word``, in this cycle.
    write_refused : In(1)
        It cannot be written, and SLVERR is the answer.
    read : Out(1)
        Word ``read_word`` is read in this cycle.
    read_data : In(32)
    read_refused : In(1)
        There is nothing to read, and SLVERR is the answer, with zero for data.
    """

    def __init__(self, address_bits: int) -> None:
        word_bits = address_bits - (WORD_BYTES - 1).bit_length()
        super().__init__(
            {
                **lite_ports(address_bits),
                "write": Out(1),
                "write_word": Out(word_bits),
                "write_data": Out(8 * WORD_BYTES),
                "write_strobe": Out(WORD_BYTES),
                "write_refused": In(1),
                "read": Out(1),
                "read_word": Out(word_bits),
                "read_data": In(8 * WORD_BYTES),
                "read_refused": In(1),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        word_bits = len(self.write_word)

        has_address, has_data = Signal(), Signal()
        m.d.comb += [
            self.awready.eq(~has_address),
            self.wready.eq(~has_data),
            self.write.eq(has_address & has_data & ~self.bvalid),
        ]
        with m.If(self.awvalid & self.awready):
            m.d.sync += [has_address.eq(1), self.write_word.eq(self.awaddr[-word_bits:])]
        with m.If(self.wvalid & self.wready):
            m.d.sync += [has_data.eq(1), Cat(self.write_data, self.write_strobe).eq(Cat(self.wdata, self.wstrb))]
        with m.If(self.bvalid & self.bready):
            m.d.sync += self.bvalid.eq(0)
        with m.If(self.write):
            m.d.sync += [has_address.eq(0), has_data.eq(0), self.bvalid.eq(1)]
            m.d.sync += self.bresp.eq(Mux(self.write_refused, SLVERR, OKAY))

        m.d.comb += [
            self.arready.eq(~self.rvalid),
            self.read.eq(self.arvalid & self.arready),
            self.read_word.eq(self.araddr[-word_bits:]),
        ]
        with m.If(self.rvalid & self.rready):
            m.d.sync += self.rvalid.eq(0)
        with m.If(self.read):
            m.d.sync += [
                self.rvalid.eq(1),
                self.rdata.eq(Mux(self.read_refused, 0, self.read_data)),
                self.rresp.eq(Mux(self.read_refused, SLVERR, OKAY)),
            ]
        return m
