"""Components that stand in a Verilog module of their own, which all their instances share."""

from __future__ import annotations

from amaranth.hdl import ClockSignal, Instance, Module, ResetSignal, Value
from amaranth.lib import wiring
from amaranth.lib.wiring import In

from hwexplore.pe import PE
from hwexplore.rtl.verilog import module_name

__all__ = ["Separate", "core_name"]


def core_name(pe: PE, chained: bool) -> str:
    """The name of the Verilog module of a core, such as ``mac_int8_int8_acc_int32_chained``."""
    return module_name(pe) + "_chained" * chained


class Separate(wiring.Component):
    """An instance of the Verilog module ``name``, which `hwexplore.rtl.verilog.convert` makes of ``component``.

    Ports
    -----
    those of component
    """

    def __init__(self, component: wiring.Component, name: str) -> None:
        self.name = name
        super().__init__(component.signature)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        ports = {
            f"{'i' if member.flow is In else 'o'}_{name}": Value.cast(getattr(self, name))
            for name, member in self.signature.members.items()
        }
        m.submodules.instance = Instance(self.name, i_clk=ClockSignal(), i_rst=ResetSignal(), **ports)
        return m
