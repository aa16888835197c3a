"""Which of many points a front dominates, by one look-up each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Staircase"]

Array = NDArray[np.float64]

CELLS = 2**24
"""Most cells of the table."""


class Staircase:
    """A front of points [point, objective], less is better, to be asked which boxes it dominates.

    One objective, that with the most values, ranks the points. The others span a grid of the values that points take,
    thinned where there are too many; a cell has the best rank of all points that are nowhere worse than its corner.
    A point between grid values counts from the next one on, so that what is found is always dominated, while, in a
    thinned grid, something dominated may be missed.
    """

    def __init__(self, points: Array, ids: NDArray[np.int64]) -> None:
        values = [np.unique(column) for column in points.T]
        self._ranking = int(np.argmax([v.size for v in values]))
        order = np.lexsort((ids, points[:, self._ranking]))
        self._points, self._ids = points[order], ids[order]
        self._others = [i for i in range(points.shape[1]) if i != self._ranking]
        self._axes = _thinned([values[i] for i in self._others])
        shape = tuple(axis.size for axis in self._axes)
        self._table = np.full(shape, len(points), np.int32)
        cells = tuple(np.searchsorted(axis, self._points[:, i]) for i, axis in zip(self._others, self._axes, strict=True))
        np.minimum.at(self._table, cells, np.arange(len(points), dtype=np.int32))
        for axis in range(len(shape)):
            np.minimum.accumulate(self._table, axis=axis, out=self._table)

    def dominators(self, bounds: Array, ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """The id of a point that leaves none of a box's members on the front, or -1, [box].

        ``bounds`` [box, objective] are the boxes' lower bounds, ``ids`` the least id of their members: a point that is
        equal to the bound leaves no member only if its own id comes first.
        """
        if not len(self._points):
            return np.full(len(bounds), -1)
        cells = [
            np.searchsorted(axis, bounds[:, i], side="right") - 1
            for i, axis in zip(self._others, self._axes, strict=True)
        ]
        inside = np.logical_and.reduce([cell >= 0 for cell in cells]) if cells else np.ones(len(bounds), bool)
        rank = np.where(inside, self._table[tuple(cells)], len(self._points))
        rank = np.where(rank == len(self._points), 0, rank)
        points = self._points[rank]
        below = inside & (points <= bounds).all(axis=1)
        first = (points < bounds).any(axis=1) | (self._ids[rank] < ids)
        return np.where(below & first, self._ids[rank], -1)


def _thinned(axes: list[Array]) -> list[Array]:
    """``axes`` thinned to ``CELLS`` in all, the shortest last, each to its share; the greatest value stays."""
    cells, kept = float(CELLS), {}
    for left, i in zip(range(len(axes), 0, -1), np.argsort([axis.size for axis in axes]), strict=True):
        most = int(cells ** (1 / left))
        places = np.unique(np.linspace(0, axes[i].size - 1, min(axes[i].size, most)).round().astype(int))
        kept[i] = axes[i][places]
        cells /= places.size
    return [kept[i] for i in range(len(axes))]
