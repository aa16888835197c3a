"""Quantization signal-to-noise ratio of formats, in theory (INT v.s. FP, arXiv 2510.25602, theorems 1 and 2)."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import erf

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Minifloat, Scaled

__all__ = ["CREST_FACTORS", "crest_factor", "noise_to_signal", "qsnr"]

CREST_FACTORS = {"channel": (4096, 11.97), "block 32": (32, 2.96), "block 16": (16, 2.39)}
"""Elements that share a scale and the third quartile of their crest factor, max|x| / rms, over the tensors of
Llama-3.1-8B (arXiv 2510.25602, Table 2); a channel has the model's hidden size of 4096 elements."""

POWER_OF_TWO_OVERHEAD = 1.5
"""Mean ratio of a power-of-two scale, rounded up, to the ideal one (arXiv 2510.25602)."""
FP8_SCALE_OVERHEAD = 1.05
"""The same for an E4M3 scale: the value that reproduces the paper's NV crossover of 2.39 (its text has 1)."""


def crest_factor(block: int | None) -> float:
    """Typical crest factor of ``block`` elements that share a scale, None for a whole channel.

    Table values where there are some, between them a power law in the block size.
    """
    sizes, crests = np.array(sorted(CREST_FACTORS.values())).T
    return float(np.exp(np.interp(np.log(block or sizes[-1]), np.log(sizes), np.log(crests))))


def qsnr(
    format: str | Format, crest_factor: ArrayLike | None = None, scale_overhead: float | None = None
) -> NDArray[np.float64]:
    """QSNR in dB of Gaussian data with the given ``crest_factor`` (max|x| / rms within a scale's elements; broadcasts).

    Unscaled formats are taken with one ideal scale per channel. ``scale_overhead`` is the mean ratio of the scale
    stored to the ideal one: by default 1.5 for power-of-two scales, 1.05 for FP8 scales, else 1.
    """
    format = Format.parse(format) if isinstance(format, str) else format
    kappa = np.asarray(_default_crest(format) if crest_factor is None else crest_factor, float)
    if not np.all(kappa >= 1):
        raise InputError(f"crest_factor = {crest_factor!r} must be at least 1: no maximum is below the rms")
    rho = _default_overhead(format) if scale_overhead is None else scale_overhead
    if not rho > 0:
        raise InputError(f"scale_overhead = {scale_overhead} must be positive")
    element = format.element
    # With a scale that follows the maximum finely, the block's largest element itself carries no error.
    exact_share = 1 / format.block if format.block is not None and not _is_power_of_two_scaled(format) else 0.0
    if isinstance(element, Integer):
        noise = _integer_noise(element, rho * kappa) * (1 - exact_share)
    elif isinstance(element, Minifloat):
        noise = _minifloat_noise(element, rho * kappa, exact_share * kappa**2)
    else:
        raise InputError(f"no QSNR theory for {format}")
    return np.asarray(-10 * np.log10(noise))


def noise_to_signal(format: Format) -> float:
    """Noise power over signal power of ``format`` at its typical crest factor."""
    return float(10 ** (-qsnr(format) / 10))


def _integer_noise(element: Integer, crest: NDArray[np.float64]) -> NDArray[np.float64]:
    """Uniform rounding error of 2^b - 1 levels: 4.78 + 6.02 b - 20 log10(crest) dB."""
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


def _default_crest(format: Format) -> float:
    return crest_factor(format.block)


def _default_overhead(format: Format) -> float:
    if _is_power_of_two_scaled(format):
        return POWER_OF_TWO_OVERHEAD
    return FP8_SCALE_OVERHEAD if isinstance(format, Scaled) and format.scale.element_bits <= 8 else 1.0


def _is_power_of_two_scaled(format: Format) -> bool:
    return isinstance(format, Scaled) and isinstance(format.scale, Minifloat) and format.scale.mantissa_bits == 0
