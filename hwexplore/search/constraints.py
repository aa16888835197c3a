"""Constraints on designs, such as ``area_mm2 < 50`` or ``rows * cols <= 4096``."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import METRICS
from hwexplore.errors import InputError
from hwexplore.search.expressions import TRUTH, Expression

__all__ = ["Bound", "Constraint", "check_consistent"]

SYMBOLS: dict[type[ast.cmpop], str] = {ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "=="}
TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}


class Bound(NamedTuple):
    """``name comparison value``, a number."""

    name: str
    comparison: str
    value: float

    def __str__(self) -> str:
        return f"{self.name} {self.comparison} {self.value:.15g}"


@dataclass(frozen=True)
class Constraint:
    """A condition over parameters and metrics that designs must meet."""

    condition: Expression

    @classmethod
    def parse(cls, text: str) -> Constraint:
        """From text; InputError says what is wrong where."""
        condition = Expression.parse(text, "constraint")
        if condition.kind != TRUTH:
            raise InputError(f"constraint {text!r} is {condition.kind}; expected a condition, such as area_mm2 < 50")
        if not condition.names:
            raise InputError(f"constraint {text!r} names no parameter and no metric")
        return cls(condition)

    def __str__(self) -> str:
        return str(self.condition)

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters and metrics it names."""
        return self.condition.names

    @property
    def over_parameters(self) -> bool:
        """Whether it names no metric, so that it can be decided before a design is evaluated."""
        return not set(self.names) & set(METRICS)

    def holds(self, columns: Mapping[str, NDArray[Any]]) -> NDArray[np.bool_]:
        """Where it holds; the columns of its names may broadcast."""
        return np.asarray(self.condition(columns), bool)

    def bounds(self) -> tuple[Bound, ...]:
        """Those of its conjuncts that compare one name with a number."""
        return tuple(_bounds(self.condition.tree))


def check_consistent(constraints: Sequence[Constraint]) -> None:
    """Raise InputError if two bounds among ``constraints`` exclude each other."""
    bounds = [bound for constraint in constraints for bound in constraint.bounds()]
    for upper in bounds:
        for lower in bounds:
            if upper.name != lower.name or upper.comparison[0] == ">" or lower.comparison[0] == "<":
                continue
            open_end = "=" not in upper.comparison or "=" not in lower.comparison
            if lower.value > upper.value or (lower.value == upper.value and open_end):
                raise InputError(f"constraints {upper} and {lower} contradict each other")


def _bounds(node: ast.expr) -> Iterator[Bound]:
    match node:
        case ast.BoolOp(op=ast.And(), values=values):
            for conjunct in values:
                yield from _bounds(conjunct)
        case ast.Compare(left=left, ops=ops, comparators=others):
            for first, op, second in zip([left, *others], ops, others, strict=False):
                if type(op) not in SYMBOLS:
                    continue
                symbol = SYMBOLS[type(op)]
                for name, comparison, number in ((first, symbol, second), (second, TURNED[symbol], first)):
                    if isinstance(name, ast.Name) and (value := _number(number)) is not None:
                        yield Bound(name.id, comparison, value)


def _number(node: ast.expr) -> float | None:
    """The value of an expression without names; None for a text, and where there is a name."""
    expression = Expression(ast.unparse(node), "", node)
    if expression.names:
        return None
    value = np.asarray(expression({}))
    return float(value) if value.dtype.kind == "f" else None
