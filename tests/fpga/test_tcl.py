"""The script for Vivado, run by tclsh against a model of Vivado; every line of it counts."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from port_model import ModelError, Vivado

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.fpga.block_design import zcu104
from hwexplore.fpga.build import TOP, Build, build
from hwexplore.fpga.handoff import differences
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.vivado import PREDICTION, SCRIPT, write
from hwexplore.pe import PE

OVERLAY = Overlay(array=SystolicArray(pe=PE.parse("mac(int4, int4, acc=int16)"), rows=4, cols=4, depth=4, bus_bits=64))
CORE_PINS = {"aclk": "clk<", "aresetn": "rst<", "irq": "irq>"}
CORE_INTERFACES = {"s_axi": ("<", "lite"), "s_axis": ("<", "axis64"), "m_axis": (">", "axis64")}
IPS = "zynq_ultra_ps_e:3.5 proc_sys_reset:5.0 smartconnect:1.0 axi_dma:7.1 xlconcat:2.1"
WORLD = {
    "VIVADO": "2024.1.2",
    "PARTS": "xczu7ev-ffvc1156-2-e",
    "BOARDS": "xilinx.com:zcu104:part0:1.1 xilinx.com:zcu104:part0:1.0 xilinx.com:zcu102:part0:3.4",
    "IPS": " ".join(f"xilinx.com:ip:{ip}" for ip in IPS.split()),
    "SEGMENTS": "ps/SAXIGP2/HP0_LPS_OCM ps/SAXIGP2/HP0_QSPI",
    "PROPERTIES": "PROGRESS 100% STATUS done STATS.WNS 0.1 STATS.WHS 0 STATS.TPWS 0.5",
}
"""A Vivado that has everything."""
OUTPUTS = ("hwexplore.bit", "hwexplore.hwh")
OTHER_WORLDS = {
    "version": ({"VIVADO": "2023.2"}, 0, "no PYNQ image was made with Vivado 2023.2"),
    "part": ({"PARTS": ""}, 1, "this Vivado has no part xczu7ev-ffvc1156-2-e; "),
    "board": ({"BOARDS": "xilinx.com:zcu102:part0:3.4"}, 1, "this Vivado has no board xilinx.com:zcu104:part0:*; "),
    "ip": ({"IPS": WORLD["IPS"].replace("axi_dma", "axi_cdma")}, 1, "this Vivado has no IP xilinx.com:ip:axi_dma:*; "),
    "failed": (
        {"PROPERTIES": "PROGRESS 40% STATUS {place_design ERROR}"},
        1,
        "not built: place_design ERROR; see runme",
    ),
    "setup": ({"PROPERTIES": WORLD["PROPERTIES"].replace("0.1", "-0.001")}, 1, "the slack of setup is -0.001 ns; "),
    "hold": ({"PROPERTIES": WORLD["PROPERTIES"].replace("WHS 0", "WHS -0.2")}, 1, "the slack of hold is -0.2 ns; "),
    "pulse": ({"PROPERTIES": WORLD["PROPERTIES"].replace("0.5", "-1")}, 1, "the slack of pulse width is -1 ns; "),
    "untimed": ({"PROPERTIES": WORLD["PROPERTIES"].replace("0.1", "{}")}, 1, "the slack of setup is  ns; "),
}
"""What is missing, the exit code and the sentence."""


@pytest.fixture(scope="module")
def made() -> Build:
    return build(OVERLAY)


@pytest.fixture(scope="module")
def tclsh() -> str:
    found = shutil.which("tclsh")
    if found is None and "CI" in os.environ:
        raise AssertionError("CI needs tclsh")
    return found or pytest.skip("no tclsh")


@pytest.fixture(scope="module")
def folder(made: Build, tmp_path_factory: pytest.TempPathFactory) -> Path:
    where = tmp_path_factory.mktemp("overlay")
    write(made, zcu104(OVERLAY, clock_mhz=150), where)
    return where


Runner = Callable[[str, dict[str, str]], tuple[int, str, Vivado]]


@pytest.fixture(scope="module")
def run(tclsh: str, folder: Path) -> Runner:
    """Run a script: exit code, what it said, and the model that saw its commands."""

    def runs(text: str, world: dict[str, str]) -> tuple[int, str, Vivado]:
        for name in OUTPUTS:
            (folder / name).unlink(missing_ok=True)
        shutil.rmtree(folder / "vivado", ignore_errors=True)
        (folder / SCRIPT).write_text(text, "utf-8")
        command = [tclsh, str(Path(__file__).parent / "vivado.tcl"), str(folder / SCRIPT)]
        ended = subprocess.run(
            command, env={**os.environ, **WORLD, **world}, capture_output=True, text=True, timeout=20
        )
        commands = [one.split("\x1f") for one in re.findall("\x1e(.*?)\x1d", ended.stdout, re.S)]
        model = Vivado(CORE_PINS, CORE_INTERFACES, TOP)
        if ended.returncode == 0:
            model.run(commands)
        return ended.returncode, re.sub("\x1e.*?\x1d\n", "", ended.stdout, flags=re.S) + ended.stderr, model

    return runs


@pytest.fixture(scope="module")
def script(folder: Path) -> str:
    return (folder / SCRIPT).read_text("utf-8")


def verdict(run: Runner, folder: Path, text: str) -> str:
    """Why the script is not right; empty if it is."""
    try:
        code, said, model = run(text, {})
        if code:
            return said
        missing = [name for name in OUTPUTS if not (folder / name).is_file()]
        texts = [(folder / name).read_text().strip() for name in OUTPUTS if name not in missing]
        if missing or texts != ["bitstream", "handoff"]:
            return f"missing: {missing}"
        if said != "Vivado 2024.1: for the PYNQ image 3.1\nwrote hwexplore.bit and hwexplore.hwh\n":
            return f"said {said}"
        if found := differences((folder / PREDICTION).read_text("utf-8"), model.handoff()):
            return found[0]
    except (ModelError, KeyError, IndexError, ValueError, TypeError) as error:
        return repr(error)
    for world, expected_code, sentence in OTHER_WORLDS.values():
        code, said, _ = run(text, world)
        if (
            code != expected_code
            or sentence not in said
            or (code and any((folder / name).exists() for name in OUTPUTS))
        ):
            return f"{code}: {said}"
    return ""


def test_the_script_builds(run: Runner, folder: Path, script: str) -> None:
    assert verdict(run, folder, script) == ""


@pytest.mark.parametrize("name", OTHER_WORLDS)
def test_what_is_missing_is_said(run: Runner, script: str, name: str) -> None:
    world, expected, sentence = OTHER_WORLDS[name]
    code, said, _ = run(script, world)
    assert code == expected
    assert sentence in said


def test_the_newest_board_is_taken(run: Runner, script: str) -> None:
    _, _, model = run(script, {})
    assert model.properties["board_part"] == "xilinx.com:zcu104:part0:1.1"


EQUIVALENT = {
    "c_addr_width": "the DMA's default",
    "c_include_mm2s": "the DMA's default",
    "c_include_s2mm": "the DMA's default",
    "_dre": "the DMA's default",
    "burst_size": "the DMA's default",
    "CONFIG.PSU__USE__M_AXI_GP0": "the preset's",
    "CONFIG.PSU__USE__M_AXI_GP2": "the preset's",
    "CONFIG.PSU__SAXIGP2__DATA_WIDTH": "the preset's",
    "CONFIG.PSU__USE__IRQ0": "the preset's",
    "CONFIG.PSU__FPGA_PL0_ENABLE": "the preset's",
    "CONFIG.NUM_SI {1}": "SmartConnect's default",
    "CONFIG.NUM_MI {1}": "SmartConnect's default",
}
"""Lines whose removal changes nothing, for they say what is so by default, and why."""


def test_every_line_counts(run: Runner, folder: Path, script: str) -> None:
    lines = script.splitlines()
    survived, expected = [], []
    for number, line in enumerate(lines):
        if not line.strip() or line.startswith("#"):
            continue
        mutant = "\n".join([*lines[:number], *lines[number + 1 :]]) + "\n"
        if not verdict(run, folder, mutant):
            survived.append(line)
        if any(word in line for word in EQUIVALENT):
            expected.append(line)
    assert survived == expected


def changed(line: str) -> list[str]:
    """The line with another pin, interface, cell, segment or number."""
    found = []
    for word in re.finditer(r"(?<=\[get_bd_)(\w+) ([\w/]+)(?=\])", line):
        kind, name = word.groups()
        others = {"core/aclk": "dma/axi_resetn", "ps/Data": "dma/Data_MM2S"}
        found += [f"{name}x", others.get(name, "core/aclk")] if kind != "cells" else ["core"]
        found[-2 if kind != "cells" else -1 :] = [
            line[: word.start()] + f"{kind} {other}" + line[word.end() :]
            for other in found[-2 if kind != "cells" else -1 :]
        ]
    for word in re.finditer(r"(?<=\{)\d+(?=\} \\)", line):
        value = int(word[0])
        other = {0: 1, 1: 0}.get(value, 2 * value)
        found.append(line[: word.start()] + str(other) + line[word.end() :])
    for word in re.finditer(r"0x([0-9A-F]{8})", line):
        value = int(word[1], 16)
        found.append(line[: word.start()] + f"0x{(value or 0x80000000) * 2:08X}" + line[word.end() :])
        found.append(line[: word.start()] + f"0x{value + 0x10000:08X}" + line[word.end() :])
    return found


@pytest.mark.slow
def test_every_name_and_number_counts(run: Runner, folder: Path, script: str) -> None:
    prediction = (folder / PREDICTION).read_text("utf-8")
    lines, survived, count = script.splitlines(), [], 0
    for number, line in enumerate(lines):
        for mutant in changed(line):
            count += 1
            try:
                code, _, model = run("\n".join([*lines[:number], mutant, *lines[number + 1 :]]) + "\n", {})
                if not code and not differences(prediction, model.handoff()):
                    survived.append(mutant)
            except (ModelError, KeyError, IndexError, ValueError):
                pass
    assert survived == []
    assert count > 150
