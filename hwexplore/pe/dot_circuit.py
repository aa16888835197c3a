"""What a dot-product unit is made of."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, log2
from typing import TYPE_CHECKING

import numpy as np

from hwexplore.pe.accumulator_circuit import clear, float_add, state
from hwexplore.pe.circuits import (
    Block,
    adder,
    adder_toggles,
    compressor,
    cut,
    gates,
    incrementer,
    left_shifter,
    multiplier,
    registers,
    zeros,
)
from hwexplore.pe.codes import without_tensor_scale
from hwexplore.pe.operands import activity, draw, float_sum_transitions, sum_transitions
from hwexplore.technology import Bill

if TYPE_CHECKING:
    from hwexplore.pe.dot import Dot

__all__ = ["dot_bill"]

SAMPLES = 1024
"""Sums of a cycle, or of a block of several, behind the accumulator's activities."""


@lru_cache(maxsize=4096)
def dot_bill(dot: Dot, operands: str) -> Bill:
    """The bill of ``dot``."""
    toggles = activity(dot.weight_port, dot.activation_port, 1, None, operands).products
    both = adder_toggles(toggles)
    active, adding = _accumulator_activity(dot, operands)
    products, bits = _products(dot, toggles)
    summed = products if dot.tile.cycles == 1 else products + _block(dot, bits, both)
    term = bits
    if dot.accumulator.format is not None:
        summed += _scaling(dot, both).times(dot.parts).serving("block scales in the PE")
        term = dot.term_bits + dot.accumulator.format.exponent_bits + 4
    summed = summed.two_s_complement(dot.signed)
    loop = _loop(dot, active, adding)
    if dot.stages == 1:
        circuit = summed + loop
        return Bill(circuit.items, (circuit.path,))
    terms = registers("pipeline", term * dot.parts, 0.5, f"{dot.parts} terms of {term} bits before the accumulator")
    circuit = summed.beside(terms).beside(loop)
    cuts = dot.stages - 2
    if not cuts:
        return Bill(circuit.items, (summed.path, loop.path))
    width = (bits + sum(scale.format.element_bits for scale in dot.scales.values())) * dot.parts
    why = f"sums of products and scales, {width} bits, after each of {cuts} cuts"
    circuit = circuit.beside(registers("pipeline", width * cuts, 0.5, why))
    return Bill(circuit.items, (cut(products.path, cuts), summed.path[len(products.path) :], loop.path))


def _accumulator_activity(dot: Dot, operands: str) -> tuple[float, float]:
    """Transitions per bit and cycle of accumulator and adder, which adds the part of a block that is there already."""
    rng = np.random.default_rng(0)
    shape = (SAMPLES, dot.tile.k)
    w, a = (
        format.decode(without_tensor_scale(draw(port, format, operands, shape, rng)))
        for port, format in ((dot.weight_port, dot.weight), (dot.activation_port, dot.activation))
    )
    terms = (w * a).sum(axis=1)
    if dot.accumulator.format is None:
        return sum_transitions(terms.astype(np.int64), dot.accumulator_bits)
    adding = float_sum_transitions(terms, dot.accumulator.format)
    return adding / dot.tile.cycles, adding


def _products(dot: Dot, toggles: float) -> tuple[Block, int]:
    """The sum of the products of a cycle, for each block that it has a part of; and its width."""
    lanes = dot.lanes // dot.parts
    both = adder_toggles(toggles)
    total = dot.sum_window + (lanes - 1).bit_length()
    w, a = dot.weight_port, dot.activation_port
    if dot.is_float:
        lane, bits = _float_lane(dot, toggles)
    else:
        lane, bits = multiplier(w.width, a.width, w.signed or a.signed, toggles), dot.product_bits
    block = lane.times(lanes)
    if dot.is_aligned:
        block = _largest(dot, lanes, both) + block
    tree = compressor(max(lanes * bits - 2 * total, 0), lanes, both)
    return (block + tree + adder("final adder", total, both)).times(dot.parts), total


