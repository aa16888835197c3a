"""Designs per second of a whole search, by cores, fidelity, size of the space and number of layers.

Run with ``python benchmarks/search.py [scaling | growth | layers | profile]``, all without a word: llama-2-7b decode,
the four default objectives. Errors by PE and policy are computed before the clock starts, and processes have been
started by a search of another space; the model's tables and the mappings, which each makes, are in the time. A search
with the front keeps the non-dominated designs; without, it drops every design once it is evaluated. Of spaces above
``WHOLE`` designs every so manyth chunk is evaluated, about ``WHOLE`` designs together: rates are measured, seconds for
the whole space are not claimed.
"""

from __future__ import annotations

import cProfile
import os
import pstats
import sys
import time
from collections.abc import Callable
from functools import partial
from itertools import islice

import numpy as np

from hwexplore import technology, workloads
from hwexplore.accelerator import Fidelity
from hwexplore.search import OBJECTIVES, Backend, FrontBuilder, Problem, Space, backend
from hwexplore.search.chunks import ChunkEvaluator, evaluate_blocks
from hwexplore.search.exhaustive import CHUNK, OPERATORS, non_dominated
from hwexplore.search.store import Chunk

WHOLE = 10_000_000
PAIRS = 3
SIZES = {4: (3, 4, 3), 5: (6, 10, 6), 6: (12, 20, 15), 7: (24, 48, 31), 8: (64, 88, 64), 9: (128, 256, 110)}
"""Numbers of rows, columns and buffer sizes, by the decimal logarithm of about how many designs that makes."""


def space_of(rows: int, cols: int, buffers: int) -> Space:
    """Two PEs and all else of the default space, with so many values of the dimensions of the hardware."""
    return Space(
        pe=["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24 sat)"],
        rows=range(4, 4 * rows + 4, 4),
        cols=range(16, 16 * cols + 16, 16),
        sram_kib=range(128, 64 * buffers + 128, 64),
        vector_lanes=[64],
        policy=["int8_channel/int8/int8", "int4_g128/int8/int8"],
    )


def nothing(chunk: Chunk) -> Chunk:
    """What is kept without a front."""
    return chunk.of(np.zeros(len(chunk.ids), bool))


def search(problem: Problem, name: Backend, jobs: int, front: bool = True) -> tuple[float, int, int]:
    """Designs per second, designs, and those on the front, of a search that begins without tables and mappings."""
    fresh = problem.without_tables()
    keep: Callable[[Chunk], Chunk] = partial(non_dominated, objectives=list(OBJECTIVES)) if front else nothing
    builder = FrontBuilder(list(OBJECTIVES))
    most = -(-CHUNK * OPERATORS // max(OPERATORS, len(problem.workload.operators)))
    step = max(1, round(problem.space.size / WHOLE))
    designs = 0
    start = time.perf_counter()
    with backend(name):
        blocks = islice(problem.space.permitted_blocks(most), 0, None, step)
        for result in evaluate_blocks(ChunkEvaluator(fresh, None, keep), blocks, jobs):
            designs += result.evaluated
            if front:
                builder.add({"id": result.kept.ids, **result.kept.columns})
    seconds = time.perf_counter() - start
    return designs / seconds, designs, len(builder.columns.get("id", ()))


def problem_of(space: Space, fidelity: Fidelity = "tile", per_layer: bool = False) -> Problem:
    """The problem with its errors known."""
    workload = workloads.load("llama-2-7b", phase="decode", batch=1, context=2048, per_layer=per_layer)
    problem = Problem(space, workload, technology.load("nangate45"), fidelity)
    _ = problem.error
    return problem


def scaling() -> None:
    """One core and two, by threads and by processes, in turns."""
    ways: list[tuple[Backend, int]] = [("threads", 1), ("threads", 2), ("processes", 2)]
    print(f"load of the machine before: {os.getloadavg()[0]:.1f}")
    print(f"{'fidelity':9} {'front':5} {'workers':12} {'designs/s':>10} {'median of pairs':>15} {'best':>5}")
    start = time.perf_counter()
    search(problem_of(space_of(*SIZES[5])), "processes", 2)
    print(
        f"start of two processes, with a search of {space_of(*SIZES[5]).size:,} designs: "
        f"{time.perf_counter() - start:.1f} s"
    )
    for fidelity in ("tile", "roofline"):
        problem = problem_of(space_of(*SIZES[7]), fidelity)
        for front in (True, False):
            rates = np.array([[_after_another(problem, *way, front) for way in ways] for _ in range(PAIRS)])
            pairs = rates / rates[:, :1]
            for (name, jobs), rate, ratios in zip(ways, np.median(rates, axis=0), pairs.T, strict=True):
                row = f"{fidelity:9} {'yes' if front else 'no':5} {jobs} {name:10} {rate:10,.0f}"
                print(f"{row} {np.median(ratios):15.2f} {ratios.max():5.2f}", flush=True)
    print(f"load of the machine after: {os.getloadavg()[0]:.1f}")


def _after_another(problem: Problem, name: Backend, jobs: int, front: bool) -> float:
    search(problem_of(space_of(*SIZES[5])), name, jobs)
    return search(problem, name, jobs, front)[0]


def growth() -> None:
    """By the size of the space, on one core."""
    print(f"{'fidelity':9} {'space':>14} {'evaluated':>10} {'designs/s':>10} {'front':>6}")
    for fidelity in ("tile", "roofline"):
        for size in SIZES.values():
            problem = problem_of(space_of(*size), fidelity)
            rate, designs, front = search(problem, "threads", 1)
            print(f"{fidelity:9} {problem.space.size:14,} {designs:10,} {rate:10,.0f} {front:6,}", flush=True)


def layers() -> None:
    """By the number of operators: the layers of the network as one with a count, and one by one."""
    print(f"{'fidelity':9} {'operators':>9} {'designs':>10} {'designs/s':>10}")
    for fidelity in ("tile", "roofline"):
        for per_layer in (False, True):
            problem = problem_of(space_of(*SIZES[5]), fidelity, per_layer)
            rate, designs, _ = search(problem, "threads", 1)
            print(f"{fidelity:9} {len(problem.workload.operators):9} {designs:10,} {rate:10,.0f}", flush=True)


def profile() -> None:
    """Where a search on one core spends its time: functions by their own seconds."""
    for fidelity in ("tile", "roofline"):
        problem = problem_of(space_of(*SIZES[6]), fidelity)
        profiler = cProfile.Profile()
        profiler.runcall(search, problem, "threads", 1)
        pstats.Stats(profiler).sort_stats("tottime").print_stats(12)


if __name__ == "__main__":
    parts = {"scaling": scaling, "growth": growth, "layers": layers, "profile": profile}
    for part in sys.argv[1:] or parts:
        parts[part]()
