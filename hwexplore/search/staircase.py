"""Which boxes a front dominates, by one look-up each."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["Staircase"]

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

CELLS = 2**24
"""Most cells of the table."""


class Staircase:
    """A front of points [point, objective], less is better, with an id each.

    The objective with the most values ranks the points. The others span a grid of the values that points take, thinned
    where those are too many. Each cell of the table has the best rank of all points that are nowhere above its corner.
    """

    def __init__(self, points: Array, ids: Ids) -> None:
        values = [np.unique(column) for column in points.T]
        ranking = int(np.argmax([each.size for each in values]))
        order = np.lexsort((ids, points[:, ranking]))
        self._points, self._ids = points[order], ids[order]
        self._others = [objective for objective in range(len(values)) if objective != ranking] or [ranking]
        self._axes = _thinned([values[objective] for objective in self._others])
        columns = [self._points[:, objective] for objective in self._others]
        cells = tuple(np.searchsorted(axis, column) for axis, column in zip(self._axes, columns, strict=True))
        self._table = np.full([axis.size for axis in self._axes], len(points) - 1, np.int32)
        np.minimum.at(self._table, cells, np.arange(len(points), dtype=np.int32))
        for along in range(self._table.ndim):
            np.minimum.accumulate(self._table, axis=along, out=self._table)

    def dominators(self, bounds: Array, ids: Ids) -> Ids:
        """The id of a point for which no member of a box is on the front, -1 where none was found, [box].

        ``bounds`` [box, objective] are lower bounds of the members, ``ids`` the least of their numbers: of equals the
        first is on the front. What is found is certain; what only points between the values of a thinned grid dominate
        is not found.
        """
        columns = [bounds[:, objective] for objective in self._others]
        cells = (np.searchsorted(axis, column, "right") - 1 for axis, column in zip(self._axes, columns, strict=True))
        rank = np.broadcast_to(self._table[tuple(cells)], len(bounds))
        point, own = self._points[rank], self._ids[rank]
        return np.where(excludes(point, own, bounds, ids), own, -1)


def excludes(points: Array, own: Ids, bounds: Array, ids: Ids) -> NDArray[np.bool_]:
    """Whether points [box, objective] with the ids ``own`` leave no member of a box on the front, see `Staircase`."""
    better = (points < bounds).any(axis=1) | (own < ids)
    return np.asarray((points <= bounds).all(axis=1) & better)


def _thinned(axes: list[Array]) -> list[Array]:
    """At most ``CELLS`` combinations of values, of each axis its greatest; the shortest axes are thinned least."""
    kept, cells = {}, float(CELLS)
    shortest = sorted(range(len(axes)), key=lambda axis: axes[axis].size)
    for number, axis in enumerate(shortest):
        most = int(cells ** (1 / (len(axes) - number)))
        values = axes[axis]
        kept[axis] = values[np.linspace(0, values.size - 1, min(values.size, max(most, 1))).round().astype(int)]
        cells /= kept[axis].size
    return [kept[axis] for axis in range(len(axes))]
