"""What a LUT tensor core is made of: tables, lookups, accumulators."""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from hwexplore.formats import Integer, Minifloat
from hwexplore.pe.accumulator_circuit import clear, float_add, state
from hwexplore.pe.circuits import (
    Block,
    adder,
    align_shifter,
    cut,
    gates,
    incrementer,
    leading_zeros,
    left_shifter,
    registers,
    zeros,
)
from hwexplore.pe.lut_arithmetic import entries, lookups, scales
from hwexplore.pe.operand import Operand
from hwexplore.pe.operands import sample, sum_transitions, transitions
from hwexplore.technology import Bill

if TYPE_CHECKING:
    from hwexplore.pe.lut import Lut

__all__ = ["lut_bill"]

CYCLES = 1024
"""Cycles that activities are averaged over, at least."""


@lru_cache(maxsize=4096)
def lut_bill(pe: Lut, operands: str) -> Bill:
    """The bill of ``pe``."""
    toggles = _activity(pe, operands)
    once = toggles.entries / pe.tile.cycles
    table = _table(pe, once).two_s_complement(True).active_in(1 / pe.tile.cycles).serving("table precompute")
    lookup, term = _lookups(pe, toggles.lookups)
    cleared = clear(pe.accumulator_bits, toggles.accumulator)
    lookup = lookup.two_s_complement(pe.accumulator.format is None)
    loop = _add(pe, pe.bits, toggles.adder) + state(pe.accumulator, pe.accumulator_bits, toggles.accumulator)
    pipeline = registers("pipeline", term * pe.lookup_stages, toggles.lookups, f"{term} bits after the lookup")
    sums = (lookup + loop).beside(cleared).beside(pipeline)
    circuit = table.times(pe.m).beside(sums.times(pe.m * pe.n)).beside(_control(pe))
    if pe.offset is not None:
        circuit = circuit.beside(_activation_sum(pe, once).times(pe.m).serving("zero points in the PE"))
    paths = (lookup.path, cleared.path + loop.path) if pe.lookup_stages else (sums.path,)
    return Bill(circuit.items, (cut(table.path, pe.table_stages), *paths))


def _table(pe: Lut, active: float) -> Block:
    """The table of a group of activations, from their codes to its registers."""
    port, bits = pe.activation_port, pe.activation_port.width + pe.activation_port.shifts
    block = zeros
    if port.is_float:
        block += gates("decoder", "or2", port.exponent_bits - 1, active, f"hidden bit of {port}")
        block += left_shifter("fixed point", port.width, port.shifts, active)
        block += gates("negation", "xor2", bits, active, f"{port} in {bits} bits, sign and magnitude")
        block += incrementer("negation", bits, active)
        block, bits = block.times(pe.k), bits + 1
    block += _signed_sums(pe.k, bits, active)
    if isinstance(pe.table, Minifloat):
        block += _rounding(pe.sum_bits, pe.table, active).times(pe.entries)
    elif pe.table is not None:
        block += _scaling(pe, pe.table, active)
    stored, why = pe.entries * pe.entry_bits, f"{pe.entries} entries of {pe.entry_bits} bits"
    if pe.table is None:
        stored, why = stored - pe.entries + 1, f"{why}, the lowest bit of all of them the same"
    stored += pe.max_scale.bit_length()
    block += gates("table", "mux2", stored, active, f"one per bit, holds the table; {why}")
    cuts = pe.table_stages - 1
    pipeline = registers("pipeline", stored * cuts, active, f"{stored} bits after each of {cuts} cuts of the table")
    return block.beside(registers("table", stored, active, why)).beside(pipeline)


def _signed_sums(values: int, bits: int, active: float) -> Block:
    """Sums of values of ``bits`` bits, with all signs but the last: of each half of them, then of both."""
    if values == 1:
        return zeros
    low, high = values // 2, values - values // 2
    width = bits + (values - 1).bit_length()
    halves = _signed_sums(high, bits, active).beside(_signed_sums(low, bits, active))
    return halves + adder(f"sums of {values}", width, active).times(1 << values - 1)


def _rounding(bits: int, format: Minifloat, active: float) -> Block:
    """A fixed-point number of ``bits`` bits in floating point."""
    return (
        gates("magnitude", "xor2", bits, active, f"{bits} bits")
        + incrementer("magnitude", bits, active)
        + leading_zeros(bits, active)
        + align_shifter("normalisation", bits, active)
        + incrementer("rounding to nearest even", format.mantissa_bits + 1, active)
        + gates("special values", "mux2", format.element_bits, active, "NaN, inf, overflow; one per bit")
    )


def _scaling(pe: Lut, table: Integer, active: float) -> Block:
    """All entries divided by a power of two, and rounded to nearest even."""
    places, bits, width = pe.max_scale, pe.sum_bits, table.width
    levels = places.bit_length()
    ones = (width - 2).bit_length()
    range_check = (
        gates("range", "xor2", bits, active, f"magnitude of {bits} bits")
        + incrementer("range", bits, active)
        + gates("range", "and2", (ones + 2) * places, active, f"runs of {width - 1} ones at {places} places", ones)
        + gates("range", "or2", 2 * places, active, f"ones above and below, at {places} places", places)
    )
    shifted = sum(min(bits, width + (1 << level)) for level in range(levels))
    divide = (
        gates("division", "mux2", shifted, active, f"{levels} stages, the last {width + 1} bits wide", levels)
        + gates("sticky bit", "and2", places, active, f"{places} bits shifted out", 0)
        + gates("sticky bit", "or2", places, active, f"{places} bits shifted out", 0)
        + incrementer("rounding to nearest even", width, active)
    )
    if pe.activation_port.is_float:
        divide += gates("magnitude", "xor2", width, active, f"sign and magnitude of {width} bits")
        divide += incrementer("magnitude", width, active)
    all_of_them = gates("range", "or2", (pe.entries - 1) * places, active, f"any of {pe.entries} entries", pe.k - 1)
    encoder = gates("scale", "mux2", places, active, f"number of {places} places in a row", levels)
    return range_check.times(pe.entries) + all_of_them + encoder + divide.times(pe.entries)


