"""GPTQ: each column's rounding error made up for by the columns not rounded yet."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.linalg import cholesky, inv

from hwexplore.errors import InputError
from hwexplore.quality.ptq.grid import Grid

__all__ = ["gptq"]

DAMPING = 0.01
"""Added to the Hessian's diagonal, over its mean (1 % in arXiv 2210.17323)."""


def gptq(weight: ArrayLike, samples: ArrayLike, grid: Grid) -> NDArray[np.float64]:
    """``weight`` [out, in] rounded to ``grid`` for a small error of its outputs on ``samples`` [samples, in].

    Algorithm 1 of GPTQ (Frantar et al., arXiv 2210.17323): H = 2 X^T X, damped; columns in ascending order, the error
    of each spread by the Cholesky factor of H^-1. Scales are those of ``grid``, not found anew for each group. Samples
    are [samples, out, in] if each output has its own; one without any gets its weights rounded. Raises InputError for
    samples that do not fit.
    """
    w, x = np.array(weight, np.float64), np.asarray(samples, np.float64)
    if x.ndim == 3 and x.shape[1] == len(w):
        rows = [(w[[o]], x[:, o], grid.row(o)) for o in range(len(w))]
        return np.concatenate([gptq(*row) if row[1].any() else row[2].round(row[0]) for row in rows])
    if x.ndim != 2 or x.shape[1] != w.shape[1] or not x.any():
        raise InputError(
            f"samples have shape {x.shape}; a weight {w.shape} takes [samples, {w.shape[1]}], not all zero"
        )
    hessian = 2 * x.T @ x
    hessian[np.diag_indices_from(hessian)] += DAMPING * np.mean(np.diag(hessian))
    factor = cholesky(inv(hessian))
    for column in range(w.shape[1]):
        before = w[:, column].copy()
        w[:, column] = grid.round(before[:, None], column)[:, 0]
        error = (before - w[:, column]) / factor[column, column]
        w[:, column + 1 :] -= np.outer(error, factor[column, column + 1 :])
    return w
