"""Heuristic search against exact fronts: hypervolume and evaluations, on three spaces small enough to enumerate.

Run with ``python benchmarks/heuristics.py [SEEDS [SPACE ...]]``, 10 seeds and all three spaces without. Ratios of
hypervolumes are those of `hypervolume_ratio`, median and worst of the seeds, on a logarithmic and on the plain scale.
``spent`` is the most that counted as evaluations, rooflines included, as a share of the space, ``tile`` the designs
evaluated at fidelity tile alone. ``random`` evaluates a uniform sample of 1 %. The first rows are searches of 1 % of
the space, those with a number of that many evaluations, with rooflines free. Objectives are the default four, the
technology is nangate45.

Every space is evaluated once, searches look metrics up. Below each stand the seconds of one search that evaluates
itself, which must find the same, and what a roofline costs, in evaluations at fidelity tile, in batches as searches
make them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore import technology, workloads
from hwexplore.search import OBJECTIVES, Front, FrontBuilder, Problem, Space
from hwexplore.search.bayesian import optimise
from hwexplore.search.evaluations import ROOFLINE_COST, Evaluations, most_evaluations
from hwexplore.search.evolutionary import evolve
from hwexplore.search.exhaustive import CHUNK
from hwexplore.search.hypervolume import hypervolume_ratio

SETTINGS = {
    "default": ("llama-2-7b", "decode"),
    "vision": ("resnet-50", "inference"),
    "prefill": ("llama-2-7b", "prefill"),
}
"""Network and phase for each space; batch 1, context 2048."""
BATCH = 500
FEW = 300


def problem(space: str) -> Problem:
    """One of the settings."""
    network, phase = SETTINGS[space]
    values = Space.load(str(files("hwexplore.models") / "spaces" / f"{space}.toml"))
    workload = workloads.load(network, phase=phase, batch=1, context=2048)
    return Problem(values, workload, technology.load("nangate45"))


@dataclass(frozen=True)
class Known(Problem):
    """A problem of which every design is evaluated."""

    @cached_property
    def table(self) -> dict[str, NDArray[Any]]:
        """Objectives and reason of all designs."""
        columns = {name: np.empty(self.space.size) for name in OBJECTIVES}
        columns["reason"] = np.empty(self.space.size, np.uint8)
        evaluator = super().evaluator
        for ids, index in self.space.blocks(CHUNK):
            metrics = evaluator(index)
            for name, column in columns.items():
                column[ids] = metrics[name]
        return columns

    @cached_property
    def evaluator(self) -> Callable[[Mapping[str, NDArray[np.intp]]], dict[str, NDArray[Any]]]:
        """Looks metrics up."""
        return lambda index: {name: column[self.space.ids(index)] for name, column in self.table.items()}

    def front(self) -> Front:
        """The exact one."""
        builder = FrontBuilder(list(OBJECTIVES))
        feasible = np.flatnonzero(self.table["reason"] == 0)
        for ids in np.array_split(feasible, -(-feasible.size // CHUNK)):
            builder.add({"id": ids, **{name: self.table[name][ids] for name in OBJECTIVES}})
        return Front(self, OBJECTIVES, (), builder.columns["id"], self.space.size, feasible.size, 0)


def random(setting: Problem, seed: int) -> Front:
    """The front of a uniform sample."""
    evaluations = Evaluations(setting, OBJECTIVES, most_evaluations(setting, None), screen=False)
    for ids in np.array_split(setting.space.sample(evaluations.most, seed), 20):
        evaluations(ids)
    return evaluations.front("random", seed, "evaluations spent")


METHODS: dict[str, Callable[[Problem, int], Front]] = {
    "random": random,
    "nsga2, not screened": lambda setting, seed: evolve(setting, seed=seed, screen=False),
    "nsga2": lambda setting, seed: evolve(setting, seed=seed),
    "nsga3": lambda setting, seed: evolve(setting, seed=seed, method="nsga3"),
    f"nsga2, {FEW}": lambda setting, seed: evolve(setting, evaluations=FEW, seed=seed, roofline_cost=0),
    f"bayesian, {FEW}": lambda setting, seed: optimise(setting, evaluations=FEW, seed=seed),
}


def roofline_cost(setting: Problem) -> float:
    """What a roofline costs, in evaluations at fidelity tile."""
    drawn = np.array_split(setting.space.sample(20 * BATCH, 0), 20)
    seconds = []
    for each in (replace(setting, fidelity="roofline"), setting):
        each.evaluator(each.space.indices(drawn[0]))
        start = time.perf_counter()
        for ids in drawn:
            each.evaluator(each.space.indices(ids))
        seconds.append(time.perf_counter() - start)
    return seconds[0] / seconds[1]


def spent(front: Front) -> float:
    """What counted as evaluations."""
    assert front.heuristic is not None
    return front.evaluated + ROOFLINE_COST * front.heuristic.screened


def main() -> None:
    """Print the table."""
    seeds = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    print(f"{'space':8} {'method':20} {'log: median':>11} {'worst':>7} {'plain: median':>13} {'worst':>7}", end="")
    print(f" {'spent':>7} {'tile':>7}")
    for name in sys.argv[2:] or SETTINGS:
        setting = problem(name)
        known = Known(**{field.name: getattr(setting, field.name) for field in fields(setting)})
        exact = known.front()
        print(f"{name:8} {setting.space.size:,} designs, {len(exact)} on the exact front", flush=True)
        for method, search in METHODS.items():
            fronts = [search(known, seed) for seed in range(seeds)]
            log, plain = ([hypervolume_ratio(front, exact, scale) for front in fronts] for scale in (True, False))
            print(
                f"{name:8} {method:20} {np.median(log):11.5f} {min(log):7.5f}"
                f" {np.median(plain):13.5f} {min(plain):7.5f}"
                f" {max(map(spent, fronts)) / setting.space.size:7.3%}"
                f" {max(front.evaluated for front in fronts) / setting.space.size:7.3%}",
                flush=True,
            )
        front = evolve(setting)
        assert front.ids.tolist() == evolve(known).ids.tolist()
        print(f"{name:8} nsga2 takes {front.seconds:.1f} s; a roofline costs {roofline_cost(setting):.3f}", flush=True)


if __name__ == "__main__":
    main()
