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
from hwexplore.pe.operands import GLITCH, Activity, activity
from hwexplore.technology import Bill, Item, Stage

__all__ = ["Mac"]

Items = tuple[Item, ...]
Stages = tuple[Stage, ...]


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
            raise InputError(
                f"PE {text!r} needs two operand formats, weight and activation, as in mac(int8, int8, acc=int32)"
            )
        weight, activation = (Format.parse(name) for name in positional)
        if not (isinstance(weight, Integer) and isinstance(activation, Integer)):
            other = weight if not isinstance(weight, Integer) else activation
            raise InputError(f"PE {text!r}: family mac takes integer operands, {other} is none")
        return cls(weight, activation, Accumulator.parse(options.get("acc", "int32")))

    def __post_init__(self) -> None:
        if self.accumulator.kind != "exact" and not self.accumulator.holds(1, self.largest_product):
            needed = Accumulator("exact", 1).bits(self.largest_product)
            raise InputError(
                f"accumulator {self.accumulator} is too narrow for {self.weight} x {self.activation}: "
                f"one product needs {needed} bits"
            )
        if self.accumulator_bits > 63:
            raise InputError(
                f"accumulator {self.accumulator} of {self.weight} x {self.activation} "
                f"needs {self.accumulator_bits} bits; at most 63 are supported"
            )

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

    def is_exact(self, weight: Format, activation: Format, terms: int) -> bool:
        if not (isinstance(weight, Integer) and isinstance(activation, Integer)):
            raise InputError(f"{self} takes integer operands, not {weight} x {activation}")
        reach = terms * _largest(weight) * _largest(activation)
        return reach >> (self.accumulator_bits - 1) == 0

    def golden(self, weights: NDArray[np.generic], activations: NDArray[np.generic]) -> NDArray[np.uint64]:
        w, a = (
            np.asarray(f.decode(codes)).astype(np.int64)
            for f, codes in ((self.weight, weights), (self.activation, activations))
        )
        if w.ndim != 2 or a.ndim != 2 or w.shape[1] != a.shape[1]:
            raise InputError(f"weights {w.shape} and activations {a.shape} must be [n, k] and [m, k] with one k")
        return self.accumulator.accumulate(w, a, self.largest_product)

    def decode(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        sign = 64 - self.accumulator_bits
        return (codes.astype(np.int64) << sign >> sign).astype(np.float64)

    def bills(self, operands: str) -> dict[str, Bill]:
        toggles = activity(self.weight, self.activation, self.accumulator_bits, operands)
        products = self._products(GLITCH * toggles.products)
        register, gates = self._state(float(toggles.accumulator.mean()))
        tree = _dadda_levels(min(_width(self.weight), _width(self.activation)) + 1)
        multiply = (Stage("clear", "and2", 1), Stage("compressor", "full_adder", tree))
        return {
            name: Bill((*products, *adder, *register), (*multiply, *path, *gates))
            for name, (adder, path) in {"ripple": self._ripple(toggles), "prefix": self._prefix(toggles)}.items()
        }

    def _products(self, toggles: float) -> Items:
        w, a = _width(self.weight), _width(self.activation)
        signs = w + a - 2
        return (
            Item("partial products", "and2", w * a - signs, toggles, f"{w} x {a} bits, less the signs'"),
            Item("partial products", "nand2", signs, toggles, "sign row and sign column (Baugh-Wooley)"),
        )

    def _state(self, toggles: float) -> tuple[Items, Stages]:
        """The accumulator register, what gates it, and the gates behind the sum on the critical path."""
        n = self.accumulator_bits
        items = (
            Item("clear", "and2", n, toggles, "one per accumulator bit, gates the feedback"),
            Item("enable", "mux2", n, toggles, "one per accumulator bit, holds the sum"),
            Item("accumulator", "flip_flop", n, toggles, str(self.accumulator)),
        )
        gates = (Stage("enable", "mux2", 1),)
        if self.accumulator.kind != "saturate":
            return items, gates
        return (
            Item("saturation", "xor2", 2, toggles, "overflow, from the top two carries"),
            Item("saturation", "mux2", n, toggles, "one per accumulator bit, selects the limit"),
            *items,
        ), (Stage("saturation", "xor2", 1), Stage("saturation", "mux2", 1), *gates)

    def _ripple(self, toggles: Activity) -> tuple[Items, Stages]:
        w, a = _width(self.weight), _width(self.activation)
        lower, upper = self._split()
        carries = 2 * GLITCH * float(toggles.accumulator[lower:].mean()) if upper else 0.0
        why = "each takes one of the product's bits out of the sum"
        return (
            Item("compressor and ripple adder", "full_adder", w * a, _adder_activity(toggles), why),
            Item("ripple adder", "full_adder", upper, carries, "accumulator bits above the product: sum, sign, carry"),
        ), (Stage("ripple adder", "full_adder", min(w, a) + upper, carry=True),)

    def _prefix(self, toggles: Activity) -> tuple[Items, Stages]:
        w, a, n = _width(self.weight), _width(self.activation), self.accumulator_bits
        tree = max(w * a - self._split()[0], 0)
        depth = ceil(log2(n))
        nodes = n / 2 * depth
        both = _adder_activity(toggles)
        return (
            Item("compressor", "full_adder", tree, both, "the product's bits, less those that the final adder takes"),
            Item("final adder", "half_adder", n, both, "propagate and generate of each bit"),
            Item("final adder", "and2", 2 * nodes, both / 2, f"Sklansky prefix tree: {n} / 2 x {depth} nodes of two"),
            Item("final adder", "or2", nodes, both / 2, f"Sklansky prefix tree: {n} / 2 x {depth} nodes"),
            Item("final adder", "xor2", n, both / 2, "sum bits"),
        ), (
            Stage("final adder", "half_adder", 1),
            Stage("final adder", "and2", depth),
            Stage("final adder", "or2", depth),
            Stage("final adder", "xor2", 1),
        )

    def _split(self) -> tuple[int, int]:
        """Accumulator bits that the product reaches, and those above it."""
        upper = max(self.accumulator_bits - _width(self.weight) - _width(self.activation), 0)
        return self.accumulator_bits - upper, upper


UNIFORM_PRODUCT_ACTIVITY = 2 * 0.25 * 0.75
"""Transitions per cycle of an AND of two fair, independent bits; a full adder's outputs then toggle half the time."""


def _adder_activity(toggles: Activity) -> float:
    """Transitions per cycle of an adder's two outputs together, each toggling half the time under random bits."""
    return GLITCH * toggles.products / UNIFORM_PRODUCT_ACTIVITY


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
