from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search.expressions import DEEPEST, LONGEST, Expression

FOREIGN = """
__import__('os').system('true')
open('f')
rows.real < 1
rows[0] < 1
lambda: 1
f'{rows}' < 'a'
(rows := 1)
[rows for _ in (1,)]
rows < True
rows < None
rows < 1j
rows is 1
(rows, 1) < 2
rows & 1
~rows < 1
min(rows, cols, key=abs) < 1
max(*rows, 1) < 1
{1: 2}
...
b'a' == dram
""".strip().splitlines()
NUMBERS = ("rows", "cols", "latency_s")
FUNCTIONS = {"abs": abs, "ceil": math.ceil, "floor": math.floor, "log2": math.log2, "sqrt": math.sqrt}

leaves = st.sampled_from(NUMBERS) | st.integers(0, 9).map(str) | st.sampled_from(["0.5", "2.5e1"])


def larger(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.tuples(inner, st.sampled_from(["+", "-", "*", "/", "//", "%", "**"]), inner).map(
            "({0[0]} {0[1]} {0[2]})".format
        ),
        st.tuples(st.sampled_from([*FUNCTIONS, "-", "+"]), inner).map("{0[0]}({0[1]})".format),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map("{0[0]}({0[1]}, {0[2]})".format),
        st.tuples(inner, inner, inner).map("({0[0]} if {0[1]} < 3 else {0[2]})".format),
    )


numbers = st.recursive(leaves, larger, max_leaves=8)
comparisons = st.one_of(
    st.tuples(numbers, st.sampled_from(["<", "<=", ">", ">=", "==", "!="]), numbers).map(" ".join),
    st.tuples(numbers, numbers, numbers).map("{0[0]} < {0[1]} <= {0[2]}".format),
    st.tuples(numbers, numbers, numbers).map("{0[0]} in ({0[1]}, {0[2]})".format),
    st.tuples(numbers, numbers).map("{0[0]} not in ({0[1]},)".format),
    st.tuples(
        st.sampled_from(["dram", "clock_mhz"]), st.sampled_from(["==", "!="]), st.sampled_from(["'a'", "'max'"])
    ).map(" ".join),
)
conditions = st.recursive(
    comparisons,
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["and", "or"]), inner).map("({0[0]} {0[1]} {0[2]})".format),
        inner.map("(not {})".format),
    ),
    max_leaves=4,
)
designs = st.lists(
    st.fixed_dictionaries(
        {
            "rows": st.integers(1, 4).map(float),
            "cols": st.integers(1, 4).map(float),
            "latency_s": st.floats(0.125, 4),
            "dram": st.sampled_from(["a", "b"]),
            "clock_mhz": st.sampled_from([1.0, 2.5, "max"]),
        }
    ),
    min_size=1,
    max_size=4,
)


def python(text: str, design: dict[str, Any]) -> Any:
    """What Python makes of the text, number by number."""
    try:
        value = eval(text, {"__builtins__": {}}, {**FUNCTIONS, "min": min, "max": max, **design})
        assume(not isinstance(value, complex) and (isinstance(value, bool) or math.isfinite(value)))
        return value
    except (ZeroDivisionError, OverflowError, ValueError, TypeError):
        assume(False)


@given(numbers | conditions, designs)
def test_means_what_python_means_by_it(text: str, rows: list[dict[str, Any]]) -> None:
    expected = [python(text, row) for row in rows]
    expression = Expression.parse(text, "constraint")
    columns = {name: np.array([row[name] for row in rows], float if name in NUMBERS else object) for name in rows[0]}
    value = np.broadcast_to(expression(columns), len(rows))
    np.testing.assert_allclose(np.asarray(value, float), np.array(expected, float), rtol=1e-9)
    assert Expression.parse(str(expression), "constraint") == expression
    assert set(expression.names) == {name for name in rows[0] if name in text}


def test_columns_broadcast() -> None:
    mesh = np.ix_([1.0, 2, 3], [1.0, 2])
    value = Expression.parse("rows * cols < 4", "constraint")(dict(zip(("rows", "cols"), mesh, strict=True)))
    np.testing.assert_array_equal(value, mesh[0] * mesh[1] < 4)


