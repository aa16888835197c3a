"""Exhaustive search, streamed in chunks."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial

import numpy as np

from hwexplore import technology as technologies
from hwexplore.accelerator import Fidelity
from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.search.chunks import ChunkEvaluator, Result, evaluate_blocks
from hwexplore.search.front import Front, Problem, check_nonempty
from hwexplore.search.pareto import FrontBuilder, check_objectives, to_minimise
from hwexplore.search.space import Space
from hwexplore.search.store import Chunk, DesignFolder
from hwexplore.technology import Technology
from hwexplore.workloads import Workload

__all__ = ["CHUNK", "OBJECTIVES", "explore", "feasible_designs", "non_dominated"]

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
    (-1 for all cores), by threads, or by what `joblib.parallel_config` says: processes, Dask, Ray; the result does not
    depend on it, and chunks that are lost with a worker are evaluated again. ``operands`` (gaussian or uniform) are
    what PEs multiply. With a profile as ``quality`` the error is the loss increase that it predicts; `mixed_space`
    makes the policies by layer for it. On Ctrl-C the front of what was evaluated is returned, with ``complete`` false.
    InputError where no design is feasible within the constraints.
    """
    if jobs == 0:
        raise InputError("jobs = 0 evaluates nothing; give a number of chunks, or -1 for all cores")
    space = space.restricted(constraints)
    builder = FrontBuilder(check_objectives(list(objectives)))
    node = technologies.load(technology) if isinstance(technology, str) else technology
    problem = Problem(space, workload, node, fidelity, operands, quality)
    start = time.perf_counter()
    evaluated = feasible = 0
    keep = partial(non_dominated, objectives=list(objectives))
    try:
        with closing(_results(problem, designs, keep, jobs)) as results:
            for result in results:
                if designs is not None:
                    designs.count(result.evaluated, result.kept)
                builder.add({"id": result.kept.ids, **result.kept.columns})
                evaluated += result.evaluated
                feasible += result.feasible
                if progress is not None:
                    progress(evaluated)
    except KeyboardInterrupt:
        pass
    ids = builder.columns.get("id", np.zeros(0, np.int64))
    if len(ids):
        ids = ids[np.lexsort((ids, to_minimise(builder.columns, objectives[:1])[:, 0]))]
    front = Front(problem, tuple(objectives), space.constraints, ids, evaluated, feasible, time.perf_counter() - start)
    return check_nonempty(front) if front.complete else front


def feasible_designs(problem: Problem, keep: Callable[[Chunk], Chunk], jobs: int = 1) -> Iterator[Chunk]:
    """What ``keep`` says of the designs that are feasible and within the constraints, chunk by chunk."""
    return (result.kept for result in _results(problem, None, keep, jobs))


def _results(
    problem: Problem, folder: DesignFolder | None, keep: Callable[[Chunk], Chunk], jobs: int
) -> Generator[Result, None, None]:
    most = -(-CHUNK * OPERATORS // max(OPERATORS, len(problem.workload.operators)))
    if folder is not None:
        folder.begin(problem, most)
    return evaluate_blocks(ChunkEvaluator(problem, folder, keep), problem.space.permitted_blocks(most), jobs)


def non_dominated(chunk: Chunk, objectives: list[str]) -> Chunk:
    """The designs of ``chunk`` that no other of its designs dominates, with their objectives."""
    builder = FrontBuilder(objectives)
    builder.add({"id": chunk.ids, **{name: chunk.columns[name] for name in objectives}})
    return chunk._replace(ids=builder.columns.pop("id"), columns=builder.columns)
