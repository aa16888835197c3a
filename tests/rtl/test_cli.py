"""``hwexplore rtl``."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.cli import main
from hwexplore.pe import PE
from hwexplore.rtl import requirements
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.verilog import pe_verilog

Run = Callable[..., tuple[int, str, str]]
TEXT = "mac(int4, e2m1, acc=exact(64))"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs ``hwexplore rtl`` with these arguments: exit code, standard output, standard error."""

    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["hwexplore", "rtl", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return command


def test_generate(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "mac.v"
    code, out, err = run("generate", TEXT, "-o", str(path))
    assert (code, err) == (0, "")
    assert out == f"wrote module mac_int4_e2m1_acc_exact_64 to {path}\n"
    assert path.read_text("utf-8") == pe_verilog(PE.parse(TEXT))


def test_simulate_with_waves(run: Run, verilator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "waves.vcd"
    code, out, _ = run("simulate", TEXT, "--vectors", "500", "--waves", str(path))
    assert code == 0
    assert re.fullmatch(
        rf"{re.escape(TEXT)} on verilator {verilator.version}: [\d,]+ cycles, 0 mismatches, [\d,]+ cycles/s\n", out
    )
    assert "accumulator" in path.read_text("utf-8")


def test_simulate_shows_mismatches_of_a_file(run: Run, icarus: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "broken.v"
    path.write_text(pe_verilog(PE.parse(TEXT)).replace(" * ", " + "), "utf-8")
    code, out, _ = run("simulate", TEXT, "--vectors", "500", "--simulator", "icarus", "--verilog", str(path))
    assert code == 1
    assert " 0 mismatches" not in out
    assert "the first 10 mismatches" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("generate", "mac(int4", "-o", "x.v"), "is not of the form"),
        (("generate", TEXT, "-o", "no/such/folder/x.v"), "no/such/folder/x.v cannot be written: No such file"),
        (("simulate", TEXT, "--verilog", "no.v"), "verilog no.v cannot be read: No such file or directory"),
        (("simulate", TEXT, "--verilog", __file__), "has no module mac_int4_e2m1_acc_exact_64; hwexplore rtl generate"),
        (("generate", "lut(int2, int8, k=9)", "-o", "x.v"), "k = 9 must be a whole number from 2 to 5"),
        (("generate", "mac(mxfp4, int8)", "-o", "x.v"), "operand mxfp4 has scales; this family takes integers"),
        (("simulate", TEXT, "--waves", "x.fst"), "waves x.fst has suffix '.fst'; verilator writes .vcd"),
    ],
)
def test_refusals(arguments: tuple[str, ...], message: str, run: Run, verilator: Simulator) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert message in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("command", [("generate", TEXT, "-o", "x.v"), ("simulate", TEXT)])
def test_missing_packages_are_named(command: tuple[str, ...], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requirements, "find_spec", lambda name: None)
    code, _, err = run(*command)
    assert code == 2
    assert 'RTL needs pip install "hwexplore[rtl]"' in err


def test_array_writes_and_multiplies(run: Run, verilator: Simulator, tmp_path: Path) -> None:
    path = tmp_path / "gemm.v"
    size, shape = ("5", "4", "9"), ("--rows", "2", "--cols", "3", "--dataflow", "ws", "--output", "e4m3")
    code, out, err = run("array", "mac(e4m3, int4, acc=fp16, stages=2)", *shape, "-o", str(path), "--product", *size)
    assert (code, err) == (0, "")
    cycles = re.fullmatch(
        rf"wrote module gemm to {re.escape(str(path))}\n"
        r"5 x 4 x 9 on 2 x 3 mac\(.*\), ws: 0 of 20 results differ, (\d+) cycles, (\d+) in the model\n",
        out,
    )
    assert cycles
    assert cycles[1] == cycles[2]
    assert "module gemm(" in path.read_text("utf-8")


def test_array_that_differs_fails(run: Run, verilator: Simulator, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(SystolicArray, "cycles", lambda *_: 1)
    code, out, _ = run("array", TEXT, "--rows", "1", "--cols", "1", "--product", "1", "1", "1")
    assert code == 1
    assert out.endswith(" cycles, 1 in the model\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing to do: name a Verilog file with --out, a product to simulate with --product, or both"),
        (("--product", "1", "0", "1"), "n = 0 of the product must be at least 1"),
        (("--product", "70000", "1", "1"), "m = 70000 makes 70000 tiles"),
        (("--depth", "0", "-o", "x.v"), "depth = 0 must be a positive integer"),
    ],
)
def test_array_bad_input(arguments: tuple[str, ...], message: str, run: Run) -> None:
    code, _, err = run("array", TEXT, "--rows", "1", "--cols", "1", *arguments)
    assert code == 2
    assert err.startswith(f"hwexplore: {message}")
