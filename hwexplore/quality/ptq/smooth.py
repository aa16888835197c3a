"""SmoothQuant: part of the activations' range moved into the weights."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError

__all__ = ["smoothing_factors"]


def smoothing_factors(weight: ArrayLike, samples: ArrayLike, strength: float = 0.5) -> NDArray[np.float64]:
    """The factors [in] by which inputs are divided and the columns of ``weight`` [out, in] multiplied.

    s_j = max|X_j|^strength / max|W_j|^(1 - strength) of the calibration inputs ``samples`` [samples, in] (SmoothQuant,
    arXiv 2211.10438, eq. 4); 1 for columns that are zero on either side. The product does not change. Raises InputError
    for a ``strength`` outside 0..1.
    """
    if not 0 <= strength <= 1:
        raise InputError(f"strength is {strength!r}; smoothing takes a number from 0 to 1")
    inputs, columns = np.abs(np.asarray(samples, float)).max(0), np.abs(np.asarray(weight, float)).max(0)
    used = (inputs > 0) & (columns > 0)
    return np.where(used, np.where(used, inputs, 1) ** strength / np.where(used, columns, 1) ** (1 - strength), 1.0)
