"""Predictions with their uncertainty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

__all__ = ["Interval"]


@dataclass(frozen=True)
class Interval:
    """A predicted quantity: 5 % point, value at the nominal coefficients, 95 % point.

    Each of the three is a scalar or an array of one common shape, in the unit that the field's name gives.
    """

    low: float
    mid: float
    high: float

    @classmethod
    def of(cls, mid: ArrayLike, draws: Sequence[ArrayLike] | ArrayLike) -> Interval:
        """The interval of ``mid`` [...] from ``draws`` [number of draws, ...], one row per draw of the coefficients."""
        low, high = np.quantile(np.array(draws), (0.05, 0.95), axis=0)
        if np.ndim(low) == 0:
            return cls(float(low), float(np.asarray(mid)), float(high))
        return cls(low, mid, high)  # type: ignore[arg-type]

    def __str__(self) -> str:
        return f"{self.mid:.4g} [{self.low:.4g} .. {self.high:.4g}]"
