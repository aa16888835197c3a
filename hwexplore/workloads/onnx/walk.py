"""Walks a graph in the order it runs and gathers operators, their formats, and what no operator stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from hwexplore.errors import InputError
from hwexplore.workloads.config import MAX_SIZE
from hwexplore.workloads.onnx.attributes import attributes_of, constant_of, initializer, type_name
from hwexplore.workloads.onnx.bodies import BODIES, bodies_of
from hwexplore.workloads.onnx.elementwise import VIEWS, vector_operator
from hwexplore.workloads.onnx.model import inferred, is_closed, is_qonnx
from hwexplore.workloads.onnx.names import Names
from hwexplore.workloads.onnx.products import PRODUCTS
from hwexplore.workloads.onnx.quantization import QUANTIZERS, plain, quantized_format
from hwexplore.workloads.onnx.tensors import Node, NotModelledError, Tensor, checked_shape
from hwexplore.workloads.operators import Operator, Unmodelled

__all__ = ["Row", "Walk"]

STANDARD = ("", "ai.onnx")
KEEPS_FORMAT = (*VIEWS, "Concat", "MaxPool", "Relu", "Slice", "Split", "Transpose")
"""What gives its first input's values, or some of them, the format that they have."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """An operator and the node it comes from."""

    operator: Operator
    node: Node


