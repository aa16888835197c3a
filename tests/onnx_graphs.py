"""Small ONNX models for the tests of several packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

onnx = pytest.importorskip("onnx", reason="the extra onnx is not installed")

from onnx import TensorProto, helper  # noqa: E402

FLOAT, INT64, INT8, UINT8, INT32, BOOL = (
    getattr(TensorProto, name) for name in ("FLOAT", "INT64", "INT8", "UINT8", "INT32", "BOOL")
)
LIGHT = Path(onnx.__file__).parent / "backend" / "test" / "data" / "light"


def weights(name: str, *shape: int, type: int = FLOAT) -> Any:
    """An initializer without data, as the importer reads no data."""
    return TensorProto(name=name, dims=shape, data_type=type)


def constant(name: str, values: Any, type: int = INT64) -> Any:
    """An initializer with data: a number, or a list of numbers."""
    shape = () if isinstance(values, int | float) else (len(values),)
    return helper.make_tensor(name, type, shape, [values] if shape == () else values)


def tensor(name: str, shape: Sequence[int | str | None] | None, type: int = FLOAT) -> Any:
    """An input or output."""
    return helper.make_tensor_value_info(name, type, shape)


def node(op_type: str, inputs: str, outputs: str, **attributes: Any) -> Any:
    """A node; names are separated by blanks, "-" stands for an input left out."""
    names = ["" if name == "-" else name for name in inputs.split()]
    return helper.make_node(op_type, names, outputs.split(), **attributes)


def graph(nodes: Sequence[Any], inputs: Sequence[Any], outputs: Sequence[str], initializers: Sequence[Any] = ()) -> Any:
    """A GraphProto whose outputs have no declared shapes."""
    results = [onnx.ValueInfoProto(name=name) for name in outputs]
    return helper.make_graph(nodes, "graph", inputs, results, initializers)


def model(
    nodes: Sequence[Any],
    inputs: Mapping[str, Sequence[int | str | None]],
    outputs: Sequence[str] = ("y",),
    initializers: Sequence[Any] = (),
    opset: int = 21,
    **more: Any,
) -> Any:
    """A ModelProto with float inputs."""
    given = [tensor(name, shape) for name, shape in inputs.items()]
    imports = [helper.make_opsetid("", opset)]
    imports += [helper.make_opsetid(domain, 1) for domain in ("qonnx.custom_op.general", "com.example")]
    return helper.make_model(graph(nodes, given, outputs, initializers), opset_imports=imports, ir_version=10, **more)


def save(proto: Any, folder: Path, name: str = "model.onnx") -> Path:
    """The file of a ModelProto."""
    path = folder / name
    path.write_bytes(proto if isinstance(proto, bytes) else proto.SerializeToString())
    return path
