"""Operand ports: how a PE sees the numbers of a scalar format."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Minifloat

__all__ = ["Operand"]


@dataclass(frozen=True)
class Operand:
    """A port for one scalar format: an integer significand times a power of two, in units of the smallest step.

    Integers enter the multiplier as two's complement numbers (``signed``) or as they are; floating-point numbers as an
    unsigned significand, hidden bit included, with the sign and the exponent apart.
    """

    format: Integer | Minifloat

    @classmethod
    def parse(cls, text: str, pe: str) -> Operand:
        """The port for the format named ``text``, an operand of ``pe``; InputError if it is not scalar."""
        format = Format.parse(text)
        if not isinstance(format, (Integer, Minifloat)):
            raise InputError(f"PE {pe!r}: operand {text} has scales; this family takes integers and floating point")
        return cls(format)

    def __str__(self) -> str:
        return str(self.format)

    @property
    def is_float(self) -> bool:
        """Whether the operand has an exponent."""
        return isinstance(self.format, Minifloat)

    @property
    def width(self) -> int:
        """Bits that enter the multiplier."""
        if isinstance(self.format, Minifloat):
            return self.format.mantissa_bits + 1
        low, high = self.format.min_value, self.format.max_value
        return high.bit_length() if low >= 0 else max((-low - 1).bit_length(), high.bit_length()) + 1

    @property
    def signed(self) -> bool:
        """Whether the bits that enter the multiplier are two's complement."""
        return isinstance(self.format, Integer) and self.format.min_value < 0

    @property
    def exponent_bits(self) -> int:
        """Bits of the exponent, 0 for integers."""
        return self.format.exponent_bits if isinstance(self.format, Minifloat) else 0

    @property
    def shifts(self) -> int:
        """Places that the exponent can shift the significand by, 0 for integers."""
        return self.format.max_exponent - self.format.min_exponent if isinstance(self.format, Minifloat) else 0

    @property
    def step_exponent(self) -> int:
        """log2 of the smallest step between values."""
        return self.format.min_exponent - self.format.mantissa_bits if isinstance(self.format, Minifloat) else 0

    @cached_property
    def largest(self) -> int:
        """The largest magnitude, in steps."""
        return self.steps(self.format)

    def steps(self, format: Format) -> int:
        """The largest magnitude of ``format``, in steps of this port."""
        largest = _largest_integer(format) if isinstance(format, Integer) else format.element.max
        return int(Fraction(largest) / Fraction(2) ** self.step_exponent)

    def accepts(self, format: Format) -> bool:
        """Whether every number of ``format`` is a number of this port."""
        if isinstance(format, Integer):
            if isinstance(self.format, Integer):
                if self.format.coding == "bipolar" and format.coding != "bipolar":  # It has odd numbers only.
                    return False
                return format.min_value >= self.format.min_value and format.max_value <= self.format.max_value
            largest = _largest_integer(format)
            exact = largest <= 1 << self.format.mantissa_bits + 1 and self.step_exponent <= 0
            return exact and largest <= self.format.max and (self.format.signed or format.min_value >= 0)
        if not (isinstance(format, Minifloat) and isinstance(self.format, Minifloat)):
            return False
        finer = (
            format.mantissa_bits <= self.format.mantissa_bits and Operand(format).step_exponent >= self.step_exponent
        )
        return finer and format.max <= self.format.max and (self.format.signed or not format.signed)

    def integers(self, codes: ArrayLike) -> NDArray[np.int64] | NDArray[np.object_]:
        """The values of ``codes`` in steps: int64, or Python integers where those do not hold the largest."""
        values = self.format.decode(codes)
        if not np.isfinite(values).all():
            bad = values[~np.isfinite(values)].flat[0]
            raise InputError(f"operand {self} is {bad}: a fixed-point accumulator takes finite numbers only")
        unused = np.ldexp(abs(values), -self.step_exponent) > float(self.largest)
        if unused.any():
            bad = values[unused].flat[0]
            raise InputError(f"operand {self} is {bad:g}: a code that the format leaves unused")
        if self.largest < 2**53:
            return np.ldexp(values, -self.step_exponent).astype(np.int64)
        significand, exponent = np.frexp(values)
        shift = np.maximum(exponent - self.width - self.step_exponent, 0)
        whole = np.ldexp(significand, np.where(values == 0, 0, exponent - self.step_exponent - shift))
        return np.asarray(whole.astype(np.int64).astype(object) << shift.astype(object), object)


def _largest_integer(format: Integer) -> int:
    return max(abs(format.min_value), abs(format.max_value))
