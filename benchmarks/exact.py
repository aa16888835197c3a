"""Enumeration beside branch and bound: spaces of 10^4 to 10^9 designs, llama-2-7b decode, four objectives.

Run with ``python benchmarks/exact.py``. Spaces are the committed one of 10^9 designs with fewer values of each
parameter. Every search runs in a process of its own with two jobs: seconds and processor seconds, tables by PE and
policy included (``setup`` is what they take alone), the share of designs that branch and bound evaluates, and peak
memory. Spaces of more than 10^7 designs are not enumerated.
"""

from __future__ import annotations

import resource
import time
from concurrent.futures import ProcessPoolExecutor
from importlib.resources import files
from multiprocessing import get_context
from typing import NamedTuple

from hwexplore import technology, workloads
from hwexplore.search import Problem, Space, branch_and_bound, explore

ENUMERATED = 10**7
JOBS = 2
SIZES = (10**4, 10**5, 10**6, 10**7, 10**8, 10**9)


class Run(NamedTuple):
    """What one search took and found."""

    seconds: float
    cpu_s: float
    setup_s: float
    evaluated: int
    front: int
    peak_mb: float


def smaller(space: Space, size: int) -> Space:
    """``space`` without values of the parameter that has the most, one after the other, until it is that small."""
    values = {name: list(column) for name, column in space.choices.values.items()}
    while Space(**values).size > 1.5 * size:
        longest = max(values, key=lambda name: len(values[name]))
        del values[longest][len(values[longest]) // 2]
    return Space(**values)


def run(space: Space, exact: bool) -> Run:
    """One search."""
    workload = workloads.load("llama-2-7b", phase="decode", batch=1, context=2048)
    node = technology.load("nangate45")
    start, cpu = time.perf_counter(), time.process_time()
    problem = Problem(space, workload, node)
    _ = problem.model.pes, problem.model.operators, problem.model.placement, problem.error
    setup = time.process_time() - cpu
    start, cpu = time.perf_counter(), time.process_time()
    front = (branch_and_bound if exact else explore)(space, workload, technology=node, jobs=JOBS)
    seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Run(seconds, cpu, setup, front.evaluated, len(front), peak)


def main() -> None:
    """Print the table."""
    space = Space.load(str(files("hwexplore.models") / "spaces" / "billion.toml"))
    print(f"{'search':10} {'designs':>13} {'s':>7} {'CPU s':>7} {'setup':>6} {'evaluated':>11} {'front':>6} {'MB':>6}")
    for size in SIZES:
        part = smaller(space, size)
        for exact in (False, True) if part.size < ENUMERATED * 2 else (True,):
            with ProcessPoolExecutor(1, get_context("spawn")) as process:
                found = process.submit(run, part, exact).result()
            name = "exact" if exact else "enumerate"
            numbers = f"{found.seconds:7.1f} {found.cpu_s:7.1f} {found.setup_s:6.1f} {found.evaluated:11,}"
            print(f"{name:10} {part.size:13,} {numbers} {found.front:6,} {found.peak_mb:6,.0f}", flush=True)


if __name__ == "__main__":
    main()
