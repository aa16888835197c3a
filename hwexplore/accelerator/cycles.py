"""Cycles of a matrix product on a systolic array, in closed form."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator.feed import Feed
from hwexplore.errors import InputError, unknown
from hwexplore.pe.base import Tile

__all__ = ["DATAFLOWS", "Folds", "by_dataflow", "cycles"]

Array = NDArray[np.float64]

DATAFLOWS = ("os", "ws", "is")
SINGLE = Tile()


def cycles(
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    dataflow: str = "os",
    compat: str | None = None,
    *,
    tile: Tile = SINGLE,
    latency: ArrayLike = 1,
    feed: Feed | None = None,
) -> NDArray[np.float64]:
    """Cycles of an [m, k] x [k, n] product on ``rows`` x ``cols`` PEs; everything broadcasts.

    Output-stationary maps m tokens on rows and n outputs on columns, weight-stationary k on rows and n on columns,
    input-stationary k on rows and m on columns. Each fold of the product onto the array fills (or drains) the
    stationary operand through the rows, then streams the third dimension through a skewed array:
    ``2 rows + cols + streamed - 2``. Folds do not overlap; a ragged fold takes as long as a whole one.

    PEs with a ``tile`` take whole tiles of the product, each for ``tile.cycles`` cycles; rows of a weight-stationary
    array, which hand sums down, work as many cycles apart. ``latency`` is that of the PE.

    Without a ``feed``, operands are always there. With one, the product is cut into steps; a step works while the
    operands of the next one come in, and the longer of the two counts:
    ``load of the first step + sum of max(step, load of the next step) + last step + pipeline``.

    ``compat="scalesim"`` gives the count of SCALE-Sim 3, which starts at zero and omits the output drain of os.
    """
    if dataflow not in DATAFLOWS:
        raise unknown("dataflow", dataflow, DATAFLOWS)
    if compat not in (None, "scalesim"):
        raise unknown("compat", compat, ["scalesim"])
    if compat and feed:
        raise InputError(f"compat = {compat!r} counts without a feed; leave out one of them")
    sizes = {"m": m, "n": n, "k": k, "rows": rows, "cols": cols}
    for name, size in sizes.items():
        array = np.asarray(size)
        if array.dtype.kind not in "uif" or not np.all((array > 0) & np.isfinite(array)):
            raise InputError(f"{name} = {size!r} must be a positive number")
    m, n, k, rows, cols = (np.asarray(size, float) for size in sizes.values())
    beat, latency = np.asarray(tile.cycles, float), np.asarray(latency, float)
    m, n, k = np.ceil(m / tile.m), np.ceil(n / tile.n), np.ceil(k / tile.k)
    if feed is not None:
        if dataflow == "is":
            m, n, feed = n, m, replace(feed, activations=feed.weights, weights=feed.activations)
        return feed.cycles(m, n, k, rows, cols, beat, latency, "os" if dataflow == "os" else "ws")
    fold = Folds.of(m, n, k, rows, cols, DATAFLOWS.index(dataflow), beat, beat, latency)
    if compat:
        return np.asarray(fold.count * (fold.cycles - (rows if dataflow == "os" else 0)) - 1)
    return np.asarray(fold.count * fold.cycles)


@dataclass(frozen=True)
class Folds:
    """How a product is folded onto the array: tiles along rows, tiles along columns.

    A fold takes ``setup`` cycles to fill and drain the array, and ``streaming`` ones in which operands stream.
    """

    on_rows: Array
    on_cols: Array
    setup: Array
    streaming: Array

    @classmethod
    def of(
        cls,
        m: Array,
        n: Array,
        k: Array,
        rows: Array,
        cols: Array,
        dataflow: int | NDArray[np.intp],
        beat: float | Array = 1.0,
        apart: float | Array = 1.0,
        latency: float | Array = 1.0,
    ) -> Folds:
        """The folds for each of ``dataflow``, indices into ``DATAFLOWS``; everything broadcasts.

        ``m``, ``n`` and ``k`` count tiles of a PE, each of which keeps it busy for ``beat`` cycles and is in its sum
        ``latency`` clock edges later. Rows that hand sums down work ``apart`` cycles after one another: as many as a
        tile keeps them busy for, and they take as many for each row of operands that they are to hold.
        """
        on_rows = np.ceil(by_dataflow(dataflow, m, k, k) / rows)
        on_cols = np.ceil(by_dataflow(dataflow, n, n, m) / cols)
        setup = setup_cycles(rows, cols, dataflow, apart, latency)
        return cls(on_rows, on_cols, setup, beat * by_dataflow(dataflow, k, m, n))

    @property
    def count(self) -> Array:
        """Folds of the whole product."""
        return self.on_rows * self.on_cols

    @property
    def cycles(self) -> Array:
        """Of one fold, all of which streams at once."""
        return self.setup + self.streaming


def setup_cycles(
    rows: Array, cols: Array, dataflow: int | NDArray[np.intp], apart: float | Array, latency: float | Array
) -> Array:
    """Cycles that a fold takes besides those in which operands stream; arguments as for `Folds.of`."""
    chained = by_dataflow(dataflow, 0, 1, 1) * (apart - 1) * (2 * rows - 1)
    return 2 * rows + cols - 2 + chained + latency - 1


def by_dataflow(dataflow: int | NDArray[np.intp], os: ArrayLike, ws: ArrayLike, input_stationary: ArrayLike) -> Array:
    """The option for each of ``dataflow``, indices into ``DATAFLOWS``; everything broadcasts."""
    is_os, is_ws = np.equal(dataflow, DATAFLOWS.index("os")), np.equal(dataflow, DATAFLOWS.index("ws"))
    return np.where(is_os, np.asarray(os, float), np.where(is_ws, ws, input_stationary))
