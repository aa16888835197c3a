from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore.search import Front, Problem, Space, explore
from hwexplore.search.front import short_label
from hwexplore.workloads import Workload


def test_every_design_can_be_rebuilt(small_front: Front) -> None:
    frame = small_front.to_frame()
    assert len(frame) == len(small_front) > 20
    for _, row in frame.sample(5, random_state=0).iterrows():
        own = Space(**{name: _number(row[name]) for name in small_front.problem.space.choices.values})
        problem = Problem(own, small_front.problem.workload, small_front.problem.technology)
        alone = problem.evaluate(np.array([0])).iloc[0]
        for name in small_front.objectives:
            assert alone[name] == pytest.approx(row[name], rel=1e-12)


def _number(value: Any) -> Any:
    return int(value) if str(value).isdecimal() else value


def test_the_frame_is_a_copy(small_front: Front) -> None:
    frame = small_front.to_frame()
    frame["latency_s"] = 0
    assert (small_front.to_frame()["latency_s"] > 0).all()


def test_sorted_by_the_first_objective(small_space: Space, small_workload: Workload) -> None:
    front = explore(small_space, small_workload, ["tokens_per_s", "energy_j"])
    assert front.to_frame()["tokens_per_s"].is_monotonic_decreasing
    front = explore(small_space, small_workload, ["energy_j", "tokens_per_s"])
    assert front.to_frame()["energy_j"].is_monotonic_increasing


@pytest.mark.parametrize("most", [2, 4, 8])
def test_representatives(most: int, small_space: Space, small_workload: Workload) -> None:
    front = explore(small_space, small_workload, ["tops_per_w", "area_mm2"])
    frame = front.to_frame()
    rows = front.representatives(most)
    assert len(rows) == len(set(rows)) == most < len(frame)
    assert (np.diff(rows) > 0).all()
    assert {frame["tops_per_w"].idxmax(), frame["area_mm2"].idxmin()} <= set(rows)
    assert front.representatives(len(front)).tolist() == list(range(len(front)))


def test_representatives_are_spread(small_front: Front) -> None:
    """The farthest point is taken next: none left out is farther from all taken than these are from each other."""
    ranks = small_front.to_frame()[list(small_front.objectives)].rank(method="dense", pct=True).to_numpy()
    rows = small_front.representatives(12)
    distances = np.abs(ranks[:, None] - ranks[rows]).sum(axis=2)
    between = distances[rows] + np.where(np.eye(12), np.inf, 0)
    extremes = len(small_front.objectives)
    assert distances.min(axis=1).max() <= np.sort(between.min(axis=1))[extremes:].max()


def test_intervals(small_front: Front) -> None:
    rows = small_front.representatives(5)
    for name, interval in small_front.intervals(rows).items():
        low, mid, high = (np.asarray(point) for point in (interval.low, interval.mid, interval.high))
        assert np.all(low <= mid)
        assert np.all(mid <= high)
        np.testing.assert_array_equal(mid, small_front.to_frame()[name].iloc[rows])


def test_inert_parameters(small_front: Front) -> None:
    frame, inert = small_front.to_frame(), small_front.inert()
    space = small_front.problem.space
    single = {name for name, size in zip(space.choices.values, space.shape, strict=True) if size > 1}
    assert set(inert) == {name for name in single if frame[name].nunique() == 1}


def test_inert_reason(space_of: Any, small_workload: Workload) -> None:
    """Channels cost area and static power and, where the array is the bottleneck, bring nothing."""
    front = explore(space_of(channels=[1, 2], rows=1, cols=[1, 2], clock_mhz=[250, 5000], voltage=1.1), small_workload)
    frame = front.problem.evaluate(np.arange(front.problem.space.size)).set_index(["cols", "clock_mhz", "channels"])
    one, two = (frame.xs((250, number), level=("clock_mhz", "channels")) for number in (1, 2))
    median = {name: (two[name] / one[name]).median() for name in front.objectives}
    assert set(front.inert()) == {"channels", "clock_mhz"}
    assert front.inert()["channels"] == "always 1; instead, in the median, 2: " + ", ".join(
        f"{name} x {ratio:.3g}" for name, ratio in median.items()
    )
    assert front.inert()["clock_mhz"].endswith(
        "5000: latency_s infeasible, energy_j infeasible, area_mm2 infeasible, error x 1"
    )


def test_of_many_other_values_a_few_are_compared(space_of: Any, small_workload: Workload) -> None:
    channels = list(range(1, 21))
    front = explore(space_of(channels=channels, rows=1, cols=1, clock_mhz=250, voltage=1.1), small_workload)
    reason = front.inert()["channels"]
    assert reason.startswith("always 1; instead, in the median, 2: latency_s x 1, ")
    assert "; 20: latency_s" in reason
    assert reason.count("latency_s") == 8
    assert reason.endswith("; and 11 more")


def test_policies_with_many_overrides_are_shortened() -> None:
    assert short_label("int8/int8/int8;a=int4//;b=int4//") == "int8/int8/int8;a=int4//;b=int4//"
    assert short_label("int8/int8/int8;a=int4//;b=int4//;c=int4//") == "int8/int8/int8; 3 overrides"
    assert short_label(512) == "512"
