"""Floating point of a few bits, up to float32."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats.base import Rounding, Scalar, as_float, round_to_integer

__all__ = ["Minifloat", "Overflow", "Special"]

Special = Literal["ieee", "fn", "fnuz", "none"]
Overflow = Literal["saturate", "infinity"]

_CHUNK = 32768  # elements: the scratch of `quantize` stays in the second-level cache


@dataclass(frozen=True, kw_only=True)
class Minifloat(Scalar):
    """A floating-point format: sign, exponent, mantissa, from the highest bit down.

    A code with exponent field e > 0 and mantissa field m is 2^(e-bias) (1 + m/2^mantissa_bits); with e = 0 it is
    the subnormal 2^(1-bias) m/2^mantissa_bits, or zero if ``has_subnormals`` is false. An unsigned format without
    mantissa is a pure power of two: its e = 0 is 2^-bias, and it has no zero (OCP E8M0).

    ``special`` says which codes are not numbers:

    - ``ieee``: the highest exponent is inf (m = 0) and NaN (m > 0)
    - ``fn``: the code of all ones, of either sign, is NaN; no inf (OCP E4M3)
    - ``fnuz``: the code of -0 is NaN; no inf, no -0
    - ``none``: every code is a number (OCP E2M1, and arXiv 2311.12359)

    ``overflow`` says what becomes of infinities and of values that round beyond ``max``: ``saturate`` gives +-max (the
    OCP conversion for machine learning); ``infinity`` gives inf, or NaN where there is no inf (IEEE 754, and the casts
    of ml_dtypes). Finite values never overflow when they are rounded toward zero.

    In `quantize` and `encode`:

    - NaN stays NaN with its sign, as the quiet code; without NaN in the format it raises InputError.
    - -0, and negative values that round to zero, give -0 if the format has it, else 0.
    - Unsigned formats take negative values to their smallest value, or to NaN if overflow is ``infinity``; without a
      zero, so they take zero. Positive values below the smallest value of such a format are rounded up to it.
    - Ties go to the even significand; 1.5 rounds to 2 without mantissa bits.

    Raises InputError for fields out of range: 1 to 8 exponent bits, 0 to 23 mantissa bits.
    """

    exponent_bits: int
    mantissa_bits: int
    bias: int
    signed: bool = True
    special: Special = "none"
    has_subnormals: bool = True
    overflow: Overflow = "saturate"
    rounding: Rounding = "nearest_even"

    def __post_init__(self) -> None:
        self._check_rounding()
        if self.special not in get_args(Special):
            raise unknown("special values policy", self.special, get_args(Special))
        if self.overflow not in get_args(Overflow):
            raise unknown("overflow", self.overflow, get_args(Overflow))
        for field, low, high in (("exponent_bits", 1, 8), ("mantissa_bits", 0, 23), ("bias", -500, 500)):
            value = getattr(self, field)
            if not isinstance(value, int) or not low <= value <= high:
                raise InputError(f"{field} is {value!r}; it must be an integer in {low}..{high}")
        if self.special == "fnuz" and not self.signed:
            raise InputError("special is 'fnuz', the code of -0; an unsigned format has none and takes 'fn' or 'none'")
        if self.special == "none" and self.overflow == "infinity":
            raise InputError("overflow is 'infinity'; a format without inf and NaN takes 'saturate'")
        if self.special == "ieee" and (self.exponent_bits < 2 or self.mantissa_bits < 1):
            raise InputError(
                f"special is 'ieee' with {self.exponent_bits} exponent and {self.mantissa_bits} mantissa bits; "
                "it takes at least 2 and 1"
            )
        if self.mantissa_bits == 0:
            object.__setattr__(self, "has_subnormals", False)
        if not self.max > 0:
            bits = f"{self.exponent_bits} exponent and {self.mantissa_bits} mantissa bits"
            raise InputError(f"special is {self.special!r} with {bits}, all zero or NaN; it takes more bits")

    @property
    def element_bits(self) -> int:
        return self.signed + self.exponent_bits + self.mantissa_bits

    @property
    def has_inf(self) -> bool:
        return self.special == "ieee"

    @property
    def has_nan(self) -> bool:
        return self.special != "none"

    @property
    def has_zero(self) -> bool:
        return self.signed or self.mantissa_bits > 0

    @property
    def has_negative_zero(self) -> bool:
        return self.signed and self.special != "fnuz"

    @cached_property
    def max(self) -> float:
        top = (1 << (self.exponent_bits + self.mantissa_bits)) - 1
        last = {"ieee": top - (1 << self.mantissa_bits), "fn": top - 1, "fnuz": top, "none": top}[self.special]
        return float(self._value(np.array(last, dtype=np.uint64)))

    @property
    def min_exponent(self) -> int:
        """The exponent of `smallest_normal`."""
        return self.has_zero - self.bias

    @property
    def max_exponent(self) -> int:
        """The exponent of `max`."""
        return int(np.frexp(self.max)[1]) - 1

    @property
    def smallest_normal(self) -> float:
        return 2.0**self.min_exponent

    @property
    def smallest_subnormal(self) -> float:
        """The smallest positive value; `smallest_normal` if there are no subnormals."""
        return 2.0 ** (self.min_exponent - self.mantissa_bits * self.has_subnormals)

    def quantize(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        x = as_float(x)
        flat = np.ascontiguousarray(x).reshape(-1)
        out: NDArray[Any] = np.empty_like(flat)
        work = self._work_dtype(x.dtype)
        scratch = _Scratch(min(_CHUNK, flat.size), work)
        with np.errstate(invalid="ignore", over="ignore", under="ignore"):
            for start in range(0, flat.size, _CHUNK):
                chunk = slice(start, start + _CHUNK)
                self._round(flat[chunk], out[chunk], scratch, rng)
        return out.reshape(x.shape)

    def encode(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        x = as_float(x)
        values = self.quantize(x.astype(self._work_dtype(x.dtype), copy=False), rng).reshape(-1)
        layout = _Layout(values.dtype)
        magnitude = np.where(np.isfinite(values), np.abs(values), 0)
        binade = np.maximum(layout.binade(magnitude), layout.float(self.smallest_normal))
        significand = (magnitude / (binade * layout.float(2.0**-self.mantissa_bits))).astype(layout.uint)
        exponent = (binade.view(layout.uint) >> layout.mantissa_bits) - layout.uint(self.min_exponent + layout.bias)
        codes: NDArray[Any] = significand + (exponent << layout.uint(self.mantissa_bits))
        if not self.has_zero:
            codes -= layout.uint(1)
        codes[np.isinf(values)] = ((1 << self.exponent_bits) - 1) << self.mantissa_bits
        if self.has_nan:
            codes[np.isnan(values)] = self._nan_code
        if self.signed:
            codes |= np.signbit(values).astype(layout.uint) << layout.uint(self.element_bits - 1)
        return codes.astype(self._code_dtype).reshape(x.shape)

    @property
    def _nan_code(self) -> int:
        if self.special == "fnuz":
            return 1 << (self.element_bits - 1)
        top = (1 << (self.exponent_bits + self.mantissa_bits)) - 1
        return top if self.special == "fn" else top - (1 << (self.mantissa_bits - 1)) + 1

    def _work_dtype(self, dtype: np.dtype[Any]) -> np.dtype[Any]:
        """The float type to compute in: ``dtype`` if its normal numbers reach down to ours and it holds all values."""
        finfo = np.finfo(dtype)
        fits = (
            self.min_exponent >= finfo.minexp
            and self.max <= float(finfo.max)
            and self.smallest_subnormal >= float(finfo.smallest_subnormal)
        )
        return dtype if fits else np.dtype(np.float64)

    def _round(self, x: NDArray[Any], out: NDArray[Any], scratch: _Scratch, rng: np.random.Generator | None) -> None:
        """Write the quantized ``x`` into ``out``: divide by the step of each value's binade, round, multiply back."""
        layout = scratch.layout
        value = out if out.dtype == layout.dtype else scratch.value[: x.size]
        step = scratch.step[: x.size]
        truncates = self.rounding == "toward_zero"
        beyond = min(2.0 ** (self.max_exponent + 1), layout.max)
        high = self.max if truncates or self.overflow == "saturate" else beyond
        low = -high if self.signed else 0.0 if self.has_zero else self.smallest_normal

        np.clip(x, layout.float(low), layout.float(high), out=value)
        layout.binade(value, out=step)
        np.maximum(step, layout.float(self.smallest_normal), out=step)
        np.multiply(step, layout.float(2.0**-self.mantissa_bits), out=step)
        if not self.has_subnormals:
            step[np.abs(value) < self.smallest_normal] = self.smallest_normal
        np.divide(value, step, out=value)
        round_to_integer(value, self.rounding, rng)
        np.multiply(value, step, out=value)

        if not self.has_negative_zero:
            np.add(value, 0.0, out=value)
        if self.overflow == "infinity":
            outside = np.isinf(x)
            if not truncates:
                outside |= np.abs(value) > self.max
            value[outside] = np.copysign(np.inf if self.has_inf else np.nan, value[outside])
            if not self.signed:
                value[x < 0 if self.has_zero else x <= 0] = np.nan
        if not self.has_nan and np.isnan(value.max()):
            raise InputError(f"x has NaN, which {self} cannot hold")
        if value is not out:
            out[...] = value

    def _value(self, codes: NDArray[np.uint64]) -> NDArray[np.float64]:
        bits = codes.astype(np.int64)
        mantissa = bits & ((1 << self.mantissa_bits) - 1)
        exponent = bits >> self.mantissa_bits & ((1 << self.exponent_bits) - 1)
        negative = bits >> (self.exponent_bits + self.mantissa_bits) > 0
        hidden = (exponent >= self.has_zero) << self.mantissa_bits
        significand = np.where((hidden > 0) | self.has_subnormals, hidden + mantissa, 0).astype(np.float64)
        values: NDArray[np.float64] = np.ldexp(
            significand, np.maximum(exponent, int(self.has_zero)) - self.bias - self.mantissa_bits
        )
        if self.special == "ieee":
            top = exponent == (1 << self.exponent_bits) - 1
            values = np.where(top, np.where(mantissa == 0, np.inf, np.nan), values)
        elif self.special == "fn":
            values = np.where(bits & self._nan_code == self._nan_code, np.nan, values)
        elif self.special == "fnuz":
            values = np.where(bits == self._nan_code, np.nan, values)
        return np.where(negative, -values, values)


class _Layout:
    """The fields of an IEEE float type."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        finfo = np.finfo(dtype)
        self.dtype = np.dtype(dtype)
        self.float: type[Any] = self.dtype.type
        self.uint: type[Any] = np.uint32 if finfo.bits == 32 else np.uint64
        self.max = float(finfo.max)
        self.bias = 1 - int(finfo.minexp)
        self.mantissa_bits = self.uint(finfo.nmant)
        self.exponent_mask = self.uint(((1 << finfo.nexp) - 1) << finfo.nmant)

    def binade(self, x: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
        """2^floor(log2 |x|), and 0 below the normal numbers."""
        bits = None if out is None else out.view(self.uint)
        binades: NDArray[Any] = np.bitwise_and(x.view(self.uint), self.exponent_mask, out=bits)
        return binades.view(self.dtype)


class _Scratch:
    """Buffers of ``size`` elements that `Minifloat.quantize` uses over and over."""

    def __init__(self, size: int, dtype: np.dtype[Any]) -> None:
        self.layout = _Layout(dtype)
        self.value = np.empty(size, dtype)
        self.step = np.empty(size, dtype)
