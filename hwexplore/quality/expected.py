"""The noise of a format on a tensor of which only the distribution is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format, Scaled
from hwexplore.quality.crest import CHANNEL
from hwexplore.quality.distributions import Distribution
from hwexplore.quality.gaussian import measured_overheads
from hwexplore.quality.integral import noise_below_maximum
from hwexplore.quality.qsnr import check_signed

__all__ = ["TENSOR", "check_scaled", "expected_noise"]

TENSOR = 256 * CHANNEL
"""Elements of a tensor, where nothing else is said."""
MAXIMA = 256
"""Block maxima over which the noise is averaged."""
WORKING_SET = 2**20
"""Numbers held at once: maxima times values of an element."""


def expected_noise(
    format: str | Format,
    distribution: str | Distribution,
    *,
    sigma: float = 1.0,
    channel: int = CHANNEL,
    tensor: int = TENSOR,
) -> float:
    """Expected noise power over signal power of independent elements of ``distribution``, standard deviation ``sigma``.

    ``channel`` elements share the scale of a format without blocks: the length of a row, or, for one scale per tensor,
    the size of the tensor. ``tensor`` elements share the outer scale of a format that has one per tensor. Scales are
    those that the format stores for maxima spread over their distribution, so that their rounding, range (a block too
    small or too large for its scale) and clipping count. ``sigma`` matters where scales have few exponents.

    Raises InputError for a format without scales, with zero points, or with elements of more than 16 bits.
    """
    format = check_scaled(format)
    distribution = Distribution.parse(distribution) if isinstance(distribution, str) else distribution
    if not 0 < sigma < np.inf:
        raise InputError(f"sigma = {sigma!r} must be positive and finite")
    for name, count in (("channel", channel), ("tensor", tensor)):
        if count < 1:
            raise InputError(f"{name} = {count!r} must be a positive number of elements")
    elements = format.block or channel
    largest, weight = _maxima(distribution, elements)
    shared = {None: None, "channel": channel, "tensor": tensor}[format.outer]
    outermost = None if shared is None else _median_maximum(distribution, max(shared, elements))
    overhead = _overheads(format, sigma * largest, None if outermost is None else sigma * outermost)
    parts = -(-MAXIMA * 2**format.element_bits // WORKING_SET)
    noise = [
        noise_below_maximum(format, distribution, *part, elements)
        for part in zip(np.array_split(largest, parts), np.array_split(overhead, parts), strict=True)
    ]
    return float(np.concatenate(noise) @ weight)


def check_scaled(format: str | Format) -> Scaled:
    """``format``; InputError if it has no scales, or zero points."""
    format = Format.parse(format) if isinstance(format, str) else format
    if not isinstance(format, Scaled):
        raise InputError(f"{format} has no scales to measure; compare a scaled format, as {format}_channel")
    if format.zero_point:
        raise InputError(f"{format} has zero points; the law is that of scales about zero")
    check_signed(format)
    return format


def _maxima(distribution: Distribution, elements: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Maxima of ``elements`` magnitudes and the probability that each stands for, dense where they are large."""
    v = (np.arange(MAXIMA) + 0.5) / MAXIMA
    return _maximum_above(distribution, elements, v**3), 3 * v**2 / np.sum(3 * v**2)


def _median_maximum(distribution: Distribution, elements: int) -> float:
    return float(_maximum_above(distribution, elements, np.array(0.5)))


def _maximum_above(distribution: Distribution, elements: int, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """What the maximum of ``elements`` magnitudes exceeds with probability ``p``."""
    return distribution.upper_quantile(-np.expm1(np.log1p(-p) / elements) / 2)


def _overheads(format: Scaled, maxima: NDArray[np.float64], outermost: float | None) -> NDArray[np.float64]:
    """The scale stored over the ideal one for blocks of these maxima, none above the ``outermost`` of the tensor."""
    if outermost is not None:
        maxima = np.append(np.minimum(maxima, outermost), outermost)
    return measured_overheads(replace(format, block=1), maxima[None])[:MAXIMA]
