"""The registers of a core as hardware."""

from __future__ import annotations

from collections.abc import Sequence

from amaranth.hdl import Cat, Const, Module, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.fpga.registers import ADDRESS_BITS, Register
from hwexplore.rtl.axi_lite import WORD_BYTES, AxiLiteSlave, lite_ports

__all__ = ["RegisterFile", "ports"]

FLOWS = {"status": In, "setting": Out, "pulse": Out}


def ports(registers: Sequence[Register]) -> dict[str, wiring.Member]:
    """A port for each register that is not constant, or for each of its fields, called ``REGISTER_FIELD``."""
    return {
        name: FLOWS[register.access](bits)
        for register in registers
        if register.access in FLOWS
        for name, bits in _parts(register)
    }


class RegisterFile(wiring.Component):
    """Reads and writes ``registers`` through AXI4-Lite.

    SLVERR answers all but reads of words that belong to a register, and writes of those that can be written. A pulse is
    1 for the cycle in which a 1 is written to it.

    Ports
    -----
    those of `lite_ports`
    those of `ports`
    """

    def __init__(self, registers: Sequence[Register]) -> None:
        self.registers = registers
        super().__init__({**lite_ports(ADDRESS_BITS), **ports(registers)})

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.bus = bus = AxiLiteSlave(ADDRESS_BITS)
        for name, member in lite_ports(ADDRESS_BITS).items():
            inner, outer = getattr(bus, name), getattr(self, name)
            m.d.comb += inner.eq(outer) if member.flow is In else outer.eq(inner)

        m.d.comb += [bus.read_refused.eq(1), bus.write_refused.eq(1)]
        with m.Switch(bus.read_word):
            for register in self.registers:
                shown = self._shown(register)
                for number, word in enumerate(register.words):
                    with m.Case(word):
                        m.d.comb += [
                            bus.read_data.eq(shown[32 * number : 32 * (number + 1)]),
                            bus.read_refused.eq(0),
                        ]
        with m.Switch(bus.write_word):
            for register in self.registers:
                if register.access in ("setting", "pulse"):
                    target = Cat(getattr(self, name) for name, _ in _parts(register))
                    for number, word in enumerate(register.words):
                        with m.Case(word):
                            m.d.comb += bus.write_refused.eq(0)
                            self._write(m, bus, register, target[32 * number : 32 * (number + 1)])
        return m

    def _shown(self, register: Register) -> Value:
        if register.access == "constant":
            return Const(register.reset, register.bits)
        if register.access == "pulse":
            return Const(0, register.bits)
        return Cat(getattr(self, name) for name, _ in _parts(register))

    def _write(self, m: Module, bus: AxiLiteSlave, register: Register, target: Value) -> None:
        domain = m.d.comb if register.access == "pulse" else m.d.sync
        for byte in range(WORD_BYTES):
            bits = slice(8 * byte, min(8 * byte + 8, len(target)))
            if bits.start < len(target):
                with m.If(bus.write & bus.write_strobe[byte]):
                    domain += target[bits].eq(bus.write_data[bits])


def _parts(register: Register) -> list[tuple[str, int]]:
    fields = [(f"{register.name}_{field.name}", field.bits) for field in register.fields]
    return fields or [(register.name, register.bits)]
