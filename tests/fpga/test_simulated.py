"""What stands around the simulated core, as far as it needs no simulator."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.fpga.build import TOP, Build
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.simulated.server import read_build, run, write_overlay
from hwexplore.pe import PE
from hwexplore.rtl.simulator import Simulator


@pytest.fixture
def made() -> Build:
    array = SystolicArray(
        pe=PE.parse("mac(e4m3, e4m3, acc=fp32)"), rows=2, cols=3, dataflow="ws", output=Format.parse("e4m3")
    )
    return Build(overlay=Overlay(array=array, memory_bits=64), verilog="module a; endmodule\n", hash=0xABCD)


def test_read_build(made: Build, tmp_path: Path) -> None:
    made.write(tmp_path)
    again = read_build(tmp_path)
    assert again.table == made.table
    assert again.verilog == made.verilog


def test_nothing_built(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"hwexplore_gemm.json cannot be read: No such .* hwexplore fpga build writes it"
    ):
        read_build(tmp_path)


def test_another_version(made: Build, tmp_path: Path) -> None:
    made.write(tmp_path)
    spoilt = {**made.table, "registers": made.table["registers"][1:]}
    (tmp_path / f"{TOP}.json").write_text(json.dumps(spoilt), "utf-8")
    with pytest.raises(InputError, match="is not of this version of hwexplore; build the overlay anew"):
        read_build(tmp_path)


def test_handoff(made: Build, tmp_path: Path) -> None:
    root = ElementTree.parse(write_overlay(made, tmp_path).with_suffix(".hwh")).getroot()
    ranges = {one.get("INSTANCE"): one.get("BASEVALUE") for one in root.iter("MEMRANGE")}
    assert ranges == {"core": "0xA0000000", "dma": "0xA0010000"}
    assert [one.get("VLNV") for one in root.iter("MODULE")] == [
        f"xilinx.com:module_ref:{TOP}:1.0",
        "xilinx.com:ip:axi_dma:7.1",
        "xilinx.com:ip:zynq_ultra_ps_e:3.5",
    ]
    enabled = {one.get("VALUE") for one in root.iter("PROPERTY") if one.get("NAME") == "IS_ENABLED"}
    assert enabled == {"true"}


def test_no_such_command(made: Build, tmp_path: Path) -> None:
    simulator = Simulator(name="verilator", version="5.0")
    with pytest.raises(InputError, match=r"^command nosuchprogram cannot be run"):
        run(made, ["nosuchprogram"], folder=tmp_path, simulator=simulator)
