"""What a precision-scalable unit is made of."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from hwexplore.pe.accumulator_circuit import clear, state
from hwexplore.pe.circuits import Block, adder, adder_toggles, cut, gates, registers, zeros
from hwexplore.pe.operands import activity, sample, sum_transitions
from hwexplore.technology import Bill, Item, Stage

if TYPE_CHECKING:
    from hwexplore.pe.multi import Multi

__all__ = ["multi_bill"]

SAMPLES = 1024


@lru_cache(maxsize=4096)
def multi_bill(pe: Multi, operands: str) -> Bill:
    """The bill of ``pe``; its mode sets the activities, and nothing else."""
    products = activity(pe.weight_port, pe.activation_port, 1, None, operands).products
    toggles = adder_toggles(products)
    circuit = _operands(pe) + _blocks(pe, products)
    circuit += _combination("rows", pe.digits, pe.digits, 4, toggles)
    circuit += _combination("columns", 1, pe.digits, 2 * pe.digits + 2, toggles)
    if pe.signed:
        circuit += _adders("sign correction", 1, pe.cycle_bits, 0, toggles)
    n, (active, adding) = pe.accumulator_bits, _accumulator_activity(pe, operands)
    add = adder("accumulator's adder", n, adding).two_s_complement(pe.signed)
    loop = clear(n, active) + add + state(pe.accumulator, n, active)
    cuts = pe.stages - 1
    if not cuts:
        return Bill((circuit + loop).items, ((circuit + loop).path,))
    why = f"sum of {pe.cycle_bits} bits and two flags, after each of {cuts} cuts"
    pipeline = registers("pipeline", (pe.cycle_bits + 2) * cuts, 0.5, why)
    return Bill(circuit.items + pipeline.items + loop.items, (cut(circuit.path, cuts), loop.path))


def _operands(pe: Multi) -> Block:
    """What brings the words of the ports to the digits that they meet in the mode."""
    selections = sum(line.bit_length() for line in range(pe.digits))
    why = f"two operands, {selections} selections of a word of {pe.width} bits; no glitches behind the ports"
    item = Item("operands", "mux2", 2 * selections * pe.width, 0.5, why)
    return Block((item,), (Stage("operands", "mux2", (pe.digits - 1).bit_length()),))


def _blocks(pe: Multi, products: float) -> Block:
    """The products of two digits of two bits."""
    count = pe.digits**2
    signs = sum((pe.weight_port.signed, pe.activation_port.signed))
    inverters = signs + (signs > 0)
    why = f"{count} blocks"
    return (
        gates("blocks", "and2", 4 * count, products, f"{why} of 2 x 2 bits")
        + gates("blocks", "xor2", inverters * count, products, f"{why}, products with sign bits")
        + gates("blocks", "half_adder", 2 * count, 2 * adder_toggles(products), f"{why}, two in series", 2)
    )


def _combination(name: str, trees: int, values: int, bits: int, toggles: float) -> Block:
    """Trees that sum as many ``values`` of ``bits`` bits each, neighbours shifted against each other or not."""
    block, shift, pairs = zeros, 2, values // 2
    while pairs:
        count, apart = trees * pairs, min(shift, bits)
        block += gates(name, "mux2", count * (bits - apart), toggles, f"{count} x {bits - apart} bits of two places")
        block = block.beside(
            gates(name, "and2", count * 2 * apart, toggles, f"{count} x 2 x {apart} bits of one place")
        )
        block += _adders(name, count, bits, shift, toggles)
        bits, shift, pairs = bits + shift, 2 * shift, pairs // 2
    return block


def _adders(name: str, count: int, bits: int, above: int, toggles: float) -> Block:
    """Adders of two numbers of ``bits`` bits, or of one shifted by ``above`` places; carries run side by side."""
    full = gates(name, "full_adder", count * bits, 2 * toggles, f"{count} x {bits} bits")
    return full.beside(gates(name, "half_adder", count * above, 2 * toggles, f"{count} x {above} bits above"))


def _accumulator_activity(pe: Multi, operands: str) -> tuple[float, float]:
    """Transitions per bit and cycle of accumulator and adder, each cycle with new random operands."""
    rng, lanes = np.random.default_rng(0), pe.tile.k
    ports = pe.weight_port, pe.activation_port
    w, a = (port.integers(sample(port, operands, SAMPLES * lanes, rng)).reshape(-1, lanes) for port in ports)
    return sum_transitions((w * a).sum(axis=1), pe.accumulator_bits)
