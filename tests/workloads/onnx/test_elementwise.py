"""Nodes beside the products: what they read, write and compute."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx_graphs import constant, model, node, onnx, save, weights

from hwexplore.workloads import Operator, Workload, load

FLOAT = onnx.TensorProto.FLOAT
CUBE = {"x": [1, 4, 6, 6]}


def read(nodes: list[Any], inputs: dict[str, Any], folder: Path, *initializers: Any) -> Workload:
    return load(save(model(nodes, inputs, initializers=initializers), folder))


def only(workload: Workload) -> Operator:
    (operator,) = workload.operators
    return operator


@pytest.mark.parametrize(
    ("layer", "kind", "output", "ops"),
    [
        (node("Relu", "x", "y"), "activation", 144, 144),
        (node("Sigmoid", "x", "y"), "activation", 144, 3 * 144),
        (node("Clip", "x", "y"), "activation", 144, 2 * 144),
        (node("Softmax", "x", "y"), "softmax", 144, 5 * 144),
        (node("Erf", "x", "y"), "elementwise", 144, 144),
        (node("MaxPool", "x", "y", kernel_shape=[3, 2], strides=[3, 2]), "pooling", 4 * 6, 6 * 4 * 6),
        (node("AveragePool", "x", "y", kernel_shape=[6, 6]), "pooling", 4, 36 * 4),
        (node("GlobalAveragePool", "x", "y"), "pooling", 4, 144),
        (node("LRN", "x", "y", size=5), "norm", 144, 10 * 144),
        (node("Transpose", "x", "y", perm=[0, 2, 3, 1]), "movement", 144, 0),
        (node("DepthToSpace", "x", "y", blocksize=2), "movement", 144, 0),
        (node("ReduceMax", "x", "y", keepdims=0), "reduction", 1, 144),
        (node("ArgMax", "x", "y", axis=1), "reduction", 36, 144),
    ],
    ids=lambda value: getattr(value, "op_type", None),
)
def test_one_input(tmp_path: Path, layer: Any, kind: str, output: int, ops: int) -> None:
    operator = only(read([layer], CUBE, tmp_path))
    assert (operator.kind, operator.count, operator.k, operator.macs) == (kind, 1, 0, 0)
    assert operator.activation_elements == 144
    assert operator.output_elements == output == operator.m * operator.n
    assert operator.vector_ops == ops
    assert operator.weight_elements == operator.kv_elements == 0


def test_broadcast_operands_are_read_as_they_are(tmp_path: Path) -> None:
    operator = only(read([node("Add", "x z", "y")], CUBE | {"z": [6, 1]}, tmp_path))
    assert (operator.activation_elements, operator.output_elements, operator.vector_ops) == (150, 144, 144)
    twice = only(read([node("Mul", "x x", "y")], CUBE, tmp_path))
    assert twice.activation_elements == 144
    three = only(read([node("Sum", "x x x", "y")], CUBE, tmp_path))
    assert three.vector_ops == 2 * 144
    scaled = only(read([node("Mul", "x g", "y")], CUBE, tmp_path, weights("g", 4, 1, 1)))
    assert (scaled.activation_elements, scaled.weight_elements) == (144, 4)


def test_norms_count_what_they_learnt(tmp_path: Path) -> None:
    batch = read([node("BatchNormalization", "x s b m v", "y")], CUBE, tmp_path, *(weights(n, 4) for n in "sbmv"))
    assert (only(batch).kind, only(batch).vector_ops, only(batch).weight_elements) == ("norm", 288, 8)
    assert batch.parameters == 8  # mean and variance are no parameters
    layer = read([node("LayerNormalization", "x s b", "y")], CUBE, tmp_path, weights("s", 6), weights("b", 6))
    assert (only(layer).vector_ops, only(layer).weight_elements, layer.parameters) == (7 * 144, 12, 12)
    group = read(
        [node("GroupNormalization", "x s b", "y", num_groups=2)], CUBE, tmp_path, weights("s", 4), weights("b", 4)
    )
    assert only(group).kind == "norm"


@pytest.mark.parametrize(("mode", "ops"), [("nearest", 0), ("linear", 7), ("cubic", 31)])
def test_resize(tmp_path: Path, mode: str, ops: int) -> None:
    scales = constant("scales", [1.0, 1.0, 2.0, 2.0], FLOAT)
    operator = only(read([node("Resize", "x - scales", "y", mode=mode)], CUBE, tmp_path, scales))
    assert (operator.kind, operator.output_elements, operator.vector_ops) == ("resize", 576, ops * 576)
    assert operator.weight_elements == 0


def test_views_are_free(tmp_path: Path) -> None:
    nodes = [
        *(node("Reshape", "x flat", "a"), node("Unsqueeze", "a axes", "b"), node("Squeeze", "b axes", "c")),
        *(node("Flatten", "c", "d"), node("Identity", "d", "e"), node("Dropout", "e", "f"), node("Relu", "f", "y")),
    ]
    workload = read(nodes, CUBE, tmp_path, constant("flat", [4, 36]), constant("axes", [0]))
    assert [operator.kind for operator in workload.operators] == ["activation"]
    assert workload.parameters == 0


def test_movements_read_what_they_write(tmp_path: Path) -> None:
    bounds = [constant(name, [value]) for name, value in (("start", 0), ("end", 2), ("axis", 1))]
    cut = only(read([node("Slice", "x start end axis", "y")], CUBE, tmp_path, *bounds))
    assert (cut.activation_elements, cut.output_elements, cut.weight_elements) == (72, 72, 0)
    joined = only(read([node("Concat", "x z", "y", axis=1)], CUBE | {"z": [1, 2, 6, 6]}, tmp_path))
    assert joined.activation_elements == joined.output_elements == 144 + 72
    padded = only(read([node("Pad", "x pads", "y")], CUBE, tmp_path, constant("pads", [0, 0, 1, 1, 0, 0, 1, 1])))
    assert (padded.activation_elements, padded.output_elements) == (144, 256)
    parts = only(read([node("Split", "x", "a y", axis=1, num_outputs=2)], CUBE, tmp_path))
    assert parts.activation_elements == parts.output_elements == 144
    tokens = read([node("Concat", "x cls", "y", axis=1)], CUBE, tmp_path, weights("cls", 1, 1, 6, 6))
    assert (only(tokens).activation_elements, only(tokens).weight_elements) == (144, 36)


def test_tables_are_looked_up(tmp_path: Path) -> None:
    proto = model([node("Gather", "table ids", "y")], {}, initializers=[weights("table", 1000, 16)])
    proto.graph.input.append(onnx.helper.make_tensor_value_info("ids", onnx.TensorProto.INT64, [1, 5]))
    workload = load(save(proto, tmp_path))
    assert (only(workload).kind, only(workload).weight_elements, workload.parameters) == ("embedding", 80, 16000)


def test_shapes_and_constants_are_folded(tmp_path: Path) -> None:
    """What a flatten of PyTorch exports as, and weights that are computed from others."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "images"),
        node("Concat", "images rest", "target", axis=0),
        node("Reshape", "x target", "flat"),
        node("Transpose", "w", "wt"),
        node("MatMul", "flat wt", "y"),
    ]
    workload = read(nodes, CUBE, tmp_path, constant("zero", [0]), constant("rest", [-1]), weights("w", 10, 144))
    assert (only(workload).kind, only(workload).n, only(workload).k) == ("linear", 10, 144)
    assert workload.parameters == 1440


def test_what_is_not_modelled_is_listed(tmp_path: Path) -> None:
    nodes = [
        node("Relu", "x", "a"),
        node("NonZero", "a", "places"),
        node("Transpose", "places", "b"),
        node("TopK", "x one", "top indices", axis=1),
        node("Special", "x", "y", domain="com.example"),
    ]
    workload = read(nodes, CUBE, tmp_path, constant("one", [1]))
    assert [operator.name for operator in workload.operators] == ["a"]
    missed = {node.name: node for node in workload.unmodelled}
    assert {name: node.op_type for name, node in missed.items()} == {
        "places": "NonZero",
        "b": "Transpose",
        "top": "TopK",
        "y": "com.example.Special",
    }
    assert missed["top"].reason == "operator type TopK is not modelled"
    assert missed["top"].elements == 144 + 1 + 36 + 36
    assert missed["places"].reason == "the shape of 'places' is not known"
    assert missed["b"].elements is None
    assert missed["y"].reason == "com.example is not ONNX's own domain"
