"""Metrics of designs, at either fidelity."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator.metrics import metrics
from hwexplore.accelerator.model import Breakdown, Index, Model
from hwexplore.accelerator.roofline import Roofline
from hwexplore.errors import unknown

__all__ = ["Evaluator", "Fidelity", "totals"]

Fidelity = Literal["tile", "roofline"]


class Evaluator:
    """Metrics [design] of index columns; infeasible designs have infinite latency, energy and area.

    ``tile`` counts cycles, tiles and buffer accesses; ``roofline`` is its lower bound, some fifty times faster.
    The column ``reason`` indexes ``REASONS``.
    """

    def __init__(self, model: Model, fidelity: Fidelity = "tile") -> None:
        if fidelity not in get_args(Fidelity):
            raise unknown("fidelity", fidelity, get_args(Fidelity))
        self.model = model
        self.fidelity = fidelity
        self._roofline = Roofline(model)

    def __call__(self, index: Index) -> dict[str, NDArray[np.generic]]:
        if self.fidelity == "roofline":
            latency, energy, area, reason = self._roofline.bounds(index)
        else:
            latency, energy, area, reason = totals(self.model, self.model.breakdown(index))
        latency, energy, area = (np.where(reason > 0, np.inf, column) for column in (latency, energy, area))
        macs = float(self.model.operators.macs @ self.model.operators.count)
        with np.errstate(invalid="ignore"):
            columns = metrics(latency, energy, area, macs, self.model.workload.tokens)
        return {**columns, "reason": np.broadcast_to(reason, latency.shape)}


def totals(
    model: Model, breakdown: Breakdown
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.uint8]]:
    """Latency in s, energy in J, area in mm2 and reason code [design] of a whole pass."""
    count = model.operators.count
    latency = np.einsum("...o,o->...", breakdown.operator_s, count)
    picojoules = sum(np.einsum("...o,o->...", term, count) for term in breakdown.picojoules.values())
    energy = picojoules * 1e-12 + latency * sum(breakdown.static_w.values())
    return latency, energy, np.asarray(sum(breakdown.area_mm2.values())), breakdown.reason
