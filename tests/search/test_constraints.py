from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search import Constraint
from hwexplore.search.constraints import check_consistent

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge}


@given(st.sampled_from(["area_mm2", "rows"]), st.sampled_from(sorted(COMPARISONS)), st.integers(-(10**12), 10**12))
def test_text_round_trip(name: str, comparison: str, bound: int) -> None:
    constraint = Constraint.parse(f" {name}{comparison} {bound}")
    assert constraint == Constraint(name, comparison, bound)
    assert Constraint.parse(str(constraint)) == constraint


@given(st.lists(st.integers(0, 5)), st.sampled_from(sorted(COMPARISONS)), st.integers(0, 5))
def test_holds(values: list[int], comparison: str, bound: int) -> None:
    constraint = Constraint.parse(f"tops {comparison} {bound}")
    expected = [COMPARISONS[comparison](value, bound) for value in values]
    assert constraint.holds({"tops": np.array(values, float)}).tolist() == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area_mm2", "constraint 'area_mm2' is not of the form"),
        ("area_mm2 = 5", "is not of the form"),
        ("area_mm2 < 5 mm2", "is not of the form"),
        ("", "is not of the form"),
        ("area < 5", "unknown metric or numeric parameter 'area'; did you mean area_mm2"),
        ("pe < 5", "unknown metric or numeric parameter 'pe'"),
        ("area_mm2 < large", "compares with 'large', which is not a number"),
        ("area_mm2 < nan", "compares with 'nan', which is not a number"),
    ],
)
def test_bad_texts(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Constraint.parse(text)


@given(st.lists(st.tuples(st.sampled_from(sorted(COMPARISONS)), st.integers(0, 3)), min_size=2, max_size=4))
def test_contradictions(bounds: list[tuple[str, int]]) -> None:
    """Bounds on one metric contradict each other where no number, whole or half, meets them all."""
    constraints = [Constraint("tops", comparison, bound) for comparison, bound in bounds]
    numbers = np.arange(-1, 4.5, 0.5)
    if np.logical_and.reduce([constraint.holds({"tops": numbers}) for constraint in constraints]).any():
        check_consistent(constraints)
    else:
        with pytest.raises(InputError, match=r"constraints tops <.* and tops >.* contradict each other"):
            check_consistent(constraints)


def test_bounds_of_different_metrics_do_not_contradict() -> None:
    check_consistent([Constraint("tops", "<", 1), Constraint("area_mm2", ">", 2)])
