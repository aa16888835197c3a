"""Starts the simulation that stands in for a board, and runs a program against it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from contextlib import suppress
from importlib.resources import as_file, files
from pathlib import Path

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.fpga.block_design import zcu104
from hwexplore.fpga.build import TOP, Build
from hwexplore.fpga.core import ports
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.simulated.handoff import handoff
from hwexplore.pe import PE
from hwexplore.rtl.simulator import Simulator

__all__ = ["read_build", "run", "write_overlay"]

VARIABLE = "HWEXPLORE_SIMULATION"
STEP_S = 0.05


def read_build(folder: Path) -> Build:
    """What `Build.write` wrote into ``folder``; InputError if it is not there, or not of this version."""
    try:
        table = json.loads((folder / f"{TOP}.json").read_text("utf-8"))
        verilog = (folder / f"{TOP}.v").read_text("utf-8")
    except OSError as error:
        raise InputError(f"{error.filename} cannot be read: {error.strerror}; hwexplore fpga build writes it") from None
    described = dict(table["overlay"])
    pe, output, memory_bits = (described.pop(name) for name in ("pe", "output", "memory_bits"))
    array = SystolicArray(pe=PE.parse(pe), output=None if output is None else Format.parse(output), **described)
    made = Build(overlay=Overlay(array=array, memory_bits=memory_bits), verilog=verilog, hash=int(table["build"], 16))
    if json.loads(json.dumps(made.table)) != table:
        raise InputError(f"{folder / TOP}.json is not of this version of hwexplore; build the overlay anew")
    return made


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
    if it cannot run, InputError if there is no such command.
    """
    if shutil.which(str(command[0])) is None:
        raise InputError(f"command {command[0]} cannot be run; give the path of a program, such as that of a Python")
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
