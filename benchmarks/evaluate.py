"""Designs per second of the evaluator: all objectives, llama-2-7b decode.

Run with ``python benchmarks/evaluate.py``. Designs of the default space are evaluated in several ways: ``grid`` takes
them in blocks, as a search does, so that what several designs share is computed once; ``shuffled`` one by one, drawn
without replacement, so that neighbours share nothing; ``again`` takes the shuffled ones once more, when their
mappings are known. ``distinct`` are designs of which no two have the same array and buffer, so that every one needs its
own mappings; how many different products are mapped per second stands below. With the front, the designs also go
through the exact Pareto filter. Each run starts without mappings, but ``again``. Best of three runs.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace

import joblib
import numpy as np
from numpy.typing import NDArray

from hwexplore import technology, workloads
from hwexplore.accelerator import Fidelity, mapping
from hwexplore.search import OBJECTIVES, FrontBuilder, Problem, Space
from hwexplore.search.exhaustive import CHUNK

BLOCK = 8192
SHUFFLED: dict[Fidelity, int] = {"roofline": 1_000_000, "tile": 200_000}
DISTINCT = 50_000
RUNS = 3

Index = dict[str, NDArray[np.intp]]


def run(problem: Problem, indices: list[Index], jobs: int, front: bool) -> float:
    """Designs per second."""
    builder = FrontBuilder(list(OBJECTIVES))
    designs = 0
    start = time.perf_counter()
    calls = (joblib.delayed(problem.evaluator)(index) for index in indices)
    for columns in joblib.Parallel(n_jobs=jobs, prefer="threads", return_as="generator")(calls):
        designs += len(columns["reason"])
        if front:
            feasible = columns["reason"] == 0
            builder.add({name: column[feasible] for name, column in columns.items()})
    return designs / (time.perf_counter() - start)


def ready(problem: Problem) -> Problem:
    """The same with its tables computed, and no mapping known."""
    fresh = replace(problem)
    fresh.evaluator(fresh.space.indices(np.arange(1)))
    return fresh


def measure(name: str, problem: Problem, indices: list[Index], warm: bool = False) -> None:
    """Print the rows of one way to evaluate."""
    for jobs in sorted({1, min(2, os.cpu_count() or 1)}):
        for front in (False, True):
            rates = []
            for _ in range(RUNS):
                fresh = ready(problem)
                if warm:
                    run(fresh, indices, 1, False)
                rates.append(run(fresh, indices, jobs, front))
            row = f"{problem.fidelity:10} {name:10} {jobs:4} {'yes' if front else 'no':>6} {max(rates):12,.0f}"
            print(row, flush=True)


def blocks(space: Space, ids: NDArray[np.int64]) -> list[Index]:
    """Columns of ``BLOCK`` designs."""
    return [space.indices(ids[first : first + BLOCK]) for first in range(0, len(ids), BLOCK)]


def distinct(space: Space, number: int) -> tuple[Space, list[Index]]:
    """Designs of which no two have the same rows, columns and buffer; all else is drawn from ``space``."""
    sizes = {"rows": list(range(1, 65)), "cols": list(range(16, 272, 4)), "sram_kib": list(range(128, 2048, 64))}
    own = Space(**{name: list(values) for name, values in space.choices.values.items()} | sizes)
    rng = np.random.default_rng(0)
    index = {name: rng.integers(size, size=number) for name, size in zip(own.choices.values, own.shape, strict=True)}
    hardware = rng.permutation(np.prod([len(values) for values in sizes.values()]))[:number]
    index |= dict(zip(sizes, np.unravel_index(hardware, [len(values) for values in sizes.values()]), strict=True))
    return own, [
        {name: column[first : first + BLOCK] for name, column in index.items()} for first in range(0, number, BLOCK)
    ]


def mappings(problem: Problem, indices: list[Index]) -> float:
    """Different products mapped per second."""
    fresh = ready(problem)
    solved, solve = [], mapping.best_tiling

    def counted(products: mapping.Products) -> mapping.Tiling:
        tiling = solve(products)
        solved.append(tiling.again_bytes.size)
        return tiling

    mapping.best_tiling = counted  # type: ignore[attr-defined]
    start = time.perf_counter()
    for index in indices:
        fresh.model.mapper.mapped(index)
    seconds = time.perf_counter() - start
    mapping.best_tiling = solve  # type: ignore[attr-defined]
    return sum(solved) / seconds


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
        problem = Problem(space, workload, node, fidelity)
        columns = blocks(space, shuffled[:number])
        measure("grid", problem, grid)
        measure("shuffled", problem, columns)
    measure("again", problem, columns, warm=True)
    own, columns = distinct(space, DISTINCT)
    problem = Problem(own, workload, node)
    measure("distinct", problem, columns)
    print(f"unique mappings/s: {max(mappings(problem, columns) for _ in range(RUNS)):,.0f}")


if __name__ == "__main__":
    main()
