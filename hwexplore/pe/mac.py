"""Family ``mac``: one multiplier and one accumulator."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import exact_sums, float_sums, saturating_sums, signed, wrap
from hwexplore.pe.base import PE
from hwexplore.pe.codes import Codes, matrices, plain
from hwexplore.pe.mac_circuit import mac_bill
from hwexplore.pe.operand import Operand
from hwexplore.technology import Bill

__all__ = ["Mac"]


@dataclass(frozen=True)
class Mac(PE):
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

    @property
    def largest_product(self) -> int:
        """The largest magnitude of one product, in steps."""
        return self.weight_port.largest * self.activation_port.largest

    @property
    def accumulator_bits(self) -> int:
        return self.accumulator.bits(self.largest_product)

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

    @property
    def ports(self) -> dict[str, int]:
        return {"weight": self.weight.element_bits, "activation": self.activation.element_bits}

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        return {"weight": plain(weights)}

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        return {"activation": plain(activations)}

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        if self.accumulator.format is not None:
            return self.accumulator.format.decode(codes)
        unit = 2.0 ** (self.weight_port.step_exponent + self.activation_port.step_exponent)
        return np.asarray(signed(codes, self.accumulator_bits).astype(float) * unit)

    def bill(self, operands: str) -> Bill:
        return mac_bill(self, operands)


MAX_STAGES = 8
