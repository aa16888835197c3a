"""Exact Pareto fronts of designs that come in chunks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import moocore
import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS
from hwexplore.errors import InputError, unknown

__all__ = ["MAXIMISED", "FrontBuilder", "check_objectives", "to_minimise"]

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


def to_minimise(columns: Mapping[str, Any], objectives: Sequence[str]) -> NDArray[np.float64]:
    """The objectives of designs as an array [design, objective] of which less is better."""
    return np.stack([-columns[name] if name in MAXIMISED else columns[name] for name in objectives], axis=1)


class FrontBuilder:
    """Keeps the non-dominated designs of all chunks added so far.

    Of designs that are equal in every objective the first one added stays.
    """

    def __init__(self, objectives: list[str]) -> None:
        self._objectives = check_objectives(objectives)
        self.columns: dict[str, NDArray[Any]] = {}

    def add(self, columns: dict[str, NDArray[Any]]) -> None:
        """Add designs, one array [design] per column; the objectives must be among the columns and finite."""
        if self.columns:
            columns = {name: np.concatenate([self.columns[name], column]) for name, column in columns.items()}
        points = to_minimise(columns, self._objectives)
        if len(points):
            keep = moocore.is_nondominated(points)
            columns = {name: column[keep] for name, column in columns.items()}
        self.columns = columns
