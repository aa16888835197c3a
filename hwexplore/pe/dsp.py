"""The multipliers of a PE, and its hardware on an FPGA, where they may be in DSP blocks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import replace

from hwexplore.pe.base import PE
from hwexplore.pe.circuits import adder, booth_multiplier, multiplier
from hwexplore.pe.dot import Dot
from hwexplore.pe.mac import Mac
from hwexplore.pe.operand import Operand
from hwexplore.pe.shift_add import ShiftAdd
from hwexplore.technology.bill import Bill, Item
from hwexplore.technology.device import Multiplier

__all__ = ["fpga_bill", "multipliers"]

MULTIPLIER_PARTS = ("partial products", "compressor", "multiplier's adder")


def multipliers(pe: PE) -> tuple[Multiplier, ...]:
    """The multipliers of one PE, those of operands and those of scales.

    Products by shift and add, bit by bit, digit by digit or from a table need none.
    """
    if isinstance(pe, Mac):
        return (_of_ports(pe.weight_port, pe.activation_port, 1, pe.accumulator.kind == "float"),)
    if isinstance(pe, Dot):
        found = [_of_ports(pe.weight_port, pe.activation_port, pe.lanes, pe.is_float)]
        bits = pe.sum_bits
        for scale in pe.scales.values():
            if scale.width > 1:
                found.append(Multiplier(bits, scale.width, signed=False, count=pe.parts))
                bits += scale.width
        return tuple(found)
    if isinstance(pe, ShiftAdd):
        return (Multiplier(pe.group_sum_port.width, pe.scale_port.width, signed=False),)
    return ()


def fpga_bill(pe: PE, in_dsp: Callable[[Multiplier], bool] = lambda multiplier: False) -> Bill:
    """The bill of ``pe``, less the multipliers that are ``in_dsp``."""
    bill = pe.bill("gaussian")
    moved = [unit for unit in multipliers(pe) if in_dsp(unit)]
    if isinstance(pe, Mac) and moved:
        rest = tuple(item for item in bill if item.part not in MULTIPLIER_PARTS)
        if any(item.part in ("accumulator's adder", "significand adder") for item in rest):
            return Bill(rest)
        bits = min(moved[0].wide + moved[0].narrow, pe.accumulator_bits)
        return Bill(rest + adder("accumulator's adder", bits, 0.5).items)
    if isinstance(pe, ShiftAdd):
        blocks = [booth_multiplier(unit.narrow, unit.wide, 0.0) for unit in moved]
    else:
        blocks = [multiplier(unit.narrow, unit.wide, unit.signed, 0.0).times(unit.count) for unit in moved]
    return Bill(_less(bill, [item for block in blocks for item in block.items]))


def _of_ports(weight: Operand, activation: Operand, count: int, magnitudes: bool) -> Multiplier:
    signed = (weight.signed or activation.signed) and not magnitudes
    return Multiplier(activation.width, weight.width, signed=signed, count=count, of_operands=True)


def _less(items: Iterable[Item], removed: Iterable[Item]) -> tuple[Item, ...]:
    """``items`` without as many primitives of each part as are ``removed``."""
    left: Counter[tuple[str, str]] = Counter()
    for item in removed:
        left[item.part, item.primitive] += item.count  # type: ignore[assignment]
    rest = []
    for item in items:
        taken = min(item.count, left[item.part, item.primitive])
        left[item.part, item.primitive] -= taken  # type: ignore[assignment]
        if item.count > taken:
            rest.append(replace(item, count=item.count - taken))
    return tuple(rest)
