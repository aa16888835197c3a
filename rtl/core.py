# amaranth: UnusedElaboratable=no
"""Bare cores: what those of all families have in common, and which family has which."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from amaranth.hdl import Const, Module, Mux, Signal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.errors import InputError, unknown
from hwexplore.pe import PE

__all__ = ["Core", "build", "delayed"]

FAMILIES = {
    "bit_serial": "BitSerialCore",
    "dot": "DotCore",
    "lut": "LutCore",
    "mac": "MacCore",
    "multi": "MultiCore",
    "shift_add": "ShiftAddCore",
}
"""Family to its core, which stands in the module of the family's name."""


class Core(wiring.Component):
    """A bare processing element: operands and control in, accumulators out. It can take operands in every cycle.

    In a cycle with ``enable``, the core takes what is at its operand ports; every ``pe.tile.cycles`` such cycles make a
    tile. At the end of a tile, each sum is the old one plus the tile's products. ``clear``, in the first cycle of a
    tile, starts new sums; the cycles of a tile are counted from there. The outputs show the sums ``pe.latency_cycles``
    clock edges after the last cycle of the tile, until as many edges after the first cycle of the next one. Without
    ``enable``, the other inputs do not matter. Reset is synchronous: it clears the sums and drops what is on its way.

    A ``chained`` core starts new sums from codes at its inputs rather than from zero. They have to be there from
    ``pe.latency_cycles - 1`` cycles after the first cycle of the tile to as many after the last.

    Ports
    -----
    one for each of pe.ports : In
    enable : In(1)
    clear : In(1)
    one for each of pe.outputs, with ``_in`` behind its name : In
        If ``chained``.
    one for each of pe.outputs : Out
    """

    def __init__(self, pe: PE, chained: bool = False) -> None:
        format = pe.accumulator.format
        if format is not None and format.rounding != "nearest_even":
            raise InputError(f"accumulator {format} rounds {format.rounding}; hardware rounds nearest_even")
        self.pe = pe
        self.chained = chained
        starts = {f"{name}_in": bits for name, bits in pe.outputs.items() if chained}
        inputs = {name: In(bits) for name, bits in {**pe.ports, "enable": 1, "clear": 1, **starts}.items()}
        super().__init__({**inputs, **{name: Out(bits) for name, bits in pe.outputs.items()}})

    def start(self, output: str) -> Value:
        """What new sums at ``output`` start from."""
        return getattr(self, f"{output}_in") if self.chained else Const(0, self.pe.outputs[output])

    def position(self, m: Module) -> tuple[Value, Value]:
        """Whether this is the first cycle of a tile, and whether it is the last."""
        cycles = self.pe.tile.cycles
        if cycles == 1:
            return Const(1, 1), Const(1, 1)
        counter = Signal(range(cycles), name="position")
        position = Signal(range(cycles), name="this_position")
        last = position == cycles - 1
        m.d.comb += position.eq(Mux(self.clear, 0, counter))
        with m.If(self.enable):
            m.d.sync += counter.eq(Mux(last, 0, position + 1))
        return ~position.any(), last


def delayed(m: Module, name: str, values: Sequence[Any], cycles: int) -> Sequence[Any]:
    """``values`` so many clock cycles later; the first of them, an enable, is cleared by a reset."""
    for cycle in range(1, cycles + 1):
        registers = [
            Signal(value.shape(), name=f"{name}_{number}_{cycle}", reset_less=number > 0)
            for number, value in enumerate(values)
        ]
        m.d.sync += [register.eq(value) for register, value in zip(registers, values, strict=True)]
        values = registers
    return values


def build(pe: PE, chained: bool = False) -> Core:
    """The bare core of ``pe``, an Amaranth component; InputError for families and formats without one."""
    if pe.family not in FAMILIES:
        raise unknown("PE family with RTL", pe.family, FAMILIES)
    core: type[Core] = getattr(import_module(f"hwexplore.rtl.{pe.family}"), FAMILIES[pe.family])
    return core(pe, chained)
