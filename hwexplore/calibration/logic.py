"""Logic functions on vectors of bits: Python's integers, as wide as one likes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeAlias

__all__ = ["Function", "expression", "function"]

Function: TypeAlias = Callable[..., int]


@cache
def function(truth: tuple[bool, ...]) -> Function:
    """The function (ones, inputs...) of a truth table, the first input slowest, bit by bit of its arguments.

    ``ones`` is the vector of all ones.
    """
    names = [f"input_{i}" for i in range(len(truth).bit_length() - 1)]
    compiled: Function = eval(f"lambda {', '.join(['ones', *names])}: {expression(truth, names)}")
    return compiled


def expression(truth: Sequence[bool], inputs: Sequence[str]) -> str:
    """Python's text of a truth table over ``inputs`` and ``ones``, by Shannon's expansion."""
    if not any(truth):
        return "0"
    if all(truth):
        return "ones"
    name, *rest = inputs
    half = len(truth) // 2
    if_low, if_high = truth[:half], truth[half:]
    low, high, inverse = expression(if_low, rest), expression(if_high, rest), f"(ones ^ {name})"
    if if_low == if_high:
        return low
    if not any(a == b for a, b in zip(if_low, if_high, strict=True)):
        return f"({name} ^ {low})"
    if not any(if_low):
        return f"({name} & {high})"
    if not any(if_high):
        return f"({inverse} & {low})"
    if all(if_high):
        return f"({name} | {low})"
    if all(if_low):
        return f"({inverse} | {high})"
    return f"({inverse} & {low} | {name} & {high})"
