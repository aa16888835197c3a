"""Tensors and nodes of a graph, as the importer sees them: shapes and formats, no data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.workloads.config import MAX_SIZE

__all__ = ["Node", "NotModelledError", "Tensor", "check_rank", "checked_shape"]

MAX_RANK = 64
MAX_ELEMENTS = 2**48


class NotModelledError(Exception):
    """Why no operator stands for a node."""


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor: `shape` is None where inference does not find it, `type` its element type as ONNX names it.

    `constant` tensors are known before the network runs. `format` is how its values are quantized, if they are.
    `value` is that of a constant of one element, where the file holds it.
    """

    name: str
    shape: tuple[int, ...] | None
    type: str
    constant: bool = False
    format: Format | None = None
    value: float | None = None

    @property
    def is_weight(self) -> bool:
        """Whether it is a constant that the network has learnt, as far as its type tells: no shape, axis or mask."""
        return self.constant and self.type not in ("INT64", "BOOL", "STRING", "UNDEFINED")

    @property
    def size(self) -> int:
        """Number of elements."""
        return prod(self.dims)

    @property
    def dims(self) -> tuple[int, ...]:
        """The shape of a tensor that has one."""
        assert self.shape is not None
        return self.shape


def check_rank(name: str, rank: int) -> None:
    """InputError if a tensor has impossibly many dimensions."""
    if rank > MAX_RANK:
        raise InputError(f"tensor {name!r:.80} has {rank} dimensions; expected at most {MAX_RANK}.")


def checked_shape(name: str, dims: Sequence[int]) -> tuple[int, ...]:
    """`dims`; InputError if they are negative or impossibly large."""
    check_rank(name, len(dims))
    for size in dims:
        if not 0 <= size <= MAX_SIZE:
            raise InputError(f"tensor {name!r:.80} has a dimension of {size}; expected 0 to 2**31 - 1.")
    if prod(dims) > MAX_ELEMENTS:
        raise InputError(f"tensor {name!r:.80} has {prod(dims):.3g} elements; expected at most 2**48.")
    return tuple(dims)


@dataclass(frozen=True, kw_only=True)
class Node:
    """A node; inputs that it leaves out are None, all others have shapes."""

    name: str
    op_type: str
    domain: str = ""
    inputs: tuple[Tensor | None, ...]
    outputs: tuple[Tensor, ...]
    attributes: Mapping[str, Any]

    def tensor(self, index: int, rank: int | None = None) -> Tensor:
        """Input `index`; InputError if it is left out or has fewer dimensions than `rank`."""
        tensor = self.inputs[index] if index < len(self.inputs) else None
        if tensor is None:
            raise InputError(f"{self} has no input {index}.")
        if rank is not None and len(tensor.dims) < rank:
            raise InputError(f"{self}: input {index} has {len(tensor.dims)} dimensions; expected at least {rank}.")
        return tensor

    def optional(self, index: int) -> Tensor | None:
        """Input `index`, None if it is left out."""
        return self.inputs[index] if index < len(self.inputs) else None

    @property
    def output(self) -> Tensor:
        """The first output."""
        return self.outputs[0]

    def integer(self, name: str, default: int) -> int:
        """An integer attribute that is not negative."""
        value = self.attributes.get(name, default)
        if type(value) is not int or not 0 <= value <= MAX_SIZE:
            raise InputError(f"{self}: attribute {name} is {value!r:.40}; expected an integer from 0 to 2**31 - 1.")
        return value

    def integers(self, name: str) -> tuple[int, ...]:
        """An attribute that is a shape."""
        value = self.attributes.get(name)
        if not isinstance(value, tuple) or not all(type(size) is int for size in value):
            raise InputError(f"{self}: attribute {name} is {value!r:.40}; expected integers.")
        return checked_shape(name, value)

    def __str__(self) -> str:
        return f"{self.op_type} node {self.name!r:.80}"
