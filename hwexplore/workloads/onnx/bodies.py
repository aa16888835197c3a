"""Graphs inside If, Loop and Scan: what they read, and how often they run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from hwexplore.errors import InputError
from hwexplore.workloads.onnx.tensors import Node, NotModelledError, Tensor

__all__ = ["BODIES", "Body", "bodies_of"]

BODIES = {"If": ("then_branch", "else_branch"), "Loop": ("body",), "Scan": ("body",)}
"""The attributes that hold graphs, by operator type."""


@dataclass(frozen=True, kw_only=True)
class Body:
    """A GraphProto inside `node`; `inputs` are the tensors that its own inputs stand for in the first iteration."""

    node: Node
    branch: str
    graph: Any
    inputs: tuple[Tensor | None, ...]

    def model(self, outer: Any, scope: Mapping[str, Tensor]) -> Any:
        """A ModelProto of the body; what it reads of the scope around it are inputs, or initializers of `outer`."""
        from onnx import ModelProto, TensorProto

        model = ModelProto(ir_version=outer.ir_version, opset_import=outer.opset_import)
        model.graph.CopyFrom(self.graph)
        given = dict(zip((value.name for value in model.graph.input), self.inputs, strict=False))
        captured = {name: scope[name] for name in _read(self.graph) if name in scope}
        del model.graph.input[:]
        for name, tensor in {**captured, **given}.items():
            if tensor is None or tensor.shape is None:
                continue
            kind = model.graph.input.add(name=name).type.tensor_type
            kind.elem_type = TensorProto.DataType.Value(tensor.type)
            kind.shape.SetInParent()
            for size in tensor.shape:
                kind.shape.dim.add(dim_value=size)
        model.graph.initializer.extend(proto for proto in outer.graph.initializer if proto.name in captured)
        return model

    def repeats(self, within: Mapping[str, Tensor]) -> int:
        """How often it runs, given the tensors `within` it; NotModelledError if that is not known beforehand."""
        if self.node.op_type == "If":
            return int(_known(self.node.tensor(0), "its condition") == (self.branch == "then_branch"))
        if self.node.op_type == "Scan":
            last = self.node.inputs[-1] if _scanned(self.node) else None
            if not last or not last.shape:
                raise NotModelledError("what it goes through is not known")
            return last.shape[0]
        results = [value.name for value in self.graph.output]
        if len(results) < 1 or not self._goes_on(results[0], within):
            raise NotModelledError("its condition is not known")
        for before, after in zip(self.inputs[2:], results[1:], strict=False):
            if before and after in within and within[after].shape != before.shape:
                raise NotModelledError("its tensors change their shapes from one iteration to the next")
        return max(int(_known(self.node.tensor(0), "its trip count")), 0)

    def _goes_on(self, result: str, within: Mapping[str, Tensor]) -> bool:
        """Whether a Loop's condition is true at first and handed on."""
        first = self.node.optional(1)
        if first and first.value != 1:
            return False
        sources = {
            node.output[0]: node.input[0] for node in self.graph.node if node.op_type == "Identity" and node.output
        }
        name = result
        for _ in sources:
            name = sources.get(name, name)
        at_start = self.graph.input[1].name if len(self.graph.input) > 1 else ""
        return name == at_start or (name in within and within[name].value == 1)


def bodies_of(node: Node, proto: Any) -> list[Body]:
    """The bodies of an If, Loop or Scan. InputError if one is missing."""
    graphs = {attribute.name: attribute.g for attribute in proto.attribute if attribute.HasField("g")}
    bodies = []
    for branch in BODIES[node.op_type]:
        if branch not in graphs:
            raise InputError(f"{node} has no graph {branch}.")
        bodies.append(Body(node=node, branch=branch, graph=graphs[branch], inputs=_inputs(node)))
    return bodies


def _inputs(node: Node) -> tuple[Tensor | None, ...]:
    """What the inputs of the body stand for."""
    if node.op_type == "If":
        return ()
    if node.op_type == "Loop":
        trip = Tensor(name="iteration", shape=(), type="INT64")
        return (trip, Tensor(name="condition", shape=(), type="BOOL"), *map(_fresh, node.inputs[2:]))
    scanned = _scanned(node)
    states = node.inputs[: len(node.inputs) - scanned]
    slices = [replace(t, shape=t.shape[1:]) if t and t.shape else t for t in node.inputs[len(states) :]]
    return (*map(_fresh, states), *map(_fresh, slices))


def _fresh(tensor: Tensor | None) -> Tensor | None:
    """`tensor` as what changes with every iteration."""
    return tensor and replace(tensor, constant=False, value=None)


def _scanned(node: Node) -> int:
    """How many inputs a Scan goes through, along their first axes."""
    if any(node.attributes.get("scan_input_axes") or ()):
        raise NotModelledError("it scans along another axis than the first")
    return min(node.integer("num_scan_inputs", 0), len(node.inputs))


def _known(tensor: Tensor, what: str) -> float:
    if tensor.value is None or not tensor.value.is_integer():
        raise NotModelledError(f"{what} is not known")
    return tensor.value


def _read(graph: Any) -> Iterator[str]:
    """Names of tensors that nodes of a GraphProto, or of graphs inside it, read."""
    for node in graph.node:
        yield from node.input
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from _read(body)
