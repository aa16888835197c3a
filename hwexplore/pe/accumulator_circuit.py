"""What accumulators are made of: the gate that clears, the adder, the register."""

from __future__ import annotations

from hwexplore.formats import Minifloat
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.circuits import (
    Block,
    adder,
    align_shifter,
    gates,
    incrementer,
    leading_zeros,
    registers,
    zeros,
)
from hwexplore.technology import Item, Stage

__all__ = ["clear", "float_add", "state"]


def clear(bits: int, active: float) -> Block:
    """What starts a new sum."""
    gate = Item("clear", "and2", bits, active, "one per accumulator bit, gates the feedback")
    return Block((gate,), (Stage("clear", "and2", 1),))


def state(accumulator: Accumulator, bits: int, active: float) -> Block:
    """The accumulator register of ``bits`` bits, and what stands between the sum and it."""
    block = zeros
    if accumulator.kind == "saturate":
        block += gates("saturation", "xor2", 2, active, "overflow, from the top two carries")
        block += gates("saturation", "mux2", bits, active, "one per accumulator bit, selects the limit")
    block += gates("enable", "mux2", bits, active, "one per accumulator bit, holds the sum")
    return block.beside(registers("accumulator", bits, active, str(accumulator)))


def float_add(format: Minifloat, term: int, active: float) -> tuple[Block, Block]:
    """A floating-point adder for a significand of ``term`` bits, not normalised: exponent difference, and the rest.

    The rest: swap, align, add, count leading zeros, normalise, round to nearest even.
    """
    significand = format.mantissa_bits + 1
    # The window holds a term beside a whole significand, guard, rounding and carry.
    width = term + format.mantissa_bits + 3
    difference = adder("exponent difference", format.exponent_bits + 1, active)
    chain = (
        gates("swap", "mux2", 2 * width, active, f"two significands of {width} bits")
        + align_shifter("alignment", width, active)
        + gates("subtraction", "xor2", width, active, f"{width} bits")
        + adder("significand adder", width + 1, active)
        + gates("negation", "xor2", width + 1, active, f"sign and magnitude of {width + 1} bits")
        + incrementer("negation", width + 1, active)
        + leading_zeros(width + 1, active)
        + align_shifter("normalisation", width + 1, active)
        + incrementer("rounding to nearest even", significand, active)
        + gates("special values", "mux2", format.element_bits, active, "NaN, inf, overflow; one per bit")
    )
    sticky = gates("sticky bit", "or2", width, active, f"{width} bits shifted out")
    exponents = adder("exponent adjustment", format.exponent_bits, active)
    return difference, chain.beside(sticky).beside(exponents)
