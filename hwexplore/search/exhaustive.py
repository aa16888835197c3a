"""Exhaustive search, streamed in chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray

from hwexplore import technology as technologies
from hwexplore.accelerator import PARAMETERS, Fidelity
from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.search.front import DesignEvaluator, Front, Problem, check_nonempty
from hwexplore.search.pareto import FrontBuilder, check_objectives, to_minimise
from hwexplore.search.space import PermittedBlock, Space
from hwexplore.search.store import Chunk, DesignFolder
from hwexplore.technology import Technology
from hwexplore.workloads import Workload

__all__ = ["CHUNK", "OBJECTIVES", "explore"]

CHUNK = 32768
"""Designs evaluated at a time; bounds the memory of a search whatever the size of its space."""
OPERATORS = 32
"""Operators up to which chunks have their full size; more make them smaller."""
OBJECTIVES = ("latency_s", "energy_j", "area_mm2", "error")


def explore(
    space: Space,
    workload: Workload,
    objectives: Sequence[str] = OBJECTIVES,
    constraints: Sequence[str] = (),
    technology: str | Technology = "nangate45",
    fidelity: Fidelity = "tile",
    designs: DesignFolder | None = None,
    progress: Callable[[int], None] | None = None,
    jobs: int = 1,
    operands: str = "gaussian",
    quality: Profile | None = None,
) -> Front:
    """The exact Pareto front of ``space`` on ``workload``: every design that it permits is evaluated.

    ``constraints`` are added to those of the space. ``designs`` keeps every evaluated design, and brings those of an
    earlier run. ``progress`` is called with the number of designs done so far. ``jobs`` chunks are evaluated at a time
    (threads, unless a joblib backend says otherwise; -1 for all cores); the result does not depend on it. ``operands``
    (gaussian or uniform) are what PEs multiply. With a profile as ``quality`` the error is the loss increase that it
    predicts; `mixed_space` makes the policies by layer for it. On Ctrl-C the front of what was evaluated is returned,
    with ``complete`` false. InputError where no design is feasible within the constraints.
    """
    if jobs == 0:
        raise InputError("jobs = 0 evaluates nothing; give a number of chunks, or -1 for all cores")
    space = space.restricted(constraints)
    limits = [constraint for constraint in space.constraints if not constraint.over_parameters]
    named = sorted({name for limit in limits for name in limit.names} & set(PARAMETERS))
    builder = FrontBuilder(check_objectives(list(objectives)))
    node = technologies.load(technology) if isinstance(technology, str) else technology
    problem = Problem(space, workload, node, fidelity, operands, quality)
    start = time.perf_counter()
    evaluated = feasible = 0
    try:
        for chunk in _chunks(problem, designs, jobs):
            ids, columns = chunk.ids, chunk.columns
            if designs is not None:
                designs.count(chunk)
            keep = columns["reason"] == 0
            if limits:
                own = {**columns, **space.columns(space.indices(ids), named)}
                keep &= np.logical_and.reduce([limit.holds(own) for limit in limits])
            builder.add({name: column[keep] for name, column in {"id": ids, **columns}.items()})
            evaluated += len(ids)
            feasible += int(keep.sum())
            if progress is not None:
                progress(evaluated)
    except KeyboardInterrupt:
        pass
    ids = builder.columns.get("id", np.zeros(0, np.int64))
    if len(ids):
        ids = ids[np.lexsort((ids, to_minimise(builder.columns, objectives[:1])[:, 0]))]
    front = Front(problem, tuple(objectives), space.constraints, ids, evaluated, feasible, time.perf_counter() - start)
    return check_nonempty(front) if front.complete else front


def _chunks(problem: Problem, folder: DesignFolder | None, jobs: int) -> Iterator[Chunk]:
    most = -(-CHUNK * OPERATORS // max(OPERATORS, len(problem.workload.operators)))
    if folder is not None:
        folder.begin(problem, most)
    blocks = problem.space.permitted_blocks(most)
    calls = (joblib.delayed(_evaluate)(problem.evaluator, folder, block) for block in blocks)
    with joblib.Parallel(n_jobs=jobs, prefer="threads") as workers:
        while chunks := workers(islice(calls, joblib.effective_n_jobs(jobs))):
            yield from chunks


def _evaluate(evaluator: DesignEvaluator, folder: DesignFolder | None, block: PermittedBlock) -> Chunk:
    def evaluate() -> dict[str, NDArray[Any]]:
        return {name: column[block.places] for name, column in evaluator(block.indices).items()}

    return Chunk(block.ids, evaluate()) if folder is None else folder.chunk(block.ids, evaluate)
