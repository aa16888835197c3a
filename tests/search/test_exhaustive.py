from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwexplore.accelerator import METRICS
from hwexplore.errors import InputError
from hwexplore.search import MAXIMISED, OBJECTIVES, DesignFolder, Front, Space, explore, read_metadata
from hwexplore.workloads import Workload


def brute_force(designs: pd.DataFrame, objectives: list[str]) -> list[int]:
    """Ids of the designs that no other dominates, the first of equals, by the first objective."""
    points = np.stack([-designs[name] if name in MAXIMISED else designs[name] for name in objectives], axis=1)
    kept = {}
    for number, point in zip(designs["id"], points, strict=True):
        weakly = (points <= point).all(axis=1)
        if not (weakly & (points < point).any(axis=1)).any():
            kept.setdefault(tuple(point), number)
    return [number for _, number in sorted((point[0], number) for point, number in kept.items())]


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize(
    ("objectives", "constraints"),
    [
        (list(OBJECTIVES), []),
        (["tokens_per_s", "area_mm2"], ["rows >= 16", "error < 0.02", "sram_kib<=512"]),
        (["error"], ["area_mm2 < 30", "area_mm2 > 10"]),
        (["energy_j", "error"], ["rows * cols <= 256 or sram_kib > 64", "latency_s * area_mm2 < 0.5 or rows == 1"]),
        (["tops_per_w", "tops_per_mm2"], []),
    ],
)
def test_front_is_that_of_all_designs(
    objectives: list[str],
    constraints: list[str],
    jobs: int,
    small_space: Space,
    small_workload: Workload,
    all_designs: pd.DataFrame,
    small_chunks: int,
) -> None:
    seen: list[int] = []
    front = explore(small_space, small_workload, objectives, constraints, jobs=jobs, progress=seen.append)
    possible = all_designs[all_designs["reason"] == ""]
    for constraint in constraints:
        possible = possible.query(constraint)
    assert front.ids.tolist() == brute_force(possible, objectives)
    assert front.feasible == len(possible)
    permitted = all_designs
    for constraint in constraints:
        permitted = permitted if set(re.findall(r"\w+", constraint)) & set(METRICS) else permitted.query(constraint)
    assert front.evaluated == seen[-1] == len(permitted)
    assert front.complete
    assert 0 < np.diff([0, *seen]).min() <= np.diff([0, *seen]).max() <= small_chunks
    expected = all_designs.loc[front.ids].drop(columns="reason").reset_index(drop=True)
    pd.testing.assert_frame_equal(front.to_frame(), expected, rtol=1e-12)


def test_a_link_is_an_equality(small_space: Space, small_workload: Workload) -> None:
    """A linked parameter gives the front that the grid has where the constraint of the same text holds."""
    linked = small_space.with_values(
        cols={"equals": "16 * rows"}, vector_lanes={"equals": "cols / 4 * (5 - rows // 4)"}
    )
    equal = small_space.restricted(["cols == 16 * rows", "vector_lanes == cols / 4 * (5 - rows // 4)"])
    equal = equal.with_values(vector_lanes=[16, 20, 64])
    one, other = explore(linked, small_workload), explore(equal, small_workload)
    assert one.evaluated == linked.size == other.evaluated
    assert len(one) > 20
    pd.testing.assert_frame_equal(one.to_frame().drop(columns="id"), other.to_frame().drop(columns="id"), rtol=1e-12)
    assert set(one.inert()) <= {"rows", "dataflow", "clock_mhz", "sram_kib", "dram", "pe", "policy"}


def test_constraints_of_the_space_are_those_of_the_search(small_space: Space, small_workload: Workload) -> None:
    texts = ["rows * cols > 100", "area_mm2 < 30"]
    space = small_space.restricted(texts)
    one, other = explore(space, small_workload), explore(small_space, small_workload, constraints=texts)
    assert one.problem.space == other.problem.space == space
    assert [str(constraint) for constraint in one.constraints] == texts
    assert one.ids.tolist() == other.ids.tolist()


def test_deterministic(small_front: Front, small_space: Space, small_workload: Workload) -> None:
    again = explore(small_space, small_workload, jobs=2)
    pd.testing.assert_frame_equal(again.to_frame(), small_front.to_frame(), check_exact=True)


