"""Objectives of designs on a common scale."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.search.pareto import to_minimise

__all__ = ["scaled"]


def scaled(designs: pd.DataFrame, objectives: Sequence[str], among: pd.DataFrame | None = None) -> NDArray[np.float64]:
    """The objectives [design, objective] from 0, the best of the designs ``among``, to 1, their worst.

    The scale is logarithmic, so that equal steps are equal factors; for an objective that takes values of 0 or less (a
    predicted loss can) it is linear. An objective in which all are equal is 0.
    """
    among = designs if among is None else among
    positive = {name: bool((among[name] > 0).all()) for name in objectives}

    def costs(frame: pd.DataFrame) -> NDArray[np.float64]:
        columns = {name: frame[name].to_numpy(float) for name in objectives}
        return to_minimise({n: np.log(c) if positive[n] else c for n, c in columns.items()}, objectives)

    everything = costs(among)
    best, span = everything.min(axis=0), np.ptp(everything, axis=0)
    return np.asarray((costs(designs) - best) / np.where(span > 0, span, 1))
