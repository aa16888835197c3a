"""Quantization signal-to-noise ratio of formats, in theory (INT v.s. FP, arXiv 2510.25602, theorems 1 and 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Minifloat, Scaled
from hwexplore.quality.crest import crest_factor as typical_crest_factor

__all__ = ["check_signed", "qsnr", "theorem_noise"]

POWER_OF_TWO_OVERHEAD = 1.5
"""Mean ratio of a power-of-two scale, rounded up, to the ideal one (arXiv 2510.25602)."""
FP8_SCALE_OVERHEAD = 1.05
"""The same for an E4M3 scale: the value that reproduces the paper's NV crossover of 2.39 (its text has 1)."""


def qsnr(
    format: str | Format, crest_factor: ArrayLike | None = None, scale_overhead: ArrayLike | None = None
) -> NDArray[np.float64]:
    """QSNR in dB of Gaussian data with the given ``crest_factor``, max|x| / rms within a scale's elements.

    ``scale_overhead`` is the ratio of the scale stored to the ideal one: by default 1.5 for power-of-two scales, 1.05
    for FP8 scales, else 1. Both broadcast. Unscaled formats are taken with one ideal scale per channel.

    The published law: integers have 2^b levels (not 2^b - 1), the significands of minifloats a mean inverse square of
    1/2 (not 3 / (8 ln 2) = 0.54), and nothing is clipped; `compare_laws` shows what that costs. Raises InputError for
    impossible ratios and for unsigned elements without a zero point.
    """
    format = Format.parse(format) if isinstance(format, str) else format
    check_signed(format)
    kappa = np.asarray(typical_crest_factor(format.block) if crest_factor is None else crest_factor, float)
    if not np.all(kappa >= 1):
        raise InputError(f"crest_factor = {crest_factor!r} must be at least 1: no maximum is below the rms")
    rho = np.asarray(_default_overhead(format) if scale_overhead is None else scale_overhead, float)
    if not np.all(rho > 0):
        raise InputError(f"scale_overhead = {scale_overhead!r} must be positive")
    with np.errstate(divide="ignore"):
        return np.asarray(-10 * np.log10(theorem_noise(format, kappa, rho)))


def theorem_noise(format: Format, crest: NDArray[np.float64], overhead: NDArray[np.float64]) -> NDArray[np.float64]:
    """The law behind `qsnr`: noise power over the variance of Gaussian data; ``crest`` is max|x| / sigma."""
    element = format.element
    # With a scale that follows the maximum finely, the block's largest element itself carries no error.
    exact_share = 1 / format.block if format.block is not None and not _is_power_of_two_scaled(format) else 0.0
    if isinstance(element, Integer):
        return _integer_noise(element, overhead * crest) * (1 - exact_share)
    assert isinstance(element, Minifloat)
    return _minifloat_noise(element, overhead * crest, exact_share * crest**2)


def check_signed(format: Format) -> None:
    """Raise InputError if ``format`` has no negative values, as Gaussian data have."""
    if not (format.element.signed or (isinstance(format, Scaled) and format.zero_point)):
        raise InputError(f"{format} has no negative values; quantization noise is that of signed formats")


def _integer_noise(element: Integer, crest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uniform rounding error of 2^b levels: 4.78 + 6.02 b - 20 log10(crest) dB."""
    return np.asarray(crest**2 / (3 * 4.0**element.element_bits))


def _minifloat_noise(
    element: Minifloat, crest: NDArray[np.float64], exact_power: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Relative error of the normal values, absolute error of the subnormal ones, Gaussian data."""
    relative = 1 / (24 * 4.0**element.mantissa_bits)
    smallest = crest * element.smallest_normal / element.max
    in_subnormals = erf(smallest / np.sqrt(2))
    normal_power = 1 - in_subnormals + np.sqrt(2 / np.pi) * smallest * np.exp(-(smallest**2) / 2)
    absolute = (crest * element.smallest_subnormal / element.max) ** 2 / 12
    return np.asarray(relative * np.maximum(normal_power - exact_power, 0) + absolute * in_subnormals)


def _default_overhead(format: Format) -> float:
    if _is_power_of_two_scaled(format):
        return POWER_OF_TWO_OVERHEAD
    return FP8_SCALE_OVERHEAD if isinstance(format, Scaled) and format.scale.element_bits <= 8 else 1.0


def _is_power_of_two_scaled(format: Format) -> bool:
    return isinstance(format, Scaled) and isinstance(format.scale, Minifloat) and format.scale.mantissa_bits == 0
