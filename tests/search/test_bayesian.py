from __future__ import annotations

import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore.errors import InputError
from hwexplore.search import OBJECTIVES, Front, Problem, evolve, explore, hypervolume_ratio, optimise
from hwexplore.search.bayesian import FEW
from hwexplore.search.evaluations import Evaluations

NUMBER = 90


@pytest.fixture(scope="module")
def found(problem: Problem) -> Front:
    return optimise(problem, evaluations=NUMBER)


def test_better_than_evolution_with_very_few_evaluations(problem: Problem, exact: Front, found: Front) -> None:
    assert found.evaluated == NUMBER
    assert found.heuristic is not None
    assert found.heuristic.ended == "evaluations spent"
    evolved = evolve(problem, evaluations=NUMBER, roofline_cost=0)
    assert hypervolume_ratio(found, exact) > max(0.9, hypervolume_ratio(evolved, exact))


def test_better_than_without_a_model(
    problem: Problem, exact: Front, found: Front, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hwexplore.search.bayesian._draws", lambda *arguments: np.zeros((len(arguments[3]), 4)))
    monkeypatch.setattr(
        "hwexplore.search.bayesian._best",
        lambda evaluations, draws, number, random: random.choice(len(draws), number, replace=False),
    )
    guessed = optimise(problem, evaluations=NUMBER)
    assert hypervolume_ratio(found, exact) > hypervolume_ratio(guessed, exact)


def test_depends_on_the_seed_alone(problem: Problem, found: Front) -> None:
    again, other = (optimise(problem, evaluations=NUMBER, seed=seed) for seed in (0, 1))
    pd.testing.assert_frame_equal(found.to_frame(), again.to_frame(), check_exact=True)
    assert found.ids.tolist() != other.ids.tolist()


def test_ends_when_no_candidate_is_left(small_problem: Problem, small_front: Front) -> None:
    space = small_problem.space.restricted(["rows == 1", "cols == 16", "sram_kib == 512"])
    front = optimise(replace(small_problem, space=space))
    expected = explore(space, small_problem.workload)
    assert front.heuristic is not None
    assert front.heuristic.evaluations == FEW
    assert front.heuristic.ended == "no candidate is left"
    assert hypervolume_ratio(front, expected) == pytest.approx(1)


def test_objectives_that_the_roofline_does_not_bound(problem: Problem) -> None:
    objectives = "power_w", "tokens_per_s"
    done = Evaluations(problem, objectives, 70, screen=False)
    done(problem.space.sample(70, 0))
    exact = explore(problem.space, problem.workload, objectives)
    front = optimise(problem, objectives, evaluations=70)
    assert front.heuristic is not None
    assert front.heuristic.screened == 0
    assert hypervolume_ratio(front, exact) > hypervolume_ratio(done.front("random", 0, ""), exact)


def test_interrupted(problem: Problem) -> None:
    def interrupt(done: int, of: int) -> None:
        raise KeyboardInterrupt

    front = optimise(problem, OBJECTIVES, progress=interrupt)
    assert front.interrupted
    assert 0 < front.evaluated < FEW


def test_without_scikit_learn(small_problem: Problem, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "sklearn.gaussian_process", None)
    with pytest.raises(InputError, match=r"bayesian needs the package scikit-learn; .* 'hwexplore\[bayesian\]'"):
        optimise(small_problem)
