"""From an ONNX file to a graph whose shapes are known, as far as they can be."""

from __future__ import annotations

import mmap
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hwexplore.errors import InputError
from hwexplore.workloads.onnx.dimensions import bind
from hwexplore.workloads.onnx.functions import inlined
from hwexplore.workloads.onnx.names import check_names
from hwexplore.workloads.onnx.quantization import QONNX, QONNX_DOMAINS
from hwexplore.workloads.onnx.wire import MALFORMED, without_weights

__all__ = ["MAX_NODES", "inferred", "is_closed", "is_qonnx", "read_model"]

MAX_NODES = 100_000
SHAPE_KEEPERS = ("GroupNormalization", "MeanVarianceNormalization")
"""Standard operators without shape inference."""


def read_model(path: Path, dims: Mapping[str, int]) -> Any:
    """The ModelProto in `path`, without weights, its functions inlined and its open dimensions bound to `dims`.

    External data is not looked at. InputError if the file is no ONNX model or leaves a dimension open.
    """
    onnx = _onnx(path)
    from google.protobuf.message import DecodeError

    try:
        model = onnx.ModelProto.FromString(_structure(path))
    except DecodeError:
        raise InputError(f"{path} is not an ONNX file: {MALFORMED}.") from None
    if not model.graph.node:
        raise InputError(f"{path} has no nodes; expected the graph of a network.")
    model = inlined(model, str(path), MAX_NODES)
    check_names(model.graph, str(path))
    bind(model.graph, dims, str(path))
    return model


def inferred(model: Any, source: str) -> Any:
    """The graph of `model` with the shapes that ONNX infers; those in the file count only where it infers none.

    QONNX's quantizers and what ONNX knows no shapes for, but keeps them, are identities to shapes.
    InputError for a model that shape inference refuses as a whole.
    """
    onnx = _onnx(source)
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.ir_version = max(model.ir_version, 4)  # before, initializers had to be inputs as well
    for node in copy.graph.node:
        if is_qonnx(node) or (not node.domain and node.op_type in SHAPE_KEEPERS):
            node.domain, node.op_type = "", "Identity"
            del node.attribute[:], node.input[1:], node.output[1:]
    declared = _shaped(model.graph)
    del copy.graph.value_info[:]
    for value in copy.graph.output:
        value.ClearField("type")
    try:
        graph = onnx.shape_inference.infer_shapes(copy, data_prop=True).graph
        added = declared.keys() - _shaped(graph).keys()
        if added:
            copy.graph.value_info.extend(declared[name] for name in sorted(added))
            graph = onnx.shape_inference.infer_shapes(copy, data_prop=True).graph
    except Exception as error:  # the C++ library raises what it likes
        reason = " ".join(str(error).split())
        raise InputError(f"{source}: ONNX cannot infer its shapes: {reason:.200}") from None
    return graph


def _shaped(graph: Any) -> dict[str, Any]:
    """The ValueInfoProtos of a graph's results whose shapes are known, by name."""
    values = (*graph.value_info, *graph.output)
    return {value.name: value for value in values if is_closed(value.type.tensor_type)}


def is_closed(kind: Any) -> bool:
    """Whether a TypeProto.Tensor has a shape without open dimensions, which some files spell -1."""
    return kind.HasField("shape") and all(dim.HasField("dim_value") and dim.dim_value >= 0 for dim in kind.shape.dim)


def is_qonnx(node: Any) -> bool:
    """Whether a NodeProto is one of QONNX's quantizers."""
    return node.domain in QONNX_DOMAINS and node.op_type in QONNX


def _onnx(source: object) -> Any:
    try:
        import onnx
        import onnx.shape_inference
    except ImportError:
        raise InputError(f"{source} needs the package onnx; install it with: pip install 'hwexplore[onnx]'") from None
    return onnx


def _structure(path: Path) -> bytes:
    if not path.is_file():
        reason = "it is not a file" if path.exists() else "No such file or directory"
        raise InputError(f"{path} cannot be read: {reason}; expected an ONNX file.")
    try:
        with path.open("rb") as file:
            if not path.stat().st_size:
                raise InputError(f"{path} is empty; expected an ONNX file.")
            content = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}; expected an ONNX file.") from error
    return without_weights(content, str(path))
