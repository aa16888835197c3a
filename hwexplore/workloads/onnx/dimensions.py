"""Dimensions that a graph leaves open."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hwexplore.errors import InputError, unknown

__all__ = ["bind"]


def bind(graph: Any, dims: Mapping[str, int], source: str) -> None:
    """Give the open dimensions of a GraphProto the sizes in `dims`, by name; `input.axis` where they have none.

    InputError if one is missing, or if `dims` names what is not there.
    """
    initialised = {tensor.name for tensor in graph.initializer}
    inputs = [value for value in graph.input if value.name not in initialised]
    open_dims = [found for value in inputs for found in _open(value, source)]
    names = dict.fromkeys(name for name, _ in open_dims)
    for name in dims:
        if not names:
            raise InputError(f"{source} has no open dimensions, but {name} is to be {dims[name]}.")
        if name not in names:
            raise unknown(f"open dimension of {source}", name, names)
    missing = [name for name in names if name not in dims]
    if missing:
        raise InputError(
            f"{source} leaves dimensions open: {_listed(missing)}; give each a size, as in {missing[0]}=1."
        )
    for name, dim in open_dims:
        dim.dim_value = dims[name]
    for value in (*graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param in dims:
                dim.dim_value = dims[dim.dim_param]


def _open(value: Any, source: str) -> Iterator[tuple[str, Any]]:
    if not value.type.HasField("tensor_type") or not value.type.tensor_type.HasField("shape"):
        raise InputError(f"{source}: input {value.name!r:.80} has no shape; expected a tensor of known rank.")
    for axis, dim in enumerate(value.type.tensor_type.shape.dim):
        if dim.dim_value <= 0:
            yield dim.dim_param or f"{value.name}.{axis}", dim


def _listed(names: list[str], most: int = 8) -> str:
    shown = ", ".join(f"{name:.80}" for name in names[:most])
    return shown if len(names) <= most else f"{shown} and {len(names) - most} more"
