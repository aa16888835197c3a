"""Starts the simulation that stands in for a board, and runs a program against it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path

from hwexplore.fpga.block_design import zcu104
from hwexplore.fpga.build import TOP, Build
from hwexplore.fpga.core import ports
from hwexplore.fpga.simulated.handoff import handoff
from hwexplore.rtl.simulator import Simulator

__all__ = ["run", "write_overlay"]

VARIABLE = "HWEXPLORE_SIMULATION"
STEP_S = 0.05


def write_overlay(made: Build, folder: Path) -> Path:
    """Write ``made`` into ``folder`` with a `.hwh` and a `.bit` for the simulated board; returns that of the `.bit`."""
    made.write(folder)
    (folder / f"{TOP}.hwh").write_text(handoff(made), "utf-8")
    bitfile = folder / f"{TOP}.bit"
    # pynq tells overlays apart by what is in this file.
    bitfile.write_text(f"simulated {made.hash:016x}\n", "ascii")
    return bitfile


def run(
    made: Build, command: Sequence[str | Path], *, folder: Path, simulator: Simulator, patience_s: float = 60.0
) -> subprocess.CompletedProcess[str]:
    """Run ``command`` with the core of ``made`` as its board; ``folder`` is the simulator's.

    The simulation ends with the command, or ``patience_s`` seconds of real time after its last request. RuntimeError
    if it cannot run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    verilog, port = folder / "core.v", folder / "port"
    verilog.write_text(made.verilog, "utf-8")
    port.unlink(missing_ok=True)
    bases = {
        segment.segment.split("/")[0]: (segment.base, segment.size)
        for segment in zcu104(made.overlay).segments
        if segment.space == "ps/Data"
    }
    (folder / "board.json").write_text(json.dumps({**bases, "patience_s": patience_s}), "utf-8")
    environment, ended, done = dict(os.environ), threading.Event(), list[subprocess.CompletedProcess[str]]()

    def client() -> None:
        while not port.exists():
            if ended.wait(STEP_S):
                return
        number = port.read_text("ascii")
        done.append(
            subprocess.run(
                list(map(str, command)), env={**environment, VARIABLE: number}, capture_output=True, text=True
            )
        )
        # A command that never asked leaves the simulation waiting for somebody who does.
        with suppress(OSError):
            socket.create_connection(("127.0.0.1", int(number)), timeout=1).close()

    thread = threading.Thread(target=client)
    thread.start()
    try:
        with as_file(files("hwexplore.fpga.simulated") / "board.py") as testbench:
            simulator.run(
                sources=[verilog], top=TOP, testbench=testbench, folder=folder, seen=list(ports(made.overlay))
            )
    finally:
        ended.set()
        thread.join()
    [result] = done
    return result
