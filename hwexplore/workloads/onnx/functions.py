"""Functions that a model defines, replaced by their bodies."""

from __future__ import annotations

from typing import Any

from hwexplore.errors import InputError

__all__ = ["inlined"]


def inlined(model: Any, source: str, most: int) -> Any:
    """`model` without functions; InputError if they call themselves.

    Nodes of functions count for every call, and every ten inputs, outputs and attributes of a node as one more;
    InputError for more than `most` of them.
    """
    from onnx.inliner import inline_local_functions

    bodies = {(function.domain, function.name): function.node for function in model.functions}
    sizes: dict[tuple[str, str], int] = {}

    def size(nodes: Any, calls: tuple[tuple[str, str], ...]) -> int:
        total = 0
        for node in nodes:
            key = node.domain, node.op_type
            if key in calls or len(calls) > 100:
                raise InputError(f"{source}: function {node.op_type!r:.80} calls itself.")
            if key in bodies and key not in sizes:
                sizes[key] = size(bodies[key], (*calls, key))
            total += sizes.get(key, 1) + (len(node.input) + len(node.output) + len(node.attribute)) // 10
            for attribute in node.attribute:
                for graph in (attribute.g, *attribute.graphs):
                    total += size(graph.node, calls)
            if total > most:
                raise InputError(f"{source} has more than {most} nodes; expected a network.")
        return total

    size(model.graph.node, ())
    if not bodies:
        return model
    try:
        return inline_local_functions(model)
    except Exception as error:  # the C++ library raises what it likes
        reason = " ".join(str(error).split())
        raise InputError(f"{source}: ONNX cannot inline its functions: {reason:.200}") from None
