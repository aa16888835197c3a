"""The knee of a front: the design from which every gain costs more than it brings."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from hwexplore.search.questions.scale import scaled

__all__ = ["knee"]


def knee(front: pd.DataFrame, objectives: Sequence[str]) -> int:
    """The row of the design on a ``front``, a table with its ``objectives``, that gives up least in sum.

    Each objective counts from 0, the best on the front, to 1, the worst, in logarithms (see `scaled`); the knee has the
    least sum. That is the point with the minimum Manhattan distance from the ideal one (Chiu, Yen and Juan, IEEE
    Transactions on Evolutionary Computation 20(6), 2016), and the farthest in front of the hyperplane through the
    points that are worst in one objective and best in the others; of two objectives, the farthest from the line between
    the ends of the front (Das, Structural Optimization 18, 1999). Of equal ones the first is taken.
    """
    return int(scaled(front, objectives).sum(axis=1).argmin())
