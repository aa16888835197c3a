"""Streams around a core."""

from __future__ import annotations

from amaranth.hdl import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwexplore.rtl.core import Core

__all__ = ["StreamWrapper"]


class StreamWrapper(wiring.Component):
    """A core between two streams: operand pairs in, one sum out for each run of them that ends with ``last``.

    Operands enter at full rate. One sum waits at the output: until it is taken, the end of the next run is held up,
    and nothing before it; runs of ``core.pe.latency_cycles + 2`` pairs or more never wait for a consumer that is always
    ready. A sum appears ``core.pe.latency_cycles`` clock edges after the one that takes the last of its operands.

    Ports
    -----
    operands : In(stream)
        ``payload`` has, from the lowest bit, the core's ``weight`` and ``activation``, and ``last`` (1).
    sums : Out(stream)
        ``payload`` has the width of the core's ``accumulator``.
    """

    def __init__(self, core: Core) -> None:
        self.core = core
        operands = data.StructLayout(
            {"weight": core.weight.shape(), "activation": core.activation.shape(), "last": 1},
        )
        super().__init__(
            {
                "operands": In(stream.Signature(operands)),
                "sums": Out(stream.Signature(core.accumulator.shape())),
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
            core.weight.eq(operands.payload.weight),
            core.activation.eq(operands.payload.activation),
            core.enable.eq(accepted),
            core.clear.eq(first),
        ]
        m.d.sync += ends.eq(ends << 1 | ending)
        with m.If(accepted):
            m.d.sync += first.eq(operands.payload.last)
        with m.If(ends[-1]):
            m.d.sync += [sums.payload.eq(core.accumulator), sums.valid.eq(1)]
        with m.If(sums.valid & sums.ready):
            m.d.sync += [sums.valid.eq(0), reserved.eq(0)]
        with m.If(ending):
            m.d.sync += reserved.eq(1)
        return m
