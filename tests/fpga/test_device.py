"""The driver, from the wheel, under stock pynq on the simulated core: see `board_program`."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import numpy as np
import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.formats import Format
from hwexplore.fpga.build import build
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.package import package
from hwexplore.fpga.registers import MAGIC
from hwexplore.fpga.simulated.server import run, write_overlay
from hwexplore.pe import PE
from hwexplore.rtl.simulator import Simulator

SIZES = [(1, 1, 1), (5, 8, 9), (7, 11, 20)]


@pytest.mark.slow
def test_device(board_python: Path, verilator: Simulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pe, rng = PE.parse("mac(int8, int8, acc=int32)"), np.random.default_rng(4)
    array = SystolicArray(pe=pe, rows=4, cols=4, depth=8, bus_bits=64, output=Format.parse("int8"))
    made = build(Overlay(array=array))
    bitfile = write_overlay(made, tmp_path / "overlay")
    wheel = package(tmp_path / "overlay", bitfile, tmp_path, "board_overlay")
    pip = [board_python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", tmp_path / "site"]
    subprocess.run([*pip, wheel], check=True, capture_output=True)
    unit, operands, expected = array.vector_unit, {"count": np.array(len(SIZES))}, []
    assert unit is not None
    for number, (m, n, k) in enumerate(SIZES):
        weights, activations = (
            format.encode(rng.standard_normal((rows, k)) * 30) for format, rows in ((pe.weight, n), (pe.activation, m))
        )
        parameters = unit.parameters(np.full(n, 2.0**-6), bias=rng.integers(-50, 50, n))
        for name, codes in {"weights": weights, "activations": activations, **parameters}.items():
            operands[f"p{number}_{name}"] = codes
        expected.append(unit.golden(pe.golden(weights, activations), parameters))
    np.savez(tmp_path / "operands.npz", **operands)
    monkeypatch.setitem(os.environ, "PYTHONPATH", str(tmp_path / "site"))
    program = Path(__file__).with_name("board_program.py")
    ran = run(
        made,
        [board_python, program, bitfile, tmp_path / "operands.npz", tmp_path / "spoilt"],
        folder=tmp_path / "sim",
        simulator=verilator,
    )
    assert ran.returncode == 0, ran.stderr
    said = json.loads(ran.stdout.splitlines()[-1])
    for codes, came in zip(expected, said["products"], strict=True):
        np.testing.assert_array_equal(came, codes.astype(int))
    assert said["after"] == said["products"][0]
    assert said["pe"] == str(pe)
    assert (said["driver"], said["dma"], said["id"]) == (True, "DMA", MAGIC)
    assert said["by_name"] == "SimulationError: bus error: the core has no register to read at 0xffc"
    assert said["unflushed"] == [0xA5] * 8
    assert said["flushed"] == [2] * 8
    assert said["timeout"].startswith("DriverError: the DMA did not move the operands within 0.3 s")
    assert "build of the core is" in said["build"]
    assert said["width"].startswith("DriverError: c_m_axis_mm2s_tdata_width in the .hwh is 32 and words_bits of")
    assert said["no_core"].startswith("DriverError: the .hwh has 0 of core where one is needed; it has ")
    assert said["no_hwh"].startswith("DriverError: ")
    assert "hwexplore_gemm.hwh is missing" in said["no_hwh"]
