"""Tensors of a safetensors file: an 8-byte length, a JSON header, the data (https://huggingface.co/docs/safetensors)."""

from __future__ import annotations

import json
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from hwexplore.errors import InputError
from hwexplore.quality.tensors.tensor import ELEMENTS, Tensor, as_matrix, map_file, mapped

__all__ = ["read_safetensors"]

DTYPES = {
    "F64": "f64",
    "F32": "f32",
    "F16": "f16",
    "BF16": "bf16",
    "F8_E4M3": "float8_e4m3fn",
    "F8_E5M2": "float8_e5m2",
    "F8_E4M3FNUZ": "float8_e4m3fnuz",
    "F8_E5M2FNUZ": "float8_e5m2fnuz",
}


def read_safetensors(path: Path) -> list[Tensor]:
    """The tensors of a file; InputError if its header is malformed or its data are cut short."""
    file = map_file(path)
    start = 8 + int.from_bytes(file[:8], "little")
    if len(file) < 8 or start > len(file):
        raise InputError(f"{path} is cut short: its header of {max(start, 8)} bytes goes beyond its {len(file)}")
    try:
        header = json.loads(file[8:start])
        entries = [
            (name, str(entry["dtype"]), tuple(map(int, entry["shape"])), begin, end)
            for name, entry in header.items()
            if name != "__metadata__"
            for begin, end in [map(int, entry["data_offsets"])]
        ]
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        raise InputError(f"{path} is no safetensors file: its header is malformed") from None

    def tensor(name: str, dtype: str, shape: tuple[int, ...], begin: int, end: int) -> Tensor:
        if not 0 <= begin <= end or min(shape, default=0) < 0:
            raise InputError(f"{path} is malformed: tensor {name!r:.80} has shape {shape} in bytes {begin} to {end}")
        if start + end > len(file):
            raise InputError(f"{path} is cut short: tensor {name!r:.80} goes beyond its {len(file)} bytes")
        what: dict[str, Any] = {"name": name, "shape": shape, "dtype": dtype}
        if dtype not in DTYPES:
            return Tensor(**what, reason=f"{dtype} is not one of {', '.join(DTYPES)}")
        element = ELEMENTS[DTYPES[dtype]]
        if end - begin != prod(shape) * element.dtype.itemsize:
            raise InputError(f"{path} is malformed: tensor {name!r:.80} of shape {shape} has {end - begin} bytes")
        rows, columns = as_matrix(shape)
        stored = np.frombuffer(file, element.dtype, prod(shape), start + begin).reshape(rows, columns)
        return Tensor(**what, blocks=mapped(file, stored, element.decode, columns))

    return [tensor(*entry) for entry in entries]
