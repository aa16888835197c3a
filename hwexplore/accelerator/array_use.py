"""How much of the array works: what short dimensions, ragged edges, filling and draining leave idle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.cycles import by_dataflow
from hwexplore.accelerator.model import Index, Model

__all__ = ["array_use"]


def array_use(model: Model, index: Index) -> dict[str, NDArray[np.float64]]:
    """Shares in [0, 1] by cause, [design, operator]; their product is useful products over what the array could do.

    ``lanes``: of the lanes, rows and columns of each PE, those that the operator's dimensions fill; ``edges``: of the
    PEs, those in the last folds that have work; ``fill and drain``: of the cycles, those in which operands stream.
    1 for what does not run on the array.
    """
    ops = model.operators
    placed = model.placement.at(index["policy"], index["pe"])
    rows, cols = (model.choices.numbers(name)[index[name]][..., None] for name in ("rows", "cols"))
    dataflow = model.dataflow[index["dataflow"]][..., None]
    folds = placed.folds(rows, cols, dataflow)
    tiles = placed.m * placed.n * placed.k
    streamed = by_dataflow(dataflow, placed.k, placed.m, placed.n)
    shares = {
        "lanes": placed.work_cycles / (ops.batch * tiles * placed.beat),
        "edges": tiles / streamed / (folds.count * rows * cols),
        "fill and drain": folds.streaming / (model.mapper.mapped(index).setups * folds.setup + folds.streaming),
    }
    return {cause: np.where(placed.on_array, share, 1.0) for cause, share in shares.items()}
