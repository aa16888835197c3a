"""A tensor of a file, read in blocks of rows."""

from __future__ import annotations

import mmap
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Format

__all__ = ["ELEMENTS", "Element", "Tensor", "as_matrix", "map_file", "mapped", "steps"]

BLOCK = 2**19
"""Elements that are read at once, if a row has no more."""
MAX_ROW = 2**24


@dataclass(frozen=True, kw_only=True)
class Tensor:
    """A tensor: ``dtype`` as its file names it, and either its ``blocks`` or the ``reason`` why it cannot be measured.

    ``blocks`` gives float32 or float64 arrays [rows, columns], one after the other; each call starts anew. What it
    gives may only be used until the next one is asked for.
    """

    name: str
    shape: tuple[int, ...]
    dtype: str
    blocks: Callable[[], Iterator[NDArray[Any]]] = lambda: iter(())
    reason: str = ""

    def __post_init__(self) -> None:
        if self.reason:
            return
        if not prod(self.shape):
            object.__setattr__(self, "reason", "it is empty")
        elif as_matrix(self.shape)[1] > MAX_ROW:
            object.__setattr__(self, "reason", f"its rows have more than {MAX_ROW} elements")


@dataclass(frozen=True, kw_only=True)
class Element:
    """How an element is stored: a float of NumPy's, or the code of ``format``."""

    dtype: np.dtype[Any]
    format: Format | None = None

    def decode(self, stored: NDArray[Any]) -> NDArray[Any]:
        """The values, float32 or float64; without a copy where they are stored so."""
        values = stored if self.format is None else self.format.decode(stored)
        return values.astype(np.float64 if stored.dtype.itemsize == 8 else np.float32, copy=False)


ELEMENTS = {
    "f16": Element(dtype=np.dtype("<f2")),
    "f32": Element(dtype=np.dtype("<f4")),
    "f64": Element(dtype=np.dtype("<f8")),
    "bf16": Element(dtype=np.dtype("<u2"), format=Format.parse("bf16")),
    **{
        name: Element(dtype=np.dtype("u1"), format=Format.parse(name))
        for name in ("float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz")
    },
}
"""Elements that files hold."""


def as_matrix(shape: tuple[int, ...]) -> tuple[int, int]:
    """(rows, columns): the last axis are the columns, but of convolutions' weights, [out, in, height, width], all but
    the first."""
    columns = prod(shape[1:]) if len(shape) > 3 else prod(shape[-1:])
    return prod(shape) // max(columns, 1), columns


def steps(rows: int, columns: int) -> Iterator[slice]:
    """Which rows to read at once."""
    step = max(1, BLOCK // max(columns, 1))
    return (slice(start, min(start + step, rows)) for start in range(0, rows, step))


def map_file(path: Path) -> mmap.mmap:
    """The bytes of a file; InputError if there are none."""
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValueError:
        raise InputError(f"{path} is empty; expected tensors") from None


def mapped(
    file: mmap.mmap, stored: NDArray[Any], decode: Callable[[NDArray[Any]], NDArray[Any]], columns: int
) -> Callable[[], Iterator[NDArray[Any]]]:
    """Blocks of ``stored`` [rows, ...], a view of ``file``; those read are not kept in memory.

    ``decode`` makes [rows, columns] of them.
    """

    def blocks() -> Iterator[NDArray[Any]]:
        for rows in steps(len(stored), columns):
            yield decode(np.ascontiguousarray(stored[rows]))
            file.madvise(mmap.MADV_DONTNEED)

    return blocks
