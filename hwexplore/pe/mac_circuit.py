"""What a multiply-accumulate unit is made of."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hwexplore.pe.circuits import (
    Block,
    adder,
    adder_toggles,
    align_shifter,
    compressor,
    gates,
    incrementer,
    leading_zeros,
    left_shifter,
    multiplier,
    partial_products,
    registers,
    zeros,
)
from hwexplore.pe.operands import Activity, activity
from hwexplore.technology import Bill, Item, Stage

if TYPE_CHECKING:
    from hwexplore.pe.mac import Mac

__all__ = ["mac_bill"]


@lru_cache(maxsize=4096)
def mac_bill(mac: Mac, booth: bool, kind: str, operands: str) -> Bill:
    """The bill of ``mac`` with an array or Booth multiplier and ripple or prefix adders."""
    toggles = activity(mac.weight_port, mac.activation_port, mac.accumulator_bits, mac.accumulator.format, operands)
    state = _state(mac, toggles)
    is_integer = not (mac.weight_port.is_float or mac.activation_port.is_float)
    if mac.stages == 1 and is_integer and mac.accumulator.format is None:
        circuit = _clear(mac, toggles) + _fused(mac, booth, kind, toggles) + state
        return Bill(circuit.items, (circuit.path,))
    product, bits = _product(mac, booth, kind, toggles)
    if mac.accumulator.format is None:
        add = adder("accumulator's adder", mac.accumulator_bits, kind, float(toggles.accumulator.mean()))
    else:
        add = _float_add(mac, kind, toggles)
    loop = _clear(mac, toggles) + add + state
    if mac.stages == 1:
        circuit = product + loop
        return Bill(circuit.items, (circuit.path,))
    cuts = mac.stages - 1
    pipeline = registers("pipeline", bits * cuts, 0.5, f"product, {bits} bits, after each of {cuts} cuts")
    circuit = product.beside(pipeline).beside(loop)
    part = tuple(Stage(s.part, s.primitive, s.count / cuts, s.carry) for s in product.path)
    return Bill(circuit.items, (part, loop.path))


def _fused(mac: Mac, booth: bool, kind: str, toggles: Activity) -> Block:
    """Integers in one cycle: the accumulator is one more row of the multiplier, closed by a single adder."""
    w, a, n = mac.weight_port.width, mac.activation_port.width, mac.accumulator_bits
    signed = mac.weight_port.signed or mac.activation_port.signed
    products, rows, bits = partial_products(w, a, signed, booth, toggles.products)
    both = adder_toggles(toggles.products)
    lower, upper = min(w + a, n), max(n - w - a, 0)
    if kind == "prefix":
        return products + compressor(max(bits - lower, 0), rows + 1, both) + adder("final adder", n, kind, both)
    carries = float(toggles.accumulator[lower:].mean()) if upper else 0.0
    why = "accumulator bits above the product: sum, sign, carry"
    above = gates("ripple adder", "full_adder", upper, 2 * carries, why, depth=0)
    tree = compressor(bits, rows + 1, both)
    ripple = Block((), (Stage("ripple adder", "full_adder", min(w, a) + upper, carry=True),))
    return products + tree.beside(above) + ripple


def _product(mac: Mac, booth: bool, kind: str, toggles: Activity) -> tuple[Block, int]:
    """The product on its own, as the accumulator takes it, and its width in bits."""
    w, a = mac.weight_port, mac.activation_port
    block = multiplier(w.width, a.width, w.signed or a.signed, booth, kind, toggles.products)
    bits = w.width + a.width
    active = adder_toggles(toggles.products)
    for port in (w, a):
        block = block.beside(gates("decoder", "or2", max(port.exponent_bits - 1, 0), active, f"hidden bit of {port}"))
        if port.signed and mac.accumulator.format is not None:
            block = block.beside(incrementer("decoder", port.width, kind, active))
            block = block.beside(gates("decoder", "xor2", port.width, active, f"magnitude of {port}"))
    if w.is_float or a.is_float:
        block = block.beside(gates("sign", "xor2", 1, active, "sign of the product"))
    exponent = max(w.exponent_bits, a.exponent_bits) + 1
    if w.is_float and a.is_float:
        block = block.beside(gates("exponent adder", "full_adder", exponent, 2 * active, "sum of the exponents"))
    if mac.accumulator.format is not None:
        return block, bits + (exponent if w.is_float or a.is_float else 0) + 1
    places = w.shifts + a.shifts
    if places == 0 and not (w.is_float or a.is_float):
        return block, bits
    width = bits + places
    spread = active * bits / width
    block += left_shifter("product shifter", bits, places, spread)
    return block + gates("negation", "xor2", width, spread, f"product of {width} bits, sign and magnitude"), width


def _float_add(mac: Mac, kind: str, toggles: Activity) -> Block:
    """A floating-point adder: compare, swap, align, add, count leading zeros, normalise, round to nearest even."""
    format = mac.accumulator.format
    assert format is not None
    active = float(toggles.accumulator.mean())
    significand = format.mantissa_bits + 1
    # Products are not normalised: the window holds one beside a whole significand, guard, rounding and carry.
    width = mac.weight_port.width + mac.activation_port.width + format.mantissa_bits + 3
    exponent = format.exponent_bits
    difference = adder("exponent difference", exponent + 1, kind, active)
    chain = (
        gates("swap", "mux2", 2 * width, active, f"two significands of {width} bits")
        + align_shifter("alignment", width, active)
        + gates("subtraction", "xor2", width, active, f"{width} bits")
        + adder("significand adder", width + 1, kind, active)
        + gates("negation", "xor2", width + 1, active, f"sign and magnitude of {width + 1} bits")
        + incrementer("negation", width + 1, kind, active)
        + leading_zeros(width + 1, active)
        + align_shifter("normalisation", width + 1, active)
        + incrementer("rounding to nearest even", significand, kind, active)
        + gates("special values", "mux2", format.element_bits, active, "NaN, inf, overflow; one per bit")
    )
    sticky = gates("sticky bit", "or2", width, active, f"{width} bits shifted out")
    exponents = adder("exponent adjustment", exponent, kind, active)
    both = chain.beside(sticky).beside(exponents)
    # In one cycle, the exponents are compared while the significands are multiplied.
    return both.beside(difference) if mac.stages == 1 else difference + both


def _clear(mac: Mac, toggles: Activity) -> Block:
    n, active = mac.accumulator_bits, float(toggles.accumulator.mean())
    gate = Item("clear", "and2", n, active, "one per accumulator bit, gates the feedback")
    return Block((gate,), (Stage("clear", "and2", 1),))


def _state(mac: Mac, toggles: Activity) -> Block:
    """The accumulator register, and what stands between the sum and it."""
    n, active = mac.accumulator_bits, float(toggles.accumulator.mean())
    block = zeros
    if mac.accumulator.kind == "saturate":
        block += gates("saturation", "xor2", 2, active, "overflow, from the top two carries")
        block += gates("saturation", "mux2", n, active, "one per accumulator bit, selects the limit")
    block += gates("enable", "mux2", n, active, "one per accumulator bit, holds the sum")
    return block.beside(registers("accumulator", n, active, str(mac.accumulator)))
