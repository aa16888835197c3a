"""PyTorch's checkpoints, read without PyTorch and without running what they contain."""

from __future__ import annotations

import pickle
from collections import OrderedDict
from collections.abc import Mapping
from math import prod
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError

__all__ = ["read_checkpoint"]

MAGIC = 0x1950A86A20F9469CFC6C
PROTOCOL = 1001
STORAGES = {
    "HalfStorage": "<f2",
    "FloatStorage": "<f4",
    "DoubleStorage": "<f8",
    "IntStorage": "<i4",
    "LongStorage": "<i8",
}


def read_checkpoint(path: Path) -> dict[str, NDArray[Any]]:
    """The tensors by name of a state dictionary as ``torch.save`` wrote it before PyTorch 1.6: five pickles, then data.

    Of the classes that a pickle can name, only those of tensors and their storages are known. Raises InputError for
    other files, other contents and data cut short.
    """
    try:
        with path.open("rb") as file:
            return _read(file)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    except Exception:  # a damaged pickle raises nearly anything
        raise InputError(f"{path} is no checkpoint of PyTorch before 1.6, or it is damaged") from None


class _Storage(NamedTuple):
    dtype: np.dtype[Any]
    key: str
    size: int


class _Tensor(NamedTuple):
    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]

    def of(self, data: Mapping[str, NDArray[Any]]) -> NDArray[Any]:
        """The tensor in the ``data`` of the storages."""
        elements = data[self.storage.key]
        last = self.offset + sum((n - 1) * stride for n, stride in zip(self.shape, self.strides, strict=True))
        if min((self.offset, *self.shape, *self.strides)) < 0 or max(last, prod(self.shape) - 1) >= elements.size:
            raise InputError(f"a tensor of shape {self.shape} does not fit its storage of {elements.size} elements")
        strides = [stride * elements.itemsize for stride in self.strides]
        return np.lib.stride_tricks.as_strided(elements[self.offset :], self.shape, strides).copy()


def _rebuild(storage: _Storage, offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: object) -> _Tensor:
    return _Tensor(storage, offset, shape, strides)


class _Unpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild
        if module == "torch" and name in STORAGES:
            return np.dtype(STORAGES[name])
        raise InputError(f"it names {module}.{name}; expected tensors of {', '.join(STORAGES)} only")

    def persistent_load(self, pid: Any) -> _Storage:
        kind, dtype, key, _device, size, view = pid
        if kind != "storage" or view is not None:
            raise InputError(f"it refers to {kind!r}; expected whole storages")
        return _Storage(dtype, key, size)


def _read(file: IO[bytes]) -> dict[str, NDArray[Any]]:
    magic, protocol, system = (_Unpickler(file).load() for _ in range(3))
    if magic != MAGIC or protocol != PROTOCOL or not system["little_endian"]:
        raise InputError("it is no little-endian checkpoint of PyTorch before 1.6")
    state: Mapping[str, _Tensor] = _Unpickler(file).load()
    dtypes = {tensor.storage.key: tensor.storage.dtype for tensor in state.values()}
    data = {}
    for key in _Unpickler(file).load():
        size = int.from_bytes(file.read(8), "little")
        content = file.read(size * dtypes[key].itemsize)
        data[key] = np.frombuffer(content, dtypes[key])
        if data[key].size != size:
            raise InputError(f"storage {key} is cut short")
    return {name: tensor.of(data) for name, tensor in state.items()}
