"""A problem as branch and bound sees it: points of designs, lower bounds of boxes."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS
from hwexplore.accelerator.bounds import ANY, Bounds
from hwexplore.accelerator.metrics import metrics
from hwexplore.accelerator.model import Index
from hwexplore.errors import InputError
from hwexplore.search.front import Problem
from hwexplore.search.pareto import MAXIMISED, check_objectives, to_minimise

__all__ = ["INFEASIBLE", "NOTHING", "OUTSIDE", "BoxedProblem"]

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

NOTHING = -1
OUTSIDE = -2
INFEASIBLE = -10
"""What keeps a box off the front: nothing, a constraint or, less the code in ``REASONS``, that it is infeasible."""
UNBOUNDED = ("power_w",)
"""Metrics that neither rise nor fall with latency, energy and area alone."""
AT_MOST = {"<": operator.lt, "<=": operator.le, "==": operator.le}
AT_LEAST = {">": operator.gt, ">=": operator.ge, "==": operator.ge}
AT_A_TIME = 8192


class BoxedProblem:
    """Points [design, objective] of a problem's designs, less is better, and lower bounds of those in boxes."""

    def __init__(self, problem: Problem, objectives: Sequence[str]) -> None:
        self.problem = problem
        self.objectives = check_objectives(list(objectives))
        if problem.fidelity != "tile":
            raise InputError(
                f"fidelity {problem.fidelity!r} has no bounds over many designs; take 'tile', or search all"
            )
        for name in UNBOUNDED:
            if name in objectives:
                known = ", ".join(metric for metric in METRICS if metric not in UNBOUNDED)
                raise InputError(f"objective {name} has no bounds over many designs; take {known}, or search all")

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds(self.problem.model)

    def points(self, ids: Ids) -> tuple[Ids, Array]:
        """Those of the designs ``ids`` that are feasible and within the constraints, and their points."""
        space = self.problem.space
        kept, points = [np.zeros(0, np.int64)], [np.zeros((0, len(self.objectives)))]
        for part in np.array_split(ids, -(-ids.size // AT_A_TIME) or 1):
            index = space.indices(part)
            columns = self.problem.evaluator(index)
            keep = self.problem.holds(part, columns) & space.permits(index)
            kept.append(part[keep])
            points.append(to_minimise(columns, self.objectives)[keep])
        return np.concatenate(kept), np.concatenate(points)

    def bounds(self, box: Index) -> tuple[Array, Ids]:
        """Lower bounds of the points in boxes [box, objective], and what keeps all of them off the front [box]."""
        latency, energy, area, reason = self._bounds(box)
        model = self.problem.model
        macs = float(model.operators.macs @ model.operators.count)
        columns = metrics(latency, energy, area, macs, model.workload.tokens)
        columns["error"] = self.problem.error[box["policy"], box["pe"]]
        infeasible = INFEASIBLE - reason.astype(np.int64)
        off = np.where(reason > 0, infeasible, np.where(self._outside(box, columns), OUTSIDE, NOTHING))
        return to_minimise(columns, self.objectives), off

    def _outside(self, box: Index, best: dict[str, Array]) -> NDArray[np.bool_]:
        """Whether a constraint excludes all members, of which no metric is better than ``best``, [box]."""
        space = self.problem.space
        outside = np.zeros(box["pe"].shape, bool)
        for constraint in space.constraints:
            if constraint.over_parameters and not any((box[name] == ANY).any() for name in constraint.names):
                outside |= ~constraint.holds(space.columns(box, constraint.names))
            for bound in constraint.bounds():
                within = (AT_LEAST if bound.name in MAXIMISED else AT_MOST).get(bound.comparison)
                if within is not None and bound.name in best and bound.name not in UNBOUNDED:
                    outside |= ~within(best[bound.name], bound.value)
        return outside
