"""Hand-offs: predicted, compared, and read by the parser of the stock pynq."""

from __future__ import annotations

import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.cli import main
from hwexplore.errors import InputError
from hwexplore.fpga.block_design import zcu104
from hwexplore.fpga.build import TOP, Build, build
from hwexplore.fpga.checking import problems
from hwexplore.fpga.handoff import differences, prediction
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.vivado import PREDICTION, write
from hwexplore.pe import PE

OVERLAY = Overlay(array=SystolicArray(pe=PE.parse("mac(int4, int4, acc=int16)"), rows=2, cols=2, depth=4, bus_bits=64))
DESIGN = zcu104(OVERLAY, clock_mhz=150)


@pytest.fixture(scope="module")
def made() -> Build:
    return build(OVERLAY)


@pytest.fixture(scope="module")
def predicted(made: Build) -> str:
    return prediction(made, DESIGN)


def test_as_predicted(predicted: str) -> None:
    assert differences(predicted, predicted) == []


@pytest.mark.parametrize(
    ("change", "becomes", "sentences"),
    [
        ('NAME="c_m_axi_mm2s_data_width" VALUE="64"', 'NAME="c_m_axi_mm2s_data_width" VALUE="128"',
         ["c_m_axi_mm2s_data_width of dma is 128 and should be 64."]),
        ('NAME="PSU__SAXIGP2__DATA_WIDTH" VALUE="128"', 'NAME="PSU__SAXIGP2__DATA_WIDTH" VALUE="64"',
         ["PSU__SAXIGP2__DATA_WIDTH of ps is 64 and should be 128."]),
        ('NAME="c_sg_length_width"', 'NAME="other"', ["dma has no parameter c_sg_length_width, which should be 26."]),
        ('BASEVALUE="0xA0000000" HIGHVALUE="0xA0000FFF"', 'BASEVALUE="0xA0020000" HIGHVALUE="0xA0020FFF"',
         ["core/s_axi/reg0 seen through ps/M_AXI_HPM0_FPD is at 0xA0020000 to 0xA0020FFF "
          "and should be at 0xA0000000 to 0xA0000FFF."]),
        ('SLAVEBUSINTERFACE="s_axi"', 'SLAVEBUSINTERFACE="S_AXI"',
         ["core/s_axi/reg0 seen through ps/M_AXI_HPM0_FPD has no address, and should have 0xA0000000 to 0xA0000FFF."]),
        ('DIR="I" NAME="aclk" SIGIS="clk" CLKFREQUENCY="150000000"', 'NAME="aclk" CLKFREQUENCY="140000000"',
         [f"the clock of {cell}/aclk is 140 MHz and should be 150 MHz." for cell in ("control", "memory", "core")]),
        ('SIGNAME="core_irq" DIR="O"', 'SIGNAME="" DIR="O"', ["core/irq is not connected to interrupts/In0."]),
        ('BUSNAME="dma_M_AXIS_MM2S" NAME="s_axis"', 'BUSNAME="__NOC__" NAME="s_axis"',
         ["interface core/s_axis is not connected to dma/M_AXIS_MM2S."]),
        ('VLNV="xilinx.com:ip:axi_dma:*"', 'VLNV="xilinx.com:ip:axi_cdma:4.1"',
         ["dma is a xilinx.com:ip:axi_cdma:4.1 and should be a xilinx.com:ip:axi_dma:*."]),
        ('DEVICE="xczu7ev"', 'DEVICE="xczu9eg"', ["DEVICE is 'xczu9eg' and should be 'xczu7ev'."]),
    ],
)  # fmt: skip
def test_one_sentence_a_difference(predicted: str, change: str, becomes: str, sentences: list[str]) -> None:
    assert change in predicted
    assert differences(predicted, predicted.replace(change, becomes)) == sentences


def test_a_missing_module_is_said_once(predicted: str) -> None:
    root = ElementTree.fromstring(predicted)
    [modules] = root.iterfind("MODULES")
    modules.remove(next(one for one in modules if one.get("INSTANCE") == "interrupts"))
    assert differences(predicted, ElementTree.tostring(root, "unicode")) == [
        "interrupts (xilinx.com:ip:xlconcat:*) is missing."
    ]


@pytest.mark.parametrize("text", ["", "<EDKSYSTEM>", "<EDKSYSTEM/>", "no XML"])
def test_malformed(predicted: str, text: str) -> None:
    with pytest.raises(InputError, match=r"must be a \.hwh file of Vivado$"):
        differences(predicted, text)


@pytest.mark.parametrize(
    ("change", "becomes"), [("FULLNAME=", "NAME_="), ('BASEVALUE="0x', 'BASEVALUE="zz'), ("INSTANCE=", "OTHER=")]
)
def test_malformed_inside(predicted: str, change: str, becomes: str) -> None:
    with pytest.raises(InputError, match=r"^the hand-off has "):
        differences(predicted, predicted.replace(change, becomes))


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["hwexplore", "fpga", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    array = ("--pe", "mac(int4, int4, acc=int16)", "--rows", "2", "--cols", "2", "--depth", "4", "--bus-bits", "64")
    assert run(monkeypatch, "build", *array, "--board", "zcu104", "--out", str(tmp_path)) == 0
    hwh = tmp_path / "hwexplore.hwh"
    assert run(monkeypatch, "check-hwh", str(hwh)) == 2
    hwh.write_text((tmp_path / PREDICTION).read_text("utf-8"), "utf-8")
    assert run(monkeypatch, "check-hwh", str(hwh)) == 0
    assert "is as predicted" in capsys.readouterr().out
    (tmp_path / "hwexplore.bit").write_bytes(b"")
    assert run(monkeypatch, "check", "--no-fit", str(tmp_path)) == 0
    hwh.write_text(hwh.read_text("utf-8").replace('VALUE="26"', 'VALUE="14"'), "utf-8")
    for command in (("check-hwh", str(hwh)), ("check", "--no-fit", str(tmp_path))):
        assert run(monkeypatch, *command) == 1
        assert "c_sg_length_width of dma is 14 and should be 26." in capsys.readouterr().out
    hwh.write_bytes(b"\xff")
    assert run(monkeypatch, "check-hwh", str(hwh)) == 2


def test_files_that_do_not_belong_together(made: Build, tmp_path: Path) -> None:
    write(made, DESIGN, tmp_path)
    assert problems(tmp_path) == []
    (tmp_path / "hwexplore.bit").write_bytes(b"")
    assert problems(tmp_path) == ["hwexplore.bit is there without hwexplore.hwh; run build.tcl again."]
    (tmp_path / "hwexplore.bit").unlink()
    verilog = tmp_path / f"{TOP}.v"
    verilog.write_text(made.verilog.replace(" + ", " - ", 1), "utf-8")
    [sentence] = problems(tmp_path)
    assert sentence.startswith(f"{TOP}.v is not the Verilog of the table: ")
    verilog.write_text(made.verilog.replace(f"{made.hash:016x}", "0" * 16), "utf-8")
    [sentence] = problems(tmp_path)
    assert sentence.startswith(f"{TOP}.v does not state the build ")
    (tmp_path / f"{TOP}.json").write_text("[]")
    with pytest.raises(InputError, match="no table of registers"):
        problems(tmp_path)
    verilog.unlink()
    with pytest.raises(InputError, match=f"has no {TOP}.v; make it with"):
        problems(tmp_path)
