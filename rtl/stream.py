"""Streams around a core."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.rtl.core import Core

__all__ = ["StreamWrapper"]


class StreamWrapper(wiring.Component):
    """A core between two streams: operands in, sums out after each run of them that ends with ``last``.

    A run is a number of whole tiles, a beat for each of their cycles. Operands enter at full rate. The sums of one run
    wait at the output: until they are taken, the end of the next run is held up, and nothing before it; runs of
    ``core.pe.latency_cycles + 2`` beats or more never wait for a consumer that is always ready. Sums appear
    ``core.pe.latency_cycles`` clock edges after the one that takes the last of their operands.

    Ports
    -----
    operands : In(stream)
        ``payload`` has, from the lowest bit, the operand ports of the core in their order, and ``last`` (1).
    sums : Out(stream)
        ``payload`` has, from the lowest bit, the outputs of the core in their order.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        super().__init__(
            {
                "operands": In(stream.Signature(data.StructLayout({**core.pe.ports, "last": 1}))),
                "sums": Out(stream.Signature(data.StructLayout(core.pe.outputs))),
            }
        )

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.core = core = self.core
        operands, sums = self.operands, self.sums
        first = Signal(init=1)
        reserved = Signal()
        """A sum is on its way to the output, or waits there."""
        ends = Signal(core.pe.latency_cycles)
        """Ends of runs in the core's pipeline, the latest lowest."""

        accepted = operands.valid & operands.ready
        ending = accepted & operands.payload.last
        m.d.comb += [
            operands.ready.eq(~(operands.payload.last & reserved)),
            *(getattr(core, name).eq(operands.payload[name]) for name in core.pe.ports),
            core.enable.eq(accepted),
            core.clear.eq(first),
        ]
        m.d.sync += ends.eq(ends << 1 | ending)
        with m.If(accepted):
            m.d.sync += first.eq(operands.payload.last)
        with m.If(ends[-1]):
            m.d.sync += [sums.payload[name].eq(getattr(core, name)) for name in core.pe.outputs]
            m.d.sync += sums.valid.eq(1)
        with m.If(sums.valid & sums.ready):
            m.d.sync += [sums.valid.eq(0), reserved.eq(0)]
        with m.If(ending):
            m.d.sync += reserved.eq(1)
        return m
