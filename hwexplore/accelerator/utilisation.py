"""What an accelerator takes of an FPGA."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import reduce

import pandas as pd

from hwexplore.accelerator.pe_table import operand_registers
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.pe.dsp import fpga_bill, multipliers
from hwexplore.technology import Bill, Interval, Item
from hwexplore.technology.device import Device, load

__all__ = ["VECTOR_LANE", "Utilisation", "utilisation"]

VECTOR_LANE = "mac(fp16, fp16, acc=fp16)"
"""A lane of the vector unit."""
LANE_PORT_BITS = 32
"""Buffer port of a lane: two FP16 operands."""

Resources = dict[str, Interval]


@dataclass(frozen=True)
class Utilisation:
    """The resources that each term of an accelerator takes: ``used`` maps a term to resources by name."""

    device: Device
    rows: int
    cols: int
    used: Mapping[str, Resources]

    def total(self, resource: str) -> Interval:
        """How much of ``resource`` all terms take; their errors are those of one law, so their bounds add."""
        parts = (term[resource] for term in self.used.values() if resource in term)
        return reduce(_plus, parts, Interval(0.0, 0.0, 0.0))

    def to_frame(self) -> pd.DataFrame:
        """A row per resource: each term, ``low``, ``used`` and ``high`` of all, ``available``, and ``percent`` used."""
        rows = []
        for resource, available in self.device.resources.items():
            total = self.total(resource)
            terms = {name: term[resource].mid if resource in term else 0.0 for name, term in self.used.items()}
            bounds = {"low": total.low, "used": total.mid, "high": total.high}
            rows.append(
                {
                    "resource": resource,
                    **terms,
                    **bounds,
                    "available": available,
                    "percent": 100 * total.mid / available,
                }
            )
        return pd.DataFrame(rows)

    def check(self) -> None:
        """InputError if the accelerator does not fit: which resources it exceeds, and by how much."""
        over = []
        for resource, available in self.device.resources.items():
            used = self.total(resource).mid
            if used > available:
                over.append(f"{used:,.0f} {resource}, {used - available:,.0f} more than its {available:,}")
        if over:
            raise InputError(
                f"rows = {self.rows}, cols = {self.cols}: the accelerator does not fit {self.device.name}; "
                f"it takes {'; '.join(over)}"
            )


def utilisation(
    pe: str | PE,
    device: str | Device = "zcu104",
    *,
    rows: int,
    cols: int,
    sram_bytes: float,
    vector_lanes: int = 0,
    dsp: bool = True,
    packed: bool = False,
) -> Utilisation:
    """What ``rows`` x ``cols`` PEs, a buffer and a vector unit take of ``device``.

    Each PE has registers that pass its operands on. The buffer is one memory as wide as what it feeds in a cycle: the
    operand ports along the edges of the array, or the lanes. ``dsp`` lets multipliers go into DSP blocks, ``packed``
    several of them into one. DRAM controller and sequencing of the array are not in it.
    """
    for name, value, least in (("rows", rows, 1), ("cols", cols, 1), ("vector_lanes", vector_lanes, 0)):
        if value != int(value) or value < least:
            raise InputError(f"{name} = {value} must be a whole number of at least {least}")
    unit = PE.parse(pe) if isinstance(pe, str) else pe
    target = load(device) if isinstance(device, str) else device
    core = _circuit(unit, target, dsp, packed, operand_registers(unit))
    lane = _circuit(PE.parse(VECTOR_LANE), target, dsp, packed, ())
    activations, weights = unit.port_bits
    word_bits = max(rows * activations + cols * weights, vector_lanes * LANE_PORT_BITS)
    kind, blocks = target.memory(sram_bytes, word_bits)
    used = {
        "PE array": _times(core, rows * cols),
        "buffer": {kind: Interval(blocks, blocks, blocks)},
        "vector unit": _times(lane, vector_lanes),
    }
    return Utilisation(target, rows, cols, used)


def _circuit(pe: PE, device: Device, dsp: bool, packed: bool, around: Iterable[Item]) -> Resources:
    moved = [unit for unit in multipliers(pe) if dsp and device.dsp_rule.takes(unit, packed)]
    bill = fpga_bill(pe, moved.__contains__)
    return device.price(Bill((*bill.items, *around)), moved, packed)


def _times(resources: Resources, count: int) -> Resources:
    return {name: Interval(v.low * count, v.mid * count, v.high * count) for name, v in resources.items()}


def _plus(a: Interval, b: Interval) -> Interval:
    return Interval(a.low + b.low, a.mid + b.mid, a.high + b.high)
