"""Parameters that follow from others, such as ``cols = { equals = "4 * rows" }``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from math import prod
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS, Choices
from hwexplore.accelerator.designs import NUMERIC, checked
from hwexplore.errors import InputError
from hwexplore.search.expressions import EITHER, KINDS, NUMBER, TEXT, Expression

__all__ = ["Link", "columns_of", "linked", "parse_links"]

MOST = 1_000_000
"""Most combinations of the parameters that one parameter follows from."""

Index = Mapping[str, NDArray[np.intp]]


@dataclass(frozen=True)
class Link:
    """Which value a parameter takes, an index for each combination of the free ``inputs`` it follows from."""

    inputs: tuple[str, ...]
    table: NDArray[np.intp]

    def __call__(self, index: Index) -> NDArray[np.intp]:
        """The indices of its values where its inputs have these; they may broadcast."""
        return np.asarray(self.table[tuple(index[name] for name in self.inputs)])


def parse_links(texts: Mapping[str, str]) -> dict[str, Expression]:
    """The expression that each linked parameter equals, in an order in which they can be evaluated."""
    found = {}
    for name, text in texts.items():
        expression = Expression.parse(text, f"{name} =", PARAMETERS)
        if expression.kind not in ((NUMBER, TEXT, EITHER) if KINDS[name] == EITHER else (KINDS[name], EITHER)):
            raise InputError(f"{name} = {text!r} is {expression.kind}; expected {KINDS[name]}")
        if not expression.names:
            raise InputError(f"{name} = {text!r} names no parameter; a value of its own stands without equals")
        found[name] = expression
    try:
        order = TopologicalSorter({name: set(link.names) for name, link in found.items()}).static_order()
        return {name: found[name] for name in order if name in found}
    except CycleError as error:
        raise InputError(f"parameters follow from each other in a circle: {' from '.join(error.args[1])}") from None


def linked(choices: Choices, expressions: Mapping[str, Expression]) -> tuple[Choices, dict[str, Link]]:
    """``choices`` with the values that linked parameters take, and which of them where.

    ``expressions`` are in the order of `parse_links`. Raises InputError for a value that the parameter cannot take.
    """
    values: dict[str, Any] = dict(choices.values)
    links: dict[str, Link] = {}
    for name, expression in expressions.items():
        free = {i for other in expression.names for i in (links[other].inputs if other in links else (other,))}
        inputs = tuple(other for other in PARAMETERS if other in free)
        shape = tuple(len(values[other]) for other in inputs)
        if prod(shape) > MOST:
            raise InputError(
                f"{name} = {str(expression)!r} follows from {prod(shape):,} combinations of "
                f"{' and '.join(inputs)}; at most {MOST:,} are possible"
            )
        index = dict(zip(inputs, np.ix_(*map(np.arange, shape)), strict=True))
        index |= {other: link(index) for other, link in links.items() if set(link.inputs) <= set(inputs)}
        computed = np.broadcast_to(expression(columns_of(values, index, expression.names)), shape)
        codes, distinct = pd.factorize(computed.ravel(), use_na_sentinel=False)
        places = np.unravel_index(np.unique(codes, return_index=True)[1], shape)
        values[name] = tuple(
            _possible(name, value, expression, {i: values[i][at] for i, at in zip(inputs, place, strict=True)})
            for value, *place in zip(distinct, *places, strict=True)
        )
        links[name] = Link(inputs, codes.reshape(shape))
    return Choices(values), links


def _possible(name: str, value: Any, expression: Expression, where: Mapping[str, Any]) -> Any:
    """A value that a linked parameter has; InputError that names it if it cannot have it."""
    try:
        return checked(name, value)
    except InputError as error:
        place = ", ".join(f"{other} = {chosen}" for other, chosen in where.items())
        raise InputError(f"{error}; it is {expression} where {place}") from None


def columns_of(values: Mapping[str, Any], index: Index, names: Sequence[str]) -> dict[str, NDArray[Any]]:
    """Columns of the named parameters for expressions: numbers as float64, PEs and policies as text."""
    return {name: _column(name, values[name])[index[name]] for name in names}


def _column(name: str, values: tuple[Any, ...]) -> NDArray[Any]:
    if name in NUMERIC or all(isinstance(value, (int, float)) for value in values):
        return np.array(values, float)
    return np.array([value if isinstance(value, (int, float)) else str(value) for value in values], object)
