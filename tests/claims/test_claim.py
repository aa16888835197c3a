"""Verdicts on numbers that are made up."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.claims import Claim, Evidence, verdict
from hwexplore.technology import Interval

positive = st.floats(0.01, 100)


def _evidence(low: float, mid: float, high: float, measured: float | None = None) -> Evidence:
    return Evidence(setting="somewhere", model=Interval(low, mid, high), measured=measured)


def _claim(theirs: float | tuple[float, float], ours: Evidence) -> Claim:
    return Claim(
        name="group/claim", paper="a paper", statement="more", quantity="a ratio", theirs=theirs, ours=ours, why="so"
    )


@pytest.mark.parametrize(
    ("theirs", "ours", "expected"),
    [
        (1.5, _evidence(1.4, 1.6, 1.8), "agrees"),
        (1.3, _evidence(1.4, 1.6, 1.8), "partly"),
        (0.9, _evidence(1.4, 1.6, 1.8), "disagrees"),
        (1.3, _evidence(1.4, 1.6, 1.8, measured=1.2), "agrees"),
        (1.9, _evidence(1.4, 1.6, 1.8, measured=0.9), "disagrees"),
        (0.5, _evidence(0.6, 0.7, 0.8), "partly"),
        ((1.5, 2.8), _evidence(1.1, 2.0, 3.0), "agrees"),
        ((1.5, 2.8), _evidence(1.1, 1.4, 1.7), "partly"),
        ((1.5, 2.8), _evidence(0.5, 0.9, 1.7), "disagrees"),
        ((0, 1), _evidence(1.5, 2, 3), "disagrees"),
    ],
)
def test_verdict(theirs: float | tuple[float, float], ours: Evidence, expected: str) -> None:
    assert _claim(theirs, ours).verdict == expected


def test_without_directions_nothing_is_partly_right() -> None:
    assert verdict((5, 5), _evidence(6, 6, 6), even=None) == "disagrees"
    assert verdict((5, 5), _evidence(6, 6, 6), even=1) == "partly"


@given(positive, positive, st.tuples(positive, positive, positive).map(sorted))
def test_both_ways_around_the_verdict_is_the_same(theirs: float, measured: float, ends: list[float]) -> None:
    """A over B and B over A."""
    upright = _evidence(*ends, measured=measured)
    inverse = _evidence(*(1 / end for end in reversed(ends)), measured=1 / measured)
    close = [theirs / other - 1 for other in (1, measured, *ends)] + [measured - 1]
    if all(abs(gap) > 1e-9 for gap in close):
        assert verdict((theirs, theirs), upright, 1) == verdict((1 / theirs, 1 / theirs), inverse, 1)


@given(st.tuples(positive, positive, positive).map(sorted), positive)
def test_we_agree_with_ourselves(ends: list[float], measured: float) -> None:
    ours = _evidence(*ends, measured=measured)
    assert {verdict((number, number), ours, 1) for number in (*ends, measured)} == {"agrees"}


def test_the_reason_is_given_where_we_disagree() -> None:
    apart, together = (_claim(theirs, _evidence(2, 3, 4)).to_dict() for theirs in (0.5, 3.0))
    assert (apart["verdict"], apart["why"]) == ("disagrees", "so")
    assert (together["verdict"], together["why"]) == ("agrees", "")
    assert json.loads(json.dumps(apart)) == apart
