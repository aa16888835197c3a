from __future__ import annotations

import operator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search import Bound, Constraint
from hwexplore.search.constraints import check_consistent

COMPARISONS = {"<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq}


@given(st.sampled_from(["area_mm2", "rows"]), st.sampled_from(sorted(COMPARISONS)), st.integers(-(10**12), 10**12))
def test_text_round_trip(name: str, comparison: str, value: int) -> None:
    constraint = Constraint.parse(f" {name}{comparison} {value}")
    assert str(constraint) == f"{name} {comparison} {value}"
    assert Constraint.parse(str(constraint)) == constraint
    assert constraint.bounds() == (Bound(name, comparison, value),)


@given(st.lists(st.integers(0, 5)), st.sampled_from(sorted(COMPARISONS)), st.integers(0, 5))
def test_holds(values: list[int], comparison: str, bound: int) -> None:
    constraint = Constraint.parse(f"tops {comparison} {bound}")
    expected = [COMPARISONS[comparison](value, bound) for value in values]
    assert constraint.holds({"tops": np.array(values, float)}).tolist() == expected


@pytest.mark.parametrize(
    ("text", "names", "over_parameters"),
    [
        ("rows * cols <= 4096", ("cols", "rows"), True),
        ("sram_kib >= 2 * rows or dram == 'hbm2'", ("dram", "rows", "sram_kib"), True),
        ("latency_s * area_mm2 < 0.5", ("area_mm2", "latency_s"), False),
        ("rows < 4 or error < 0.1", ("error", "rows"), False),
    ],
)
def test_what_can_be_decided_before_evaluation(text: str, names: tuple[str, ...], over_parameters: bool) -> None:
    constraint = Constraint.parse(text)
    assert constraint.names == names
    assert constraint.over_parameters == over_parameters


def test_bounds_are_the_conjuncts_with_a_number() -> None:
    text = "4 < rows <= 2 * 8 and (cols > 2 and tops >= -1) and (voltage < 1 or voltage > 2) and rows < cols"
    assert Constraint.parse(text).bounds() == (
        Bound("rows", ">", 4),
        Bound("rows", "<=", 16),
        Bound("cols", ">", 2),
        Bound("tops", ">=", -1),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("area_mm2", "constraint 'area_mm2' is a number; expected a condition, such as area_mm2 < 50"),
        ("1 < 2", "constraint '1 < 2' names no parameter and no metric"),
        ("area < 5", "unknown parameter or metric 'area'; did you mean area_mm2"),
        ("area_mm2 < nan", "at 'nan' in column 12: unknown parameter or metric"),
    ],
)
def test_bad_texts(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Constraint.parse(text)


@given(st.lists(st.tuples(st.sampled_from(sorted(COMPARISONS)), st.integers(0, 3)), min_size=2, max_size=4))
def test_contradictions(bounds: list[tuple[str, int]]) -> None:
    """Bounds on one metric contradict each other where no number, whole or half, meets them all."""
    constraints = [Constraint.parse(f"tops {comparison} {bound}") for comparison, bound in bounds]
    numbers = np.arange(-1, 4.5, 0.5)
    if np.logical_and.reduce([constraint.holds({"tops": numbers}) for constraint in constraints]).any():
        check_consistent(constraints)
    else:
        with pytest.raises(InputError, match=r"constraints tops [<=]+ \d and tops [>=]+ \d contradict each other"):
            check_consistent(constraints)


def test_bounds_of_different_metrics_do_not_contradict() -> None:
    check_consistent([Constraint.parse("tops < 1"), Constraint.parse("area_mm2 > 2")])
