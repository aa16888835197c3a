from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search import Front, hypervolume_ratio
from hwexplore.search.hypervolume import log_scale


def cells(points: np.ndarray) -> float:
    """Hypervolume up to 1.1 in each objective by adding up the cells of the grid that the points span."""
    axes = [np.unique([*column, 1.1]) for column in points.T]
    volume = 0.0
    for corner in product(*(range(axis.size - 1) for axis in axes)):
        low = np.array([axis[i] for axis, i in zip(axes, corner, strict=True)])
        high = np.array([axis[i + 1] for axis, i in zip(axes, corner, strict=True)])
        volume += float(np.prod(high - low)) * (points <= low).all(axis=1).any()
    return volume


def part(front: Front, rows: np.ndarray) -> Front:
    return replace(front, ids=front.ids[rows])


@pytest.mark.parametrize("log", [True, False])
def test_against_a_sum_of_cells(small_front: Front, log: bool) -> None:
    exact = replace(small_front, objectives=("latency_s", "error", "tops_per_w"))
    frame = exact.to_frame()
    points = np.stack([frame["latency_s"], frame["error"], -frame["tops_per_w"]], axis=1)
    if log:
        points = np.stack([np.log(frame["latency_s"]), np.log(frame["error"]), -np.log(frame["tops_per_w"])], axis=1)
    points = (points - points.min(axis=0)) / np.ptp(points, axis=0)
    rows = np.arange(0, len(exact), 9)
    expected = cells(points[rows]) / cells(points)
    assert hypervolume_ratio(part(exact, rows), exact, log) == pytest.approx(expected, rel=1e-9)
    assert 0 < expected < 1


@given(st.data())
@settings(max_examples=20, deadline=None)
def test_grows_with_the_front(small_front: Front, data: st.DataObject) -> None:
    many = data.draw(st.sets(st.integers(0, len(small_front) - 1), min_size=2))
    few = data.draw(st.sets(st.sampled_from(sorted(many)), min_size=1))
    less, more = (hypervolume_ratio(part(small_front, np.array(sorted(rows))), small_front) for rows in (few, many))
    assert 0 < less <= more <= 1 + 1e-12


def test_an_exact_front_lacks_nothing(small_front: Front) -> None:
    assert hypervolume_ratio(small_front, small_front) == 1
    one = replace(small_front, objectives=("area_mm2",))
    assert hypervolume_ratio(part(one, np.array([one.to_frame()["area_mm2"].argmin()])), one) == pytest.approx(1)


def test_logarithms_keep_the_order() -> None:
    assert (np.diff(log_scale(np.array([0, 1e-9, 0.5, 3]))) > 0).all()
    assert (np.diff(log_scale(np.array([-8, -2, -0.5, -1e-9]))) > 0).all()
    np.testing.assert_allclose(log_scale(np.array([-np.e, np.e])), [-1, 1])


def test_other_objectives(small_front: Front) -> None:
    with pytest.raises(InputError, match=r"fronts of latency_s and of latency_s, .* have no common hypervolume"):
        hypervolume_ratio(replace(small_front, objectives=("latency_s",)), small_front)
