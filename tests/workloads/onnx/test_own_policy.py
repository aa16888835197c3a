"""Quantized graphs bring their formats along."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx_graphs import INT8, UINT8, constant, model, node, onnx, save, weights

from hwexplore.errors import InputError
from hwexplore.workloads import Policy, Workload, load

FLOAT, INT32 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT32
QONNX = {"domain": "qonnx.custom_op.general"}
SCALES = [
    *(constant("s", 0.1, FLOAT), constant("z", 0, INT8), constant("zu", 0, UINT8), weights("channel", 8)),
    *(
        weights("w", 16, 8, type=INT8),
        weights("k", 8, 4, 3, 3, type=INT8),
        weights("f", 16, 8),
        constant("zf", 0.0, FLOAT),
    ),
]


def read(folder: Path, nodes: list[Any], shape: list[int], *initializers: Any) -> Workload:
    return load(save(model(nodes, {"x": shape}, initializers=[*SCALES, *initializers]), folder))


def own(folder: Path, nodes: list[Any], shape: list[int], *initializers: Any) -> str:
    workload = read(folder, nodes, shape, *initializers)
    policy = workload.policy
    assert policy is not None
    assert Policy.parse(str(policy)) == policy
    assert len(workload.to_frame(policy)) == len(workload.operators)
    return str(policy)


def test_qdq_per_channel(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s zu", "xq"),
        node("DequantizeLinear", "xq s zu", "xd"),
        node("DequantizeLinear", "k channel", "kd", axis=0),
        node("Conv", "xd kd", "y"),
    ]
    workload = read(tmp_path, nodes, [1, 4, 8, 8])
    assert str(workload.policy) == "int8_channel/uint8/uint8"
    (conv,) = workload.operators
    assert conv.weight_elements == workload.parameters == 8 * 4 * 9
    assert workload.to_frame(workload.policy).weight_bytes.tolist() == [288]


@pytest.mark.parametrize(
    ("type", "block", "axis_scales", "zero", "expected"),
    [
        (INT8, 0, False, False, "int8"),
        (INT8, 0, True, False, "int8_channel"),
        (UINT8, 0, True, True, "uint8_channel"),
        (onnx.TensorProto.INT4, 4, True, False, "int4_g4"),
        (onnx.TensorProto.UINT4, 4, True, True, "int4_g4_asym"),
        (onnx.TensorProto.FLOAT8E4M3FN, 0, False, False, "e4m3"),
    ],
)
def test_weights_alone(tmp_path: Path, type: int, block: int, axis_scales: bool, zero: bool, expected: str) -> None:
    """Stored in few bits and computed in the activations' format."""
    shape = (4, 8) if block else (8,) if axis_scales else ()
    quantized = [weights("wq", 16, 8, type=type), weights("ws", *shape), weights("wz", *shape, type=type)]
    names = "wq ws wz" if zero else "wq ws"
    block_size = {"block_size": block, "axis": 0} if block else {"axis": 1}
    nodes = [node("DequantizeLinear", names, "wd", **block_size), node("MatMul", "x wd", "y")]
    assert own(tmp_path, nodes, [2, 16], *quantized) == f"{expected}>fp32/fp32/fp32"


def test_activations_alone(tmp_path: Path) -> None:
    nodes = [node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"), node("MatMul", "d f", "y")]
    assert own(tmp_path, nodes, [2, 16]) == "fp32/int8>fp32/int8>fp32"


def test_quantized_operators(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s zu", "xq"),
        node("QLinearConv", "xq s zu k channel z s zu", "c"),
        node("MaxPool", "c", "p", kernel_shape=[2, 2]),
        node("DequantizeLinear", "p s zu", "y"),
    ]
    workload = read(tmp_path, nodes, [1, 4, 8, 8])
    assert str(workload.policy) == "int8_channel/uint8/uint8"
    assert [operator.kind for operator in workload.operators] == ["conv", "pooling"]
    assert workload.parameters == 288


def test_integer_products(tmp_path: Path) -> None:
    nodes = [
        node("DynamicQuantizeLinear", "x", "xq xs xz"),
        node("MatMulInteger", "xq w xz", "i"),
        node("Cast", "i", "f32", to=FLOAT),
        node("Mul", "f32 xs", "y"),
    ]
    assert own(tmp_path, nodes, [2, 16]) == "int8/uint8/uint8;f32=/int32/;y=/fp32/"


def test_q_linear_matmul_of_activations(tmp_path: Path) -> None:
    nodes = [
        node("QuantizeLinear", "x s zu", "xq"),
        node("Transpose", "xq", "t"),
        node("QLinearMatMul", "xq s zu t s zu s zu", "y"),
    ]
    workload = read(tmp_path, nodes, [4, 4])
    product = workload.operators[-1]
    assert product.kind == "attention"
    assert str(workload.policy.operands(product).kv_cache) == "uint8"


def test_qonnx(tmp_path: Path) -> None:
    bits = [constant(name, float(value), FLOAT) for name, value in (("two", 2), ("three", 3), ("four", 4))]
    nodes = [
        node("Quant", "x s zf four", "xq", signed=0, narrow=0, **QONNX),
        node("Quant", "f channel zf three", "fq", signed=1, narrow=1, **QONNX),
        node("MatMul", "xq fq", "h"),
        node("Trunc", "xq s zf four two", "t", **QONNX),
        node("BipolarQuant", "f s", "b", **QONNX),
        node("MatMul", "t b", "y"),
    ]
    workload = read(tmp_path, nodes, [2, 16], *bits)
    assert str(workload.policy) == "int3s_channel/uint4/uint4;y=bipolar1/uint2/"
    assert not workload.unmodelled


@pytest.mark.parametrize("width", [0.0, 2.5, 33.0, float("nan")])
def test_impossible_bit_widths(tmp_path: Path, width: float) -> None:
    nodes = [node("Quant", "f s zf bits", "q", **QONNX), node("MatMul", "x q", "y")]
    with pytest.raises(InputError, match=r"the bit width is .*; expected a constant from 1 to 32"):
        read(tmp_path, nodes, [2, 16], constant("bits", width, FLOAT))


def test_mixed_precision_is_overrides_by_name(tmp_path: Path) -> None:
    nodes = [
        node("DequantizeLinear", "w s z", "wd"),
        node("QuantizeLinear", "x s z", "q"),
        node("DequantizeLinear", "q s z", "d"),
        node("MatMul", "d wd", "first"),
        node("MatMul", "first small", "second"),
        node("Softmax", "second", "y"),
    ]
    text = own(tmp_path, nodes, [2, 16], weights("small", 8, 2))
    assert text == "int8/int8/int8;second=fp32/fp32/;y=/fp32/"


def test_layers_in_different_formats_do_not_fold(tmp_path: Path) -> None:
    nodes = [node("DequantizeLinear", "w8 s z", "wd"), node("MatMul", "x wd", "a"), node("MatMul", "a f8", "y")]
    shapes = [weights("w8", 8, 8, type=INT8), weights("f8", 8, 8)]
    workload = read(tmp_path, nodes, [2, 8], *shapes)
    assert [operator.count for operator in workload.operators] == [1, 1]


def test_half_precision_is_no_quantization(tmp_path: Path) -> None:
    half = onnx.TensorProto.FLOAT16
    proto = model([node("MatMul", "x w", "y")], {"x": [2, 16]}, initializers=[weights("w", 16, 8, type=half)])
    proto.graph.input[0].type.tensor_type.elem_type = half
    assert load(save(proto, tmp_path)).policy is None
