"""Files that are no sound graphs, and files that are large."""

from __future__ import annotations

import re
import sys
import time
import tracemalloc
from pathlib import Path
from typing import Any

import pytest
from fuzz.bombs import BOMBS, field
from onnx_graphs import INT64, LIGHT, constant, model, node, onnx, save, weights

from hwexplore.errors import InputError
from hwexplore.workloads import load
from hwexplore.workloads.onnx import wire

SOUND = model([node("MatMul", "x w", "y")], {"x": [1, 8]}, initializers=[weights("w", 8, 8)])


def sentence(content: Any, folder: Path) -> str:
    """Why a file is refused."""
    with pytest.raises(InputError) as caught:
        load(save(content, folder))
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    "content",
    [
        *(b"\x08", b"not an ONNX file", b"\xff" * 100, SOUND.SerializeToString()[:-3], bytes(range(256)) * 40),
        *(b"\x3b", b"\x3a\x05abc", b"\x0d\x00", b"\x80" * 20 + b"\x01", b"\x3a\x06\x0a\xff\xff\xff\xff\x0f"),
    ],
)
def test_malformed_files(tmp_path: Path, content: bytes) -> None:
    assert "is not an ONNX file: malformed or cut short" in sentence(content, tmp_path)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert "is empty; expected an ONNX file" in sentence(b"", tmp_path)
    with pytest.raises(InputError, match=r"none\.onnx cannot be read: No such file"):
        load(tmp_path / "none.onnx")
    (tmp_path / "folder.onnx").mkdir()
    with pytest.raises(InputError, match=r"folder\.onnx cannot be read: it is not a file"):
        load(tmp_path / "folder.onnx")
    secret = save(SOUND, tmp_path)
    secret.chmod(0)
    try:
        secret.read_bytes()
    except PermissionError:
        with pytest.raises(InputError, match="cannot be read: Permission denied"):
            load(secret)


def test_without_the_package_a_sentence_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(InputError, match=r"needs the package onnx; install it with: pip install 'hwexplore\[onnx\]'"):
        load(save(SOUND, tmp_path))


@pytest.mark.parametrize(
    ("proto", "message"),
    [
        (onnx.ModelProto(ir_version=10), "has no nodes; expected the graph of a network"),
        (model([node("Relu", "z", "y"), node("Relu", "y", "z")], {"x": [1]}), "reads 'z', which no input"),
        (model([node("Relu", "x", "x")], {"x": [1]}), "tensor 'x' is written twice"),
        (model([node("MatMul", "x w", "y")], {"x": [1, 8]}), "reads 'w', which no input, initializer or earlier node"),
        (model([node("Identity", "x", "y")], {"x": [1]}), "computes nothing"),
        (model([node("Relu", "x", "y")], {"x": [2**31]}), r"has a dimension of 2147483648; expected 0 to 2\*\*31 - 1"),
        (model([node("Relu", "x", "y")], {"x": [2**40]}), "has a dimension of 1099511627776"),
        (model([node("Relu", "x", "y")], {"x": [2**30, 2**30]}), r"has 1\.15e\+18 elements; expected at most 2\*\*48"),
        (model([node("Relu", "x", "y")], {"x": [1] * 65}), "has 65 dimensions; expected at most 64"),
        (model([node("Constant", "", "y")], {"x": [1]}), "Constant 'y' has no value|cannot infer"),
        (
            model([node("LRN", "x", "y", size="five")], {"x": [1, 2, 3, 4]}),
            "attribute size is b'five'; expected an int",
        ),
        (model([node("Relu", "x", "y", domain="no.such")], {"x": [1]}), "cannot infer its shapes"),
    ],
)
def test_unsound_graphs(tmp_path: Path, proto: Any, message: str) -> None:
    assert re.search(message, sentence(proto, tmp_path))


def test_names_that_are_no_text(tmp_path: Path) -> None:
    content = model([node("Relu", "x", "name")], {"x": [1]}, outputs=["name"]).SerializeToString()
    assert "which is not UTF-8 text" in sentence(content.replace(b"name", b"n\xffme"), tmp_path)


