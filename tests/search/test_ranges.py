from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search.ranges import range_values


@given(st.integers(1, 1000), st.integers(0, 200), st.integers(1, 50))
def test_steps_are_those_of_range(first: int, length: int, step: int) -> None:
    last = first + length
    assert range_values("rows", {"from": first, "to": last, "step": step}) == list(range(first, last + 1, step))


@given(st.integers(1, 50), st.integers(2, 5), st.integers(0, 8), st.integers(0, 49))
def test_factors(first: int, factor: int, powers: int, beyond: int) -> None:
    last = first * factor**powers
    last += min(beyond, last * (factor - 1) - 1)
    values = range_values("sram_kib", {"from": first, "to": last, "factor": factor})
    assert values == [first * factor**power for power in range(powers + 1)]


@pytest.mark.parametrize(
    ("table", "values"),
    [
        ({"from": 0.7, "to": 1.1, "step": 0.1}, [0.7, 0.8, 0.9, 1.0, 1.1]),
        ({"from": 100, "to": 200, "factor": math.sqrt(2)}, [100, 141.421356237, 200]),
        ({"from": 5, "to": 5, "step": 3}, [5]),
    ],
)
def test_fractions_reach_their_end(table: dict[str, float], values: list[float]) -> None:
    assert range_values("voltage", table) == values


@pytest.mark.parametrize(
    ("name", "table", "message"),
    [
        ("rows", {}, "range of rows has no keys; expected { from = 16, to = 256, factor = 2 } or"),
        ("rows", {"from": 1, "to": 2}, "range of rows has from, to; expected"),
        ("rows", {"from": 1, "to": 2, "step": 1, "factor": 2}, "range of rows has from, to, step, factor; expected"),
        ("rows", {"from": 1, "til": 2, "step": 1}, "unknown key of the range of rows 'til'; did you mean"),
        ("pe", {"from": 1, "to": 2, "step": 1}, "pe has no ranges"),
        ("rows", {"from": "1", "to": 2, "step": 1}, "range of rows: from = '1' must be a number"),
        ("rows", {"from": 1, "to": True, "step": 1}, "range of rows: to = True must be a number"),
        ("rows", {"from": 0, "to": 2, "step": 1}, "range of rows: from = 0 must be positive"),
        ("rows", {"from": 1, "to": 2, "step": math.nan}, "range of rows: step = nan must be positive"),
        ("rows", {"from": 1, "to": 2**31, "step": 1}, "to = 2147483648 must be positive and below"),
        ("rows", {"from": 3, "to": 2, "step": 1}, "range of rows ends at 2, before its start at 3"),
        ("rows", {"from": 1, "to": 2, "factor": 1}, "range of rows: factor = 1 must be above 1"),
        ("rows", {"from": 1, "to": 1e9, "step": 1}, "has 1,000,000,000 values; at most 100,000 are possible"),
    ],
)
def test_bad_ranges(name: str, table: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError) as raised:
        range_values(name, table)
    assert message in str(raised.value)
