"""A systolic array between two AXI4-Streams: one packet of operands, one packet of results per product."""

from __future__ import annotations

from amaranth.hdl import Cat, ClockDomain, ClockSignal, DomainRenamer, Module, Mux, ResetSignal, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.accelerator.systolic import SIZE_BITS, SystolicArray
from hwexplore.rtl.axi_stream import RowSender, stream_ports
from hwexplore.rtl.gemm import Gemm

__all__ = ["COUNTER_BITS", "ERRORS", "AxiGemm"]

ERRORS = ("size_error", "short_error", "long_error", "keep_error")
COUNTER_BITS = {"cycles": 64, "words_in": 32, "words_out": 32}


class AxiGemm(wiring.Component):
    """Products on an array, each of a packet of its words and giving a packet of its results.

    The words are those of `hwexplore.accelerator.streams`, each in a beat of its own, filled up with what is not looked
    at; a row of results takes as many beats as it needs. A packet of the wrong length is an error, and both packets
    come to their end nevertheless, as does the product.

    Ports
    -----
    m, n, k : In(16)
        Sizes of the product in tiles of the PE, taken with ``start``.
    start : In(1)
        Begin, unless ``busy``.
    busy : Out(1)
        Until the packet has come and the results have left.
    done : Out(1)
        A product has ended since the last start.
    size_error : Out(1)
        m, n or k was 0, and nothing was done. Errors are those of the product under way, or else of the last one.
    short_error : Out(1)
        The packet of words was too short, and a row of zeros ends the packet of results, whose other rows are right.
    long_error : Out(1)
        The packet was too long: the rest of it is thrown away, and the results are right.
    keep_error : Out(1)
        A word came in part, as TKEEP says.
    cycles : Out(64)
        For which the array was busy.
    words_in, words_out : Out(32)
        Beats that came and that left.
    s_axis_..., m_axis_...
        `stream_ports`.
    """

    def __init__(self, array: SystolicArray, words_bits: int, results_bits: int) -> None:
        self.array = array
        words, results = stream_ports(words_bits), stream_ports(results_bits)
        super().__init__(
            {
                **{name: In(SIZE_BITS) for name in "mnk"},
                "start": In(1),
                **{name: Out(1) for name in ("busy", "done", *ERRORS)},
                **{name: Out(bits) for name, bits in COUNTER_BITS.items()},
                **{f"s_axis_{name}": member for name, member in words.items()},
                **{f"m_axis_{name}": member.flip() for name, member in results.items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.domains.array = ClockDomain(local=True)
        breaks_off = Signal()
        m.d.comb += [ClockSignal("array").eq(ClockSignal()), ResetSignal("array").eq(ResetSignal() | breaks_off)]
        gemm = Gemm(self.array)
        m.submodules.gemm = DomainRenamer("array")(gemm)
        m.submodules.sender = sender = RowSender(len(gemm.results.payload), len(self.m_axis_tdata))
        for name in stream_ports(len(self.m_axis_tdata)):
            port, sent = getattr(self, f"m_axis_{name}"), getattr(sender, name)
            m.d.comb += sent.eq(port) if name == "tready" else port.eq(sent)

        sizes = {name: Signal(SIZE_BITS, name=f"{name}_held") for name in "mnk"}
        m.d.comb += [getattr(gemm, name).eq(size) for name, size in sizes.items()]
        ended = Signal()
        """The packet has."""
        arrives, leaves = self.s_axis_tvalid & self.s_axis_tready, self.m_axis_tvalid & self.m_axis_tready
        m.d.comb += [gemm.words.valid.eq(self.s_axis_tvalid & ~ended), gemm.words.payload.eq(self.s_axis_tdata)]

        tile_rows, tile_cols = (Signal(SIZE_BITS, name=f"{name}_left", reset_less=True) for name in "mn")
        """Rows of tiles that have yet to leave, of these columns of the array; tiles of n, these ones included."""
        ends_cols = tile_rows == 1
        m.d.comb += [
            gemm.results.ready.eq(sender.rows.ready),
            sender.rows.valid.eq(gemm.results.valid | breaks_off),
            sender.rows.payload.row.eq(Mux(breaks_off, 0, gemm.results.payload)),
            sender.rows.payload.last.eq(breaks_off | (ends_cols & (tile_cols <= self.array.cols))),
        ]
        with m.If(sender.rows.valid & sender.rows.ready):
            m.d.sync += tile_rows.eq(Mux(ends_cols, sizes["m"], tile_rows - 1))
            with m.If(ends_cols):
                m.d.sync += tile_cols.eq(tile_cols - self.array.cols)

        with m.FSM():
            with m.State("IDLE"), m.If(self.start):
                m.d.sync += [Cat(getattr(self, name) for name in ("done", *ERRORS, *COUNTER_BITS)).eq(0), ended.eq(0)]
                m.d.sync += [size.eq(getattr(self, name)) for name, size in sizes.items()]
                with m.If((self.m == 0) | (self.n == 0) | (self.k == 0)):
                    m.d.sync += [self.size_error.eq(1), self.done.eq(1)]
                with m.Else():
                    m.next = "START"
            with m.State("START"):
                m.d.comb += [self.busy.eq(1), gemm.start.eq(1)]
                m.d.sync += [tile_rows.eq(sizes["m"]), tile_cols.eq(sizes["n"])]
                m.next = "WORK"
            with m.State("WORK"):
                m.d.comb += [self.busy.eq(1), self.s_axis_tready.eq(~ended & (gemm.words.ready | ~gemm.loading))]
                with m.If(gemm.loading & ended):
                    m.d.sync += self.short_error.eq(1)
                    m.next = "BREAK OFF"
                with m.If(~gemm.loading & ~ended):
                    m.d.sync += self.long_error.eq(1)
                with m.If(~gemm.loading & ended & ~gemm.busy):
                    m.next = "FINISH"
            with m.State("BREAK OFF"):
                m.d.comb += [self.busy.eq(1), breaks_off.eq(1)]
                with m.If(sender.rows.ready):
                    m.next = "FINISH"
            with m.State("FINISH"):
                m.d.comb += self.busy.eq(1)
                with m.If(sender.idle):
                    m.d.sync += self.done.eq(1)
                    m.next = "IDLE"

        with m.If(arrives):
            m.d.sync += [self.words_in.eq(self.words_in + 1), ended.eq(self.s_axis_tlast)]
            with m.If(~self.s_axis_tkeep.all()):
                m.d.sync += self.keep_error.eq(1)
        with m.If(leaves):
            m.d.sync += self.words_out.eq(self.words_out + 1)
        with m.If(gemm.busy):
            m.d.sync += self.cycles.eq(self.cycles + 1)
        return m
