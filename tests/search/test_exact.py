from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.search import Certificate, Front, Space, branch_and_bound, explore
from hwexplore.search.boxed_problem import INFEASIBLE, NOTHING, OUTSIDE, BoxedProblem
from hwexplore.search.boxes import BoxTree
from hwexplore.workloads import Workload

MORE: dict[str, Sequence[Any]] = {
    "rows": [1, 2, 4, 8, 16, 64],
    "cols": [4, 16, 64, 256],
    "clock_mhz": [250, 500, 1000, "max"],
    "voltage": [0.7, 0.9, 1.1],
    "vector_lanes": [8, 16, 64, 256],
    "sram_kib": [64, 128, 512, 2048],
    "dram": ["ddr4-3200", "lpddr5-6400", "hbm2"],
    "channels": [1, 2, 4, 8],
}


@pytest.fixture
def few_seeds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes the search begin knowing little."""
    monkeypatch.setattr("hwexplore.search.exact.SAMPLE", 20)
    monkeypatch.setattr("hwexplore.search.exact.ROUNDS", 0)
    monkeypatch.setattr("hwexplore.search.exact.BATCH", 100)


def certificate_of(front: Front) -> Certificate:
    assert front.certificate is not None
    return front.certificate


def checked(front: Front) -> Front:
    """``front`` itself, whose certificate holds."""
    certificate = certificate_of(front)
    assert sum(certificate.designs(front.problem).values()) == front.problem.space.size
    certificate.check(BoxedProblem(front.problem, front.objectives), front.ids)
    return front


def some_space(seed: int, values: int) -> Space:
    """Some values of each parameter, drawn from those of the default space and more."""
    random = np.random.default_rng(seed)
    choices = {**Space.default().choices.values, **MORE}
    return Space(
        **{
            name: [of[i] for i in random.permutation(len(of))[: values + 2 * (name in ("pe", "policy"))]]
            for name, of in choices.items()
        }
    )


@pytest.mark.usefixtures("few_seeds")
@pytest.mark.parametrize(
    "objectives",
    [
        ["latency_s", "energy_j", "area_mm2", "error"],
        ["latency_s"],
        ["error"],
        ["area_mm2", "error"],
        ["tokens_per_s", "energy_j"],
        ["tops_per_mm2", "tops_per_w", "error"],
        ["edp_js", "area_mm2", "j_per_token", "tops", "error"],
    ],
)
def test_the_front_is_that_of_all_designs(objectives: list[str], small_space: Space, small_workload: Workload) -> None:
    """Few objectives: many designs are equal in all, and the first is on the front."""
    front = checked(branch_and_bound(small_space, small_workload, objectives))
    assert front.complete
    assert front.ids.tolist() == explore(small_space, small_workload, objectives).ids.tolist()


@pytest.mark.usefixtures("few_seeds")
@pytest.mark.parametrize("seed", range(4))
def test_random_spaces(seed: int) -> None:
    workload = workloads.load("smollm2-135m", phase=("decode", "prefill")[seed % 2], batch=4, context=512)
    space = some_space(seed, 2)
    assert space.size > 5_000
    assert checked(branch_and_bound(space, workload)).ids.tolist() == explore(space, workload).ids.tolist()


@pytest.mark.usefixtures("few_seeds")
@pytest.mark.parametrize(
    ("values", "constraints"),
    [
        ({}, ["area_mm2 < 30"]),
        ({}, ["tokens_per_s >= 100", "power_w < 2"]),
        ({}, ["latency_s * area_mm2 < 0.5", "rows * cols <= 256"]),
        ({"cols": {"equals": "16 * rows"}}, ["cols == 256 or dram == 'hbm2'"]),
        ({"dataflow": {"equals": "'os' if rows < 16 else 'ws'"}}, ["rows >= 16", "energy_j <= 1"]),
    ],
)
def test_links_and_constraints(
    values: dict[str, Any], constraints: list[str], small_space: Space, small_workload: Workload
) -> None:
    space = small_space.with_values(**values)
    front = checked(branch_and_bound(space, small_workload, constraints=constraints))
    everything = explore(space, small_workload, constraints=constraints)
    assert front.ids.tolist() == everything.ids.tolist()
    assert front.constraints == everything.constraints


@pytest.mark.usefixtures("few_seeds")
def test_constraints_settle_boxes(small_space: Space, small_workload: Workload, all_designs: pd.DataFrame) -> None:
    feasible = all_designs[all_designs["reason"] == ""]
    rate, area = feasible["tokens_per_s"].quantile(0.9), feasible["area_mm2"].quantile(0.1)
    for limit in (f"tokens_per_s >= {rate}", "rows < 16", "rows * cols <= 256", f"area_mm2 < {area} and rows > 0"):
        front = branch_and_bound(small_space, small_workload, constraints=[limit])
        boxes = (certificate_of(front).by == OUTSIDE).sum()
        assert 0 < boxes < certificate_of(front).designs(front.problem)["outside"]


def test_boxes_save_evaluations() -> None:
    workload = workloads.load("smollm2-135m", phase="decode", batch=1, context=512)
    front = branch_and_bound(some_space(0, 3), workload)
    certificate = certificate_of(front)
    assert certificate.designs(front.problem)["evaluated"] < 0.02 * front.problem.space.size
    assert len(certificate) < certificate.opened < 0.2 * front.problem.space.size


def test_the_same_in_parallel(small_front: Front, small_space: Space, small_workload: Workload) -> None:
    done: list[int] = []
    front = checked(branch_and_bound(small_space, small_workload, jobs=2, progress=done.append))
    assert front.ids.tolist() == small_front.ids.tolist()
    assert done == sorted(done)
    assert done[-1] == small_space.size


@pytest.mark.usefixtures("few_seeds")
def test_an_interrupted_search_has_no_certificate(small_space: Space, small_workload: Workload) -> None:
    def interrupt(settled: int) -> None:
        if settled > small_space.size / 2:
            raise KeyboardInterrupt

    front = branch_and_bound(small_space, small_workload, progress=interrupt)
    assert not front.complete
    assert front.certificate is None
    assert 0 < len(front) <= front.feasible < front.evaluated


@pytest.fixture(scope="module")
def exact(small_space: Space, small_workload: Workload) -> Front:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("hwexplore.search.exact.SAMPLE", 20)
        patch.setattr("hwexplore.search.exact.ROUNDS", 0)
        return branch_and_bound(small_space, small_workload)


def test_a_certificate_comes_back_from_its_file(exact: Front, tmp_path: Path) -> None:
    certificate = certificate_of(exact)
    certificate.write(tmp_path / "proof.parquet")
    back = Certificate.read(tmp_path / "proof.parquet")
    assert back.opened == certificate.opened
    for name in ("first", "depth", "by"):
        np.testing.assert_array_equal(getattr(back, name), getattr(certificate, name))
    with pytest.raises(InputError, match="cannot be written"):
        certificate.write(tmp_path / "no folder" / "proof.parquet")
    (tmp_path / "text.parquet").write_text("text")
    with pytest.raises(InputError, match="not a readable Parquet file"):
        Certificate.read(tmp_path / "text.parquet")


def test_a_file_that_is_no_certificate(all_designs: pd.DataFrame, tmp_path: Path) -> None:
    all_designs.to_parquet(tmp_path / "designs.parquet")
    with pytest.raises(InputError, match="no certificate"):
        Certificate.read(tmp_path / "designs.parquet")


def refused(front: Front, message: str, **changes: Any) -> None:
    certificate = replace(certificate_of(front), **changes)
    with pytest.raises(InputError, match=message):
        certificate.check(BoxedProblem(front.problem, front.objectives), front.ids)


def test_a_wrong_partition_is_refused(exact: Front) -> None:
    certificate = certificate_of(exact)
    for part in (slice(1, None), slice(None, -1)):
        columns = {name: getattr(certificate, name)[part] for name in ("first", "depth", "by")}
        refused(exact, "leave out", **columns)
    twice = np.sort(np.append(np.arange(len(certificate)), 3))
    refused(exact, "take some twice", **{name: getattr(certificate, name)[twice] for name in ("first", "depth", "by")})


def test_a_box_that_starts_anywhere_is_refused(exact: Front) -> None:
    """Boxes of two sizes change places: they fill the space all the same."""
    certificate, sizes = certificate_of(exact), BoxTree(exact.problem.space).sizes
    own = sizes[certificate.depth]
    place = int(np.flatnonzero((own[:-1] > own[1:]) & (own[1:] == 1))[0])
    first, depth = certificate.first.copy(), certificate.depth.copy()
    depth[[place, place + 1]] = depth[[place + 1, place]]
    first[place + 1] = first[place] + 1
    refused(exact, "does not begin", first=first, depth=depth)


@pytest.mark.parametrize("depth", [0, 2, 12])
def test_boxes_that_are_none_are_refused(depth: int, exact: Front) -> None:
    changed = certificate_of(exact).depth.copy()
    changed[0] = depth
    refused(exact, "of a depth other than 3 to 11", depth=changed)


def test_boxes_that_nothing_keeps_off_are_refused(exact: Front, all_designs: pd.DataFrame) -> None:
    certificate, tree = certificate_of(exact), BoxTree(exact.problem.space)
    infeasible = int(all_designs["id"][all_designs["reason"] != ""].iloc[0])
    places = np.flatnonzero((certificate.by >= 0) & (certificate.depth < tree.depth))
    for place in places[:: len(places) // 5]:
        box = tree.index(certificate.first[[place]], int(certificate.depth[place]))
        bounds, _ = BoxedProblem(exact.problem, exact.objectives).bounds(box)
        frame = exact.to_frame()
        elsewhere = frame["id"][(frame[list(exact.objectives)] > bounds[0]).any(axis=1)].iloc[0]
        for by in (elsewhere, infeasible, exact.problem.space.size, OUTSIDE, INFEASIBLE - 1, NOTHING):
            changed = certificate.by.copy()
            changed[place] = by
            refused(exact, f"box {place}, ", by=changed)


def test_other_fronts_are_refused(exact: Front) -> None:
    certificate, boxed = certificate_of(exact), BoxedProblem(exact.problem, exact.objectives)
    for ids in (exact.ids[1:], np.append(exact.ids, exact.ids.max() + 1)):
        with pytest.raises(InputError, match="have a front of"):
            certificate.check(boxed, ids)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"jobs": 0}, "jobs = 0"),
        ({"objectives": ["latency_s", "power_w"]}, "objective power_w has no bounds"),
        ({"objectives": ["speed"]}, "unknown objective"),
        ({"constraints": ["area_mm2 < 0.1"]}, "no design meets area_mm2 < 0.1"),
    ],
)
def test_refused(arguments: dict[str, Any], message: str, small_space: Space, small_workload: Workload) -> None:
    with pytest.raises(InputError, match=message):
        branch_and_bound(small_space, small_workload, **arguments)


def test_bounds_are_those_of_tiles(small_front: Front) -> None:
    with pytest.raises(InputError, match="fidelity 'roofline' has no bounds"):
        BoxedProblem(replace(small_front.problem, fidelity="roofline"), small_front.objectives)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_random_spaces_of_a_million_designs(seed: int) -> None:
    workload = workloads.load("llama-2-7b", phase=("decode", "prefill")[seed % 2], batch=1 + seed, context=1024)
    space = some_space(seed, 3)
    assert space.size > 300_000
    assert checked(branch_and_bound(space, workload)).ids.tolist() == explore(space, workload).ids.tolist()


@pytest.mark.slow
def test_the_default_space() -> None:
    workload = workloads.load("llama-2-7b", phase="decode", batch=1, context=2048)
    front = checked(branch_and_bound(Space.default(), workload))
    assert front.ids.tolist() == explore(Space.default(), workload).ids.tolist()


@pytest.mark.slow
def test_a_billion_designs() -> None:
    space = Space.load(Path(str(files("hwexplore.models") / "spaces" / "billion.toml")))
    assert space.size > 10**9
    workload = workloads.load("llama-2-7b", phase="decode", batch=1, context=2048)
    start = time.process_time()
    front = branch_and_bound(space, workload, jobs=2)
    assert time.process_time() - start < 60
    checked(front)
    assert front.to_frame()[list(space.choices.values)].nunique().min() > 1
