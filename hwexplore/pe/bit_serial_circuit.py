"""What a bit-serial dot product is made of."""

from __future__ import annotations

from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.pe.accumulator_circuit import clear, state
from hwexplore.pe.circuits import Block, adder, cut, gates, left_shifter, registers, zeros
from hwexplore.pe.operand import Operand
from hwexplore.pe.operands import sample, sum_transitions, transitions
from hwexplore.technology import Bill

if TYPE_CHECKING:
    from hwexplore.pe.bit_serial import BitSerial

__all__ = ["bit_serial_bill"]

CYCLES = 1024
"""Cycles that activities are averaged over, at least."""


@lru_cache(maxsize=4096)
def bit_serial_bill(pe: BitSerial, operands: str) -> Bill:
    """The bill of ``pe``."""
    toggles = _activity(pe, operands)
    n, active = pe.accumulator_bits, toggles.accumulator
    term, width = _term(pe, toggles)
    term = term.two_s_complement(pe.signed).beside(_sequencer(pe))
    add = adder("accumulator's adder", n, toggles.adder).two_s_complement(pe.signed)
    loop = add + state(pe.accumulator, n, active)
    if pe.stages == 1:
        circuit = (term + loop).beside(clear(n, active))
        return Bill(circuit.items, (circuit.path,))
    cuts = pe.stages - 1
    why = f"shifted count, {width} bits, enable and clear, after each of {cuts} cuts"
    pipeline = registers("pipeline", (width + 2) * cuts, toggles.term, why)
    loop = clear(n, active) + loop
    circuit = term.beside(pipeline).beside(loop)
    return Bill(circuit.items, (cut(term.path, cuts), loop.path))


def _term(pe: BitSerial, toggles: _Activity) -> tuple[Block, int]:
    """What is added to the accumulator, and its width in bits."""
    lanes, bipolar = pe.lanes, sum(pe.bipolar)
    row = gates("bit products", "xor2" if bipolar == 2 else "and2", lanes, toggles.products, f"{lanes} lanes")
    block = row + _popcount("popcount", lanes, toggles.products)
    width = lanes.bit_length()
    if bipolar == 1:
        block = block.beside(_popcount("second popcount", lanes, toggles.others))
        width += 1
        block += adder("difference", width, toggles.term)
    elif bipolar == 2:
        width += 1
        block += gates("difference", "half_adder", width, 2 * toggles.term, f"{width} bits, less the number of lanes")
    places = pe.weight.element_bits + pe.activation.element_bits - 2
    block += left_shifter("plane shifter", width, places, toggles.term)
    width += places
    if any(pe.sign_planes):
        block += gates("negation", "xor2", width, toggles.term, f"{width} bits, in sign planes")
        width += bipolar == 0
    return block, min(width, pe.accumulator_bits)


def _popcount(part: str, bits: int, toggles: float) -> Block:
    """Ones among ``bits`` bits: every full adder takes one of them out of the sum, until the count's own are left."""
    count = bits.bit_length()
    full = gates(part, "full_adder", bits - count, 2 * toggles, f"{bits} bits, of which {count} stay", count - 1)
    half = gates(part, "half_adder", count - bits.bit_count(), 2 * toggles, f"zeros in {bits} as a binary number", 0)
    return full.beside(half)


def _sequencer(pe: BitSerial) -> Block:
    """The counter of the pairs of planes, and the shift and the sign that follow from it."""
    planes = pe.weight.element_bits, pe.activation.element_bits
    widths = [(count - 1).bit_length() for count in planes]
    bits = sum(widths)
    if bits == 0:
        return zeros
    active, why = 2 / bits, f"{bits} bits to count {planes[0]} x {planes[1]} pairs of planes"
    last = sum(max(width - 1, 0) for width in widths)
    block = registers("sequencer", bits, active, why)
    for primitive in ("and2", "mux2", "half_adder"):
        block += gates("sequencer", primitive, bits, active, f"clear, enable and increment: {why}")
    block += gates("sequencer", "and2", last, active, "recognises the last planes")
    block += gates("sequencer", "full_adder", min(widths), 2 * active, "sum of the planes' places")
    return block + gates("sequencer", "xor2", sum(pe.sign_planes) - 1, active, "sign of the product")


class _Activity(NamedTuple):
    """Mean transitions per bit and cycle, without glitches."""

    products: float
    others: float
    """Of the bits 0 and 1 of an operand, where the other is bipolar."""
    term: float
    accumulator: float
    adder: float


def _activity(pe: BitSerial, operands: str) -> _Activity:
    """Activities of a unit that is fed with random operands in every cycle (fixed seed)."""
    rng = np.random.default_rng(0)
    tiles = ceil(CYCLES / pe.tile.cycles)
    w, a = (
        _planes(port, sample(port, operands, tiles * pe.lanes, rng).reshape(tiles, pe.lanes))
        for port in (pe.weight_port, pe.activation_port)
    )
    w, a = w[:, :, np.newaxis], a[:, np.newaxis]
    pairs = np.broadcast_shapes(w.shape, a.shape)
    bits = w ^ a if all(pe.bipolar) else w & a
    others = a if pe.bipolar[0] else w
    values = [2 * plane - 1 if bipolar else plane for plane, bipolar in zip((w, a), pe.bipolar, strict=True)]
    count = (values[0] * values[1]).sum(axis=-1)
    i, j = np.ogrid[: pairs[1], : pairs[2]]
    negative = (pe.sign_planes[0] & (i == pairs[1] - 1)) ^ (pe.sign_planes[1] & (j == pairs[2] - 1))
    term = (np.where(negative, -count, count) << (i + j)).ravel()
    return _Activity(
        float((np.diff(bits.reshape(-1, pe.lanes), axis=0) != 0).mean()),
        float((np.diff(np.broadcast_to(others, pairs).reshape(-1, pe.lanes), axis=0) != 0).mean()),
        transitions(term, int(abs(term).max()).bit_length() + 1),
        *sum_transitions(term, pe.accumulator_bits),
    )


def _planes(port: Operand, codes: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The bits of codes [tile, lane]: [tile, plane, lane]."""
    places = np.arange(port.format.element_bits)
    return codes.astype(np.int64)[:, np.newaxis] >> places[:, np.newaxis] & 1
