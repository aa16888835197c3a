from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search import MAXIMISED, FrontBuilder

OBJECTIVES = ["latency_s", "tops", "area_mm2", "tops_per_w"]
ROWS = st.lists(st.tuples(*[st.integers(0, 4)] * len(OBJECTIVES)), max_size=60)


def dominates(one: tuple[int, ...], other: tuple[int, ...], objectives: list[str]) -> bool:
    """Whether ``one`` is nowhere worse than ``other`` and somewhere better."""
    gains = [a - b if name in MAXIMISED else b - a for a, b, name in zip(one, other, objectives, strict=False)]
    return min(gains) >= 0 and max(gains) > 0


def brute_force(rows: list[tuple[int, ...]], objectives: list[str]) -> list[int]:
    """Rows that none dominates; of rows that are equal in the objectives the first."""
    seen = [row[: len(objectives)] for row in rows]
    return [
        i
        for i, row in enumerate(seen)
        if row not in seen[:i] and not any(dominates(other, row, objectives) for other in seen)
    ]


@given(ROWS, st.integers(1, 4), st.lists(st.integers(0, 60)))
def test_front_of_chunks_is_the_front(rows: list[tuple[int, ...]], dimensions: int, cuts: list[int]) -> None:
    objectives = OBJECTIVES[:dimensions]
    builder = FrontBuilder(objectives)
    table = np.array(rows, float).reshape(-1, len(OBJECTIVES))
    for part in np.split(np.arange(len(rows)), sorted(min(cut, len(rows)) for cut in cuts)):
        builder.add({"id": part, **dict(zip(OBJECTIVES, table[part].T, strict=True))})
    assert builder.columns["id"].tolist() == brute_force(rows, objectives)
    for name, column in zip(OBJECTIVES, table.T, strict=True):
        np.testing.assert_array_equal(builder.columns[name], column[builder.columns["id"]])


@pytest.mark.parametrize(
    ("objectives", "message"),
    [
        ([], "no objective given; choose from latency_s, energy_j"),
        (["latency"], "unknown objective 'latency'; did you mean latency_s"),
        (["latency_s", "latency_s"], "an objective is named twice: latency_s, latency_s"),
    ],
)
def test_bad_objectives(objectives: list[str], message: str) -> None:
    with pytest.raises(InputError, match=message):
        FrontBuilder(objectives)
