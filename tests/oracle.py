"""Floating-point rounding in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import copysign, inf, nan

from hwexplore.formats import Minifloat


def binade(magnitude: Fraction) -> int:
    """The largest e with 2^e <= magnitude."""
    exponent = magnitude.numerator.bit_length() - magnitude.denominator.bit_length()
    return exponent - (Fraction(2) ** exponent > magnitude)


def round_to(format: Minifloat, exact: Fraction, sign: float) -> float:
    """``exact`` rounded to nearest even; overflow as the format says; ``sign`` is that of a zero."""
    if exact == 0:
        return copysign(0.0, sign)
    step = Fraction(2) ** (max(binade(abs(exact)), format.min_exponent) - format.mantissa_bits)
    rounded = round(abs(exact) / step) * step
    if rounded > Fraction(format.max):
        return copysign(format.max if format.overflow == "saturate" else inf if format.has_inf else nan, exact)
    return copysign(float(rounded), exact)