def _lookups(pe: Lut, active: float) -> tuple[Block, int]:
    """What the planes of a cycle look up for one sum, as the accumulator takes it, and its bits."""
    bits = pe.entry_bits - (pe.table is None)
    why = f"tree over {pe.entries} entries of {bits} bits" + ", without their common lowest bit" * (pe.table is None)
    block = gates("lookup", "mux2", (pe.entries - 1) * bits, active, why, pe.k - 1)
    places = pe.max_scale + pe.planes - pe.bits
    if pe.accumulator.format is not None:
        block += gates("sign", "xor2", 1, active, "whether the entry is subtracted")
        shifts, term = places, pe.entry_bits - 1
        if isinstance(pe.table, Minifloat):
            block += gates("decoder", "or2", pe.table.exponent_bits - 1, active, f"hidden bit of {pe.table}")
            shifts, term = places + Operand(pe.table).shifts, pe.table.mantissa_bits + 1
        if places:
            why = "sum of scale and place" if pe.max_scale else "sum of exponent and place"
            block = block.beside(gates("place", "full_adder", shifts.bit_length(), 2 * active, why))
        return block.times(pe.bits), (term + shifts.bit_length() + 3) * pe.bits
    steps = places if pe.max_scale else pe.tile.cycles - 1
    width = pe.entry_bits + places
    block += left_shifter("place", pe.entry_bits, steps, active)
    block += gates("negation", "xor2", width, active, f"one per bit of an entry in its place, {width} bits")
    block = block.times(pe.bits)
    for plane in range(1, pe.bits):
        block += adder("sum of planes", width + plane, active)
    return block, width + pe.bits


def _add(pe: Lut, terms: int, active: float) -> Block:
    """What adds the terms of a cycle to an accumulator."""
    if pe.accumulator.format is None:
        return adder("accumulator's adder", pe.accumulator_bits, active).two_s_complement(True)
    significand = pe.table.mantissa_bits + 1 if isinstance(pe.table, Minifloat) else pe.entry_bits - 1
    difference, rest = float_add(pe.accumulator.format, significand, active)
    return (difference + rest).in_series(terms)


def _activation_sum(pe: Lut, active: float) -> Block:
    """The sum of the activations of one row: an entry of its table, added once per tile."""
    n = pe.accumulator_bits
    pipeline = registers("pipeline", pe.entry_bits * pe.lookup_stages, active, f"entry of {pe.entry_bits} bits")
    scaled = zeros
    if pe.max_scale and pe.accumulator.format is None:
        scaled = left_shifter("scale", pe.entry_bits, pe.max_scale, active)
    return scaled + clear(n, active) + _add(pe, 1, active) + state(pe.accumulator, n, active).beside(pipeline)


def _control(pe: Lut) -> Block:
    """Registers of the weights and of what the pipeline carries along; the counter of the planes."""
    count = (pe.tile.cycles - 1).bit_length()
    stages, active = pe.table_stages, (2 - 2.0 ** (1 - count)) / max(count, 1)
    weights = f"{pe.n} x {pe.bits} bit planes of {pe.k} weights, {stages} stages"
    block = registers("weights", pe.ports["weight"] * stages, 0.5, weights)
    block = block.beside(registers("control", 2 * (pe.stages - 1), 0.5, f"enable and clear, {pe.stages - 1} stages"))
    why = f"counter of {pe.tile.cycles} cycles, and {stages} stages"
    block = block.beside(registers("planes", (1 + stages) * count, active, why))
    if count:
        block = block.beside(incrementer("planes", count, active))
        block = block.beside(gates("planes", "and2", 3 * count, active, "clear, enable, last cycle; per bit"))
    return block


class _Activity(NamedTuple):
    """Mean transitions per bit, without glitches: of the table's entries per tile, of the others per cycle."""

    entries: float
    lookups: float
    accumulator: float
    adder: float


def _activity(pe: Lut, operands: str) -> _Activity:
    """Activities of one sum that is fed with random operands in every cycle (fixed seed)."""
    rng = np.random.default_rng(0)
    tiles = ceil(CYCLES / pe.tile.cycles)
    w, a = (sample(port, operands, tiles * pe.k, rng)[np.newaxis] for port in (pe.weight_port, pe.activation_port))
    values, (index, factors) = entries(pe, a)[0], (array[0] for array in lookups(pe, w))
    if isinstance(pe.table, Minifloat):
        values = np.clip(values, -pe.table.max, pe.table.max)
    tile = np.arange(tiles)[:, np.newaxis]
    terms = (values[tile, index] * factors).reshape(-1, pe.bits).sum(axis=1)
    if isinstance(pe.table, Minifloat):
        stored = pe.table.encode(values).astype(np.int64)
    elif pe.table is None:
        stored = values.astype(np.int64)
    else:
        stored = (values / scales(pe, pe.table, values[np.newaxis])[0]).astype(np.int64)
    format = pe.accumulator.format
    if format is None:
        sums = sum_transitions(terms.astype(np.int64), pe.accumulator_bits)
    else:
        sums = (transitions(format.encode(np.cumsum(terms)).astype(np.int64), pe.accumulator_bits),) * 2
    return _Activity(
        transitions(stored, pe.entry_bits),
        transitions(stored[tile, index].ravel(), pe.entry_bits),
        *sums,
    )