def _float_lane(dot: Dot, toggles: float) -> tuple[Block, int]:
    """One product, negated where it has to be and aligned; its bits in the sum."""
    w, a, bits = dot.weight_port, dot.activation_port, dot.product_bits
    both = adder_toggles(toggles)
    block = multiplier(w.width, a.width, False, toggles)
    for port in (w, a):
        block = block.beside(gates("decoder", "or2", max(port.exponent_bits - 1, 0), both, f"hidden bit of {port}"))
        if port.signed:
            block = block.beside(incrementer("decoder", port.width, both))
    if w.is_float and a.is_float:
        exponent = max(w.exponent_bits, a.exponent_bits) + 1
        block = block.beside(gates("exponent adder", "full_adder", exponent, 2 * both, "sum of the exponents"))
    block = block.beside(gates("sign", "xor2", 1, both, "sign of the product"))
    block += gates("negation", "xor2", bits, both, f"product of {bits} bits, sign and magnitude")
    block += incrementer("negation", bits, both)
    places = w.shifts + a.shifts
    if not dot.is_aligned:
        width = bits + 1 + places
        return block + left_shifter("alignment", bits + 1, places, both * bits / width), width
    stages = min(places.bit_length(), ceil(log2(dot.sum_window)) + 1)
    why = f"{dot.sum_window} bits x {stages} stages"
    return block + gates("alignment", "mux2", dot.sum_window * stages, both, why, stages), dot.sum_window


def _largest(dot: Dot, lanes: int, both: float) -> Block:
    """The largest exponent of a cycle's products, and how far each is below it."""
    exponent = (dot.weight_port.shifts + dot.activation_port.shifts).bit_length()
    zero = gates("zero products", "or2", dot.product_bits - 1, both, "is the product zero", depth=0)
    zero += gates("zero products", "and2", exponent, both, "takes its exponent out")
    compare = adder("largest exponent", exponent, both)
    select = gates("largest exponent", "mux2", exponent, both, f"{exponent} bits, tree over {lanes} lanes")
    levels = (lanes - 1).bit_length()
    node = compare + select
    tree = Block(node.times(lanes - 1).items, node.path * levels) if lanes > 1 else zeros
    return zero.times(lanes) + tree + adder("exponent difference", exponent, both).times(lanes)


def _block(dot: Dot, bits: int, both: float) -> Block:
    """The sum over the cycles of a block."""
    width = dot.largest_sum.bit_length() + 1
    shift = zeros
    if dot.is_aligned:
        shift = left_shifter("block alignment", bits, dot.exact_window - dot.product_bits - 1, both * bits / width)
    count = (dot.tile.cycles - 1).bit_length()
    counter = incrementer("cycle counter", count, 2 / count)
    counter += gates("cycle counter", "and2", 3 * count, 2 / count, "clear, enable, last cycle; per bit")
    kept = registers("block", width, both, "sum of the block so far")
    kept = kept.beside(registers("cycle counter", count + 1, 2 / count, "cycles of a block; whether it starts a sum"))
    return (
        (
            shift
            + gates("block", "and2", width, both, "one per bit, starts a block")
            + adder("block adder", width, both)
            + gates("block", "mux2", width, both, "one per bit, holds the sum")
        )
        .beside(counter)
        .beside(kept)
    )


def _scaling(dot: Dot, both: float) -> Block:
    """Sign and magnitude of a sum, times the scales."""
    bits = dot.sum_bits
    block = gates("magnitude", "xor2", bits, both, f"sign and magnitude of {bits} bits")
    block += incrementer("magnitude", bits, both)
    for name, scale in dot.scales.items():
        if scale.width > 1:
            block += multiplier(bits, scale.width, False, both / 2)
            bits += scale.width
        if scale.exponent_bits:
            width = scale.shifts.bit_length() + 1
            why = f"exponent of the {name} scale"
            block = block.beside(gates("scale exponents", "full_adder", width, 2 * both, why, depth=0))
            special = gates("scale exponents", "and2", scale.format.element_bits, both, f"NaN of the {name} scale")
            block = block.beside(special)
    return block


def _loop(dot: Dot, active: float, adding: float) -> Block:
    """The accumulator and its adders, one for each block of a cycle."""
    n = dot.accumulator_bits
    if dot.accumulator.format is None:
        add = adder("accumulator's adder", n, adding).two_s_complement(dot.signed)
    else:
        difference, rest = float_add(dot.accumulator.format, dot.term_bits, adding)
        add = (difference + rest).in_series(dot.parts)
    return clear(n, active) + add + state(dot.accumulator, n, active)
