"""Tensors of a GGUF file (https://github.com/ggml-org/ggml/blob/master/docs/gguf.md), quantized ones too."""

from __future__ import annotations

import mmap
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format, Scaled
from hwexplore.quality.tensors.tensor import ELEMENTS, Tensor, as_matrix, map_file, mapped

__all__ = ["is_its_own_kind", "read_gguf", "read_metadata"]

VERSIONS = (2, 3)
MAX_AXES = 4
ALIGNMENT = 32
SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
"""Types of metadata, as struct spells them."""
STRING, ARRAY = 8, 9
WITH_MINIMA = {"Q4_1": 4, "Q5_1": 5}
"""Bits of the types with a scale and a minimum per group of 32."""
FLOATS = {"F32": "f32", "F16": "f16", "BF16": "bf16", "F64": "f64"}


def is_its_own_kind(format: Format, dtype: str) -> bool:
    """Whether weights of type ``dtype`` were rounded to what ``format`` is: its result would flatter it."""
    if dtype not in WITH_MINIMA or not (isinstance(format, Scaled) and format.zero_point and format.block == 32):
        return False
    return format.element_bits == WITH_MINIMA[dtype]


def read_gguf(path: Path) -> list[Tensor]:
    """The tensors of a file, quantized ones as what they stand for.

    InputError if it is malformed or cut short, or if the package gguf is missing.
    """
    try:
        import gguf
    except ImportError:
        raise InputError(f"{path} needs the package gguf; install it with: pip install 'hwexplore[quality]'") from None
    file = map_file(path)
    try:
        entries, start = _directory(_Cursor(file), str(path))
    except (struct.error, UnicodeDecodeError, RecursionError):
        raise InputError(f"{path} is malformed or cut short; expected a GGUF file") from None

    def tensor(name: str, shape: tuple[int, ...], number: int, offset: int) -> Tensor:
        what: dict[str, Any] = {"name": name, "shape": shape}
        if number not in set(gguf.GGMLQuantizationType):
            return Tensor(**what, dtype=f"type {number}", reason=f"type {number} is unknown to the package gguf")
        kind = gguf.GGMLQuantizationType(number)
        block, size = gguf.GGML_QUANT_SIZES[kind]
        rows, columns = as_matrix(shape)
        if columns % block:
            raise InputError(
                f"{path} is malformed: rows of {name!r:.80} are no multiple of {block}, as {kind.name} has"
            )
        row_bytes = columns // block * size
        if start + offset + rows * row_bytes > len(file):
            raise InputError(f"{path} is cut short: tensor {name!r:.80} goes beyond its {len(file)} bytes")
        stored = np.frombuffer(file, np.uint8, rows * row_bytes, start + offset).reshape(rows, row_bytes)
        what["dtype"] = kind.name
        if kind.name in FLOATS:
            element = ELEMENTS[FLOATS[kind.name]]
            return Tensor(**what, blocks=mapped(file, stored, lambda x: element.decode(x.view(element.dtype)), columns))
        try:
            gguf.dequantize(np.zeros((1, size), np.uint8), kind)
        except NotImplementedError:
            return Tensor(**what, reason=f"the package gguf does not dequantize {kind.name}")

        def dequantize(codes: NDArray[Any]) -> NDArray[Any]:
            with np.errstate(all="ignore"):  # scales may be infinite or NaN
                return np.asarray(gguf.dequantize(codes, kind))

        return Tensor(**what, blocks=mapped(file, stored, dequantize, columns))

    return [tensor(*entry) for entry in entries]


def read_metadata(path: Path) -> dict[str, Any]:
    """The metadata of a file: numbers, texts and lists. InputError if it is malformed or cut short."""
    cursor = _Cursor(map_file(path))
    try:
        _, values = _header(cursor, str(path))
        return {cursor.text(): cursor.value(cursor.take("I")) for _ in range(values)}
    except (struct.error, UnicodeDecodeError, RecursionError):
        raise InputError(f"{path} is malformed or cut short; expected a GGUF file") from None


@dataclass
class _Cursor:
    """Reads a file from front to back; struct.error at its end."""

    file: mmap.mmap
    at: int = 0

    def take(self, kind: str) -> Any:
        (value,) = struct.unpack_from("<" + kind, self.file, self.at)
        self.at += struct.calcsize("<" + kind)
        return value

    def text(self) -> str:
        start = self.at + 8
        self.skip(self.take("Q"))
        return self.file[start : self.at].decode()

    def skip(self, size: int) -> None:
        if size > len(self.file) - self.at:
            raise struct.error
        self.at += size

    def value(self, kind: int) -> Any:
        """A value of metadata: a number, a text or a list."""
        if kind == STRING:
            return self.text()
        if kind == ARRAY:
            of, count = self.take("I"), self.take("Q")
            return [self.value(of) for _ in range(count)]
        if kind in SCALARS:
            return self.take(SCALARS[kind])
        raise struct.error

    def pass_value(self, kind: int) -> None:
        """Go past a value of metadata."""
        if kind == STRING:
            self.skip(self.take("Q"))
        elif kind == ARRAY:
            of, count = self.take("I"), self.take("Q")
            if of in SCALARS:
                self.skip(count * struct.calcsize("<" + SCALARS[of]))
            else:
                for _ in range(count):
                    self.pass_value(of)
        elif kind in SCALARS:
            self.take(SCALARS[kind])
        else:
            raise struct.error


def _header(cursor: _Cursor, source: str) -> tuple[int, int]:
    """Tensors and values of metadata that follow."""
    if cursor.file[:4] != b"GGUF":
        raise InputError(f"{source} is no GGUF file: it does not start with GGUF")
    cursor.skip(4)
    version = cursor.take("I")
    if version not in VERSIONS:
        raise InputError(f"{source} has GGUF version {version}; expected one of {', '.join(map(str, VERSIONS))}")
    return cursor.take("Q"), cursor.take("Q")


def _directory(cursor: _Cursor, source: str) -> tuple[list[tuple[str, tuple[int, ...], int, int]], int]:
    """Name, shape, type and offset of each tensor, and where their data start."""
    tensors, values = _header(cursor, source)
    alignment: Any = ALIGNMENT
    for _ in range(values):
        if cursor.text() == "general.alignment":
            alignment = cursor.value(cursor.take("I"))
        else:
            cursor.pass_value(cursor.take("I"))
    entries = []
    for _ in range(tensors):
        name, axes = cursor.text(), cursor.take("I")
        if axes > MAX_AXES:
            raise struct.error
        shape = tuple(cursor.take("Q") for _ in range(axes))[::-1]
        entries.append((name, shape, cursor.take("I"), cursor.take("Q")))
    if not isinstance(alignment, int) or alignment < 1:
        raise struct.error
    return entries, -(-cursor.at // alignment) * alignment
