"""The noise of a format on Gaussian data, exactly: the error integrated over the values of the format."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtr

from hwexplore.formats import Format, Integer, Scaled
from hwexplore.quality.crest import CHANNEL, crest_factor
from hwexplore.quality.qsnr import check_signed, qsnr

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
    values, reach = _grid(format)
    largest, overhead = np.broadcast_arrays(*(np.asarray(a, float)[..., None] for a in (crest_factor, scale_overhead)))
    grid = values * (largest * overhead / reach)
    between = np.clip((grid[..., 1:] + grid[..., :-1]) / 2, -largest, largest)
    edges = np.concatenate([-largest, between, largest], axis=-1)
    density = np.exp(-(edges**2) / 2) / np.sqrt(2 * np.pi)
    # Moments of the normal distribution over the cell of each value.
    probability = np.diff(ndtr(edges))
    mean = -np.diff(density)
    power = probability - np.diff(edges * density)
    others = (power - 2 * grid * mean + grid**2 * probability).sum(-1) / probability.sum(-1)
    maximum = sum(np.abs(grid - end).min(-1) ** 2 for end in (largest, -largest)) / 2
    share = 1 / (format.block or CHANNEL)
    return np.asarray((1 - share) * others + share * maximum)


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
    return np.asarray((encoded.scales * outer).ravel() * _grid(format)[1] / block_maxima(format, x))


def block_maxima(format: Scaled, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """max|x| of each block of ``x`` [..., n], in order, n a multiple of its size. Half the range with zero points."""
    blocks = x.reshape(-1, format.block or x.shape[-1])
    if format.zero_point:
        return np.asarray((np.maximum(blocks.max(-1), 0) - np.minimum(blocks.min(-1), 0)) / 2)
    return np.asarray(np.abs(blocks).max(-1))


@lru_cache(maxsize=256)
def _grid(format: Format) -> tuple[NDArray[np.float64], float]:
    """The values of an element about its zero point, ascending, and the magnitude that the scale maps max|x| to."""
    check_signed(format)
    element = format.element
    values = element.values()
    values = np.unique(values[np.isfinite(values)])
    if not element.signed:
        return values - np.ceil(element.max / 2), element.max / 2
    return values[values >= element.min_value] if isinstance(element, Integer) else values, element.max
