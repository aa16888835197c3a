from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.calibration.boolean import evaluate
from hwexplore.errors import InputError

_PYTHON = {" ": "&", "&": "&", "*": "&", "|": "|", "+": "|", "^": "^"}
_expressions = st.recursive(
    st.sampled_from("abc").map(lambda pin: (pin, pin)),
    lambda inner: st.one_of(
        inner.map(lambda one: (f"!({one[0]})", f"(not {one[1]})")),
        inner.map(lambda one: (f"({one[0]})'", f"(not {one[1]})")),
        st.tuples(inner, inner, st.sampled_from(sorted(_PYTHON))).map(
            lambda two: (f"({two[0][0]}){two[2]}({two[1][0]})", f"({two[0][1]} {_PYTHON[two[2]]} {two[1][1]})")
        ),
    ),
    max_leaves=8,
)
"""Pairs of one expression in Liberty and in Python."""


@given(_expressions)
def test_agrees_with_python_when_parenthesised(expression: tuple[str, str]) -> None:
    liberty, python = expression
    for row in product((False, True), repeat=3):
        pins = dict(zip("abc", row, strict=True))
        assert evaluate(liberty, pins) == eval(python, {}, pins)


@pytest.mark.parametrize(
    ("loose", "explicit"),
    [
        ("a + b c", "a + (b & c)"),
        ("a ^ b c", "(a ^ b) & c"),
        ("!a b", "(!a) & b"),
        ("a b'", "a & (!b)"),
        ("!a'", "!(a')"),
        ("a | b ^ c", "a | (b ^ c)"),
        ("a''", "a"),
    ],
)
def test_precedence(loose: str, explicit: str) -> None:
    for row in product((False, True), repeat=3):
        pins = dict(zip("abc", row, strict=True))
        assert evaluate(loose, pins) == evaluate(explicit, pins)


def test_constants() -> None:
    assert evaluate("1", {}) is True
    assert evaluate("0 + 0'", {}) is True


@pytest.mark.parametrize("expression", ["", "a +", "(a", "a)", "a $ b", "d", "!", "a & & b", "()"])
def test_malformed_is_one_sentence(expression: str) -> None:
    with pytest.raises(InputError, match="Boolean expression"):
        evaluate(expression, {"a": True, "b": False})
