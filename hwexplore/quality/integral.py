"""The noise of a format on elements below a known maximum, exactly: the error integrated over its values."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.formats import Format, Integer
from hwexplore.quality.distributions import Distribution
from hwexplore.quality.qsnr import check_signed

__all__ = ["element_grid", "noise_below_maximum"]


def noise_below_maximum(
    format: Format, distribution: Distribution, largest: ArrayLike, overhead: ArrayLike, elements: int
) -> NDArray[np.float64]:
    """Expected noise power of ``elements`` that share a scale, one of them of the magnitude ``largest``.

    The others follow ``distribution`` up to that magnitude. ``overhead`` is the scale stored over the one that takes
    ``largest`` to the largest value; both broadcast, and so is the result.
    """
    values, reach = element_grid(format)
    largest, overhead = np.broadcast_arrays(*(np.asarray(a, float)[..., None] for a in (largest, overhead)))
    grid = values * (largest * overhead / reach)
    between = np.clip((grid[..., 1:] + grid[..., :-1]) / 2, -largest, largest)
    edges = np.concatenate([-largest, between, largest], axis=-1)
    # Moments of the distribution over the cell of each value.
    probability, mean, power = (np.diff(moment) for moment in distribution.moments(edges))
    others = (power - 2 * grid * mean + grid**2 * probability).sum(-1) / probability.sum(-1)
    maximum = sum(np.abs(grid - end).min(-1) ** 2 for end in (largest, -largest)) / 2
    return np.asarray(others + (maximum - others) / elements)


@lru_cache(maxsize=256)
def element_grid(format: Format) -> tuple[NDArray[np.float64], float]:
    """The values of an element about its zero point, ascending, and the magnitude that the scale maps max|x| to.

    Raises InputError for elements of more than 16 bits and for unsigned ones without a zero point.
    """
    check_signed(format)
    element = format.element
    values = element.values()
    values = np.unique(values[np.isfinite(values)])
    if not element.signed:
        return values - np.ceil(element.max / 2), element.max / 2
    return values[values >= element.min_value] if isinstance(element, Integer) else values, element.max
