from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore.errors import InputError
from hwexplore.search import OBJECTIVES, Front, Problem
from hwexplore.search.evaluations import ROOFLINE_COST, Evaluations, most_evaluations


def test_keeps_the_front(small_problem: Problem, small_front: Front) -> None:
    done = Evaluations(small_problem, OBJECTIVES, 2000, screen=False)
    ids = np.random.default_rng(0).permutation(small_problem.space.size)
    for part in np.array_split(ids, 5):
        done(part)
    front = done.front("all", 0, "evaluations spent")
    found, exact = (each.to_frame()[list(OBJECTIVES)].sort_values([*OBJECTIVES]) for each in (front, small_front))
    np.testing.assert_allclose(found.drop_duplicates(), exact.drop_duplicates(), rtol=1e-12)
    assert (front.evaluated, front.feasible) == (small_front.evaluated, small_front.feasible)
    assert front.complete
    assert done.left == 2000 - small_problem.space.size


def test_says_which_points_are_possible(small_problem: Problem, all_designs: pd.DataFrame) -> None:
    limited = replace(small_problem, space=small_problem.space.restricted(["rows >= 16", "area_mm2 * rows < 300"]))
    done = Evaluations(limited, ["energy_j", "tops"], 1000, screen=False)
    ids = done.fresh(np.arange(1152))
    assert ids.tolist() == all_designs.query("rows >= 16").index.tolist()
    points, possible = done(ids)
    expected = all_designs.loc[ids]
    assert possible.tolist() == ((expected["reason"] == "") & (expected["area_mm2"] * expected["rows"] < 300)).tolist()
    np.testing.assert_allclose(points[possible, 0], expected["energy_j"][possible], rtol=1e-12)
    np.testing.assert_allclose(points[possible, 1], -expected["tops"][possible], rtol=1e-12)
    assert done.feasible == possible.sum()


@pytest.mark.parametrize("objectives", [OBJECTIVES, ("tokens_per_s", "tops_per_mm2", "edp_js")])
def test_what_is_screened_off_is_not_on_the_front(
    objectives: tuple[str, ...], small_problem: Problem, all_designs: pd.DataFrame
) -> None:
    done = Evaluations(small_problem, objectives, 10_000)
    done(done.propose(np.arange(0, 1152, 7)))
    proposed = done.propose(np.arange(1152))
    off = np.setdiff1d(np.arange(1152), np.concatenate([proposed, np.arange(0, 1152, 7)]))
    assert 20 < off.size < 1100
    evaluations = done.evaluated
    before = sorted(map(tuple, done.points))
    _, possible = done(off)
    assert possible.any()
    assert not possible.all()
    assert done.evaluated == evaluations + off.size
    assert sorted(set(map(tuple, done.points))) == sorted(set(before))


def test_each_design_once(small_problem: Problem) -> None:
    done = Evaluations(small_problem, OBJECTIVES, 500)
    first = done.propose(np.array([5, 3, 3, 700, 40, 5]))
    assert np.isin(first, [3, 5, 40, 700]).all()
    assert first.size
    done(first)
    screened = done.screened
    assert done.propose(np.array([3, 5, 40, 700])).size == 0
    assert done.screened == screened == 4
    assert done.left == 500 - first.size - 1


def test_rooflines_count(small_problem: Problem) -> None:
    calls: list[tuple[int, int]] = []
    done = Evaluations(small_problem, OBJECTIVES, 60, progress=lambda *spent: calls.append(spent))
    start = done.start(20, 200, 0)
    assert done.left == 60 - 200 * ROOFLINE_COST
    assert 20 <= start.size <= done.left
    done(start)
    assert calls == [(60 - done.left, 60)]
    done.propose(np.arange(1152))
    assert done.left == 0
    assert done.evaluated + ROOFLINE_COST * done.screened <= 60


@pytest.mark.parametrize(
    ("changed", "objectives"), [({"fidelity": "roofline"}, OBJECTIVES), ({}, ("latency_s", "power_w"))]
)
def test_no_screen_where_the_roofline_says_nothing(
    changed: dict[str, str], objectives: tuple[str, ...], small_problem: Problem
) -> None:
    done = Evaluations(replace(small_problem, **changed), objectives, 100)
    assert done.propose(np.arange(90)).size == 90
    assert done.start(20, 200, 0).size == 20
    assert done.screened == 0


def test_how_many(small_problem: Problem) -> None:
    assert most_evaluations(small_problem, None) == 1000
    large = replace(small_problem, space=small_problem.space.with_values(sram_kib=range(1, 1001)))
    assert most_evaluations(large, None) == large.space.size // 100
    huge = replace(small_problem, space=small_problem.space.with_values(sram_kib=range(1, 30_001)))
    assert most_evaluations(huge, None) == 50_000
    assert most_evaluations(large, 7) == 7
    with pytest.raises(InputError, match="evaluations = 0; a search needs 1 or more"):
        most_evaluations(large, 0)


def test_nothing_possible(small_problem: Problem) -> None:
    limited = replace(small_problem, space=small_problem.space.restricted(["area_mm2 < 1"]))
    done = Evaluations(limited, OBJECTIVES, 100, screen=False)
    done(np.arange(30))
    with pytest.raises(
        InputError, match=r"none of the 30 designs that nsga2 evaluated is feasible and meets area_mm2 < 1"
    ):
        done.front("nsga2", 0, "evaluations spent")
