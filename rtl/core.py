# amaranth: UnusedElaboratable=no
"""Bare cores: what those of all families have in common, and which family has which."""

from __future__ import annotations

from importlib import import_module

from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwexplore.errors import unknown
from hwexplore.pe import PE

__all__ = ["Core", "build"]

FAMILIES = {"mac": "MacCore"}
"""Family to its core, which stands in the module of the family's name."""


class Core(wiring.Component):
    """A bare processing element: operands and control in, accumulator out. It takes operands in every cycle.

    In a cycle with ``enable``, the sum becomes the old sum, or zero if ``clear``, plus the product of the operands;
    ``accumulator`` shows it ``pe.latency_cycles`` clock edges later. Without ``enable``, the other inputs do not
    matter. Reset is synchronous: it clears the sum and drops what is on its way.

    Ports
    -----
    weight : In(pe.weight.element_bits)
    activation : In(pe.activation.element_bits)
    enable : In(1)
    clear : In(1)
    accumulator : Out(pe.accumulator_bits)
    """

    def __init__(self, pe: PE) -> None:
        self.pe = pe
        super().__init__(
            {
                "weight": In(pe.weight.element.element_bits),
                "activation": In(pe.activation.element.element_bits),
                "enable": In(1),
                "clear": In(1),
                "accumulator": Out(pe.accumulator_bits),
            }
        )


def build(pe: PE) -> Core:
    """The bare core of ``pe``, an Amaranth component; InputError for families and formats without one."""
    if pe.family not in FAMILIES:
        raise unknown("PE family with RTL", pe.family, FAMILIES)
    core: type[Core] = getattr(import_module(f"hwexplore.rtl.{pe.family}"), FAMILIES[pe.family])
    return core(pe)
