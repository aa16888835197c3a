"""The shape of a tensor's distribution, from a histogram of magnitudes: eight bins an octave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from hwexplore.quality.distributions import Distribution, Gaussian, Laplace, StudentT

__all__ = ["BINS", "magnitudes", "nearest"]

LOWEST, HIGHEST = -12, 8
"""Octaves, between 2^LOWEST and 2^HIGHEST standard deviations; a bin below and a bin above take the rest."""
SHIFT = 20
"""Bits of float32 below the exponent and the three bits that tell the bins of an octave apart."""
BINS = 8 * (HIGHEST - LOWEST) + 2
FIRST = (127 + LOWEST) * 8 - 1
EDGES = np.concatenate(
    [[0.0], (np.arange(FIRST + 1, FIRST + BINS, dtype=np.uint32) << SHIFT).view(np.float32).astype(float), [np.inf]]
)
NU = (2.05, 30.0)
"""Degrees of freedom that tell Student-t from Gaussian, and have a variance."""


def magnitudes(z: NDArray[np.float32]) -> NDArray[np.int64]:
    """How many |z| fall into each bin, [BINS]."""
    bins = np.clip((np.abs(z).view(np.uint32) >> SHIFT).astype(np.int64) - FIRST, 0, BINS - 1)
    return np.bincount(bins.ravel(), minlength=BINS)


def nearest(counts: NDArray[np.int64]) -> Distribution:
    """The most likely of Gaussian, Laplace and Student-t, each with its best scale; ``counts`` as of `magnitudes`."""
    nu = minimize_scalar(lambda nu: _misfit(StudentT(nu), counts), bounds=NU, method="bounded").x
    return min((Gaussian(), Laplace(), StudentT(float(nu))), key=lambda distribution: _misfit(distribution, counts))


def _misfit(distribution: Distribution, counts: NDArray[np.int64]) -> float:
    """Negative log-likelihood at the best scale."""

    def misfit(log_scale: float) -> float:
        below = distribution.moments(-EDGES[:-1] / np.exp(log_scale))[0]
        probability = 2 * (below - np.append(below[1:], 0))
        return float(-counts @ np.log(np.maximum(probability, 1e-300)))

    return float(minimize_scalar(misfit, bounds=(-5, 2), method="bounded").fun)
