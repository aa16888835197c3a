"""The noise of a format on Gaussian data, at given and at typical crest factors."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.formats import Format, Scaled
from hwexplore.quality.crest import CHANNEL, crest_factor
from hwexplore.quality.distributions import Gaussian
from hwexplore.quality.integral import element_grid, noise_below_maximum
from hwexplore.quality.qsnr import qsnr

__all__ = ["block_maxima", "gaussian_noise", "measured_overheads", "noise_to_signal", "scale_overheads"]

PHASES = 16
"""Block maxima per octave over which the stored scales are averaged."""

MAX_BITS = 16
"""Widest element whose values are listed."""


@lru_cache(maxsize=4096)
def noise_to_signal(format: Format) -> float:
    """Noise power over signal power of ``format`` at its typical crest factor, averaged over where the scale rounds.

    The signal is Gaussian but for the largest element of each block. Elements of more than 16 bits take the theorem of
    `qsnr`.
    """
    if format.element_bits > MAX_BITS:
        return float(10 ** (-qsnr(format) / 10))
    crest, size = crest_factor(format.block), format.block or CHANNEL
    variance = (1 - crest**2 / size) / (1 - 1 / size) if size > 1 else 1.0  # of the others; with the largest, 1 in all
    return float(variance * gaussian_noise(format, crest / np.sqrt(variance), scale_overheads(format)).mean())


def gaussian_noise(format: Format, crest_factor: ArrayLike, scale_overhead: ArrayLike = 1.0) -> NDArray[np.float64]:
    """Expected noise power of ``format``, over the variance of Gaussian data whose largest magnitude is known.

    ``crest_factor`` is max|x| / sigma of the elements that share a scale, ``scale_overhead`` the scale stored over the
    one that takes max|x| to the largest value; both broadcast. The other elements are Gaussian up to that maximum. With
    zero points half the range stands for max|x|. Unscaled formats are taken with one scale per channel of 4096.

    No assumption on the rounding error, unlike the theorems of `qsnr`: holds for few bits and clipped maxima too.
    Raises InputError for elements of more than 16 bits and for unsigned ones without a zero point.
    """
    return noise_below_maximum(format, Gaussian(), crest_factor, scale_overhead, format.block or CHANNEL)


def scale_overheads(format: Format) -> NDArray[np.float64]:
    """The scale stored over the ideal one, for 16 block maxima spread evenly over an octave; 1 without scales."""
    if not isinstance(format, Scaled):
        return np.ones(1)
    largest = np.exp2((np.arange(PHASES) + 0.5) / PHASES)
    blocks = np.zeros((PHASES, format.block or 2))
    blocks[:, -1] = -largest if format.zero_point else 0
    blocks[:, 0] = largest
    return measured_overheads(format, blocks.reshape(1, -1) if format.block else blocks)


def measured_overheads(format: Scaled, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """The scale stored over the ideal one, for each block of ``x`` as in `block_maxima`."""
    encoded = format.encode(x)
    outer = 1.0 if encoded.tensor_scale is None else encoded.tensor_scale.astype(float)
    return np.asarray((encoded.scales * outer).ravel() * element_grid(format)[1] / block_maxima(format, x))


def block_maxima(format: Scaled, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """max|x| of each block of ``x`` [..., n], in order, n a multiple of its size. Half the range with zero points."""
    blocks = x.reshape(-1, format.block or x.shape[-1])
    if format.zero_point:
        return np.asarray((np.maximum(blocks.max(-1), 0) - np.minimum(blocks.min(-1), 0)) / 2)
    return np.asarray(np.abs(blocks).max(-1))
