"""Readers of files against the packages that write them."""

from __future__ import annotations

import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import gguf
import ml_dtypes
import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

from hwexplore.errors import InputError
from hwexplore.quality.tensors import Tensor, measure_tensors, read_tensors, tensor
from hwexplore.quality.tensors.gguf import read_metadata

FLOATS = (np.float16, np.float32, np.float64)


@pytest.fixture(autouse=True)
def _small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tensor, "BLOCK", 256)


def random(*shape: int, seed: int = 0) -> NDArray[np.float64]:
    return np.random.default_rng(seed).standard_normal(shape)


def data(tensor: Tensor) -> NDArray[np.float64]:
    assert not tensor.reason
    first, second = (np.concatenate([block.copy() for block in tensor.blocks()]) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    return first


def by_name(path: Path) -> dict[str, Tensor]:
    return {tensor.name: tensor for tensor in read_tensors(path)}


# safetensors


@pytest.mark.parametrize("dtype", FLOATS)
def test_safetensors(tmp_path: Path, dtype: type[np.floating]) -> None:
    arrays = {"w": random(100, 33).astype(dtype), "b": random(7, seed=1).astype(dtype), "s": np.array(2.5, dtype)}
    save_file(arrays, tmp_path / "a.safetensors", {"format": "pt"})
    tensors = by_name(tmp_path / "a.safetensors")
    assert {name: tensor.shape for name, tensor in tensors.items()} == {"w": (100, 33), "b": (7,), "s": ()}
    np.testing.assert_array_equal(data(tensors["w"]), arrays["w"])
    np.testing.assert_array_equal(data(tensors["b"]), arrays["b"][None])
    np.testing.assert_array_equal(data(tensors["s"]), [[2.5]])
    assert data(tensors["w"]).dtype == (np.float64 if dtype is np.float64 else np.float32)
    assert {len(block) for block in tensors["w"].blocks()} == {7, 2}  # 256 // 33, and what remains


@pytest.mark.parametrize(
    ("dtype", "name"),
    [
        (ml_dtypes.bfloat16, "BF16"),
        (ml_dtypes.float8_e4m3fn, "F8_E4M3"),
        (ml_dtypes.float8_e5m2, "F8_E5M2"),
        (ml_dtypes.float8_e4m3fnuz, "F8_E4M3FNUZ"),
        (ml_dtypes.float8_e5m2fnuz, "F8_E5M2FNUZ"),
    ],
)
def test_safetensors_of_narrow_floats(tmp_path: Path, dtype: type, name: str) -> None:
    x = random(20, 30).astype(dtype)
    (tmp_path / "a.safetensors").write_bytes(safetensors_bytes({"w": (name, x.shape, x.tobytes())}))
    [tensor] = read_tensors(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(data(tensor), x.astype(np.float32))


def safetensors_bytes(tensors: dict[str, tuple[str, tuple[int, ...], bytes]]) -> bytes:
    header, at = {}, 0
    for name, (dtype, shape, content) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [at, at + len(content)]}
        at += len(content)
    return with_header(json.dumps(header).encode()) + b"".join(content for _, _, content in tensors.values())


def with_header(text: bytes) -> bytes:
    return len(text).to_bytes(8, "little") + text


def test_weights_of_convolutions_are_rows_of_outputs(tmp_path: Path) -> None:
    x = random(5, 4, 3, 3).astype(np.float32)
    save_file({"conv": x, "experts": random(3, 4, 6)}, tmp_path / "a.safetensors")
    tensors = by_name(tmp_path / "a.safetensors")
    np.testing.assert_array_equal(data(tensors["conv"]), x.reshape(5, 36))
    assert data(tensors["experts"]).shape == (12, 6)


def test_what_cannot_be_measured_has_a_reason(tmp_path: Path) -> None:
    save_file({"ids": np.arange(3), "none": np.zeros((0, 4), np.float32)}, tmp_path / "a.safetensors")
    tensors = by_name(tmp_path / "a.safetensors")
    assert tensors["ids"].reason.startswith("I64 is not one of F64, F32, F16, BF16")
    assert tensors["none"].reason == "it is empty"
    header = {"long": {"dtype": "F16", "shape": [1, 2**24 + 1], "data_offsets": [0, 2**25 + 2]}}
    with (tmp_path / "b.safetensors").open("wb") as file:
        file.write(with_header(json.dumps(header).encode()))
        file.truncate(file.tell() + 2**25 + 2)
    [long] = read_tensors(tmp_path / "b.safetensors")
    assert long.reason == "its rows have more than 16777216 elements"


ENTRY = '{"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [%d, %d]}}'


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; expected tensors"),
        (b"\x01\x02", "is cut short: its header of 521 bytes goes beyond its 2"),
        ((1000).to_bytes(8, "little") + b"{}", "is cut short: its header of 1008 bytes goes beyond its 10"),
        (with_header(b"not json"), "is no safetensors file: its header is malformed"),
        (with_header(b"\xff\xfe"), "is no safetensors file: its header is malformed"),
        (with_header(b"[1]"), "is no safetensors file: its header is malformed"),
        (with_header(b'{"w": {"dtype": "F32"}}'), "is no safetensors file: its header is malformed"),
        (with_header(ENTRY.replace("%d, %d", "0, Infinity").encode()), "its header is malformed"),
        (with_header(ENTRY.replace("%d, %d", "1").encode()), "is no safetensors file: its header is malformed"),
        (with_header((ENTRY % (0, 16)).encode()) + bytes(15), "is cut short: tensor 'w' goes beyond its"),
        (with_header((ENTRY % (0, 12)).encode()) + bytes(16), r"tensor 'w' of shape \(2, 2\) has 12 bytes"),
        (with_header((ENTRY % (16, 0)).encode()) + bytes(16), r"has shape \(2, 2\) in bytes 16 to 0"),
        (with_header((ENTRY % (0, 16)).replace("[2, 2]", "[-2, -2]").encode()) + bytes(16), r"has shape \(-2, -2\)"),
    ],
)
def test_broken_safetensors(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_tensors(tmp_path / "a.safetensors")


# npz


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("dtype", [*FLOATS, ">f4"])
def test_npz(tmp_path: Path, save: Callable[..., None], dtype: type) -> None:
    arrays = {"w": random(90, 40).astype(dtype), "v": random(11).astype(dtype)}
    save(tmp_path / "a.npz", **arrays)
    tensors = by_name(tmp_path / "a.npz")
    np.testing.assert_array_equal(data(tensors["w"]), arrays["w"])
    np.testing.assert_array_equal(data(tensors["v"]), arrays["v"][None])


def test_arrays_that_are_left_out(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", i=np.arange(3), f=np.asfortranarray(random(3, 4)), l=np.ones(3, np.longdouble))
    tensors = by_name(tmp_path / "a.npz")
    assert tensors["i"].reason == "int64 is not one of float16, float32, float64"
    assert tensors["l"].reason.endswith("is not one of float16, float32, float64")
    assert tensors["f"].reason.startswith("it is stored column by column")


@pytest.mark.parametrize("kept", [0, 100, 5000])
def test_a_npz_that_is_cut_short(tmp_path: Path, kept: int) -> None:
    np.savez(tmp_path / "a.npz", w=random(90, 40))
    content = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(content[:kept])
    with pytest.raises(InputError, match=r"a.npz is no .npz file, or cut short"):
        read_tensors(tmp_path / "a.npz")


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_npz_with_a_flipped_bit(tmp_path: Path, save: Callable[..., None]) -> None:
    save(tmp_path / "a.npz", w=random(90, 40))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[20_000] ^= 1
    (tmp_path / "a.npz").write_bytes(content)
    [tensor] = read_tensors(tmp_path / "a.npz")
    with pytest.raises(InputError, match="is cut short or damaged in array 'w'"):
        data(tensor)


@pytest.mark.parametrize("size", [8, 12, 20])
def test_an_array_of_another_size_than_its_header_says(tmp_path: Path, size: int) -> None:
    header = io.BytesIO()
    np.lib.format.write_array_header_1_0(header, {"descr": "<f4", "fortran_order": False, "shape": (2, 2)})
    with zipfile.ZipFile(tmp_path / "a.npz", "w") as archive:
        archive.writestr("w.npy", header.getvalue() + bytes(size))
    [tensor] = read_tensors(tmp_path / "a.npz")
    with pytest.raises(InputError, match="is cut short or damaged in array 'w'"):
        data(tensor)


def test_an_encrypted_npz(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", w=random(2, 3))
    content = bytearray((tmp_path / "a.npz").read_bytes())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a.npz is no .npz file, or cut short"):
        read_tensors(tmp_path / "a.npz")


# gguf

KIND = gguf.GGMLQuantizationType


def write_gguf(path: Path, tensors: dict[str, tuple[NDArray[np.generic], KIND | None]]) -> None:
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_array("tokens", ["a", "bc", ""])
    writer.add_array("scores", [0.5, 1.5])
    writer.add_string("note", "text")
    for name, (content, kind) in tensors.items():
        writer.add_tensor(name, content, raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


@pytest.mark.parametrize("name", ["F32", "F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "TQ2_0"])
def test_gguf(tmp_path: Path, name: str) -> None:
    kind = KIND[name]
    codes = gguf.quantize(random(40, 256).astype(np.float32), kind)
    write_gguf(tmp_path / "a.gguf", {"w": (codes, kind), "norm": (np.ones(32, np.float32), None)})
    tensors = by_name(tmp_path / "a.gguf")
    assert (tensors["w"].dtype, tensors["w"].shape) == (name, (40, 256))
    np.testing.assert_array_equal(data(tensors["w"]), gguf.dequantize(codes, kind))
    np.testing.assert_array_equal(data(tensors["norm"]), np.ones((1, 32)))


def test_weights_of_gguf_are_not_measured_on_their_own_kind(tmp_path: Path) -> None:
    codes = gguf.quantize(random(2, 64).astype(np.float32), KIND.Q4_1)
    write_gguf(tmp_path / "a.gguf", {"w": (codes, KIND.Q4_1)})
    with pytest.raises(InputError, match=r"int4_g32_asym is the kind .* 'w' was rounded to before \(Q4_1\)"):
        measure_tensors(tmp_path / "a.gguf", ["mxint8", "int4_g32_asym"])
    others = ["int4_g32", "int4_g64_asym", "int5_g32_asym"]
    assert measure_tensors(tmp_path / "a.gguf", others)[others].notna().all(axis=None)


def test_gguf_with_an_infinite_scale(tmp_path: Path) -> None:
    codes = gguf.quantize(random(1, 32).astype(np.float32), KIND.Q4_0)
    codes[0, :2] = [0, 0x7C]
    write_gguf(tmp_path / "a.gguf", {"w": (codes, KIND.Q4_0)})
    assert not np.isfinite(data(read_tensors(tmp_path / "a.gguf")[0])).all()


def test_gguf_of_doubles_and_integers(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", {"w": (random(3, 4), None), "i": (np.arange(5, dtype=np.int32), None)})
    tensors = by_name(tmp_path / "a.gguf")
    np.testing.assert_array_equal(data(tensors["w"]), random(3, 4))
    assert tensors["i"].reason == "the package gguf does not dequantize I32"


def test_metadata_of_gguf(tmp_path: Path) -> None:
    write_gguf(tmp_path / "a.gguf", {"w": (random(3, 4), None)})
    metadata = read_metadata(tmp_path / "a.gguf")
    assert metadata == {
        "general.architecture": "llama",
        "tokens": ["a", "bc", ""],
        "scores": [0.5, 1.5],
        "note": "text",
    }


def small_gguf(
    *, version: int = 3, key: bytes = b"k", value: bytes = struct.pack("<IB", 0, 7), kind: int = 0, axes: int = 2
) -> bytes:
    header = b"GGUF" + struct.pack("<IQQ", version, 1, 1)
    values = struct.pack("<Q", len(key)) + key + value
    shape = struct.pack(f"<I{axes}Q", axes, 3, *[2] * (axes - 1))
    tensor = struct.pack("<Q", 1) + b"w" + shape + struct.pack("<IQ", kind, 0)
    content = header + values + tensor
    return content + bytes(-len(content) % 32) + bytes(24)


def test_a_type_that_the_package_does_not_know(tmp_path: Path) -> None:
    (tmp_path / "a.gguf").write_bytes(small_gguf(kind=999))
    [tensor] = read_tensors(tmp_path / "a.gguf")
    assert (tensor.dtype, tensor.reason) == ("type 999", "type 999 is unknown to the package gguf")


def test_alignment_of_the_file(tmp_path: Path) -> None:
    content = small_gguf(key=b"general.alignment", value=struct.pack("<II", 4, 64))
    (tmp_path / "a.gguf").write_bytes(content + bytes(32) + struct.pack("<f", 5.0) * 6)
    [tensor] = read_tensors(tmp_path / "a.gguf")
    assert data(tensor).shape == (2, 3)


NESTED = struct.pack("<IIQ", 9, 9, 1) + struct.pack("<IQ", 9, 1) * 3000


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "is empty; expected tensors"),
        (b"GGML" + bytes(40), "is no GGUF file: it does not start with GGUF"),
        (small_gguf(version=1), "has GGUF version 1; expected one of 2, 3"),
        (small_gguf()[:10], "is malformed or cut short; expected a GGUF file"),
        (small_gguf()[:60], "is malformed or cut short"),
        (small_gguf()[:-1], "is cut short: tensor 'w' goes beyond its"),
        (small_gguf(key=b"\xff"), "is malformed or cut short"),
        (small_gguf(value=struct.pack("<I", 77)), "is malformed or cut short"),
        (small_gguf(value=struct.pack("<IQ", 8, 10**9)), "is malformed or cut short"),
        (small_gguf(value=NESTED), "is malformed or cut short"),
        (small_gguf(key=b"general.alignment", value=struct.pack("<II", 4, 0)), "is malformed or cut short"),
        (small_gguf(axes=5), "is malformed or cut short"),
        (small_gguf(kind=2), "rows of 'w' are no multiple of 32, as Q4_0 has"),
    ],
)
def test_broken_gguf(tmp_path: Path, content: bytes, sentence: str) -> None:
    (tmp_path / "a.gguf").write_bytes(content)
    with pytest.raises(InputError, match=sentence):
        read_tensors(tmp_path / "a.gguf")


@pytest.mark.parametrize("value", [struct.pack("<I", 77), struct.pack("<IQ", 8, 10**9), NESTED])
def test_broken_metadata_of_gguf(tmp_path: Path, value: bytes) -> None:
    (tmp_path / "a.gguf").write_bytes(small_gguf(value=value))
    with pytest.raises(InputError, match="is malformed or cut short; expected a GGUF file"):
        read_metadata(tmp_path / "a.gguf")


# ONNX


def save_onnx(path: Path, *tensors: TensorProto, nodes: tuple[onnx.NodeProto, ...] = (), **options: object) -> None:
    graph = helper.make_graph(list(nodes), "g", [], [], initializer=list(tensors))
    onnx.save(helper.make_model(graph), path, **options)


@pytest.mark.parametrize("dtype", [*FLOATS, ml_dtypes.bfloat16, ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2fnuz])
@pytest.mark.parametrize("external", [False, True])
def test_onnx(tmp_path: Path, dtype: type, external: bool) -> None:
    arrays = {"w": random(60, 50).astype(dtype), "b": random(9).astype(dtype)}
    protos = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    options = {"save_as_external_data": external, "location": "a.bin", "size_threshold": 0} if external else {}
    save_onnx(tmp_path / "a.onnx", *protos, **options)
    assert (tmp_path / "a.bin").exists() == external
    tensors = by_name(tmp_path / "a.onnx")
    for name, array in arrays.items():
        np.testing.assert_array_equal(data(tensors[name]), np.atleast_2d(array.astype(np.float64)))


def test_floats_in_their_own_fields(tmp_path: Path) -> None:
    single = helper.make_tensor("single", TensorProto.FLOAT, [2, 3], range(6))
    double = helper.make_tensor("double", TensorProto.DOUBLE, [3], [1.5, 2.5, 3.5])
    half = helper.make_tensor("half", TensorProto.FLOAT16, [2], [1, 2])
    save_onnx(tmp_path / "a.onnx", single, double, half, numpy_helper.from_array(np.arange(3), "ids"))
    tensors = by_name(tmp_path / "a.onnx")
    np.testing.assert_array_equal(data(tensors["single"]), np.arange(6).reshape(2, 3))
    np.testing.assert_array_equal(data(tensors["double"]), [[1.5, 2.5, 3.5]])
    assert tensors["half"].reason == "its data are one by one; save it with raw_data"
    assert tensors["ids"].reason.startswith("type 7 is not one of FLOAT, FLOAT16")


def test_numbers_that_are_not_packed(tmp_path: Path) -> None:
    """Field 4 as two numbers of 32 bits, in a tensor of type 1 whose only dimension, 2, is packed."""
    tensor = b"\x0a\x01\x02\x10\x01" + (b"\x25" + struct.pack("<f", 1.5)) * 2
    (tmp_path / "a.onnx").write_bytes(bytes([0x3A, len(tensor) + 2, 0x2A, len(tensor)]) + tensor)
    [read] = read_tensors(tmp_path / "a.onnx")
    assert (read.shape, read.reason) == ((2,), "its data are one by one; save it with raw_data")


def test_rows_are_outputs_whatever_the_operator(tmp_path: Path) -> None:
    names = ("matmul", "gemm", "kept", "conv")
    x = {name: random(30, 20, seed=seed) for seed, name in enumerate(names)}
    nodes = (
        helper.make_node("MatMul", ["a", "matmul"], ["b"]),
        helper.make_node("Gemm", ["b", "gemm"], ["c"], alpha=1.0),
        helper.make_node("Gemm", ["c", "kept", "matmul"], ["d"], transB=1),
        helper.make_node("Conv", ["d", "conv"], ["e"]),
    )
    save_onnx(tmp_path / "a.onnx", *(numpy_helper.from_array(x[name], name) for name in names), nodes=nodes)
    tensors = by_name(tmp_path / "a.onnx")
    for name in ("matmul", "gemm"):
        assert tensors[name].shape == (20, 30)
        np.testing.assert_array_equal(data(tensors[name]), x[name].T)
    for name in ("kept", "conv"):
        np.testing.assert_array_equal(data(tensors[name]), x[name])


def test_external_data_that_are_not_all_there(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    save_onnx(
        path,
        numpy_helper.from_array(random(60, 50), "w"),
        save_as_external_data=True,
        location="a.bin",
        size_threshold=0,
    )
    (tmp_path / "a.bin").write_bytes(bytes(1000))
    with pytest.raises(InputError, match=r"a.bin is cut short: initializer 'w' goes beyond its 1000 bytes"):
        read_tensors(path)
    (tmp_path / "a.bin").unlink()
    with pytest.raises(InputError, match=r"a.bin cannot be read: No such file or directory"):
        read_tensors(path)


@pytest.mark.parametrize("location", ["../a.bin", "/etc/passwd", ""])
def test_external_data_stay_beside_the_model(tmp_path: Path, location: str) -> None:
    tensor = TensorProto(name="w", dims=[2], data_type=1, data_location=1)
    tensor.external_data.add(key="location", value=location)
    save_onnx(tmp_path / "a.onnx", tensor)
    with pytest.raises(InputError, match="expected a file beside the model"):
        read_tensors(tmp_path / "a.onnx")


def test_broken_onnx(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    external = TensorProto(name="w", dims=[2], data_type=1, data_location=1)
    external.external_data.add(key="location", value="a.onnx")
    external.external_data.add(key="offset", value="soon")
    save_onnx(path, external)
    with pytest.raises(InputError, match="is not an ONNX file: malformed or cut short"):
        read_tensors(path)
    save_onnx(path, TensorProto(name="w", dims=[5], data_type=1, raw_data=bytes(8)))
    with pytest.raises(InputError, match=r"initializer 'w' of shape \(5,\) has 8 bytes"):
        read_tensors(path)
    save_onnx(path, numpy_helper.from_array(random(60, 50), "w"))
    whole = path.read_bytes()
    for content in (
        whole[:-1],
        whole[:20],
        b"\x3a\x05\x2a\x03\x0a\x01\x85",
        b"\x3a\x02\x28\x01",
        b"\x38\x01",
        b"\xff" * 30,
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match="is not an ONNX file: malformed or cut short"):
            read_tensors(path)


# all


@pytest.mark.parametrize("suffix", [".safetensors", ".npz", ".gguf", ".onnx"])
def test_files_that_are_not_there(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(InputError, match="cannot be read: No such file or directory"):
        read_tensors(tmp_path / f"a{suffix}")


def test_a_kind_of_file_that_is_not_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"unknown kind of file .*model.pt"):
        read_tensors(tmp_path / "model.pt")


def test_gguf_without_its_package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gguf", None)
    with pytest.raises(InputError, match="needs the package gguf; install it with"):
        read_tensors(tmp_path / "a.gguf")
