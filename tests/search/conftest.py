from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.accelerator import REASONS
from hwexplore.search import Front, Problem, Space, explore
from hwexplore.technology import Technology
from hwexplore.workloads import Workload

CHUNK = 50


@pytest.fixture(scope="session")
def small_space() -> Space:
    """864 designs, feasible and infeasible ones."""
    return Space(
        pe=["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24 sat)", "mac(int4, int4, acc=int20 sat)"],
        rows=[1, 16],
        cols=[16, 256],
        dataflow=["os", "ws"],
        clock_mhz=[250, "max"],
        voltage=1.1,
        vector_lanes=[16, 64],
        sram_kib=[64, 512],
        dram=["ddr4-3200", "hbm2"],
        channels=[1],
        policy=["int8_channel/int8/int8", "int4_g128/int8/int8", "int4_g128/int4/int4"],
    )


@pytest.fixture(scope="session")
def small_workload() -> Workload:
    return workloads.load("smollm2-135m", phase="decode", batch=4, context=512)


@pytest.fixture(scope="session")
def small_problem(small_space: Space, small_workload: Workload, nangate45: Technology) -> Problem:
    return Problem(small_space, small_workload, nangate45)


@pytest.fixture(scope="session")
def small_front(small_space: Space, small_workload: Workload) -> Front:
    return explore(small_space, small_workload)


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> int:
    """Makes the search evaluate few designs at a time; how many at most."""
    monkeypatch.setattr("hwexplore.search.exhaustive.CHUNK", CHUNK)
    return CHUNK


@pytest.fixture(scope="session")
def all_designs(small_problem: Problem) -> pd.DataFrame:
    """A row per design of the small space, evaluated in the small chunks: sums round as those of the search do."""
    chunks = [small_problem.evaluator(mesh) for _, mesh in small_problem.space.blocks(CHUNK)]
    columns = {name: np.concatenate([chunk[name] for chunk in chunks]) for name in chunks[0]}
    ids = np.arange(small_problem.space.size)
    reasons = [REASONS[code] for code in columns.pop("reason")]
    return pd.DataFrame({"id": ids, **small_problem.space.values(ids), **columns, "reason": reasons})


@pytest.fixture(scope="session")
def problem(small_problem: Problem) -> Problem:
    """28 800 designs."""
    sizes = {"rows": [1, 2, 4, 8, 16], "cols": [16, 32, 64, 128, 256], "sram_kib": [64, 128, 256, 512]}
    return replace(small_problem, space=small_problem.space.with_values(**sizes, voltage=[0.8, 1.1]))


@pytest.fixture(scope="session")
def exact(problem: Problem) -> Front:
    return explore(problem.space, problem.workload, technology=problem.technology)
