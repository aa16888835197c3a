"""Proofs by Yosys that a component does what a definition in Verilog says."""

from __future__ import annotations

from pathlib import Path

from amaranth.lib import wiring

from hwexplore.rtl.verilog import convert, yosys

PROVEN = "SAT proof finished - no model found: SUCCESS!"


def prove(definition: str, component: wiring.Component, folder: Path) -> str:
    """Yosys's log of the proof that ``component`` equals the module ``definition``; RuntimeError if it does not."""
    (folder / "definition.v").write_text(definition, "utf-8")
    (folder / "component.v").write_text(convert(component, "component"), "utf-8")
    commands = [
        "read_verilog definition.v component.v",
        "proc; memory; opt",
        "miter -equiv -flatten definition component miter",
        "hierarchy -top miter",
        "sat -verify -prove trigger 0 miter",
    ]
    return yosys(commands, folder)
