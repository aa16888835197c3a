"""Hypervolume: how much of what an exact front dominates another front dominates, too."""

from __future__ import annotations

import moocore
import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.search.front import Front
from hwexplore.search.pareto import to_minimise

__all__ = ["hypervolume_ratio", "log_scale"]

Array = NDArray[np.float64]

REFERENCE = 1.1
"""Reference point in every objective, where the exact front spans 0 to 1."""
LEAST = 1e-12
"""Magnitude below which the logarithm does not follow: an error of 0 counts as this."""


def log_scale(points: Array) -> Array:
    """The logarithm of metrics; of those to be maximised, which are negated, it stays negated."""
    return np.asarray(np.where(points < 0, -1, 1) * np.log(np.maximum(np.abs(points), LEAST)))


def hypervolume_ratio(front: Front, exact: Front, log: bool = True) -> float:
    """Hypervolume of ``front`` over that of the ``exact`` one, 1 if nothing is missing.

    Objectives, on a logarithmic scale unless ``log`` is false, are scaled such that the exact front spans 0 to 1 in
    each; the reference point is 1.1 in each, a tenth of the span beyond the nadir (Ishibuchi et al. 2018). An objective
    in which the exact front has a single value scales by 1.
    """
    if front.objectives != exact.objectives:
        raise InputError(
            f"fronts of {', '.join(front.objectives)} and of {', '.join(exact.objectives)} have no common hypervolume"
        )
    points, reference = (_points(each, log) for each in (front, exact))
    low, high = reference.min(axis=0), reference.max(axis=0)
    span = np.where(high > low, high - low, 1)
    volume, whole = (
        moocore.hypervolume((each - low) / span, ref=np.full(len(low), REFERENCE)) for each in (points, reference)
    )
    return float(volume / whole)


def _points(front: Front, log: bool) -> Array:
    frame = front.to_frame()
    points = to_minimise({name: frame[name].to_numpy() for name in front.objectives}, front.objectives)
    return log_scale(points) if log else points
