"""Whether a core fits onto the ZCU104, by Yosys."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory

from hwexplore.fpga.build import TOP
from hwexplore.rtl.verilog import yosys
from hwexplore.technology import device

__all__ = ["FREE", "resources", "too_much"]

FREE = 0.25
"""Share of the device to be left: for the DMA, the SmartConnects, and for a router to have room."""
SYNTHESIS = f"synth_xilinx -family xcup -noiopad -noclkbuf -flatten -nowidelut -top {TOP}"
TAKEN: Mapping[str, Mapping[str, float]] = {
    "lut": {
        **dict.fromkeys(("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV", "SRL16E", "SRLC32E"), 1),
        "RAM32M": 4,
        "RAM64M": 4,
        "RAM64X1D": 2,
        "RAM128X1D": 4,
        "RAM32M16": 8,
        "RAM64M8": 8,
    },
    "ff": dict.fromkeys(("FDRE", "FDSE", "FDCE", "FDPE"), 1),
    "dsp": {"DSP48E2": 1},
    "bram36": {"RAMB36E2": 1, "RAMB18E2": 0.5},
    "uram": {"URAM288": 1},
}
"""What a cell takes of each resource (UG573, UG574); a LUT is one of 6 inputs."""


def resources(verilog: str, timeout_s: float | None = None) -> dict[str, float]:
    """What a core takes of a ZCU104 after Yosys's synthesis, before place and route; RuntimeError if that fails."""
    with TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "core.v").write_text(verilog, "utf-8")
        commands = [
            "read_verilog core.v",
            "scratchpad -set abc9.verify 0",
            SYNTHESIS,
            "tee -q -o cells.json stat -json",
        ]
        yosys(commands, folder, timeout_s)
        cells = json.loads((folder / "cells.json").read_text("utf-8"))["design"]["num_cells_by_type"]
    return {resource: sum(each * cells.get(cell, 0) for cell, each in its.items()) for resource, its in TAKEN.items()}


def too_much(taken: Mapping[str, float]) -> list[str]:
    """A sentence for each resource of which less than `FREE` would be left."""
    there = device.load("zcu104").resources
    return [
        f"the core takes {taken[name]:g} of {there[name]:g} {name} and must leave {FREE:.0%}; "
        "choose a smaller array, PE or depth"
        for name in TAKEN
        if taken[name] > (1 - FREE) * there[name]
    ]
