"""Family ``mac``: one multiplier and one accumulator."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, log2
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format, Integer
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.base import PE
from hwexplore.pe.operands import GLITCH, activity
from hwexplore.technology import Bill, Item, Stage

__all__ = ["Mac"]


@dataclass(frozen=True)
class Mac(PE):
    """A multiply-accumulate unit over two integer formats; one MAC a cycle.

    A Baugh-Wooley array multiplier whose partial products are compressed together with the accumulator, so that one
    carry-propagate addition closes each cycle.
    """

    family: ClassVar[str] = "mac"

    weight: Integer
    activation: Integer
    accumulator: Accumulator

    @classmethod
    def from_arguments(cls, text: str, positional: list[str], options: Mapping[str, str]) -> Mac:
        for name in options:
            if name != "acc":
                raise unknown("option of mac", name, ["acc"])
        if len(positional) != 2:
            raise InputError(f"PE {text!r} needs two operand formats, weight and activation, as in mac(int8, int8, acc=int32)")
        weight, activation = (Format.parse(name) for name in positional)
        if not (isinstance(weight, Integer) and isinstance(activation, Integer)):
            other = weight if not isinstance(weight, Integer) else activation
            raise InputError(f"PE {text!r}: family mac takes integer operands, {other} is none")
        return cls(weight, activation, Accumulator.parse(options.get("acc", "int32")))

    def __post_init__(self) -> None:
        if self.accumulator.kind != "exact" and not self.accumulator.holds(1, self.largest_product):
            needed = Accumulator("exact", 1).bits(self.largest_product)
            raise InputError(f"accumulator {self.accumulator} is too narrow for {self.weight} x {self.activation}: one product needs {needed} bits")
        if self.accumulator_bits > 63:
            raise InputError(f"accumulator {self.accumulator} of {self.weight} x {self.activation} needs {self.accumulator_bits} bits; at most 63 are supported")

    def __str__(self) -> str:
        return f"mac({self.weight}, {self.activation}, acc={self.accumulator})"

    @property
    def macs_per_cycle(self) -> float:
        return 1.0

    @property
    def latency_cycles(self) -> int:
        return 1

    @property
    def largest_product(self) -> int:
        """The largest magnitude of one product."""
        return _largest(self.weight) * _largest(self.activation)

    @property
    def accumulator_bits(self) -> int:
        """Width of the accumulator."""
        return self.accumulator.bits(self.largest_product)

    def accepts(self, weight: Format, activation: Format, terms: int) -> bool:
        fits = _fits(weight, self.weight) and _fits(activation, self.activation)
        return fits and (self.accumulator.kind != "exact" or terms <= self.accumulator.size)

    def golden(self, weights: NDArray[np.generic], activations: NDArray[np.generic]) -> NDArray[np.uint64]:
        w, a = (np.asarray(f.decode(codes)).astype(np.int64) for f, codes in ((self.weight, weights), (self.activation, activations)))
        if w.ndim != 2 or a.ndim != 2 or w.shape[1] != a.shape[1]:
            raise InputError(f"weights {w.shape} and activations {a.shape} must be [n, k] and [m, k] with one k")
        return self.accumulator.accumulate(w, a, self.largest_product)

    def decode(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        sign = 64 - self.accumulator_bits
        return (codes.astype(np.int64) << sign >> sign).astype(np.float64)

    def bills(self, operands: str) -> dict[str, Bill]:
        w, a, n = _width(self.weight), _width(self.activation), self.accumulator_bits
        upper = max(n - w - a, 0)
        lower = n - upper
        toggles = activity(self.weight, self.activation, n, operands)
        product, register = toggles.products, float(toggles.accumulator.mean())
        adder = GLITCH * 0.5 * product / UNIFORM_PRODUCT_ACTIVITY
        carry = GLITCH * float(toggles.accumulator[lower:].mean()) if upper else 0.0

        products = (
            Item("partial products", "and2", w * a - (w + a - 2), GLITCH * product, f"{w} x {a} bits, signs apart"),
            Item("partial products", "nand2", w + a - 2, GLITCH * product, "sign row and sign column (Baugh-Wooley)"),
        )
        state = [
            Item("clear", "and2", n, register, "one per accumulator bit, gates the feedback"),
            Item("enable", "mux2", n, register, "one per accumulator bit, holds the sum"),
            Item("accumulator", "flip_flop", n, register, f"{self.accumulator}"),
        ]
        if self.accumulator.kind == "saturate":
            state += [
                Item("saturation", "mux2", n, register, "one per accumulator bit, selects the limit"),
                Item("saturation", "xor2", 2, register, "overflow from the top two carries"),
            ]
        saturation = (Stage("saturation", "xor2", 1), Stage("saturation", "mux2", 1)) if self.accumulator.kind == "saturate" else ()
        close = (*saturation, Stage("enable", "mux2", 1))
        levels = _dadda_levels(min(w, a) + 1)
        multiply = (Stage("clear", "and2", 1), Stage("compressor tree", "full_adder", levels))

        def full_adders(part: str, count: int, why: str) -> Item:
            return Item(part, "full_adder", count, 2 * adder, why)

        ripple = Bill(
            items=(
                *products,
                full_adders("compressor and ripple adder", w * a, "each removes one of the product's bits from the sum"),
                Item("ripple adder", "half_adder", upper, 2 * carry, "accumulator bits above the product"),
                *state,
            ),
            path=(
                *multiply,
                Stage("ripple adder", "full_adder", min(w, a), carry=True),
                Stage("ripple adder", "half_adder", upper),
                *close,
            ),
        )
        depth = ceil(log2(n))
        cells = n / 2 * depth
        prefix = Bill(
            items=(
                *products,
                full_adders("compressor tree", max(w * a - lower, 0), "the product's bits less those the final adder takes"),
                Item("final adder", "half_adder", n, 2 * adder, "propagate and generate of each bit"),
                Item("final adder", "and2", 2 * cells, adder, f"Sklansky prefix tree, {n} / 2 x {depth} nodes of two"),
                Item("final adder", "or2", cells, adder, f"Sklansky prefix tree, {n} / 2 x {depth} nodes"),
                Item("final adder", "xor2", n, adder, "sum bits"),
                *state,
            ),
            path=(
                *multiply,
                Stage("final adder", "half_adder", 1),
                Stage("final adder", "and2", depth),
                Stage("final adder", "or2", depth),
                Stage("final adder", "xor2", 1),
                *close,
            ),
        )
        return {"ripple": ripple, "prefix": prefix}


UNIFORM_PRODUCT_ACTIVITY = 2 * 0.25 * 0.75
"""Transitions per cycle of an AND of two fair, independent bits; a full adder's outputs then toggle half the time."""


def _largest(format: Integer) -> int:
    return max(abs(format.min_value), abs(format.max_value))


def _width(format: Integer) -> int:
    """Width of the multiplier port: of the two's complement or unsigned values of ``format``."""
    low, high = format.min_value, format.max_value
    return high.bit_length() if low >= 0 else max((-low - 1).bit_length(), high.bit_length()) + 1


def _fits(operand: Format, port: Integer) -> bool:
    return isinstance(operand, Integer) and operand.min_value >= port.min_value and operand.max_value <= port.max_value


def _dadda_levels(height: int) -> int:
    """Levels of full adders that bring columns of ``height`` bits down to two (Dadda 1965)."""
    levels, reach = 0, 2
    while reach < height:
        levels, reach = levels + 1, reach * 3 // 2
    return levels
