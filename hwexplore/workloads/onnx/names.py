"""Names from a file: text, printable, and each of one operator."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from hwexplore.errors import InputError
from hwexplore.workloads.onnx.tensors import check_rank
from hwexplore.workloads.operators import Kind

__all__ = ["Names", "check_names"]

LONGEST = 120


def check_names(graph: Any, source: str) -> None:
    """InputError if a name in a GraphProto, or in the graphs inside it, is not UTF-8 text."""
    for name in _names(graph):
        if not isinstance(name, str):
            raise InputError(f"{source} has the name {name!r:.80}, which is not UTF-8 text.")


def _names(graph: Any) -> Iterator[Any]:
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        for attribute in node.attribute:
            yield attribute.name
            for body in (attribute.g, *attribute.graphs):
                yield from _names(body)
    for tensor in graph.initializer:
        yield tensor.name
    for value in (*graph.input, *graph.output, *graph.value_info):
        yield value.name
        dims = value.type.tensor_type.shape.dim
        check_rank(value.name, len(dims))
        yield from (dim.dim_param for dim in dims)


class Names:
    """Gives operators names that are printable, fit a policy's text, and are not those of kinds or of others."""

    def __init__(self) -> None:
        self._taken = dict.fromkeys(get_args(Kind), 1)

    def unique(self, name: str) -> str:
        """`name`, cleaned and numbered if it is taken."""
        cleaned = "".join(letter if letter.isprintable() and letter != ";" else "_" for letter in name[:LONGEST])
        stem = cleaned.strip() or "node"
        found = stem
        while found in self._taken:
            self._taken[stem] += 1
            found = f"{stem}#{self._taken[stem]}"
        self._taken[found] = 1
        return found
