"""Exact search by branch and bound: the front of spaces too large to enumerate, with a certificate."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

import joblib
import moocore
import numpy as np
from numpy.typing import NDArray

from hwexplore import technology as technologies
from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.search.boxed_problem import NOTHING, BoxedProblem
from hwexplore.search.boxes import BoxTree
from hwexplore.search.certificate import Certificate
from hwexplore.search.exhaustive import OBJECTIVES
from hwexplore.search.front import Front, Problem, check_nonempty
from hwexplore.search.neighbours import neighbours
from hwexplore.search.space import Space
from hwexplore.search.staircase import Staircase
from hwexplore.technology import Technology
from hwexplore.workloads import Workload

__all__ = ["branch_and_bound"]

Array = NDArray[np.float64]
Ids = NDArray[np.int64]

BATCH = 2**15
"""Boxes whose bounds are computed at a time."""
SAMPLE = 20_000
"""Designs, drawn evenly, with which the search begins."""
ROUNDS = 4
"""Times that all neighbours of the best designs so far are added to these."""
NEWS = 0.05
"""Share of new points in the front from which on they are used for pruning."""


def branch_and_bound(
    space: Space,
    workload: Workload,
    objectives: Sequence[str] = OBJECTIVES,
    constraints: Sequence[str] = (),
    technology: str | Technology = "nangate45",
    progress: Callable[[int], None] | None = None,
    jobs: int = 1,
    operands: str = "gaussian",
    quality: Profile | None = None,
) -> Front:
    """The front that `explore` gives at fidelity tile, ids included, without evaluating every design.

    Boxes of designs are cut into smaller ones parameter by parameter. A box is dropped when its lower bounds (see
    `Bounds`) show that no member is feasible and within the constraints, or that a design known already keeps all of
    them off the front; designs alone in their box are evaluated. The search begins with the best of a sample and of its
    neighbours. The front's ``certificate`` has all boxes. ``progress`` is called with the number of designs settled so
    far, ``jobs`` batches of boxes are looked at in parallel threads; the front does not depend on it. On Ctrl-C the
    front of what was evaluated is returned, without certificate. InputError for objectives without bounds (power_w),
    and where no design is feasible within the constraints.
    """
    if jobs == 0:
        raise InputError("jobs = 0 looks at no box; give a number of batches, or -1 for all cores")
    space = space.restricted(constraints)
    node = technologies.load(technology) if isinstance(technology, str) else technology
    boxed = BoxedProblem(Problem(space, workload, node, "tile", operands, quality), objectives)
    start = time.perf_counter()
    search = _Search(boxed)
    try:
        search.begin()
        with joblib.Parallel(n_jobs=jobs, prefer="threads") as workers:
            while batches := search.batches(joblib.effective_n_jobs(jobs)):
                settled = workers(joblib.delayed(search.settle)(*batch) for batch in batches)
                for batch, result in zip(batches, settled, strict=True):
                    search.take(*batch, *result)
                if progress is not None:
                    progress(search.settled)
    except KeyboardInterrupt:
        pass
    ids = search.ids[np.lexsort((search.ids, search.points[:, 0]))]
    front = Front(
        boxed.problem,
        tuple(objectives),
        space.constraints,
        ids,
        search.evaluated,
        search.feasible,
        time.perf_counter() - start,
        search.certificate() if search.settled == space.size else None,
    )
    return check_nonempty(front) if front.complete else front


class _Search:
    """Boxes still open, those settled, and ``ids`` and ``points`` of the front of what was evaluated."""

    def __init__(self, boxed: BoxedProblem) -> None:
        self._boxed = boxed
        self._tree = BoxTree(boxed.problem.space)
        self._open = [self._tree.roots()]
        self._closed: list[tuple[Ids, NDArray[np.int8], Ids]] = []
        self._opened = 0
        self._staircase: Staircase | None = None
        self._news = 0
        self.ids, self.points = np.zeros(0, np.int64), np.zeros((0, len(boxed.objectives)))
        self.evaluated = self.feasible = self.settled = 0

    def begin(self) -> None:
        """Find good designs, so that the search drops much from its start."""
        space = self._boxed.problem.space
        fresh = _permitted(space, np.unique(np.random.default_rng(0).integers(space.size, size=SAMPLE)))
        known = seen = np.zeros(0, np.int64)
        for _ in range(1 + ROUNDS):
            self._add(fresh.size, *self._boxed.points(fresh))
            known = np.union1d(known, fresh)
            fresh = np.setdiff1d(_permitted(space, neighbours(space, np.setdiff1d(self.ids, seen))), known)
            seen = self.ids

    def batches(self, number: int) -> list[tuple[Ids, int]]:
        """Up to ``number`` batches of boxes to look at next, the deepest first."""
        taken: list[tuple[Ids, int]] = []
        while self._open and len(taken) < number:
            first, depth = self._open.pop()
            if first.size > BATCH:
                self._open.append((first[BATCH:], depth))
            taken.append((first[:BATCH], depth))
        return taken

    def settle(self, first: Ids, depth: int) -> tuple[Ids, int, Ids, Array]:
        """What keeps each box off the front; of boxes of one design that nothing does, number, ids and points."""
        bounds, by = self._boxed.bounds(self._tree.index(first, depth))
        (left,) = np.nonzero(by == NOTHING)
        ids = self._tree.ids(first[left])
        if self._staircase is not None:
            by[left] = self._staircase.dominators(bounds[left], ids)
        alone = np.sort(ids[by[left] == NOTHING]) if depth == self._tree.depth else ids[:0]
        return by, alone.size, *self._boxed.points(alone)

    def take(self, first: Ids, depth: int, by: Ids, evaluated: int, ids: Ids, points: Array) -> None:
        """Take in what `settle` found: open what is left, add to the front what was evaluated."""
        closed = (by != NOTHING) | (depth == self._tree.depth)
        self._opened += first.size
        self.settled += int(closed.sum()) * int(self._tree.sizes[depth])
        self._closed.append((first[closed], np.full(int(closed.sum()), depth, np.int8), by[closed]))
        if not closed.all():
            self._open.append((self._tree.children(first[~closed], depth), depth + 1))
        self._add(evaluated, ids, points)

    def _add(self, evaluated: int, ids: Ids, points: Array) -> None:
        """Add designs that were evaluated, those given within the constraints; of equal ones the first id stays."""
        self.evaluated += evaluated
        self.feasible += ids.size
        if not ids.size:
            return
        together, place = np.unique(np.concatenate([self.ids, ids]), return_index=True)
        points = np.concatenate([self.points, points])[place]
        keep = moocore.is_nondominated(points)
        self._news += int((keep & (place >= self.ids.size)).sum())
        self.ids, self.points = together[keep], points[keep]
        if self._staircase is None or self._news > NEWS * self.ids.size:
            self._staircase, self._news = Staircase(self.points, self.ids), 0

    def certificate(self) -> Certificate:
        """All boxes, one after the other."""
        first, depth, by = (np.concatenate(column) for column in zip(*self._closed, strict=True))
        order = np.argsort(first)
        return Certificate(first[order], depth[order], by[order], self._opened)


def _permitted(space: Space, ids: Ids) -> Ids:
    return ids[np.broadcast_to(space.permits(space.indices(ids)), ids.shape)]
