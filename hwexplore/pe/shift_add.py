"""Family ``shift_add``: low-bit weights times activations by shift and add, dequantized once per group."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import ceil
from typing import ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Integer, Minifloat, Scaled
from hwexplore.pe.accumulator import Accumulator
from hwexplore.pe.arguments import Arguments
from hwexplore.pe.arithmetic import float_sums, rounded_sum
from hwexplore.pe.base import PE, Tile
from hwexplore.pe.codes import Codes, matrices, plain
from hwexplore.pe.mac import Mac
from hwexplore.pe.operand import Operand
from hwexplore.pe.shift_add_circuit import product_table, shift_add_bill
from hwexplore.technology import Bill

__all__ = ["ShiftAdd"]

SCALE = Minifloat(exponent_bits=5, mantissa_bits=10, bias=15, special="ieee", overflow="infinity")
"""fp16."""
SIGN_AND_BIT = Minifloat(exponent_bits=1, mantissa_bits=0, bias=1)
"""-1, -0, 0 and 1; the codes of -1, 0 and 1 are those of ternary numbers."""


@dataclass(frozen=True)
class ShiftAdd(PE):
    """Weights of 2 to 4 bits times activations, without a multiplier; scales are applied to sums of groups (MixPE).

    A product is the sum of a shifted copy of the activation for every bit of the weight. ``group`` products, one a
    cycle, make a group sum: exact for integer activations, in fp32 with one rounding per addition for floating-point
    ones. Then ``accumulator += scale * (group sum - zero point * sum of the group's activations)``, the product with
    the scale exact, the addition rounded once. The difference is exact for integers, and rounded once to fp32 for
    floating point. Signed weights have no zero point.

    Weights are encoded with scales in fp16, as ``int4_g128`` or, with zero points, ``int4_g128_asym``. A ragged last
    group counts as filled up with weights and activations that add nothing.

    Of ``stages`` pipeline stages the first forms the group sum and the last adds to the accumulator; the
    multiplication by the scale is cut into those between, or shares the last where there are none.

    Source: MixPE, arXiv 2411.16158.
    """

    family: ClassVar[str] = "shift_add"
    options: ClassVar[tuple[str, ...]] = ("group", "acc", "stages")

    weight_port: Operand
    activation_port: Operand
    accumulator: Accumulator
    group: int = 128
    stages: int = 2

    @classmethod
    def from_arguments(cls, arguments: Arguments) -> ShiftAdd:
        weight, activation = (Operand.parse(name, arguments.text) for name in arguments.operands)
        accumulator = Accumulator.parse(arguments.options.get("acc", "fp32"))
        group = arguments.whole("group", 128, 1, MAX_GROUP)
        return cls(weight, activation, accumulator, group, arguments.whole("stages", 2, 2, MAX_STAGES))

    def __post_init__(self) -> None:
        if not _is_shiftable(self.weight_port.format):
            raise InputError(
                f"weight {self.weight_port}: shift_add takes integers of 2 to 4 bits, ternary, and e1m0, e2m0 or e3m0"
            )
        if not 4 <= self.activation_port.format.element_bits <= 16:
            raise InputError(
                f"activation {self.activation_port}: shift_add takes integers and floating point of 4 to 16 bits"
            )
        if self.accumulator.format is None:
            raise InputError(
                f"accumulator {self.accumulator}: shift_add adds scaled groups in floating point, such as fp32"
            )

    def __str__(self) -> str:
        accumulator = "" if str(self.accumulator) == "fp32" else f", acc={self.accumulator}"
        stages = f", stages={self.stages}" if self.stages > 2 else ""
        return f"shift_add({self.weight_port}, {self.activation_port}, group={self.group}{accumulator}{stages})"

    @cached_property
    def weight(self) -> Scaled:
        """Elements with a scale per group, and a zero point if they are unsigned."""
        element = self.weight_port.format
        return Scaled(element=element, scale=SCALE, block=self.group, zero_point=not element.signed)

    @property
    def scale_port(self) -> Operand:
        """The port of the scales."""
        return Operand(self.weight.scale)

    @property
    def group_sum_port(self) -> Operand:
        """The sum of a group, as the scale's multiplier takes it."""
        format = self.group_sum.accumulator.format
        return Operand(format or Integer(width=self.group_sum.accumulator_bits))

    @property
    def group_sum_exponent(self) -> int:
        """log2 of the unit that a group sum counts in."""
        mac, port = self.group_sum, self.group_sum_port
        return (
            port.step_exponent if port.is_float else mac.weight_port.step_exponent + mac.activation_port.step_exponent
        )

    @property
    def recoded_weight(self) -> Operand:
        """The weight port as the hardware reads it: a ternary number is a sign and a bit."""
        format = self.weight_port.format
        return Operand(SIGN_AND_BIT) if isinstance(format, Integer) and format.coding == "ternary" else self.weight_port

    @cached_property
    def group_sum(self) -> Mac:
        """The multiply-accumulate that the sum of a group is: exact, or in fp32."""
        kind = "fp32" if self.activation_port.is_float else f"exact({self.group})"
        return Mac(self.weight_port, self.activation_port, Accumulator.parse(kind))

    @cached_property
    def activation_sum(self) -> Mac:
        """The sum of a group's activations, as a multiply-accumulate with weights of 1."""
        return Mac(Operand(Integer(width=1, coding="unsigned")), self.activation_port, self.group_sum.accumulator)

    @property
    def tile(self) -> Tile:
        return Tile(k=self.group, cycles=self.group)

    @property
    def latency_cycles(self) -> int:
        return self.stages

    @property
    def accumulator_bits(self) -> int:
        return self.accumulator.size

    def accepts(self, weight: Format, activation: Format, terms: int) -> bool:
        fits = weight == self.weight if isinstance(weight, Scaled) else self.weight_port.accepts(weight)
        return fits and self.activation_port.accepts(activation)

    def golden(self, weights: Codes | Encoded, activations: Codes | Encoded) -> Codes:
        weights = self._scaled(weights)
        w, a = matrices(weights.codes, activations)
        total = np.zeros((len(a), len(w)))
        for index, start in enumerate(range(0, w.shape[1], self.group)):
            group = slice(start, start + self.group)
            sums = self.group_sum.decode(self.group_sum.golden(w[:, group], a[:, group]))
            with np.errstate(invalid="ignore"):
                if weights.zero_points is not None:
                    sums = self._centred(sums, a[:, group], weights.zero_points[:, index].astype(float))
                total = rounded_sum(total, sums * weights.scales[:, index].astype(float), self._sum_format)
        return np.asarray(self._sum_format.encode(np.where(np.isnan(total), np.nan, total)))

    def _centred(
        self, sums: NDArray[np.float64], activations: Codes, zero_points: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """``sums`` [m, n] of a group, less ``zero_points`` [n] times the sum of the ``activations`` [m, group]."""
        values = self.activation.decode(activations)
        format = self.group_sum.accumulator.format
        if format is None:
            return np.asarray(sums - np.multiply.outer(values.sum(axis=1), zero_points))
        total = float_sums(values, np.ones((1, values.shape[1])), format, self.activation_port.width)
        return rounded_sum(sums, -total * zero_points, format)

    @property
    def _sum_format(self) -> Minifloat:
        assert self.accumulator.format is not None
        return self.accumulator.format

    def _scaled(self, weights: Codes | Encoded) -> Encoded:
        """Encoded weights [n, k] of the PE's format; InputError if they are something else."""
        if not isinstance(weights, Encoded):
            raise InputError(f"weights have no scales, and {self} takes those of {self.weight}")
        groups = (*weights.codes.shape[:-1], ceil(weights.codes.shape[-1] / self.group))
        points = None if weights.zero_points is None else weights.zero_points.shape
        if weights.scales.shape != groups or points != (groups if self.weight.zero_point else None):
            raise InputError(
                f"weights {weights.codes.shape} have scales {weights.scales.shape} and zero points {points}; "
                f"{self.weight} has {groups}" + " of each" * self.weight.zero_point
            )
        return weights

    @property
    def ports(self) -> dict[str, int]:
        bits = self.weight.element_bits
        ports = {"weight": bits, "activation": self.activation.element_bits, "scale": self.weight.scale.element_bits}
        return {**ports, "zero_point": bits} if self.weight.zero_point else ports

    @property
    def meanings(self) -> dict[str, str]:
        last = "in the last cycle of a group"
        return {
            **super().meanings,
            "scale": f"{self.weight.scale}, {last}",
            "zero_point": f"uint{self.weight.element_bits}, {last}",
        }

    def weight_beats(self, weights: Codes | Encoded) -> dict[str, Codes]:
        weights = self._scaled(weights)
        beats = {"weight": weights.codes, "scale": self._last(SCALE.encode(weights.scales))}
        if weights.zero_points is not None:
            beats["zero_point"] = self._last(weights.zero_points)
        return beats

    def _last(self, codes: Codes) -> Codes:
        """Codes [n, groups] in the last cycle of each group: [n, cycles]."""
        return np.pad(codes[..., np.newaxis], ((0, 0), (0, 0), (self.group - 1, 0))).reshape(len(codes), -1)

    def activation_beats(self, activations: Codes | Encoded) -> dict[str, Codes]:
        return {"activation": plain(activations)}

    def decode(self, codes: Codes) -> NDArray[np.float64]:
        return self._sum_format.decode(codes)

    def bill(self, operands: str) -> Bill:
        return shift_add_bill(self, operands)

    def product_table(self) -> pd.DataFrame:
        """What a product takes in gates, by shift and add and in an array multiplier of the same stored widths.

        Columns ``part``, ``primitive``, ``shift_add``, ``multiplier``; without the sum.
        """
        return product_table(self)


def _is_shiftable(format: Integer | Minifloat) -> bool:
    power_of_two = format.signed and not format.has_nan and isinstance(format, Minifloat) and format.mantissa_bits == 0
    return 2 <= format.element_bits <= 4 and (power_of_two or isinstance(format, Integer))


MAX_GROUP = 1024
MAX_STAGES = 8
