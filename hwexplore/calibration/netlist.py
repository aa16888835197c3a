"""A mapped netlist: instances of cells, nets by number, combinational instances in topological order."""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from hwexplore.calibration.cells import Cell, Cells
from hwexplore.errors import InputError

__all__ = ["Instance", "Netlist", "read_netlist"]

CONSTANTS = {"0": 0, "1": 1, "x": 0}
"""Nets 0 and 1 are the constants; what may be anything is 0."""


@dataclass(frozen=True)
class Instance:
    """A cell with the net of each input and of each output (None: not connected)."""

    cell: Cell
    inputs: tuple[int, ...]
    outputs: tuple[int | None, ...]


@dataclass(frozen=True)
class Netlist:
    """``inputs`` and ``outputs`` give the nets of each port, lowest bit first; net 0 is low, net 1 is high."""

    inputs: Mapping[str, tuple[int, ...]]
    outputs: Mapping[str, tuple[int, ...]]
    gates: tuple[Instance, ...]
    flip_flops: tuple[Instance, ...]
    nets: int
    loads: tuple[tuple[float, int], ...] = field(repr=False, default=())
    """Of each net, the capacitance of the pins on it [fF] and how many they are."""

    @property
    def instances(self) -> tuple[Instance, ...]:
        """All instances."""
        return self.gates + self.flip_flops

    @property
    def area_um2(self) -> float:
        """Area of all cells."""
        return sum(instance.cell.area_um2 for instance in self.instances)

    @property
    def leakage_uw(self) -> float:
        """Leakage of all cells, mean over their states."""
        return sum(instance.cell.leakage_uw for instance in self.instances)

    @cached_property
    def clock(self) -> int | None:
        """The clock's net."""
        clocks = {ff.inputs[ff.cell.flip_flop.clock] for ff in self.flip_flops if ff.cell.flip_flop}
        if len(clocks) > 1:
            raise InputError("a netlist with several clocks")
        return clocks.pop() if clocks else None

    def load_ff(self, net: int, cells: Cells) -> float:
        """What drives ``net`` has to charge: pins and wire."""
        pins_ff, fanout = self.loads[net]
        return pins_ff + cells.wire_ff(fanout)


def read_netlist(path: Path, cells: Cells) -> Netlist:
    """The one module of a netlist that Yosys wrote as JSON (or .gz), mapped to ``cells``; InputError otherwise."""
    data = path.read_bytes()
    text = gzip.decompress(data) if path.suffix == ".gz" else data
    modules = [module for module in json.loads(text)["modules"].values() if "blackbox" not in module["attributes"]]
    (module,) = modules
    return _netlist(module, cells)


def _netlist(module: Mapping[str, Any], cells: Cells) -> Netlist:
    numbers: dict[int, int] = {}

    def net(bit: int | str) -> int:
        return CONSTANTS[bit] if isinstance(bit, str) else numbers.setdefault(bit, len(numbers) + 2)

    instances = []
    for name, record in module["cells"].items():
        kind, connections = record["type"], record["connections"]
        if kind not in cells.cells:
            raise InputError(f"netlist instance {name} is a {kind}, which is no cell of {cells.name}")
        cell = cells[kind]
        idle = dict(cell.flip_flop.idle_pins) if cell.flip_flop else {}
        instances.append(
            Instance(
                cell,
                tuple(
                    net(connections[pin][0]) if pin in connections else idle[number]
                    for number, pin in enumerate(cell.inputs)
                ),
                tuple(net(connections[pin][0]) if connections.get(pin) else None for pin in cell.outputs),
            )
        )
    ports = {
        direction: {
            name: tuple(net(bit) for bit in port["bits"])
            for name, port in module["ports"].items()
            if port["direction"] == direction
        }
        for direction in ("input", "output")
    }
    pins_ff, fanout = [0.0] * (len(numbers) + 2), [0] * (len(numbers) + 2)
    for instance in instances:
        for number, capacitance in zip(instance.inputs, instance.cell.input_ff, strict=True):
            pins_ff[number] += capacitance
            fanout[number] += 1
    return Netlist(
        inputs=ports["input"],
        outputs=ports["output"],
        gates=_in_order([instance for instance in instances if instance.cell.flip_flop is None]),
        flip_flops=tuple(instance for instance in instances if instance.cell.flip_flop),
        nets=len(numbers) + 2,
        loads=tuple(zip(pins_ff, fanout, strict=True)),
    )


def _in_order(gates: list[Instance]) -> tuple[Instance, ...]:
    driver = {net: number for number, gate in enumerate(gates) for net in gate.outputs if net is not None}
    graph = {number: [driver[net] for net in gate.inputs if net in driver] for number, gate in enumerate(gates)}
    try:
        return tuple(gates[number] for number in TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise InputError(f"a netlist with a combinational loop through {len(error.args[1]) - 1} cells") from None