class CrashError(Exception):
    pass


@pytest.mark.parametrize("jobs", [1, 2])
@pytest.mark.parametrize("failure", [KeyboardInterrupt, CrashError])
def test_a_failed_search_keeps_what_was_evaluated(
    failure: type[BaseException],
    jobs: int,
    small_space: Space,
    small_workload: Workload,
    all_designs: pd.DataFrame,
    small_chunks: int,
    tmp_path: Path,
) -> None:
    def fail(done: int) -> None:
        if done > 600:
            raise failure

    path = tmp_path / "designs.parquet"
    folder = DesignFolder(path)
    try:
        front = explore(small_space, small_workload, designs=folder, progress=fail, jobs=jobs)
    except CrashError:
        with pytest.raises(InputError, match="that run did not finish"):
            read_metadata(path)
    else:
        assert not front.complete
        assert 600 < front.evaluated < small_space.size
        evaluated = all_designs[: front.evaluated]
        assert front.ids.tolist() == brute_force(evaluated[evaluated["reason"] == ""], list(OBJECTIVES))
    stored = pd.read_parquet(path)
    assert 600 < len(stored) < small_space.size
    np.testing.assert_array_equal(stored["id"], np.arange(len(stored)))
    np.testing.assert_allclose(stored["energy_j"], all_designs["energy_j"][: len(stored)], rtol=1e-12)


def test_interrupted_before_anything_feasible(small_space: Space, small_workload: Workload, small_chunks: int) -> None:
    def interrupt(done: int) -> None:
        raise KeyboardInterrupt

    front = explore(small_space, small_workload, constraints=["area_mm2 < 1"], progress=interrupt)
    assert len(front) == 0
    assert 0 < front.evaluated < small_space.size


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"constraints": ["area_mm2 < 1"]}, r"^no design meets area_mm2 < 1: area_mm2 ranges from \d.* to \d"),
        (
            {"constraints": ["area_mm2 < 20", "latency_s < 1e-9"]},
            r"^no design meets area_mm2 < 20 and latency_s < 1e-09: area_mm2 ranges .*, latency_s ranges from",
        ),
        ({"constraints": ["rows < 4", "rows > 4"]}, "contradict each other"),
        ({"constraints": ["rows > 500"]}, "^no design of the space meets rows > 500$"),
        ({"objectives": ["speed"]}, "unknown objective 'speed'"),
        ({"objectives": []}, "no objective given"),
        ({"technology": "nangate"}, "unknown technology 'nangate'; did you mean nangate45"),
        ({"fidelity": "cycle"}, "unknown fidelity 'cycle'"),
        ({"jobs": 0}, "jobs = 0 evaluates nothing"),
    ],
)
def test_bad_input(
    arguments: dict[str, Any], message: str, small_space: Space, small_workload: Workload, monkeypatch: Any
) -> None:
    monkeypatch.setattr("hwexplore.search.front.SAMPLE", 100)
    with pytest.raises(InputError, match=message):
        explore(small_space, small_workload, **arguments)


@pytest.mark.parametrize("constraints", [[], ["rows >= 1"]])
def test_no_design_is_feasible(constraints: list[str], space_of: Any, small_workload: Workload) -> None:
    with pytest.raises(
        InputError, match=r"no design of the space is feasible.*; most often the PE cannot reach the clock"
    ):
        explore(space_of(clock_mhz=[5000, 9000]), small_workload, constraints=constraints)


BOUNDED = """
import resource
from hwexplore import workloads
from hwexplore.search import Space, explore
peaks = []
def progress(done):
    peaks.append(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
space = Space(sram_kib=range(128, 640, 128))
front = explore(space, workloads.load("llama-2-7b"), ["error"], fidelity="roofline", jobs=2, progress=progress)
assert front.evaluated > 1_000_000
print(peaks[-1] - peaks[0])
"""


@pytest.mark.slow
def test_memory_does_not_grow_with_the_space() -> None:
    """All designs' columns together would take 150 MB."""
    run = subprocess.run([sys.executable, "-c", BOUNDED], capture_output=True, text=True, check=True)
    assert int(run.stdout) * 1024 < 60e6