def test_spelling_of_pes_and_policies_does_not_matter() -> None:
    expression = Expression.parse("pe in ('mac(int8,int8,acc=int32)',) or 'int8/int8 / int8' == policy", "constraint")
    assert str(expression) == "pe in ('mac(int8, int8, acc=int32)',) or 'int8/int8/int8' == policy"


def test_literals() -> None:
    expression = Expression.parse("dram in ('a', 'b') and (rows > 3 or 'c' != dram) and policy == 'int8/int8/int8'", "")
    assert sorted(expression.literals("dram")) == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "constraint '', column 1: invalid syntax"),
        ("rows < (4", "column 8: '(' was never closed"),
        ("rows = 5", "constraint 'rows = 5', column"),
        ("rows < 4 mm2", "constraint 'rows < 4 mm2', column"),
        ("rows < 1and cols < 2", "constraint 'rows < 1and cols < 2', column"),
        ("rows\0 < 1", "null bytes"),
        ("rowz < 4", "at 'rowz' in column 1: unknown parameter or metric 'rowz'; did you mean rows"),
        ("rows * dram < 4", "at 'dram' in column 8: this is a text; expected a number"),
        ("rows < 'a'", "at \"'a'\" in column 8: this is a text; expected a number"),
        ("clock_mhz < 'max'", "at \"'max'\" in column 13: this is a text"),
        ("rows == 'a'", "column 9: this is a text; expected a number"),
        ("(rows > 1) + 2", "at 'rows > 1' in column 2: this is a condition; expected a number"),
        ("not rows", "at 'rows' in column 5: this is a number; expected a condition"),
        ("rows and cols", "at 'rows' in column 1: this is a number; expected a condition"),
        ("(1 if rows > 1 else 'a') in ('a', 2) and (1 if rows > 1 else cols > 2)", "this is a condition; expected a n"),
        ("rows if cols else 2", "at 'cols' in column 9: this is a number; expected a condition"),
        ("rows < 1e400", "at '1e400' in column 8: numbers end at 1e300"),
        ("min(rows) < 3", "at 'min(rows)' in column 1: min takes two or more numbers"),
        ("abs(rows, 2) < 3", "abs takes a number"),
        ("abs() < 3", "abs takes a number"),
        ("pe == 'mc(int8)'", "in column 7: unknown PE family 'mc'; did you mean mac"),
        ("dataflow == 'so'", "unknown dataflow 'so'"),
        ("dram in 'hbm2'", "'in' takes values in parentheses"),
        ("rows in ()", "'in' takes values in parentheses"),
        *((text, "not part of the grammar: numbers, texts in quotes") for text in FOREIGN),
        (f"rows < {'9' * 5000}", "constraint 'rows < 999"),
        (f"{'-' * (DEEPEST + 2)}1 < rows", f"more than {DEEPEST} operations inside each other"),
        (f"rows < {'(' * 400}1{')' * 400}", "too many nested parentheses"),
        (f"rows < {'1 + ' * LONGEST}1", f"at most {LONGEST} are read"),
    ],
)
def test_bad_texts(text: str, message: str) -> None:
    with pytest.raises(InputError) as raised:
        Expression.parse(text, "constraint")
    assert message in str(raised.value)
    assert len(str(raised.value)) < 600


@given(st.text(max_size=40) | st.text("rowscl()[]{}<>=!+-*/.,'\" 0123456789_:;@\\\n", max_size=40))
def test_any_text_is_an_expression_or_bad_input(text: str) -> None:
    try:
        expression = Expression.parse(text, "constraint")
    except InputError:
        return
    assert Expression.parse(str(expression), "constraint") == expression


def test_no_order_among_texts() -> None:
    clock = {"clock_mhz": np.array([500, "max"], object)}
    assert Expression.parse("clock_mhz in (500, 'max')", "constraint")(clock).tolist() == [True, True]
    with pytest.raises(InputError, match="'clock_mhz < 400' needs numbers, but gets texts such as 'max', too"):
        Expression.parse("clock_mhz < 400", "constraint")(clock)


@given(st.integers(0, 3), st.integers(0, 3))
def test_numbers_and_texts_in_one_column(row: int, col: int) -> None:
    expression = Expression.parse("500 if rows < cols else 'max'", "clock_mhz =")
    value = expression({"rows": np.array([row]), "cols": np.array([col])})
    assert value.tolist() == [500 if row < col else "max"]
