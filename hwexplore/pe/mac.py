"""Family ``mac``: one multiplier and one accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from hwexplore.errors import InputError
from hwexplore.formats import Encoded
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import exact_sums, float_sums, saturating_sums, wrap
from hwexplore.pe.base import PE
from hwexplore.pe.codes import Codes, matrices
from hwexplore.pe.mac_circuit import mac_bill
from hwexplore.pe.mac_operands import MacOperands
from hwexplore.pe.operand import Operand
from hwexplore.technology import Bill

__all__ = ["Mac"]


@dataclass(frozen=True)
class Mac(MacOperands, PE):
    """A multiply-accumulate unit over two scalar formats, integer or floating point; one MAC a cycle.

    Products are exact. A fixed-point accumulator adds them exactly, in units of the product of the operands' smallest
    steps; a floating-point one rounds each addition to nearest even. ``stages`` is the pipeline depth: with one, an
    operand pair is in the sum at the end of its cycle; with more, the multiplier (and shifter) is cut into
    ``stages - 1`` parts and the accumulator's loop has the last stage to itself.
    """

    family: ClassVar[str] = "mac"
    options: ClassVar[tuple[str, ...]] = ("acc", "stages")

    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator
    stages: int = 1

    @classmethod
    def from_arguments(cls, arguments: Arguments) -> Mac:
        weight, activation = (Operand.parse(name, arguments.text) for name in arguments.operands)
        accumulator = Accumulator.parse(arguments.options.get("acc", "int32"))
        return cls(weight, activation, accumulator, arguments.whole("stages", 1, 1, MAX_STAGES))

    def __post_init__(self) -> None:
        fixed = self.accumulator.kind in ("wrap", "saturate")
        if fixed and not self.accumulator.holds(1, self.largest_product):
            needed = Accumulator("exact", 1).bits(self.largest_product)
            raise InputError(
                f"accumulator {self.accumulator} is too narrow for {self.weight} x {self.activation}: "
                f"one product needs {needed} bits"
            )

    def __str__(self) -> str:
        stages = f", stages={self.stages}" if self.stages > 1 else ""
        return f"mac({self.weight}, {self.activation}, acc={self.accumulator}{stages})"

    @property
    def latency_cycles(self) -> int:
        return self.stages

    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        weights, activations = matrices(weights, activations)
        if self.accumulator.format is not None:
            values = self.activation.decode(activations), self.weight.decode(weights)
            product_bits = self.weight_port.width + self.activation_port.width
            return np.asarray(
                self.accumulator.format.encode(float_sums(*values, self.accumulator.format, product_bits))
            )
        terms = weights.shape[1]
        self.accumulator.check(terms)
        a, w = self.activation_port.integers(activations), self.weight_port.integers(weights)
        largest = max(terms, 1) * self.largest_product
        if self.accumulator.kind == "saturate":
            return wrap(saturating_sums(a, w, largest, self.accumulator_bits), self.accumulator_bits)
        return wrap(exact_sums(a, w, largest), self.accumulator_bits)

    def bill(self, operands: str) -> Bill:
        return mac_bill(self, operands)


MAX_STAGES = 8
