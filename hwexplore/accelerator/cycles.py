"""Cycles of a matrix product on a systolic array, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError, unknown

__all__ = ["DATAFLOWS", "Folds", "by_dataflow", "cycles"]

Array = NDArray[np.float64]

DATAFLOWS = ("os", "ws", "is")


def cycles(
    m: ArrayLike,
    n: ArrayLike,
    k: ArrayLike,
    rows: ArrayLike,
    cols: ArrayLike,
    dataflow: str = "os",
    compat: str | None = None,
) -> NDArray[np.float64]:
    """Cycles of an [m, k] x [k, n] product on ``rows`` x ``cols`` PEs; all dimensions broadcast.

    Output-stationary maps m tokens on rows and n outputs on columns, weight-stationary k on rows and n on columns,
    input-stationary k on rows and m on columns. Each fold of the product onto the array fills (or drains) the
    stationary operand through the rows, then streams the third dimension through a skewed array:
    ``2 rows + cols + streamed - 2``. Folds do not overlap; a ragged fold takes as long as a whole one.

    ``compat="scalesim"`` gives the count of SCALE-Sim 3, which starts at zero and omits the output drain of os.
    """
    if dataflow not in DATAFLOWS:
        raise unknown("dataflow", dataflow, DATAFLOWS)
    if compat not in (None, "scalesim"):
        raise unknown("compat", compat, ["scalesim"])
    sizes = {"m": m, "n": n, "k": k, "rows": rows, "cols": cols}
    for name, size in sizes.items():
        array = np.asarray(size)
        if array.dtype.kind not in "uif" or not np.all((array > 0) & np.isfinite(array)):
            raise InputError(f"{name} = {size!r} must be a positive number")
    m, n, k, rows, cols = (np.asarray(size, float) for size in sizes.values())
    fold = Folds.of(m, n, k, rows, cols, DATAFLOWS.index(dataflow))
    if compat:
        return np.asarray(fold.count * (fold.cycles - (rows if dataflow == "os" else 0)) - 1)
    return np.asarray(fold.count * fold.cycles)


@dataclass(frozen=True)
class Folds:
    """How a product is folded onto the array: tiles along rows, tiles along columns, cycles of each fold."""

    on_rows: Array
    on_cols: Array
    cycles: Array

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
    ) -> Folds:
        """The folds for each of ``dataflow``, indices into ``DATAFLOWS``; everything broadcasts.

        ``m``, ``n`` and ``k`` count tiles of a PE, each of which keeps it busy for ``beat`` cycles.
        """
        on_rows = np.ceil(by_dataflow(dataflow, m, k, k) / rows)
        on_cols = np.ceil(by_dataflow(dataflow, n, n, m) / cols)
        return cls(on_rows, on_cols, 2 * rows + cols - 2 + beat * by_dataflow(dataflow, k, m, n))

    @property
    def count(self) -> Array:
        """Folds of the whole product."""
        return self.on_rows * self.on_cols


def by_dataflow(dataflow: int | NDArray[np.intp], os: ArrayLike, ws: ArrayLike, input_stationary: ArrayLike) -> Array:
    """The option for each of ``dataflow``, indices into ``DATAFLOWS``; everything broadcasts."""
    is_os, is_ws = np.equal(dataflow, DATAFLOWS.index("os")), np.equal(dataflow, DATAFLOWS.index("ws"))
    return np.where(is_os, np.asarray(os, float), np.where(is_ws, ws, input_stationary))
