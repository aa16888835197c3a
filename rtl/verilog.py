"""Verilog of components."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

from amaranth.back import rtlil
from amaranth.lib import wiring

from hwexplore.pe import PE
from hwexplore.rtl.core import build
from hwexplore.rtl.requirements import require

__all__ = ["convert", "module_name", "pe_verilog", "yosys"]

PASSES = ("proc -norom", "flatten -noscopeinfo", "opt_clean -purge", "opt", "opt_clean -purge", "memory_collect")


def module_name(pe: object) -> str:
    """The name of the Verilog module of ``pe``, such as ``mac_int8_int8_acc_int32``."""
    return re.sub(r"\W+", "_", str(pe)).strip("_")


def pe_verilog(pe: PE) -> str:
    """The Verilog module of the bare core of ``pe``; a header says what it computes and when."""
    text = convert(build(pe), module_name(pe))
    m, n, k, cycles = pe.tile
    ports = [
        ("clk", "input", 1, "rising edge"),
        ("rst", "input", 1, "synchronous: sums 0, pipeline empty"),
        ("enable", "input", 1, "take the operands in this cycle"),
        ("clear", "input", 1, "start new sums with them"),
        *((name, "input", bits, pe.meanings[name]) for name, bits in pe.ports.items()),
        *((name, "output", bits, pe.meanings[name]) for name, bits in pe.outputs.items()),
    ]
    lines = [
        str(pe),
        "",
        *(f"{direction:6} {name:11} {width:4} bits  {meaning}" for name, direction, width, meaning in ports),
        "",
        f"tiles of {m} x {n} sums over {k} products, in {cycles} cycles",
        f"latency {pe.latency_cycles} clock edges after the last cycle of a tile, initiation interval 1 cycle",
        f"hwexplore {version('hwexplore')}, amaranth {version('amaranth')}, yosys {version('pyosys')}",
    ]
    return "".join(f"// {line}".rstrip() + "\n" for line in lines) + text


def convert(component: wiring.Component, name: str, attributes: bool = False) -> str:
    """The Verilog of ``component``: one flat module called ``name``, with inputs ``clk`` and ``rst``.

    With ``attributes``, those of its signals are in it.
    """
    write = "write_verilog -norename" if attributes else "write_verilog -noattr -norename"
    with TemporaryDirectory() as folder:
        Path(folder, "design.il").write_text(rtlil.convert(component, name=name, emit_src=False), "utf-8")
        yosys(["read_rtlil design.il", *PASSES, f"{write} design.v"], Path(folder))
        text = Path(folder, "design.v").read_text("utf-8")
    return text[text.index("module ") :]


def yosys(commands: list[str], folder: Path, timeout_s: float | None = None) -> str:
    """Run Yosys commands in ``folder`` and return their log; RuntimeError if one fails, or they take too long.

    An error ends the interpreter that Yosys runs in, so it gets its own.
    """
    require("pyosys")
    script = "import sys; from pyosys import libyosys as y; d = y.Design(); [y.run_pass(c, d) for c in sys.argv[1:]]"
    running = subprocess.Popen(
        [sys.executable, "-c", script, *commands],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        log, complaints = running.communicate(timeout=timeout_s)
    except BaseException as error:
        os.killpg(running.pid, signal.SIGKILL)  # with the ABC that it may have started
        log, _ = running.communicate()
        if not isinstance(error, subprocess.TimeoutExpired):
            raise
        raise RuntimeError(f"Yosys was stopped after {timeout_s:g} s: {log[-500:]}") from None
    if running.returncode:
        raise RuntimeError(f"Yosys failed: {(log + complaints)[-500:]}")
    return log
