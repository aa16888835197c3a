"""Designs per second of the evaluator: all objectives, the distinct designs of the default space, llama-2-7b decode.

Run with ``python benchmarks/evaluate.py``. ``grid`` evaluates the space in blocks, as a search does, so that what
several designs share is computed once; ``shuffled`` evaluates designs drawn without replacement one by one, so that
neighbours share nothing. With the front, the designs also go through the exact Pareto filter. Best of three runs.
"""

from __future__ import annotations

import os
import time

import joblib
import numpy as np
from numpy.typing import NDArray

from hwexplore import technology, workloads
from hwexplore.search import OBJECTIVES, FrontBuilder, Problem, Space
from hwexplore.search.exhaustive import CHUNK
from hwexplore.search.front import DesignEvaluator

SHUFFLED = {"roofline": 1_000_000, "tile": 200_000}
RUNS = 3


def run(evaluate: DesignEvaluator, indices: list[dict[str, NDArray[np.intp]]], jobs: int, front: bool) -> float:
    """Designs per second."""
    builder = FrontBuilder(list(OBJECTIVES))
    designs = 0
    start = time.perf_counter()
    calls = (joblib.delayed(evaluate)(index) for index in indices)
    for columns in joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(calls):
        designs += len(columns["reason"])
        if front:
            feasible = columns["reason"] == 0
            builder.add({name: column[feasible] for name, column in columns.items()})
    return designs / (time.perf_counter() - start)


def main() -> None:
    """Print the table."""
    space = Space.default()
    workload = workloads.load("llama-2-7b", phase="decode", batch=1, context=2048)
    node = technology.load("nangate45")
    grid = [mesh for _, mesh in space.blocks(CHUNK)]
    shuffled = np.random.default_rng(0).permutation(space.size)
    print(f"{workload.name} {workload.phase}, {len(workload.operators)} operators, space of {space.size:,} designs")
    print(f"{'fidelity':10} {'designs':10} {'jobs':>4} {'front':>6} {'designs/s':>12}")
    for fidelity, number in SHUFFLED.items():
        problem = Problem(space, workload, node, fidelity)  # type: ignore[arg-type]
        problem.evaluator(space.indices(shuffled[:1]))
        columns = [space.indices(shuffled[first : first + 8192]) for first in range(0, number, 8192)]
        for name, indices in {"grid": grid, "shuffled": columns}.items():
            for jobs in sorted({1, min(2, os.cpu_count() or 1)}):
                for front in (False, True):
                    best = max(run(problem.evaluator, indices, jobs, front) for _ in range(RUNS))
                    print(f"{fidelity:10} {name:10} {jobs:4} {'yes' if front else 'no':>6} {best:12,.0f}", flush=True)


if __name__ == "__main__":
    main()
