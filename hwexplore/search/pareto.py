"""Exact Pareto fronts of designs that come in chunks."""

from __future__ import annotations

from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS
from hwexplore.errors import InputError, unknown

__all__ = ["MAXIMISED", "FrontBuilder", "check_objectives"]

MAXIMISED = ("tokens_per_s", "tops", "tops_per_w", "tops_per_mm2")
"""Metrics of which more is better; of all others less is."""


def check_objectives(objectives: list[str]) -> list[str]:
    """``objectives`` themselves, or InputError if one is unknown, twice there, or there is none."""
    for name in objectives:
        if name not in METRICS:
            raise unknown("objective", name, METRICS)
    if len(set(objectives)) < len(objectives):
        raise InputError(f"an objective is named twice: {', '.join(objectives)}")
    if not objectives:
        raise InputError(f"no objective given; choose from {', '.join(METRICS)}")
    return objectives


class FrontBuilder:
    """Keeps the non-dominated designs of all chunks added so far.

    Of designs that are equal in every objective the first one added stays.
    """

    def __init__(self, objectives: list[str]) -> None:
        self._signs = {name: -1.0 if name in MAXIMISED else 1.0 for name in check_objectives(objectives)}
        self.columns: dict[str, NDArray[Any]] = {}

    def add(self, columns: dict[str, NDArray[Any]]) -> None:
        """Add designs, one array [design] per column; the objectives must be among the columns and finite."""
        if self.columns:
            columns = {name: np.concatenate([self.columns[name], column]) for name, column in columns.items()}
        points = np.stack([sign * columns[name] for name, sign in self._signs.items()], axis=1)
        if len(points):
            keep = moocore.is_nondominated(points)
            columns = {name: column[keep] for name, column in columns.items()}
        self.columns = columns
