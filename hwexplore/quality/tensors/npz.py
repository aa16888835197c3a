"""Arrays of NumPy's .npz files, compressed or not."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.quality.tensors.tensor import Tensor, as_matrix, steps

__all__ = ["read_npz"]


def read_npz(path: Path) -> list[Tensor]:
    """The arrays of a file; InputError if it is malformed or cut short, which may show only while they are read."""
    try:
        with zipfile.ZipFile(path) as archive:
            names = [name for name in archive.namelist() if name.endswith(".npy")]
            return [_tensor(path, archive, name) for name in names]
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, RuntimeError):  # RuntimeError: encrypted
        raise InputError(f"{path} is no .npz file, or cut short") from None


def _tensor(path: Path, archive: zipfile.ZipFile, member: str) -> Tensor:
    with archive.open(member) as stream:
        shape, fortran, dtype = _header(stream)
    what: dict[str, Any] = {"name": member.removesuffix(".npy"), "shape": shape, "dtype": str(dtype)}
    if dtype.kind != "f" or dtype.itemsize > 8:
        return Tensor(**what, reason=f"{dtype} is not one of float16, float32, float64")
    if fortran and len(shape) > 1:
        return Tensor(**what, reason="it is stored column by column; save it after numpy.ascontiguousarray")
    return Tensor(**what, blocks=partial(_blocks, path, member, dtype, *as_matrix(shape)))


def _header(stream: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    read = npy.read_array_header_1_0 if npy.read_magic(stream) == (1, 0) else npy.read_array_header_2_0
    return read(stream)


def _blocks(path: Path, member: str, dtype: np.dtype[Any], rows: int, columns: int) -> Iterator[NDArray[Any]]:
    size = columns * dtype.itemsize
    try:
        with zipfile.ZipFile(path) as archive, archive.open(member) as stream:
            _header(stream)
            for part in steps(rows, columns):
                content = stream.read((part.stop - part.start) * size)
                values = np.frombuffer(content, dtype).reshape(-1, columns)
                if len(values) != part.stop - part.start:
                    raise EOFError
                yield values.astype(np.float64 if dtype.itemsize == 8 else np.float32, copy=False)
            if stream.read(1):
                raise EOFError
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError):
        raise InputError(f"{path} is cut short or damaged in array {member.removesuffix('.npy')!r:.80}") from None
