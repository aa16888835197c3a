"""Integers: two's complement, unsigned, symmetric, bipolar and ternary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats.base import Rounding, Scalar, as_float, round_to_integer

__all__ = ["Coding", "Integer"]

Coding = Literal["twos_complement", "unsigned", "symmetric", "bipolar", "ternary"]


@dataclass(frozen=True, kw_only=True)
class Integer(Scalar):
    """An integer of ``width`` bits, 1 to 64.

    ``coding`` says which values the codes stand for (b = width):

    - ``twos_complement`` (``int8``): -2^(b-1) to 2^(b-1)-1
    - ``unsigned`` (``uint8``): 0 to 2^b-1
    - ``symmetric`` (``int8s``): two's complement without its lowest value, +-(2^(b-1)-1)
    - ``bipolar`` (``bipolar3``): code q is 2q-(2^b-1), so the odd numbers up to +-(2^b-1); a bit 0 counts -1
    - ``ternary``: -1, 0, 1 in two bits of two's complement, stored five to a byte (3^5 <= 2^8)

    The scale is 1: `quantize` rounds to these values and saturates. Infinities saturate too, NaN raises InputError,
    and -0 becomes 0. Bipolar integers round to nearest only, and ties go up. The lowest code of two's complement,
    which ``symmetric`` and ``ternary`` never emit, decodes to its two's complement value, as hardware would read it.
    Above 53 bits (24 in float32) quantized values are those that the float type can hold, and decoded ones are rounded
    to float64.
    """

    width: int
    coding: Coding = "twos_complement"
    rounding: Rounding = "nearest_even"

    def __post_init__(self) -> None:
        self._check_rounding()
        if self.coding not in get_args(Coding):
            raise unknown("integer coding", self.coding, get_args(Coding))
        least = 2 if self.coding in ("symmetric", "ternary") else 1
        most = 2 if self.coding == "ternary" else 64
        if not isinstance(self.width, int) or not least <= self.width <= most:
            raise InputError(f"width of a {self.coding} integer is {self.width!r}; it must be in {least}..{most}")

        if self.coding == "bipolar" and self.rounding != "nearest_even":
            raise InputError(f"rounding of a bipolar integer is {self.rounding!r}; it must be 'nearest_even'")

    @property
    def element_bits(self) -> int:
        return self.width

    @property
    def packing(self) -> tuple[int, int]:
        return (8, 5) if self.coding == "ternary" else (self.width, 1)

    @property
    def signed(self) -> bool:
        return self.coding != "unsigned"

    @property
    def symmetric(self) -> bool:
        """Whether -x is a value whenever x is."""
        return self.coding in ("symmetric", "bipolar", "ternary")

    @property
    def has_nan(self) -> bool:
        return False

    @property
    def max_value(self) -> int:
        """The largest value."""
        return (1 << (self.width if self.coding in ("unsigned", "bipolar") else self.width - 1)) - 1

    @property
    def min_value(self) -> int:
        """The smallest value."""
        return 0 if self.coding == "unsigned" else -self.max_value - (not self.symmetric)

    @property
    def max(self) -> float:
        return float(self.max_value)

    def quantize(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        x = as_float(x)
        low, high = _toward_zero(self.min_value, x.dtype), _toward_zero(self.max_value, x.dtype)
        out = np.asarray(np.clip(x, low, high))
        if self.coding == "bipolar":
            out = 2 * np.floor(out / 2) + 1
        else:
            round_to_integer(out, self.rounding, rng)
            out += 0.0
        if out.size and np.isnan(out.max()):
            raise InputError(f"x has NaN, which {self} cannot hold")
        return out

    def encode(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        out = self.quantize(x, rng)
        if self.coding == "bipolar":
            out = (out - self.min_value) / 2
        codes = out.astype(np.int64).view(np.uint64) if self.signed else out.astype(np.uint64)
        return (codes & np.uint64((1 << self.width) - 1)).astype(self._code_dtype)

    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        if self.coding == "unsigned":
            return codes.astype(np.float64)
        if self.coding == "bipolar":
            return 2 * codes.astype(np.float64) + self.min_value
        shift = 64 - self.width
        return ((codes << np.uint64(shift)).view(np.int64) >> np.int64(shift)).astype(np.float64)


def _toward_zero(value: int, dtype: np.dtype[Any]) -> Any:
    """The float nearest to ``value`` that is not beyond it."""
    rounded = dtype.type(value)
    return np.nextafter(rounded, dtype.type(0)) if abs(int(rounded)) > abs(value) else rounded
