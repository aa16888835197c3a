"""The front under uncertainty, against the exact fronts of all designs under each draw."""

from __future__ import annotations

from functools import lru_cache

import moocore
import numpy as np
import pytest

import hwexplore as hx
from hwexplore.accelerator import Evaluator
from hwexplore.errors import InputError
from hwexplore.search import Front, LikelyFront, likely_front
from hwexplore.search.pareto import to_minimise

DRAWS = 40
FRESH = 60


@lru_cache(maxsize=1)
def front() -> Front:
    space = hx.Space(
        pe=["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24)"],
        policy=["int8_channel/int8/int8", "int4_g128/int8/int8"],
        rows=[1, 4, 16],
        cols=[16, 64],
        dataflow=["os"],
        sram_kib=[128, 512, 2048],
    )
    workload = hx.workloads.load("llama-2-7b", phase="decode", batch=1, context=2048)
    return hx.explore(space, workload, constraints=["area_mm2 < 400"])


@lru_cache(maxsize=1)
def likely() -> LikelyFront:
    return likely_front(front(), DRAWS, margin=1.5)


@lru_cache(maxsize=1)
def true_fronts() -> list[set[int]]:
    """The front of the whole space under each draw."""
    problem = front().problem
    ids = np.arange(problem.space.size)
    frame = problem.evaluate(ids)
    allowed = ((frame["reason"] == "") & (frame["area_mm2"] < 400)).to_numpy()
    fronts = []
    for technology in problem.technology.draws[: DRAWS + FRESH]:
        columns = Evaluator(problem.model.with_technology(technology))(problem.space.indices(ids))
        costs = to_minimise({**columns, "error": frame["error"].to_numpy()}, front().objectives)
        feasible = np.flatnonzero(allowed & (columns["reason"] == 0))
        fronts.append(set(feasible[moocore.is_nondominated(costs[feasible])].tolist()))
    return fronts


def test_probabilities_are_shares_of_the_fronts_of_the_draws():
    drawn = true_fronts()[:DRAWS]
    expected = [sum(number in members for members in drawn) / DRAWS for number in likely().ids.tolist()]
    np.testing.assert_allclose(likely().probability, expected)
    assert set.union(*drawn) <= set(likely().ids.tolist())
    assert (np.diff(likely().probability) <= 0).all()


def test_fresh_draws_have_their_whole_front_in_the_set():
    held = set(likely().ids.tolist())
    fresh = true_fronts()[DRAWS:]
    assert np.mean([members <= held for members in fresh]) > 0.9
    assert len(held) < likely().looked_at < front().problem.space.size


def test_the_core_holds_most_of_fresh_fronts():
    core = set(likely().ids[: likely().core].tolist())
    share = np.mean([len(members & core) / len(members) for members in true_fronts()[DRAWS:]])
    assert 0.9 < share < 0.99
    assert len(core) < np.count_nonzero(likely().probability)


def test_members_near_the_end_of_the_margin_are_told():
    assert not likely().is_cut
    assert likely_front(front(), DRAWS, margin=1.02).is_cut


def test_the_set_is_no_wider_than_the_level_takes():
    """Some draw needs all but a few of the tolerance: the fronts that were drawn do not hold 95 % of the others."""
    seen = set(likely().ids[likely().probability > 0].tolist())
    assert len(seen) < len(likely())
    assert 1 <= likely().tolerance < likely().reach < likely().margin


def test_frame_says_what_is_nominal():
    frame = likely().to_frame()
    assert set(front().ids.tolist()) <= set(frame["id"])
    np.testing.assert_array_equal(frame["nominal"], np.isin(frame["id"], front().ids))
    assert {"probability", "latency_s", "pe"} <= set(frame.columns)


def test_jobs_do_not_matter():
    done: list[int] = []
    again = likely_front(front(), DRAWS, margin=1.5, jobs=2, progress=done.append)
    np.testing.assert_array_equal(again.ids, likely().ids)
    np.testing.assert_array_equal(again.probability, likely().probability)
    assert done == list(range(1, DRAWS + 1))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"draws": 18}, "draws is 18; a confidence of 95% takes 19 to 200"),
        ({"draws": 201}, "takes 19 to 200"),
        ({"margin": 1.0}, "margin is 1.0; expected a factor above 1"),
    ],
)
def test_numbers_out_of_range(arguments, message):
    with pytest.raises(InputError, match=message):
        likely_front(front(), **arguments)


def test_a_front_of_errors_alone_is_certain():
    certain = hx.explore(front().problem.space, front().problem.workload, objectives=["error"])
    with pytest.raises(InputError, match="the front of error does not depend on the technology's coefficients"):
        likely_front(certain)
