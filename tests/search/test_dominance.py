"""Distances to a front, against the definition pair by pair."""

from __future__ import annotations

import moocore
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.search import dominance
from hwexplore.search.dominance import excess, excess_within

POINT = st.tuples(*(st.integers(0, 4).map(float) for _ in range(3)))
POINTS = st.lists(POINT, min_size=1, max_size=12).map(np.array)
EXACT = st.tuples(st.booleans(), st.booleans(), st.just(False)).map(np.array)


@given(POINTS, POINTS, EXACT)
def test_excess_by_its_definition(points, front, exact):
    for point, found in zip(points, excess(points, front, exact), strict=True):
        steps = [
            min(p - f for p, f, e in zip(point, member, exact, strict=True) if not e)
            for member in front
            if all(f <= p for p, f, e in zip(point, member, exact, strict=True) if e)
        ]
        assert found == max(steps, default=-np.inf)


@given(POINTS, EXACT)
def test_members_of_a_front_have_none(points, exact):
    front = points[moocore.is_nondominated(points)]
    np.testing.assert_array_equal(excess(front, front, exact), 0)


@pytest.mark.parametrize("members", [1, 50, 400])
def test_excess_within_is_excess_of_at_most_a_step(members, monkeypatch):
    monkeypatch.setattr(dominance, "WORKING_SET", 1000)
    random = np.random.default_rng(members)
    points, front = random.random((300, 4)), random.random((members, 4))
    exact = np.array([False, False, True, False])
    whole, found = excess(points, front, exact), excess_within(points, front, exact, 0.1)
    near = found <= 0.1
    np.testing.assert_array_equal(near, whole <= 0.1)
    np.testing.assert_array_equal(found, np.where(whole <= 0.1, whole, np.inf))
    assert 0 < near.sum() < len(near) or members == 1


def test_an_empty_front_is_infinitely_near():
    assert excess(np.zeros((2, 1)), np.zeros((0, 1)), np.array([False])).tolist() == [-np.inf, -np.inf]
