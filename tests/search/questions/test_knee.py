from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.search import Run, knee
from hwexplore.search.questions.scale import scaled

POSITIVE = st.floats(1e-3, 1e3)


@given(points=st.lists(st.tuples(POSITIVE, POSITIVE), min_size=1, max_size=30))
def test_of_two_objectives_it_is_the_farthest_from_the_line_between_the_ends(points: list[tuple[float, float]]) -> None:
    frame = pd.DataFrame(points, columns=["latency_s", "area_mm2"]).sort_values(["latency_s", "area_mm2"])
    least = frame["area_mm2"].cummin()
    front = frame[least < least.shift(fill_value=np.inf)].reset_index(drop=True)
    x, y = np.log(front.to_numpy().T)
    along = x[-1] - x[0], y[-1] - y[0]
    towards_ideal = along[1] * (x - x[0]) - along[0] * (y - y[0])
    assert towards_ideal[knee(front, list(front))] == pytest.approx(towards_ideal.max(), abs=1e-9)


def test_of_a_run(small_run: Run) -> None:
    front = small_run.front()
    row = knee(front, small_run.objectives)
    logarithms = np.log(front[list(small_run.objectives)])
    share = (logarithms - logarithms.min()) / (logarithms.max() - logarithms.min())
    assert row == share.sum(axis=1).idxmin()
    assert front["id"].iloc[row] not in front.nsmallest(1, "latency_s")["id"].tolist()


@settings(max_examples=20)
@given(factor=st.floats(1e-6, 1e6))
def test_units_do_not_matter(small_run: Run, factor: float) -> None:
    front = small_run.front()
    scale = front.assign(energy_j=front["energy_j"] * factor)
    assert scaled(scale, small_run.objectives) == pytest.approx(scaled(front, small_run.objectives), abs=1e-9)


def test_scale() -> None:
    frame = pd.DataFrame({"latency_s": [1.0, 10, 100], "tops": [1.0, 10, 100], "error": [-1.0, 0, 1], "area_mm2": 7.0})
    points = scaled(frame, ["latency_s", "tops", "error", "area_mm2"])
    assert pytest.approx(np.array([[0, 0.5, 1], [1, 0.5, 0], [0, 0.5, 1], [0, 0, 0]])) == points.T
    assert scaled(frame[1:2], ["latency_s", "tops"], frame) == pytest.approx(np.array([[0.5, 0.5]]))