@dataclass
class Walk:
    """What a graph consists of; `weights` has the sizes of the network's parameters by name."""

    source: str
    model: Any
    names: Names = field(default_factory=Names)
    rows: list[Row] = field(default_factory=list)
    unmodelled: list[Unmodelled] = field(default_factory=list)
    weights: dict[str, int] = field(default_factory=dict)

    def graph(self, graph: Any, shapes: Any, outer: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Walk the nodes of a GraphProto; `shapes` is the same graph with inferred shapes.

        Returns the tensors by name, those of the `outer` scope included. InputError for tensors that are read before
        anything writes them, or written twice.
        """
        known = _known(shapes)
        own = dict(self._given(graph, known))
        scope = {**outer, **own}
        for proto in graph.node:
            for name in filter(None, proto.output):
                if name in own:
                    raise InputError(f"{self.source}: tensor {name!r:.80} is written twice.")
            node = Node(
                name=proto.name or next(filter(None, proto.output), proto.op_type),
                op_type=proto.op_type,
                domain="" if proto.domain == "ai.onnx" else proto.domain,
                inputs=tuple(self._read(scope, proto, name) for name in proto.input),
                outputs=tuple(_tensor(name, known) for name in proto.output if name),
                attributes=attributes_of(proto),
            )
            if node.op_type in BODIES and not node.domain:
                self._nested(node, proto, scope)
                outputs = node.outputs
            else:
                outputs = self.node(node, is_qonnx(proto))
            own.update((tensor.name, tensor) for tensor in outputs)
            scope.update((tensor.name, tensor) for tensor in outputs)
        return scope

    def _given(self, graph: Any, known: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
        for value in graph.input:
            yield value.name, _tensor(value.name, known)
        for proto in graph.initializer:
            yield proto.name, initializer(proto)
        for proto in graph.sparse_initializer:
            name = proto.values.name
            yield name, replace(initializer(proto.values), shape=checked_shape(name, proto.dims), value=None)

    def _read(self, scope: Mapping[str, Tensor], proto: Any, name: str) -> Tensor | None:
        if name and name not in scope:
            raise InputError(
                f"{self.source}: {proto.op_type:.80} node {proto.name!r:.80} reads {name!r:.80}, which no input, "
                "initializer or earlier node gives."
            )
        return scope[name] if name else None

    def node(self, node: Node, qonnx: bool) -> tuple[Tensor, ...]:
        """Gather what stands for `node`; its outputs, with what follows for them from the inputs."""
        read = [tensor for tensor in node.inputs if tensor]
        if qonnx or (node.op_type in QUANTIZERS and not node.domain):
            return self._quantized(node)
        if node.op_type == "Constant" and not node.domain:
            return tuple(constant_of(output.name, node.attributes) for output in node.outputs)
        constant = node.op_type in ("Shape", "Size") or (bool(read) and all(tensor.constant for tensor in read))
        kept = read[0].format if read and node.op_type in KEEPS_FORMAT else None
        if node.domain or not (constant or node.op_type in VIEWS):
            self._gather(plain(node))
        return tuple(replace(output, constant=constant, format=kept) for output in node.outputs)

    def _quantized(self, node: Node) -> tuple[Tensor, ...]:
        """The outputs of a quantizer, of which the first is its input in another format."""
        format, constant = quantized_format(node), node.tensor(0).constant
        return tuple(
            output if index else replace(output, format=format, constant=constant)
            for index, output in enumerate(node.outputs)
        )

    def _gather(self, node: Node) -> None:
        try:
            operators = self._operators(node)
        except NotModelledError as reason:
            self._miss(node, str(reason))
            return
        self.rows += [
            Row(operator=replace(operator, name=self.names.unique(operator.name)), node=node) for operator in operators
        ]
        trained = node.inputs[1:3] if node.op_type == "BatchNormalization" else node.inputs
        self.weights |= {tensor.name: tensor.size for tensor in trained if tensor and tensor.is_weight}

    def _operators(self, node: Node) -> list[Operator]:
        if node.domain:
            raise NotModelledError(f"{node.domain:.80} is not ONNX's own domain")
        for tensor in (*node.inputs, *node.outputs):
            if tensor and tensor.shape is None:
                raise NotModelledError(f"the shape of {tensor.name!r:.80} is not known")
        if not any(output.size for output in node.outputs):
            return []
        if node.op_type in PRODUCTS:
            return list(PRODUCTS[node.op_type](node))
        return [vector_operator(node)]

    def _nested(self, node: Node, proto: Any, scope: Mapping[str, Tensor]) -> None:
        """Gather the nodes inside If, Loop and Scan as often as they run; where that is not known, list the node."""
        walks, macs = [], 0.0
        try:
            for body in bodies_of(node, proto):
                walk = Walk(source=self.source, model=self.model, names=self.names)
                shapes = inferred(body.model(self.model, scope), self.source)
                within = walk.graph(body.graph, shapes, scope)
                macs = max(macs, sum(row.operator.count * row.operator.macs for row in walk.rows))
                walks.append((walk, body.repeats(within)))
        except NotModelledError as reason:
            self._miss(node, str(reason), macs)
            return
        for walk, repeats in walks:
            self._merge(walk, repeats)

    def _merge(self, walk: Walk, repeats: int) -> None:
        for row in walk.rows if repeats else ():
            count = row.operator.count * repeats
            if not 0 < count <= MAX_SIZE:
                raise InputError(f"{self.source}: {row.node} runs {count} times; expected fewer than 2**31.")
            self.rows.append(replace(row, operator=replace(row.operator, count=count)))
        if repeats:
            self.unmodelled += walk.unmodelled
            self.weights |= walk.weights

    def _miss(self, node: Node, reason: str, macs: float | None = None) -> None:
        tensors = [tensor for tensor in (*node.inputs, *node.outputs) if tensor]
        self.unmodelled.append(
            Unmodelled(
                name=self.names.unique(node.name),
                op_type=f"{node.domain}.{node.op_type}" if node.domain else node.op_type,
                reason=reason,
                elements=sum(t.size for t in tensors) if all(t.shape is not None for t in tensors) else None,
                macs=macs,
            )
        )


def _known(graph: Any) -> dict[str, Tensor]:
    """Shapes and types of a GraphProto's tensors, as far as they are there."""
    found = {}
    for value in (*graph.input, *graph.output, *graph.value_info):
        kind = value.type.tensor_type
        shape = checked_shape(value.name, [dim.dim_value for dim in kind.shape.dim]) if is_closed(kind) else None
        found[value.name] = Tensor(name=value.name, shape=shape, type=type_name(kind.elem_type))
    return found


def _tensor(name: str, known: Mapping[str, Tensor]) -> Tensor:
    return known.get(name) or Tensor(name=name, shape=None, type="UNDEFINED")
