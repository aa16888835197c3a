"""How far designs are from a front."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["excess", "excess_within"]

Array = NDArray[np.float64]

WORKING_SET = 2**21
"""Pairs of points compared at a time."""
SCOUTS = 64
"""Points of a front that are tried before the others: most points are far from any of them."""


def excess(points: Array, front: Array, exact: NDArray[np.bool_]) -> Array:
    """The largest step [point] by which one point of ``front`` is better in every objective that is not ``exact``.

    ``points`` [point, objective] and ``front`` [member, objective] are costs. A member that is worse in an ``exact``
    objective does not count; a point for which none counts has -inf. The points of the front itself have 0.
    """
    largest = np.full(len(points), -np.inf)
    step = max(1, WORKING_SET // max(len(front), 1))
    for first in range(0, len(points), step):
        some = points[first : first + step]
        least = np.full((len(some), len(front)), np.inf)
        for objective in np.flatnonzero(~exact):
            np.minimum(least, np.subtract.outer(some[:, objective], front[:, objective]), out=least)
        for objective in np.flatnonzero(exact):
            least[np.less.outer(some[:, objective], front[:, objective])] = -np.inf
        largest[first : first + step] = least.max(axis=1, initial=-np.inf)
    return largest


def excess_within(points: Array, front: Array, exact: NDArray[np.bool_], step: float) -> Array:
    """The `excess` of the points that have at most this ``step`` of it, infinite for the others, [point]."""
    scouts = front[np.linspace(0, len(front) - 1, SCOUTS).astype(int)] if len(front) > SCOUTS else front
    found = excess(points, scouts, exact)
    if scouts is not front:
        near = found <= step
        found[near] = excess(points[near], front, exact)
    return np.where(found <= step, found, np.inf)
