"""What a shift-add unit is made of: the sum of a group, then its dequantization."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import TYPE_CHECKING

import pandas as pd

from hwexplore.formats import Integer
from hwexplore.pe.accumulator_circuit import clear, float_add, state
from hwexplore.pe.circuits import Block, adder, booth_multiplier, cut, gates, incrementer, multiplier, registers, zeros
from hwexplore.pe.mac import Mac
from hwexplore.pe.mac_circuit import mac_bill, product_block
from hwexplore.pe.operand import Operand
from hwexplore.pe.operands import activity
from hwexplore.technology import Bill

if TYPE_CHECKING:
    from hwexplore.pe.shift_add import ShiftAdd

__all__ = ["product_table", "shift_add_bill"]


@lru_cache(maxsize=4096)
def shift_add_bill(pe: ShiftAdd, operands: str) -> Bill:
    """The bill of ``pe``."""
    group = mac_bill(replace(pe.group_sum, weight_port=pe.recoded_weight), operands)
    once = min(1 / pe.group, 0.5)  # A group's numbers come and go, and half of their bits are ones.
    scaled, significand = _scaled(pe, once)
    scaled = scaled.active_in(2 * once).serving("dequantization in the PE")
    loop = _loop(pe, significand, once).active_in(2 * once)
    control = _control(pe, once).serving("dequantization in the PE")
    items = group.items + control.items + scaled.items + loop.items
    if pe.weight.zero_point:
        items += _activation_sum(pe, operands).serving("zero points in the PE").items
    cuts = pe.stages - 2
    if not cuts:
        return Bill(items, (*group.paths, scaled.path + loop.path))
    bits = significand + (pe.scale_port.shifts + pe.group_sum_port.shifts).bit_length() + 5
    why = f"scaled sum, {significand} bits; shift, sign, NaN, inf, two flags; after each of {cuts} cuts"
    pipeline = registers("pipeline", bits * cuts, once, why)
    return Bill(items + pipeline.items, (*group.paths, cut(scaled.path, cuts), loop.path))


def _control(pe: ShiftAdd, once: float) -> Block:
    """What counts the cycles of a group, and keeps its scale and zero point."""
    bits = (pe.group - 1).bit_length()
    toggles = 2 / max(bits, 1)
    held = pe.scale_port.format.element_bits + pe.weight.zero_point * pe.weight.element_bits
    blocks = (
        incrementer("cycle counter", bits, toggles) if bits else zeros,
        gates("cycle counter", "and2", bits, toggles, f"clear, per bit; counts {pe.group} cycles"),
        gates("cycle counter", "mux2", bits, toggles, "enable, per bit"),
        gates("cycle counter", "and2", bits - 1, 2 * once, "finds the last cycle"),
        registers("cycle counter", bits, toggles, f"counts {pe.group} cycles"),
        gates("scale", "mux2", held, once, "one per bit, loads in a group's last cycle"),
        registers("scale", held, once, "scale" + " and zero point" * pe.weight.zero_point),
        registers("control", 3, once, "group clears; sum complete, and clears"),
    )
    return Block(tuple(item for block in blocks for item in block.items))


def _activation_sum(pe: ShiftAdd, operands: str) -> Block:
    """The sum of a group's activations, which its zero point multiplies."""
    mac = pe.activation_sum
    toggles = activity(mac.weight_port, mac.activation_port, mac.accumulator_bits, mac.accumulator.format, operands)
    n, active = mac.accumulator_bits, float(toggles.accumulator.mean())
    if mac.accumulator.format is None:
        add = adder("activations' adder", n, active)
    else:
        difference, rest = float_add(mac.accumulator.format, mac.activation_port.width, active)
        add = difference + rest
    return clear(n, active) + add + state(mac.accumulator, n, active)


def _scaled(pe: ShiftAdd, once: float) -> tuple[Block, int]:
    """A complete group sum, less the zero points, times the scale; and the bits of its significand."""
    block = gates("isolation", "and2", pe.group_sum.accumulator_bits, once, "one per bit of the group sum")
    if pe.weight.zero_point:
        block += _correction(pe, once).serving("zero points in the PE")
    scale, total = pe.scale_port, pe.group_sum_port
    if not total.is_float:
        block += gates("group sum", "xor2", total.width, once, f"magnitude of {total.width} bits")
        block += incrementer("group sum", total.width, once)
    exponents = [port.exponent_bits for port in (scale, total)]
    block = block.beside(gates("decoder", "or2", sum(exponents) - len(exponents), once, "hidden bits of the factors"))
    if total.is_float:
        block = block.beside(adder("exponent adder", max(exponents) + 1, once))
    return block + booth_multiplier(scale.width, total.width, once / 2), scale.width + total.width


def _correction(pe: ShiftAdd, once: float) -> Block:
    """Takes zero point times activations off the group sum."""
    mac = pe.activation_sum
    isolation = gates("isolation", "and2", mac.accumulator_bits, once, "one per bit of the activations' sum")
    bits, width = pe.weight.element_bits, mac.accumulator_bits
    format = mac.accumulator.format
    if format is None:
        times = multiplier(bits, width, mac.activation_port.signed, once / 2)
        return isolation + times + adder("zero-point subtraction", pe.group_sum.accumulator_bits, once)
    width = Operand(format).width
    difference, rest = float_add(format, bits + width, once)
    return isolation + multiplier(bits, width, False, once / 2) + difference + rest


def _loop(pe: ShiftAdd, significand: int, once: float) -> Block:
    """The accumulator and its adder."""
    assert pe.accumulator.format is not None
    n = pe.accumulator_bits
    difference, rest = float_add(pe.accumulator.format, significand, once)
    return clear(n, once) + difference + rest + state(pe.accumulator, n, once)


def product_table(pe: ShiftAdd) -> pd.DataFrame:
    """Gates of a product: those of ``pe``, and of an array multiplier for integers of the same stored widths."""
    weight = Operand(Integer(width=pe.weight.element_bits))
    units = {
        "shift_add": replace(pe.group_sum, weight_port=pe.recoded_weight),
        "multiplier": replace(pe.group_sum, weight_port=weight),
    }
    return pd.DataFrame({name: _gates(mac) for name, mac in units.items()}).fillna(0).astype(int).reset_index()


def _gates(mac: Mac) -> pd.Series[float]:
    toggles = activity(mac.weight_port, mac.activation_port, mac.accumulator_bits, mac.accumulator.format, "gaussian")
    block, _ = product_block(mac, toggles)
    return pd.DataFrame(block.items).groupby(["part", "primitive"])["count"].sum()
