"""Constraints on metrics and numeric parameters, such as ``area_mm2 < 50``."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS
from hwexplore.errors import InputError, unknown

__all__ = ["NUMERIC_PARAMETERS", "Constraint", "check_consistent"]

COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "<=": operator.le,
    ">=": operator.ge,
    "<": operator.lt,
    ">": operator.gt,
}
NUMERIC_PARAMETERS = ("rows", "cols", "voltage", "vector_lanes", "sram_kib", "channels")


@dataclass(frozen=True)
class Constraint:
    """``name comparison bound``."""

    name: str
    comparison: str
    bound: float

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """From text such as ``area_mm2 < 50``."""
        match = re.fullmatch(r"\s*(\w+)\s*(<=|>=|<|>)\s*(\S+)\s*", text)
        if not match:
            raise InputError(f"constraint {text!r} is not of the form 'metric < number' (with <, <=, > or >=)")
        name, comparison, number = match.groups()
        known = (*METRICS, *NUMERIC_PARAMETERS)
        if name not in known:
            raise unknown("metric or numeric parameter", name, known)
        try:
            bound = float(number)
        except ValueError:
            bound = np.nan
        if np.isnan(bound):
            raise InputError(f"constraint {text!r} compares with {number!r}, which is not a number")
        return cls(name, comparison, bound)

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.bound:.15g}"

    def holds(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Where the constraint holds, [design]."""
        return np.asarray(COMPARISONS[self.comparison](columns[self.name], self.bound))


def check_consistent(constraints: Sequence[Constraint]) -> None:
    """Raise InputError if two of ``constraints`` exclude each other."""
    for upper in constraints:
        for lower in constraints:
            if upper.name != lower.name or "<" not in upper.comparison or ">" not in lower.comparison:
                continue
            open_end = "=" not in upper.comparison or "=" not in lower.comparison
            if lower.bound > upper.bound or (lower.bound == upper.bound and open_end):
                raise InputError(f"constraints {upper} and {lower} contradict each other")
