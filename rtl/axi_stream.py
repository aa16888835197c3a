"""AXI4-Stream (Arm IHI 0051): ports, widths, and packets of wide rows."""

from __future__ import annotations

from math import ceil

from amaranth.hdl import Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["WIDTHS", "RowSender", "stream_bits", "stream_ports"]

WIDTHS = tuple(32 << number for number in range(6))
"""Widths that streams have: those that the memory side of Xilinx's AXI DMA has too (PG021)."""


def stream_bits(bits: int) -> int:
    """The narrowest of `WIDTHS` that holds ``bits``, or else the widest."""
    return next((width for width in WIDTHS if width >= bits), WIDTHS[-1])


def stream_ports(bits: int) -> dict[str, wiring.Member]:
    """The ports of a slave by their AXI names in lower case; a master's are those of `wiring.Member.flip`."""
    return {"tdata": In(bits), "tkeep": In(bits // 8), "tlast": In(1), "tvalid": In(1), "tready": Out(1)}


class RowSender(wiring.Component):
    """Sends rows, each in as many beats of ``bits`` as it needs, the lowest bits first; zeros fill up the last.

    Ports
    -----
    rows : In(stream)
        ``payload`` has a ``row`` (row_bits), and whether it is the ``last`` (1) of the packet.
    idle : Out(1)
        No beat waits.
    those of `stream_ports`, flipped
    """

    def __init__(self, row_bits: int, bits: int) -> None:
        self.beats = ceil(row_bits / bits)
        super().__init__(
            {
                "rows": In(stream.Signature(data.StructLayout({"row": row_bits, "last": 1}))),
                "idle": Out(1),
                **{name: member.flip() for name, member in stream_ports(bits).items()},
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        rows, bits = self.rows, len(self.tdata)
        held, last, left = Signal(self.beats * bits, reset_less=True), Signal(), Signal(range(self.beats + 1))
        """Beats that wait, of how many, and whether the packet ends with them."""
        leaves = self.tvalid & self.tready
        m.d.comb += [
            self.idle.eq(left == 0),
            self.tvalid.eq(~self.idle),
            self.tdata.eq(held),
            self.tkeep.eq(Const(-1, len(self.tkeep))),
            self.tlast.eq(last & (left == 1)),
            rows.ready.eq(self.idle | (leaves & (left == 1))),
        ]
        with m.If(rows.valid & rows.ready):
            m.d.sync += [held.eq(rows.payload.row), last.eq(rows.payload.last), left.eq(self.beats)]
        with m.Elif(leaves):
            m.d.sync += [held.eq(held >> bits), left.eq(left - 1)]
        return m
