"""What the protocol buffers say, as plain values."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

from hwexplore.errors import InputError
from hwexplore.workloads.onnx.tensors import Tensor, checked_shape

__all__ = ["attributes_of", "constant_of", "initializer", "type_name"]


def attributes_of(node: Any) -> dict[str, Any]:
    """A NodeProto's attributes by name: numbers, bytes, tuples of integers, and tensors. Others are None."""
    from onnx import AttributeProto

    readers: dict[int, Callable[[Any], Any]] = {
        AttributeProto.INT: lambda attribute: attribute.i,
        AttributeProto.INTS: lambda attribute: tuple(attribute.ints),
        AttributeProto.FLOAT: lambda attribute: attribute.f,
        AttributeProto.FLOATS: lambda attribute: tuple(attribute.floats),
        AttributeProto.STRING: lambda attribute: attribute.s,
        AttributeProto.TENSOR: lambda attribute: initializer(attribute.t),
    }
    return {a.name: readers[a.type](a) if a.type in readers else None for a in node.attribute}


def constant_of(name: str, attributes: Mapping[str, Any]) -> Tensor:
    """The tensor `name` that a Constant node with `attributes` gives. InputError if it gives none."""
    for key, value in attributes.items():
        match key, value:
            case "value", Tensor():
                return Tensor(name=name, shape=value.shape, type=value.type, constant=True, value=value.value)
            case (("value_int" | "value_float"), (int() | float())):
                return Tensor(name=name, shape=(), type=_python_type(value), constant=True, value=float(value))
            case (("value_ints" | "value_floats"), tuple()):
                return Tensor(name=name, shape=(len(value),), type=_python_type(*value[:1]), constant=True)
            case (("value_string" | "value_strings" | "sparse_value"), _):
                return Tensor(name=name, shape=None, type="UNDEFINED", constant=True)
    raise InputError(f"Constant {name!r:.80} has no value.")


def initializer(proto: Any) -> Tensor:
    """A TensorProto; its value only if it is one number that the file itself holds."""
    shape = checked_shape(proto.name, proto.dims)
    return Tensor(
        name=proto.name, shape=shape, type=type_name(proto.data_type), constant=True, value=_value(proto, shape)
    )


def type_name(number: int) -> str:
    """ONNX's name of an element type."""
    from onnx import TensorProto

    return TensorProto.DataType.Name(number) if number in TensorProto.DataType.values() else "UNDEFINED"


def _value(proto: Any, shape: tuple[int, ...]) -> float | None:
    from onnx import TensorProto, numpy_helper

    if math.prod(shape) != 1 or proto.data_location == TensorProto.EXTERNAL:
        return None
    try:
        return float(numpy_helper.to_array(proto).item())
    except (TypeError, ValueError):
        return None


def _python_type(*values: Any) -> str:
    return "INT64" if all(isinstance(value, int) for value in values) else "FLOAT"