def test_deep_nesting(tmp_path: Path) -> None:
    """Graphs within graphs, written by hand: too deep for protobuf, or for the wire's own reader, or sound."""
    inner = field(1, field(1, b"x") + field(2, b"a") + field(4, b"Relu")) + field(12, field(1, b"a"))
    graphs = [inner]
    for _ in range(3000):
        branches = [field(5, field(1, name) + field(6, graphs[-1]) + b"\xa0\x01\x05") for name in (b"then_branch",)]
        branches.append(field(5, field(1, b"else_branch") + field(6, inner) + b"\xa0\x01\x05"))
        chosen = field(1, b"yes") + field(2, b"a") + field(4, b"If") + b"".join(branches)
        graphs.append(field(1, chosen) + field(12, field(1, b"a")))
    proto = model([node("Relu", "x", "a")], {"x": [1]}, ["a"], [constant("yes", 1, onnx.TensorProto.BOOL)])
    del proto.graph.node[:], proto.graph.output[:]
    rest = proto.SerializeToString()
    for depth in (40, 3000):
        assert "malformed or cut short" in sentence(rest + field(7, graphs[depth]), tmp_path)
    workload = load(save(rest + field(7, graphs[20]), tmp_path))
    assert [(operator.kind, operator.count) for operator in workload.operators] == [("activation", 1)]


def test_external_data_is_never_read(tmp_path: Path) -> None:
    outside = model([node("MatMul", "x w", "y")], {"x": [1, 8]}, initializers=[weights("w", 8, 8)])
    tensor = outside.graph.initializer[0]
    tensor.data_location = onnx.TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    assert load(save(outside, tmp_path)).parameters == 64
    tensor.dims[:] = [1, 1]
    outside.graph.input[0].type.tensor_type.shape.dim[1].dim_value = 1
    assert load(save(outside, tmp_path)).parameters == 1


@pytest.mark.parametrize("number", range(len(BOMBS)))
def test_bombs(tmp_path: Path, number: int) -> None:
    """What takes little in the file and much in memory; the fuzzer bounds time and memory."""
    content, message = BOMBS[number]
    assert message in sentence(content(), tmp_path)


def test_weights_are_neither_read_nor_kept(tmp_path: Path) -> None:
    """A ResNet-50 with all of its 100 MB of weights takes little time and memory."""
    proto = onnx.load(LIGHT / "light_resnet50.onnx")
    shapes = {value.name: value for value in onnx.shape_inference.infer_shapes(proto).graph.value_info}
    kept = []
    for made in proto.graph.node:
        if made.op_type != "ConstantOfShape":
            kept.append(made)
            continue
        name = made.output[0]
        dims = [dim.dim_value for dim in shapes[name].type.tensor_type.shape.dim]
        tensor = proto.graph.initializer.add(name=name, data_type=1, dims=dims)
        tensor.raw_data = bytes(4 * onnx.numpy_helper.np.prod(dims, dtype=int))
    del proto.graph.node[:]
    proto.graph.node.extend(kept)
    path = save(proto, tmp_path)
    assert path.stat().st_size > 100e6
    start = time.process_time()
    workload = load(path)
    assert time.process_time() - start < 1
    tracemalloc.start()
    load(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6
    light = load(LIGHT / "light_resnet50.onnx")
    assert (workload.operators, workload.parameters) == (light.operators, light.parameters)


def test_shapes_in_small_tensors_survive(tmp_path: Path) -> None:
    """Beside large tensors, inside a node's attribute too."""
    big = onnx.helper.make_tensor("value", 1, [64, 64], bytes(4 * 64 * 64), raw=True)
    nodes = [
        node("Constant", "", "w", value=big),
        node("Constant", "", "flat", value_ints=[-1, 64]),
        node("Reshape", "x shape", "r"),
        node("Reshape", "r flat", "s"),
        node("MatMul", "s w", "y"),
    ]
    proto = model(nodes, {"x": [2, 64]}, initializers=[constant("shape", [4, 32], INT64)])
    workload = load(save(proto, tmp_path))
    assert [(o.m, o.n, o.k) for o in workload.operators] == [(2, 64, 64)]
    assert workload.parameters == 4096


def test_what_is_stripped_is_still_the_model() -> None:
    big = onnx.helper.make_tensor("big", 1, [64, 64], bytes(4 * 64 * 64), raw=True)
    proto = model([node("MatMul", "x big", "y")], {"x": [1, 64]}, initializers=[big, constant("c", [1])])
    proto.graph.node[0].doc_string = "d" * 5000
    stripped = onnx.ModelProto.FromString(wire.without_weights(memoryview(proto.SerializeToString()), "test"))
    proto.graph.initializer[0].ClearField("raw_data")
    proto.graph.node[0].ClearField("doc_string")
    assert stripped == proto
