"""Initializers of an ONNX file, inline or in files beside it (field numbers of onnx.proto)."""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from functools import partial
from math import prod
from pathlib import Path

import numpy as np

from hwexplore.errors import InputError
from hwexplore.quality.tensors.tensor import ELEMENTS, Tensor, as_matrix, map_file, mapped
from hwexplore.workloads.onnx.wire import BYTES, MALFORMED, VARINT, skipped, varint

__all__ = ["read_onnx"]

Field = int | memoryview

GRAPH, NODE, INITIALIZER = 7, 1, 5
DIMS, DATA_TYPE, FLOAT_DATA, NAME, RAW_DATA, DOUBLE_DATA, EXTERNAL_DATA, DATA_LOCATION = 1, 2, 4, 8, 9, 10, 13, 14
TYPES = {
    1: ("FLOAT", "f32"),
    10: ("FLOAT16", "f16"),
    11: ("DOUBLE", "f64"),
    16: ("BFLOAT16", "bf16"),
    17: ("FLOAT8E4M3FN", "float8_e4m3fn"),
    18: ("FLOAT8E4M3FNUZ", "float8_e4m3fnuz"),
    19: ("FLOAT8E5M2", "float8_e5m2"),
    20: ("FLOAT8E5M2FNUZ", "float8_e5m2fnuz"),
}


def read_onnx(path: Path) -> list[Tensor]:
    """The initializers of the main graph; InputError if the file is malformed, or it or one beside it is cut short.

    The weights of MatMul, and of Gemm without transB, are [in, out]; their rows are taken to be the outputs, so that
    scales are shared along the sum.
    """
    file = map_file(path)
    try:
        graphs = [content for number, content in _fields(memoryview(file)) if number == GRAPH]
        parts = [part for graph in graphs for part in _fields(_message(graph))]
        transposed = {name for number, node in parts if number == NODE for name in _summed_rows(_message(node))}
        tensors = [_gathered(_message(tensor)) for number, tensor in parts if number == INITIALIZER]
        return [_tensor(path, file, fields, transposed) for fields in tensors]
    except (IndexError, UnicodeDecodeError):
        raise InputError(f"{path} is not an ONNX file: {MALFORMED}") from None


def _tensor(path: Path, file: mmap.mmap, fields: dict[int, list[Field]], transposed: set[str]) -> Tensor:
    name = _text(fields.get(NAME, [memoryview(b"")])[-1])
    shape = tuple(_integers(fields.get(DIMS, [])))
    number = fields.get(DATA_TYPE, [0])[-1]
    dtype, element_name = TYPES.get(number, (f"type {number}", "")) if isinstance(number, int) else ("no type", "")
    if not element_name:
        return Tensor(name=name, shape=shape, dtype=dtype, reason=f"{dtype} is not one of {_accepted()}")
    element = ELEMENTS[element_name]
    tensor = partial(Tensor, name=name, shape=shape, dtype=dtype)
    count = prod(shape)
    if fields.get(DATA_LOCATION, [0])[-1] == 1:
        file, data = _external(path, name, fields.get(EXTERNAL_DATA, []))
    else:
        whole = {"f32": FLOAT_DATA, "f64": DOUBLE_DATA}.get(element_name, RAW_DATA)
        contents = fields.get(RAW_DATA) or fields.get(whole, [memoryview(b"")])
        if len(contents) > 1 or (count and not len(_message(contents[0]))):
            return tensor(reason="its data are one by one; save it with raw_data")
        data = _message(contents[0])
    if len(data) != count * element.dtype.itemsize:
        raise InputError(f"{path} is malformed: initializer {name!r:.80} of shape {shape} has {len(data)} bytes")
    stored = np.frombuffer(data, element.dtype)
    rows, columns = as_matrix(shape)
    if len(shape) == 2 and name in transposed:
        rows, columns = columns, rows
        return tensor(shape=(rows, columns), blocks=mapped(file, stored.reshape(shape).T, element.decode, columns))
    return tensor(blocks=mapped(file, stored.reshape(rows, columns), element.decode, columns))


def _external(path: Path, name: str, entries: list[Field]) -> tuple[mmap.mmap, memoryview]:
    """The file beside ``path`` that holds an initializer, and its bytes there."""
    keys = {}
    for entry in entries:
        fields = _gathered(_message(entry))
        keys[_text(fields[1][-1])] = _text(fields[2][-1])
    location = Path(keys.get("location", ""))
    if location.is_absolute() or ".." in location.parts or not location.name:
        raise InputError(f"{path}: initializer {name!r:.80} is in {str(location)!r}; expected a file beside the model")
    file = map_file(path.parent / location)
    try:
        start = int(keys.get("offset", 0))
        end = start + int(keys.get("length", len(file) - start))
    except ValueError:
        raise IndexError from None
    if not 0 <= start <= end <= len(file):
        raise InputError(
            f"{path.parent / location} is cut short: initializer {name!r:.80} goes beyond its {len(file)} bytes"
        )
    return file, memoryview(file)[start:end]


def _summed_rows(node: memoryview) -> Iterator[str]:
    """The input of a MatMul or Gemm whose rows are summed over."""
    fields = _gathered(node)
    inputs, kind = fields.get(1, []), _text(fields.get(4, [memoryview(b"")])[-1])
    attributes = [_gathered(_message(attribute)) for attribute in fields.get(5, [])]
    kept = any(_text(a[1][-1]) == "transB" and a.get(3, [0])[-1] for a in attributes if 1 in a)
    if kind in ("MatMul", "Gemm") and not kept:
        yield from map(_text, inputs[1:2])


def _fields(buffer: memoryview) -> Iterator[tuple[int, Field]]:
    """Number and content of each field of a message; IndexError where it is malformed."""
    at = 0
    while at < len(buffer):
        tag, at = varint(buffer, at)
        value: Field
        if tag & 7 == VARINT:
            value, at = varint(buffer, at)
        elif tag & 7 == BYTES:
            size, at = varint(buffer, at)
            value, at = buffer[at : at + size], at + size
            if at > len(buffer):
                raise IndexError
        else:
            start, at = at, skipped(buffer, at, tag & 7)
            value = buffer[start:at]
        yield tag >> 3, value


def _gathered(buffer: memoryview) -> dict[int, list[Field]]:
    gathered: dict[int, list[Field]] = {}
    for number, content in _fields(buffer):
        gathered.setdefault(number, []).append(content)
    return gathered


def _message(content: Field) -> memoryview:
    if isinstance(content, int):
        raise IndexError
    return content


def _text(content: Field) -> str:
    return bytes(_message(content)).decode()


def _integers(contents: list[Field]) -> Iterator[int]:
    """Repeated integers, packed or not."""
    for content in contents:
        if isinstance(content, int):
            yield content
        else:
            at = 0
            while at < len(content):
                value, at = varint(content, at)
                yield value


def _accepted() -> str:
    return ", ".join(name for name, _ in TYPES.values())
