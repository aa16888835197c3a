"""Operators of the layers of graphs: matrix products, convolutions, and what runs beside them."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import replace
from math import prod
from typing import TypeVar

from hwexplore.workloads.operators import Kind, Operator

__all__ = ["conv", "fold", "linear", "vector"]

Mark = TypeVar("Mark", bound=Hashable)


def linear(
    name: str,
    *,
    m: int,
    n: int,
    k: int,
    batch: int = 1,
    bias: int = 0,
    inputs: int | None = None,
    to_cache: bool = False,
) -> Operator:
    """`batch` products of `[m, k]` activations by `[k, n]` weights, `bias` elements added.

    Activations are read once: `inputs` elements, by default `batch * m * k`. `to_cache` writes what attention reads.
    """
    outputs = batch * m * n
    return Operator(
        name=name,
        kind="linear",
        batch=batch,
        m=m,
        n=n,
        k=k,
        weight_elements=batch * n * k + bias,
        activation_elements=batch * m * k if inputs is None else inputs,
        kv_elements=outputs if to_cache else 0,
        output_elements=0 if to_cache else outputs,
    )


def conv(
    name: str, *, groups: int, m: int, n: int, k: int, inputs: int, outputs: int, bias: int = 0, vector_ops: int = 0
) -> Operator:
    """`groups` products of `[m, k]` unfolded inputs by `[k, n]` weights; tensors of `inputs` and `outputs` elements."""
    return Operator(
        name=name,
        kind="conv",
        batch=groups,
        m=m,
        n=n,
        k=k,
        weight_elements=groups * n * k + bias,
        activation_elements=inputs,
        output_elements=outputs,
        vector_ops=vector_ops,
    )


def vector(name: str, kind: Kind, shape: tuple[int, ...], *, reads: int, vector_ops: int, weights: int = 0) -> Operator:
    """Writes an array of `shape` from `reads` activations and `weights` weights."""
    *rows, columns = shape or (1,)
    return Operator(
        name=name,
        kind=kind,
        m=prod(rows),
        n=columns,
        weight_elements=weights,
        activation_elements=reads,
        output_elements=prod(shape),
        vector_ops=vector_ops,
    )


def fold(operators: Iterable[tuple[Operator, Mark]]) -> list[tuple[Operator, Mark]]:
    """Operators that differ in nothing but their name, and whose marks are equal, as the first of them, counted."""
    counts: dict[tuple[Operator, Mark], float] = {}
    names: dict[tuple[Operator, Mark], str] = {}
    for operator, mark in operators:
        key = replace(operator, name="", count=1), mark
        names.setdefault(key, operator.name)
        counts[key] = counts.get(key, 0) + operator.count
    return [(replace(key[0], name=names[key], count=count), key[1]) for key, count in counts.items()]
