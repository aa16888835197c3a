from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from circuits import CELLS

from hwexplore.calibration.netlist import Netlist, read_netlist
from hwexplore.errors import InputError


def port(direction: str, *bits: int | str) -> dict[str, object]:
    return {"direction": direction, "bits": list(bits)}


def instance(kind: str, **connections: int | str) -> dict[str, object]:
    return {"type": kind, "connections": {pin: [bit] for pin, bit in connections.items()}}


def read(folder: Path, ports: dict[str, object], *cells: dict[str, object], suffix: str = "") -> Netlist:
    module = {"attributes": {}, "ports": ports, "cells": {f"cell{i}": record for i, record in enumerate(cells)}}
    modules = {"unit": module, "fa": {"attributes": {"blackbox": 1}}}
    data = json.dumps({"modules": modules}).encode()
    path = folder / f"netlist.json{suffix}"
    path.write_bytes(gzip.compress(data) if suffix else data)
    return read_netlist(path, CELLS)


PORTS = {"clk": port("input", 2), "x": port("input", 7, 8), "y": port("output", 9, "0")}
CHAIN = (
    instance("nand", a=5, b="1", y=6),
    instance("dff", c=2, d=6, q=9),
    instance("fa", a=7, b=8, c="x", y=5),
)


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_gates_come_in_order_and_nets_have_loads(tmp_path: Path, suffix: str) -> None:
    netlist = read(tmp_path, PORTS, *CHAIN, suffix=suffix)
    assert [gate.cell.name for gate in netlist.gates] == ["fa", "nand"]
    adder, nand = netlist.gates
    (register,) = netlist.flip_flops
    assert adder.inputs == (*netlist.inputs["x"], 0)
    assert adder.outputs == (nand.inputs[0], None)
    assert nand.inputs[1] == 1
    assert nand.outputs == (register.inputs[1],)
    assert netlist.clock == register.inputs[0] == netlist.inputs["clk"][0]
    assert netlist.outputs["y"] == (register.outputs[0], 0)
    assert len(netlist.loads) == netlist.nets == 2 + 6
    assert netlist.load_ff(nand.inputs[0], CELLS) == 1 + 0.5
    assert netlist.load_ff(register.outputs[0], CELLS) == 0
    assert netlist.area_um2 == 1 + 1 + 5
    assert netlist.leakage_uw == 0.25 + 0.25 + 0.5


def test_what_is_no_netlist_of_the_cells_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cell0 is a nor, which is no cell of round"):
        read(tmp_path, PORTS, instance("nor", a=7, b=8, y=9))
    with pytest.raises(InputError, match="combinational loop through 2 cells"):
        read(tmp_path, PORTS, instance("inv", a=3, y=4), instance("inv", a=4, y=3))
    two = read(tmp_path, PORTS, instance("dff", c=2, d=7, q=3), instance("dff", c=8, d=7, q=4))
    with pytest.raises(InputError, match="several clocks"):
        _ = two.clock


def test_without_registers_there_is_no_clock(tmp_path: Path) -> None:
    assert read(tmp_path, PORTS, instance("inv", a=7, y=9)).clock is None
