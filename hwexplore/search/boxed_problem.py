"""A problem as branch and bound sees it: points of designs, lower bounds of boxes."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS
from hwexplore.accelerator.bounds import Bounds
from hwexplore.accelerator.metrics import metrics
from hwexplore.accelerator.model import Index
from hwexplore.errors import InputError
from hwexplore.search.constraints import NUMERIC_PARAMETERS, Constraint
from hwexplore.search.front import Problem
from hwexplore.search.pareto import MAXIMISED, check_objectives, to_minimise

__all__ = ["INFEASIBLE", "NOTHING", "OUTSIDE", "BoxedProblem"]

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

NOTHING = -1
OUTSIDE = -2
INFEASIBLE = -10
"""What keeps a box off the front: nothing, a constraint, or, with the code in ``REASONS`` taken off, infeasibility."""
UNBOUNDED = ("power_w",)
"""Metrics that are no rising function of latency, energy and area."""
AT_A_TIME = 8192


class BoxedProblem:
    """Points [design, objective] of a problem's designs and lower bounds of the points in boxes; less is better."""

    def __init__(self, problem: Problem, objectives: Sequence[str], constraints: Sequence[Constraint]) -> None:
        if problem.fidelity != "tile":
            raise InputError(
                f"exact search has bounds for fidelity 'tile', not {problem.fidelity!r}; search exhaustively"
            )
        self.objectives = check_objectives(list(objectives))
        for name in UNBOUNDED:
            if name in objectives:
                known = ", ".join(metric for metric in METRICS if metric not in UNBOUNDED)
                raise InputError(
                    f"objective {name} has no bound over many designs; search exhaustively, or take {known}"
                )
        self.problem = problem
        self.constraints = constraints

    @cached_property
    def _bounds(self) -> Bounds:
        return Bounds(self.problem.model)

    def points(self, ids: Ids) -> tuple[Ids, Array]:
        """Those of the designs ``ids`` that are feasible and within the constraints, and their points."""
        kept, points = [np.zeros(0, np.int64)], [np.zeros((0, len(self.objectives)))]
        for part in np.array_split(ids, -(-ids.size // AT_A_TIME) or 1):
            index = self.problem.space.indices(part)
            columns = self.problem.evaluator(index)
            choices = self.problem.space.choices
            columns |= {name: choices.numbers(name)[index[name]] for name in NUMERIC_PARAMETERS}
            keep = np.logical_and.reduce(
                [columns["reason"] == 0, *(limit.holds(columns) for limit in self.constraints)]
            )
            kept.append(part[keep])
            points.append(to_minimise(columns, self.objectives)[keep])
        return np.concatenate(kept), np.concatenate(points)

    def bounds(self, box: Index) -> tuple[Array, Ids]:
        """Lower bounds of the members' points [box, objective], and what keeps all members off the front [box]."""
        latency, energy, area, reason = self._bounds(box)
        model = self.problem.model
        macs = float(model.operators.macs @ model.operators.count)
        columns = metrics(latency, energy, area, macs, model.workload.tokens)
        columns["error"] = self.problem.error[box["policy"], box["pe"]]
        outside = np.zeros(reason.shape, bool)
        for limit in self.constraints:
            if limit.name in columns and limit.name not in UNBOUNDED:
                upper = ">" if limit.name in MAXIMISED else "<"
                outside |= ~limit.holds(columns) & (upper in limit.comparison)
        off = np.where(reason > 0, INFEASIBLE - reason.astype(np.int64), np.where(outside, OUTSIDE, NOTHING))
        return to_minimise(columns, self.objectives), off
