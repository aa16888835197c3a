"""An ONNX file as a workload."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from hwexplore.errors import InputError
from hwexplore.workloads.layers import fold
from hwexplore.workloads.onnx.model import inferred, read_model
from hwexplore.workloads.onnx.own_policy import formats_of, own_policy
from hwexplore.workloads.onnx.walk import Walk
from hwexplore.workloads.workload import Workload

__all__ = ["load_onnx"]


def load_onnx(path: Path, dims: Mapping[str, int]) -> Workload:
    """The workload of one inference of the graph in `path`.

    Shapes are those that ONNX infers. Nodes whose inputs are all constants have run before and cost nothing, nor do
    views (reshapes and the like). Quantizers are no operators: they say in which formats the graph's own policy stores
    and computes. Nodes that nothing stands for are `unmodelled`.

    `dims` gives sizes to open dimensions, by name. InputError for a file that is no sound ONNX graph, for dimensions
    that stay open and for sizes beyond 2**31.
    """
    source = str(path)
    model = read_model(path, dims)
    shapes = inferred(model, source)
    walk = Walk(source=source, model=model)
    tensors = walk.graph(model.graph, shapes, {})
    if not walk.rows and not walk.unmodelled:
        raise InputError(f"{source} computes nothing; expected the graph of a network.")
    quantized = any(tensor and tensor.format for row in walk.rows for tensor in row.node.inputs)
    rows = fold((row.operator, formats_of(row.operator, row.node) if quantized else ()) for row in walk.rows)
    parameters = sum(walk.weights.values())
    initialized = {proto.name for proto in model.graph.initializer}
    inputs = (tensors[value.name] for value in model.graph.input if value.name not in initialized)
    return Workload(
        name=path.stem,
        phase="inference",
        batch=next((tensor.dims[0] for tensor in inputs if tensor.shape), 1),
        context=1,
        operators=tuple(operator for operator, _ in rows),
        parameters=parameters,
        active_parameters=parameters,
        policy=own_policy(rows) if quantized else None,
        unmodelled=tuple(walk.unmodelled),
    )
