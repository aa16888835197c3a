"""Generated Verilog: what it says about itself, and what a linter says about it."""

from __future__ import annotations

import os
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

import hwexplore
from hwexplore.pe import PE
from hwexplore.rtl import build, stream
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.verilog import convert, module_name, pe_verilog, yosys

WAIVERS = Path(hwexplore.__file__).parent / "rtl" / "lint.vlt"


def lint(text: str, verilator: Simulator, folder: Path, waivers: bool = True) -> str:
    (folder / "design.v").write_text(text, "utf-8")
    command = ["verilator", "--lint-only", "-Wall", *([str(WAIVERS)] if waivers else []), "design.v"]
    environment = {**os.environ, **verilator.environment}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True).stderr


@pytest.mark.parametrize(
    "text",
    [
        "mac(int8, int8, acc=int32)",
        "mac(ternary, bipolar3, acc=int20 sat, stages=2)",
        "mac(e4m3, e2m1, acc=exact(64), stages=3)",
        "mac(e4m3, int4, acc=fp16)",
        "mac(e5m2, e4m3, acc=e4m3ftz, stages=2)",
        "dot(mxfp4, mxfp8, lanes=8, window=9, stages=3)",
        "dot(nvint4, nvint4, lanes=32, stages=2)",
        "shift_add(uint4, fp16, group=32, stages=3)",
        "shift_add(e3m0, int8, group=8)",
        "lut(int2, int8, m=2, n=3, k=4, table=int8)",
        "lut(uint2, fp16, m=1, n=2, k=3, bits=2)",
        "bit_serial(bipolar3, int4, lanes=7)",
        "multi(int8, uint8, acc=int20 sat, stages=2)",
    ],
)
def test_lint_finds_nothing(text: str, verilator: Simulator, tmp_path: Path) -> None:
    pe = PE.parse(text)
    assert lint(pe_verilog(pe), verilator, tmp_path) == ""
    assert lint(convert(stream.StreamWrapper(build(pe)), "wrapper"), verilator, tmp_path) == ""


def test_lint_would_find_something(verilator: Simulator, tmp_path: Path) -> None:
    text = pe_verilog(PE.parse("mac(int4, int4)"))
    assert "%Warning-" in lint(text, verilator, tmp_path, waivers=False)
    broken = text.replace("endmodule", "  assign accumulator = 0;\nendmodule")
    assert lint(broken, verilator, tmp_path) != ""


def test_header_says_what_it_is() -> None:
    pe = PE.parse("mac(e4m3, int4, acc=fp16, stages=3)")
    header = pe_verilog(pe).partition("module ")[0]
    assert all(line.startswith("//") for line in header.splitlines())
    for fact in (str(pe), "e4m3", "int4", "16 bits", "latency 3", version("hwexplore"), version("amaranth")):
        assert fact in header


def test_same_text_every_time_and_nothing_of_the_machine_in_it() -> None:
    pe = PE.parse("mac(e5m2, e5m2, acc=fp16, stages=2)")
    text = pe_verilog(pe)
    assert text == pe_verilog(pe)
    assert str(Path(__file__).anchor) + "home" not in text
    assert ".py" not in text


def test_module_names_are_identifiers_and_differ() -> None:
    texts = ["mac(int8, int8)", "mac(int8, int8, acc=int32 sat)", "mac(int8, int8, stages=2)", "mac(int8, int4)"]
    names = [module_name(PE.parse(text)) for text in texts]
    assert all(name.isidentifier() for name in names)
    assert len(set(names)) == len(names)


def test_a_failing_yosys_command_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="No such command: no_such_pass"):
        yosys(["no_such_pass"], tmp_path)


def test_yosys_is_stopped_when_it_takes_too_long(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="stopped after 2 s"):
        yosys(["exec -- sleep 60"], tmp_path, timeout_s=2)
