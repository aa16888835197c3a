"""The designs that a heuristic search evaluates: each once, within a bound, screened by the roofline."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import moocore
import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import Evaluator
from hwexplore.errors import InputError
from hwexplore.search.boxed_problem import UNBOUNDED
from hwexplore.search.front import DesignEvaluator, Front, Problem
from hwexplore.search.heuristic import Heuristic
from hwexplore.search.pareto import check_objectives, to_minimise

__all__ = ["ROOFLINE_COST", "Evaluations", "most_evaluations"]

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

ROOFLINE_COST = 0.1
"""What a roofline counts in evaluations; measured are 0.05 to 0.13 (docs/heuristics.md)."""
AT_A_TIME = 512
"""Bounds that are compared with the front at a time."""
LEAST, SHARE, MOST = 1000, 0.01, 50_000


def most_evaluations(problem: Problem, asked: int | None) -> int:
    """The bound on evaluations: what was asked, or else 1 % of the permitted designs, but 1000 to 50 000."""
    if asked is None:
        return int(np.clip(SHARE * problem.space.permitted, LEAST, MOST))
    if asked < 1:
        raise InputError(f"evaluations = {asked}; a search needs 1 or more")
    return asked


class Evaluations:
    """Evaluates designs of ``problem`` and keeps ``ids`` and ``points`` [design, objective] of their front.

    At fidelity tile, `propose` first takes the roofline of designs: infeasible ones, and those whose lower bounds the
    front dominates, are not worth an evaluation. A roofline counts as ``roofline_cost`` evaluations; ``most`` bounds
    the sum. ``screen=False``, the fidelity roofline, and objectives that the roofline does not bound (power_w) leave
    that out. ``progress`` is called with the evaluations spent so far, and ``most``.
    """

    def __init__(
        self,
        problem: Problem,
        objectives: Sequence[str],
        most: int,
        screen: bool = True,
        roofline_cost: float = ROOFLINE_COST,
        progress: Callable[[int, int], None] | None = None,
    ) -> None:
        self.problem = problem
        self.objectives = check_objectives(list(objectives))
        self.most = most
        self.screens = screen and problem.fidelity == "tile" and not set(objectives) & set(UNBOUNDED)
        self.ids, self.points = np.zeros(0, np.int64), np.zeros((0, len(self.objectives)))
        self.evaluated = self.feasible = self.screened = 0
        self._roofline_cost = roofline_cost
        self._progress = progress
        self._seen: set[int] = set()
        self._roofline = DesignEvaluator(Evaluator(problem.model, "roofline"), problem.error)
        self._start = time.perf_counter()

    @property
    def left(self) -> int:
        """Designs that may still be evaluated."""
        return max(0, int(self.most - self.evaluated - self._roofline_cost * self.screened))

    def start(self, number: int, sample: int, seed: int) -> Ids:
        """Designs to begin with, in random order: ``number``, or more, that are best in a sample by their roofline.

        All designs on the sample's front are among them. Without a screen they are ``number`` designs of the space.
        """
        space, random = self.problem.space, np.random.default_rng(seed)
        drawn = random.permutation(space.sample(min(sample if self.screens else number, space.permitted), seed))
        if not self.screens:
            return drawn[: self.left]
        bounds, feasible = self.bounds(drawn)
        rank = moocore.pareto_rank(bounds[feasible])
        best = np.argsort(rank, kind="stable")[: max(number, int((rank == 0).sum()))]
        return random.permutation(drawn[feasible][best])[: self.left]

    def fresh(self, ids: Ids) -> Ids:
        """Those of ``ids`` that are permitted and were neither evaluated nor screened off, each once, ascending."""
        ids = np.array(sorted(set(ids.tolist()) - self._seen), np.int64)
        return ids[np.broadcast_to(self.problem.space.permits(self.problem.space.indices(ids)), ids.shape)]

    def propose(self, ids: Ids) -> Ids:
        """Those of the `fresh` ones of ``ids`` that are worth an evaluation."""
        ids = self.fresh(ids)
        if not self.screens or not ids.size:
            return ids
        if self._roofline_cost:
            ids = ids[: int(self.left / self._roofline_cost)]
        bounds, feasible = self.bounds(ids)
        keep = feasible & ~self._dominated(bounds)
        self._seen.update(ids[~keep].tolist())
        return ids[keep]

    def bounds(self, ids: Ids) -> tuple[Array, NDArray[np.bool_]]:
        """Lower bounds of designs by the roofline, and whether it takes them for feasible."""
        columns = self._roofline(self.problem.space.indices(ids))
        self.screened += ids.size
        return to_minimise(columns, self.objectives), columns["reason"] == 0

    def __call__(self, ids: Ids) -> tuple[Array, NDArray[np.bool_]]:
        """The points of fresh designs, and whether each is feasible and within the constraints."""
        columns = self.problem.evaluator(self.problem.space.indices(ids))
        keep = self.problem.holds(ids, columns)
        points = to_minimise(columns, self.objectives)
        self._seen.update(ids.tolist())
        self.evaluated += ids.size
        self.feasible += int(keep.sum())
        if keep.any():
            self.ids, self.points = np.concatenate([self.ids, ids[keep]]), np.concatenate([self.points, points[keep]])
            best = moocore.is_nondominated(self.points)
            self.ids, self.points = self.ids[best], self.points[best]
        if self._progress is not None:
            self._progress(self.most - self.left, self.most)
        return points, keep

    def front(self, method: str, seed: int, ended: str) -> Front:
        """The front of what was evaluated; InputError if nothing was feasible and within the constraints."""
        space = self.problem.space
        if not self.ids.size:
            limits = " and ".join(map(str, space.constraints))
            raise InputError(
                f"none of the {self.evaluated:,} designs that {method} evaluated is feasible"
                f"{limits and f' and meets {limits}'}; allow more evaluations, or search exhaustively to be certain"
            )
        order = np.lexsort((self.ids, self.points[:, 0]))
        return Front(
            self.problem,
            tuple(self.objectives),
            space.constraints,
            self.ids[order],
            self.evaluated,
            self.feasible,
            time.perf_counter() - self._start,
            heuristic=Heuristic(method, seed, self.most, self.screened, ended),
        )

    def _dominated(self, bounds: Array) -> NDArray[np.bool_]:
        """Whether a point of the front is nowhere above each of ``bounds``."""
        parts = np.array_split(bounds, -(-len(bounds) // AT_A_TIME) or 1)
        above = [
            [np.greater_equal.outer(bound, point) for bound, point in zip(part.T, self.points.T, strict=True)]
            for part in parts
        ]
        return np.concatenate([np.logical_and.reduce(objectives).any(axis=1) for objectives in above])
