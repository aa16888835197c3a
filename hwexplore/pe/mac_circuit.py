"""What a multiply-accumulate unit is made of."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from hwexplore.pe.accumulator_circuit import clear, float_add, state
from hwexplore.pe.circuits import (
    FUSED,
    Block,
    adder,
    adder_toggles,
    compressor,
    cut,
    gates,
    incrementer,
    left_shifter,
    multiplier,
    partial_products,
    registers,
)
from hwexplore.pe.operands import Activity, activity
from hwexplore.technology import Bill, Stage

if TYPE_CHECKING:
    from hwexplore.pe.mac import Mac

__all__ = ["mac_bill", "product_block"]


@lru_cache(maxsize=4096)
def mac_bill(mac: Mac, operands: str) -> Bill:
    """The bill of ``mac``."""
    toggles = activity(mac.weight_port, mac.activation_port, mac.accumulator_bits, mac.accumulator.format, operands)
    n, active = mac.accumulator_bits, float(toggles.accumulator.mean())
    cleared, register = clear(n, active), state(mac.accumulator, n, active)
    is_integer = not (mac.weight_port.is_float or mac.activation_port.is_float)
    if mac.stages == 1 and is_integer and mac.accumulator.format is None:
        circuit = cleared + _fused(mac, toggles) + register
        return Bill(circuit.items, (circuit.path,))
    product, bits = product_block(mac, toggles)
    product = product.two_s_complement(mac.signed)
    if mac.accumulator.format is None:
        add = adder("accumulator's adder", n, float(toggles.adder.mean())).two_s_complement(mac.signed)
    else:
        difference, rest = float_add(mac.accumulator.format, mac.weight_port.width + mac.activation_port.width, active)
        # In one cycle, the exponents are compared while the significands are multiplied.
        add = rest.beside(difference) if mac.stages == 1 else difference + rest
    loop = cleared + add + register
    if mac.stages == 1:
        circuit = product + loop
        return Bill(circuit.items, (circuit.path,))
    cuts = mac.stages - 1
    pipeline = registers("pipeline", bits * cuts, 0.5, f"product, {bits} bits, after each of {cuts} cuts")
    circuit = product.beside(pipeline).beside(loop)
    return Bill(circuit.items, (cut(product.path, cuts), loop.path))


def _fused(mac: Mac, toggles: Activity) -> Block:
    """Integers in one cycle: the accumulator is one more row of the multiplier, closed by a single adder."""
    w, a, n = mac.weight_port.width, mac.activation_port.width, mac.accumulator_bits
    upper = max(n - w - a, 0)
    carries = float(toggles.adder[-upper:].mean()) if upper else 0.0
    why = "accumulator bits above the product: sum, sign, carry"
    above = gates("ripple adder", "full_adder", upper, 2 * carries, why, depth=0)
    products = partial_products(w, a, mac.signed, toggles.products)
    tree = compressor(w * a, min(w, a) + 1, adder_toggles(toggles.products))
    ripple = Block((), (Stage("ripple adder", "full_adder", n, carry=True),))
    circuit = products + (tree + above) + ripple
    return circuit.two_s_complement(True).unrest(FUSED) if mac.signed else circuit


def product_block(mac: Mac, toggles: Activity) -> tuple[Block, int]:
    """The product on its own, as the accumulator takes it, and its width in bits."""
    w, a = mac.weight_port, mac.activation_port
    block = multiplier(w.width, a.width, w.signed or a.signed, toggles.products)
    bits = w.width + a.width
    active = adder_toggles(toggles.products)
    for port in (w, a):
        block = block.beside(gates("decoder", "or2", max(port.exponent_bits - 1, 0), active, f"hidden bit of {port}"))
        if port.signed and mac.accumulator.format is not None:
            block = block.beside(incrementer("decoder", port.width, active))
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
