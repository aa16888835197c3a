from __future__ import annotations

import os
import pickle
import struct
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.quality.networks.checkpoint import MAGIC, PROTOCOL, read_checkpoint

DATA = np.arange(12, dtype="<f4")


@dataclass
class Global:
    """A class of another module, pickled by name."""

    name: str


@dataclass
class Reference:
    """To what a pickle does not hold."""

    pid: tuple[object, ...]


@dataclass
class Tensor:
    """Rebuilt from its storage, offset, shape, strides by a function of PyTorch."""

    storage: Reference
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]
    rebuild: str = "torch._utils _rebuild_tensor_v2"


def write_value(value: object) -> bytes:
    """Opcodes of protocol 2 that push ``value``."""
    if isinstance(value, Tensor):
        return (
            name(value.rebuild)
            + write_value((value.storage, value.offset, value.shape, value.strides, False, None))
            + b"R"
        )
    if isinstance(value, Reference):
        return write_value(value.pid) + b"Q"
    if isinstance(value, Global):
        return name(value.name)
    if isinstance(value, tuple):
        return b"(" + b"".join(map(write_value, value)) + b"t"
    if isinstance(value, dict):
        return b"}(" + b"".join(write_value(key) + write_value(item) for key, item in value.items()) + b"u"
    return pickle.dumps(value, 2)[2:-1]


def name(text: str) -> bytes:
    module, _, attribute = text.partition(" ")
    return f"c{module}\n{attribute}\n".encode()


def storage(dtype: str = "torch FloatStorage", size: int = 12, view: object = None, kind: str = "storage") -> Reference:
    return Reference((kind, Global(dtype), "7", "cpu", size, view))


def tensor(offset: int = 0, shape: tuple[int, ...] = (3, 4), strides: tuple[int, ...] = (4, 1)) -> Tensor:
    return Tensor(storage(), offset, shape, strides)


def checkpoint(state: object, size: int = 12, data: bytes = DATA.tobytes(), magic: int = MAGIC) -> bytes:
    head = (magic, PROTOCOL, {"little_endian": True, "protocol_version": PROTOCOL})
    parts = [pickle.dumps(value, 2) for value in head]
    parts += [b"\x80\x02" + write_value(state) + b".", pickle.dumps(["7"], 2), struct.pack("<q", size), data]
    return b"".join(parts)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "network.pth"


def test_tensors_share_a_storage(path: Path) -> None:
    path.write_bytes(
        checkpoint({"a": tensor(), "b": tensor(0, (4, 3), (1, 4)), "c": tensor(5, (2,), (3,)), "d": tensor(11, (), ())})
    )
    read = read_checkpoint(path)
    assert list(read) == ["a", "b", "c", "d"]
    assert read["a"].dtype == np.float32
    np.testing.assert_array_equal(read["a"], DATA.reshape(3, 4))
    np.testing.assert_array_equal(read["b"], DATA.reshape(3, 4).T)
    np.testing.assert_array_equal(read["c"], DATA[[5, 8]])
    np.testing.assert_array_equal(read["d"], DATA[11])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (checkpoint({"a": tensor(1)}), "does not fit its storage of 12 elements"),
        (checkpoint({"a": tensor(0, (3, 4), (-4, 1))}), "does not fit"),
        (checkpoint({"a": tensor(0, (10**9,), (0,))}), "does not fit"),
        (checkpoint({"a": tensor()}, data=DATA.tobytes()[:-1]), "damaged"),
        (checkpoint({"a": tensor()}, data=DATA.tobytes()[:-4]), "storage 7 is cut short"),
        (checkpoint({"a": tensor()}, magic=1), "before 1.6"),
        (checkpoint({"a": tensor()})[:200], "damaged"),
        (checkpoint({"a": Tensor(storage(view=("7", 0, 3)), 0, (3,), (1,))}), "expected whole storages"),
        (checkpoint({"a": Tensor(storage(kind="module"), 0, (3,), (1,))}), "refers to 'module'"),
        (checkpoint({"a": Tensor(storage("torch BoolStorage"), 0, (3,), (1,))}), "names torch.BoolStorage"),
        (checkpoint({"a": Tensor(storage("os system"), 0, (3,), (1,))}), "names os.system"),
        (checkpoint({"a": Tensor(storage(), 0, (3,), (1,), rebuild="builtins eval")}), "names builtins.eval"),
        (checkpoint([1, 2]), "damaged"),
        (b"", "damaged"),
        (b"PK\x03\x04 a zip", "damaged"),
    ],
)
def test_refused(path: Path, content: bytes, message: str) -> None:
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_checkpoint(path)


def test_what_a_pickle_would_run_is_not_run(path: Path) -> None:
    class Evil:
        def __reduce__(self) -> tuple[object, tuple[str]]:
            return os.system, (f"touch {path.parent / 'ran'}",)

    path.write_bytes(pickle.dumps(Evil(), 2))
    with pytest.raises(InputError, match=r"names posix\.system"):
        read_checkpoint(path)
    assert not (path.parent / "ran").exists()


def test_no_file(path: Path) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file"):
        read_checkpoint(path)


@settings(max_examples=60, deadline=None)
@given(place=st.integers(0, 400), byte=st.integers(0, 255), end=st.integers(0, 500))
def test_damage_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, place: int, byte: int, end: int) -> None:
    content = bytearray(checkpoint({"a": tensor(), "b": tensor(5, (2,), (3,))}))
    content[place % len(content)] = byte
    path = tmp_path_factory.getbasetemp() / "damaged.pth"
    path.write_bytes(content[:end])
    try:
        read = read_checkpoint(path)
    except InputError:
        return
    assert all(isinstance(array, np.ndarray) and array.size <= len(DATA) for array in read.values())
