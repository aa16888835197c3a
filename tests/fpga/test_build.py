"""The files of a core, and what Vivado reads from its ports."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

import hwexplore
from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.cli import main
from hwexplore.fpga.build import TOP, Build, build
from hwexplore.fpga.core import BUILD_MODULE
from hwexplore.fpga.overlay import Overlay
from hwexplore.pe import PE
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.verilog import yosys

OVERLAY = Overlay(array=SystolicArray(pe=PE.parse("mac(int4, int4, acc=int16)"), rows=2, cols=2, depth=4, bus_bits=24))
LITE = {
    "AWADDR": 12,
    "AWPROT": 3,
    "AWVALID": 1,
    "AWREADY": 1,
    "WDATA": 32,
    "WSTRB": 4,
    "WVALID": 1,
    "WREADY": 1,
    "BRESP": 2,
    "BVALID": 1,
    "BREADY": 1,
    "ARADDR": 12,
    "ARPROT": 3,
    "ARVALID": 1,
    "ARREADY": 1,
    "RDATA": 32,
    "RRESP": 2,
    "RVALID": 1,
    "RREADY": 1,
}
STREAM = {"TDATA": 32, "TKEEP": 4, "TLAST": 1, "TVALID": 1, "TREADY": 1}


@pytest.fixture(scope="module")
def made() -> Build:
    return build(OVERLAY)


@pytest.fixture(scope="module")
def ports(made: Build, tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, int, dict[str, str]]]:
    """Direction, bits and attributes of each port, as another reader of the Verilog sees them."""
    folder = tmp_path_factory.mktemp("ports")
    (folder / "core.v").write_text(made.verilog, "utf-8")
    yosys(["read_verilog core.v", "proc", "write_json core.json"], folder)
    module: dict[str, Any] = json.loads((folder / "core.json").read_text("utf-8"))["modules"][TOP]
    return {
        name: (port["direction"], len(port["bits"]), module["netnames"][name]["attributes"])
        for name, port in module["ports"].items()
    }


def test_interfaces(ports: dict[str, tuple[str, int, dict[str, str]]]) -> None:
    """Each port belongs to one interface, and each interface is whole."""
    expected = {
        **{f"xilinx.com:interface:aximm:1.0 s_axi {name}": bits for name, bits in LITE.items()},
        **{f"xilinx.com:interface:axis:1.0 s_axis {name}": bits for name, bits in STREAM.items()},
        **{f"xilinx.com:interface:axis:1.0 m_axis {name}": bits for name, bits in STREAM.items()},
        "xilinx.com:signal:clock:1.0 aclk CLK": 1,
        "xilinx.com:signal:reset:1.0 aresetn RST": 1,
        "xilinx.com:signal:interrupt:1.0 irq INTERRUPT": 1,
    }
    assert {attributes["X_INTERFACE_INFO"]: bits for _, bits, attributes in ports.values()} == expected
    for name, (direction, _, attributes) in ports.items():
        *_, interface, logical = attributes["X_INTERFACE_INFO"].split()
        assert name in (interface, f"{interface}_{logical.lower()}")
        answers = logical in ("BRESP", "BVALID", "RDATA", "RRESP", "RVALID", "INTERRUPT")
        slave = "output" if answers or (logical.endswith("READY") and logical not in ("BREADY", "RREADY")) else "input"
        flipped = {"input": "output", "output": "input"}[slave]
        assert direction == (flipped if interface == "m_axis" else slave), name


def test_parameters(ports: dict[str, tuple[str, int, dict[str, str]]]) -> None:
    parameters: dict[str, dict[str, str]] = {}
    for _, _, attributes in ports.values():
        if text := attributes.get("X_INTERFACE_PARAMETER"):
            (key, name), *others = (pair.split(" ", 1) for pair in text.split(", "))
            assert key == "XIL_INTERFACENAME"
            assert name not in parameters, "told twice"
            assert attributes["X_INTERFACE_MODE"] == ("master" if name in ("m_axis", "irq") else "slave")
            parameters[name] = dict(others)  # type: ignore[arg-type]
    assert parameters["aclk"] == {"ASSOCIATED_BUSIF": "s_axi:s_axis:m_axis", "ASSOCIATED_RESET": "aresetn"}
    assert parameters["aresetn"] == {"POLARITY": "ACTIVE_LOW"}
    assert parameters["irq"] == {"SENSITIVITY": "LEVEL_HIGH"}
    assert parameters["s_axi"]["PROTOCOL"] == "AXI4LITE"
    assert parameters["s_axis"] == parameters["m_axis"]
    assert parameters["s_axis"]["TDATA_NUM_BYTES"] == "4"
    assert not any("FREQ_HZ" in its for its in parameters.values())


def test_the_hash_is_of_everything_else(made: Build) -> None:
    states, rest = made.verilog.split("endmodule\n", 1)
    assert states.startswith(f"module {BUILD_MODULE}(")
    assert f"64'h{made.hash:016x}" in states
    modules = re.split(r"(?<=^endmodule\n)", rest, flags=re.M)[:-1]
    description = json.dumps(OVERLAY.description, sort_keys=True)
    assert sha256("\n".join([description, *modules]).encode()).hexdigest()[:16] == f"{made.hash:016x}"
    assert {register.name: register.reset for register in made.registers}["build"] == made.hash


def test_the_hash_is_that_of_any_other_run(made: Build) -> None:
    script = "from test_build import OVERLAY, build; print(f'{build(OVERLAY).hash:016x}')"
    folder = Path(__file__).parent
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), *sys.path]), "PYTHONHASHSEED": "7"}
    shown = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == f"{made.hash:016x}"


def test_lint_finds_nothing(made: Build, verilator: Simulator, tmp_path: Path) -> None:
    waivers = Path(hwexplore.__file__).parent / "rtl" / "lint.vlt"
    (tmp_path / "core.v").write_text(made.verilog, "utf-8")
    command = ["verilator", "--lint-only", "-Wall", "--top-module", TOP, str(waivers), "core.v"]
    environment = {**os.environ, **verilator.environment}
    assert subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True).stderr == ""


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["hwexplore", "fpga", "build", *arguments])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def test_command(
    made: Build, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    array = ("--pe", "mac(int4, int4, acc=int16)", "--rows", "2", "--cols", "2", "--depth", "4", "--bus-bits", "24")
    folder = tmp_path / "new" / "overlay"
    assert run(monkeypatch, *array, "--out", str(folder)) == 0
    assert (folder / f"{TOP}.v").read_text("utf-8") == made.verilog
    assert json.loads((folder / f"{TOP}.json").read_text("utf-8")) == json.loads(json.dumps(made.table))
    assert f"build {made.hash:016x}" in capsys.readouterr().out
    (tmp_path / "file").write_text("")
    assert run(monkeypatch, *array, "--out", str(tmp_path / "file")) == 2
    assert "cannot be made" in capsys.readouterr().err
