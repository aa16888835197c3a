"""Clipping where it lowers the mean square error."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.formats import Format, Scaled
from hwexplore.quality.ptq.grid import Grid

__all__ = ["RATIOS", "clipped_grid"]

RATIOS = np.linspace(0.4, 2, 41)
"""Scales that are tried, over the format's own; above 1 for power-of-two scales that were rounded down."""


def clipped_grid(weight: ArrayLike, format: Format) -> Grid:
    """The grid of ``weight`` [out, in] with the scale of least squared error for each block.

    Search over `RATIOS` of the scale, each rounded to the scale's format: what OMSE does per tensor and channel
    (Choukroun et al., arXiv 1902.06822). The format's own scale is among them, so the error is never
    above that of rounding to nearest. Zero points stay. Formats without scales have nothing to choose.
    """
    w = np.asarray(weight, np.float64)
    grid = Grid.of(format, w)
    if not isinstance(grid.format, Scaled) or grid.scales is None:
        return grid
    encoded = grid.format.encode(w)
    outer = 1.0 if encoded.tensor_scale is None else encoded.tensor_scale
    best = grid.scales
    least = _block_errors(grid, w)
    for ratio in RATIOS:
        candidates = grid.format.scale.quantize(encoded.scales * ratio) * outer
        errors = _block_errors(grid.with_scales(candidates), w)
        best = np.where(errors < least, candidates, best)
        least = np.minimum(errors, least)
    return grid.with_scales(best)


def _block_errors(grid: Grid, weight: NDArray[np.float64]) -> NDArray[np.float64]:
    """Squared error [out, blocks]."""
    starts = np.arange(0, weight.shape[1], grid.format.block or weight.shape[1])
    return np.asarray(np.add.reduceat((grid.round(weight) - weight) ** 2, starts, axis=1))
