"""Matrix products and convolutions; shapes are those of ONNX's own reference evaluator and of NumPy."""

from __future__ import annotations

from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx_graphs import constant, model, node, save, weights

from hwexplore.errors import InputError
from hwexplore.workloads import Operator, Workload, load

IN_FOLDER = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
SIZES = st.integers(1, 4)


def read(proto: Any, folder: Path, **dims: int) -> Workload:
    return load(save(proto, folder), dims=dims)


def only(proto: Any, folder: Path) -> Operator:
    (operator,) = read(proto, folder).operators
    return operator


def evaluated(proto: Any, **inputs: tuple[int, ...]) -> tuple[int, ...]:
    """The shape of the first output when the model runs on ones."""
    (output, *_) = (
        pytest.importorskip("onnx.reference")
        .ReferenceEvaluator(proto)
        .run(None, {name: np.ones(s, np.float32) for name, s in inputs.items()})
    )
    return tuple(output.shape)


@IN_FOLDER
@given(
    images=SIZES,
    groups=SIZES,
    per_group=SIZES,
    outputs=SIZES,
    size=st.tuples(st.integers(7, 12), st.integers(7, 12)),
    kernel=st.tuples(SIZES, SIZES),
    strides=st.tuples(SIZES, SIZES),
    dilations=st.tuples(st.integers(1, 2), st.integers(1, 2)),
    padding=st.sampled_from([{}, {"pads": [1, 0, 2, 1]}, {"auto_pad": "SAME_UPPER"}, {"auto_pad": "VALID"}]),
)
def test_convolution(
    tmp_path: Path,
    images: int,
    groups: int,
    per_group: int,
    outputs: int,
    size: tuple[int, int],
    kernel: tuple[int, int],
    strides: tuple[int, int],
    dilations: tuple[int, int],
    padding: dict[str, Any],
) -> None:
    if "auto_pad" in padding:
        dilations = (1, 1)  # the reference evaluator pads dilated kernels otherwise than the specification
    x, w = (images, groups * per_group, *size), (groups * outputs, per_group, *kernel)
    attributes = {"group": groups, "strides": strides, "dilations": dilations, **padding}
    convolution = [node("Conv", "x w", "y", **attributes)]
    operator = only(model(convolution, {"x": x}, initializers=[weights("w", *w)]), tmp_path)
    y = evaluated(model(convolution, {"x": x, "w": w}), x=x, w=w)
    assert operator.kind == "conv"
    assert operator.macs == prod(y) * per_group * prod(kernel)
    assert (operator.batch, operator.n) == (groups, outputs)
    assert operator.weight_elements == prod(w)
    assert operator.activation_elements == prod(x)
    assert operator.output_elements == prod(y)


@pytest.mark.parametrize("attributes", [{}, {"strides": [2, 2]}, {"strides": [3, 2], "pads": [1, 0, 1, 0]}])
def test_transposed_convolution(tmp_path: Path, attributes: dict[str, Any]) -> None:
    """Every input element meets every weight of its group's channel once."""
    x, w = (2, 6, 5, 5), (6, 2, 3, 3)
    layer = [node("ConvTranspose", "x w b", "y", group=3, **attributes)]
    operator = only(model(layer, {"x": x}, initializers=[weights("w", *w), weights("b", 6)]), tmp_path)
    assert operator.macs == prod(x) * 2 * 9
    assert operator.weight_elements == prod(w) + 6
    assert operator.vector_ops == operator.batch * operator.m * operator.n
    plain = [node("ConvTranspose", "x w", "y", **attributes)]
    y = evaluated(model(plain, {"x": x, "w": (6, 6, 3, 3)}), x=x, w=(6, 6, 3, 3))
    assert operator.output_elements == prod(y)


def test_one_and_three_dimensional_convolutions(tmp_path: Path) -> None:
    line = only(model([node("Conv", "x w", "y")], {"x": [1, 2, 10]}, initializers=[weights("w", 4, 2, 3)]), tmp_path)
    assert line.macs == 8 * 4 * 2 * 3
    volume = model([node("Conv", "x w", "y")], {"x": [1, 2, 4, 5, 6]}, initializers=[weights("w", 4, 2, 2, 2, 2)])
    assert only(volume, tmp_path).macs == 3 * 4 * 5 * 4 * 2 * 8


@pytest.mark.parametrize(
    ("op_type", "weight", "group", "message"),
    [
        ("Conv", (8, 3, 3, 3), 1, "4 channels do not fit 1 groups of weights"),
        ("Conv", (9, 2, 3, 3), 2, "4 channels do not fit 2 groups"),
        ("ConvTranspose", (8, 3, 3, 3), 1, "4 channels do not fit 1 groups"),
        ("Conv", (8, 4, 3, 3), -1, r"attribute group is -1; expected an integer from 0 to 2\*\*31 - 1"),
        ("Conv", (8, 4, 3, 3), 0, "and 0 groups do not fit"),
        ("Conv", (8, 4, 3), 1, "do not fit|cannot infer"),
    ],
)
def test_unsound_convolutions(tmp_path: Path, op_type: str, weight: tuple[int, ...], group: int, message: str) -> None:
    proto = model([node(op_type, "x w", "y", group=group)], {"x": [1, 4, 8, 8]}, initializers=[weights("w", *weight)])
    proto.graph.output[0].type.tensor_type.shape.CopyFrom(proto.graph.input[0].type.tensor_type.shape)
    proto.graph.output[0].type.tensor_type.elem_type = 1
    with pytest.raises(InputError, match=message):
        read(proto, tmp_path)


@pytest.mark.parametrize("trans_a", [0, 1])
@pytest.mark.parametrize("trans_b", [0, 1])
def test_gemm(tmp_path: Path, trans_a: int, trans_b: int) -> None:
    x, w = ((7, 3) if trans_a else (3, 7)), ((5, 7) if trans_b else (7, 5))
    gemm = node("Gemm", "x w c", "y", transA=trans_a, transB=trans_b)
    operator = only(model([gemm], {"x": x}, initializers=[weights("w", *w), weights("c", 5)]), tmp_path)
    assert (operator.kind, operator.batch, operator.m, operator.n, operator.k) == ("linear", 1, 3, 5, 7)
    assert (operator.weight_elements, operator.activation_elements, operator.output_elements) == (40, 21, 15)


BATCHES = st.lists(st.integers(1, 3), max_size=2)


@IN_FOLDER
@given(left=BATCHES, right=BATCHES, m=SIZES, n=SIZES, k=SIZES, constant_side=st.sampled_from(["a", "b", ""]))
def test_matmul_broadcasts(
    tmp_path: Path, left: list[int], right: list[int], m: int, n: int, k: int, constant_side: str
) -> None:
    a, b = (*left, m, k), (*right, k, n)
    try:
        y = np.matmul(np.ones(a), np.ones(b)).shape
    except ValueError:
        return
    shapes = {"a": a, "b": b}
    given_weights = [weights(constant_side, *shapes.pop(constant_side))] if constant_side else []
    operator = only(model([node("MatMul", "a b", "y")], shapes, initializers=given_weights), tmp_path)
    assert operator.macs == prod(y) * k
    assert operator.output_elements == prod(y)
    stationary, moving = (a, b) if constant_side == "a" else (b, a)
    assert operator.activation_elements == prod(moving)
    assert operator.weight_elements == (prod(stationary) if constant_side else 0)
    assert operator.kv_elements == (0 if constant_side else prod(stationary))
    assert operator.kind == ("linear" if constant_side else "attention")


def test_matmul_of_vectors(tmp_path: Path) -> None:
    row = only(model([node("MatMul", "x w", "y")], {"x": [7]}, initializers=[weights("w", 7, 5)]), tmp_path)
    assert (row.m, row.n, row.k) == (1, 5, 7)
    dot = only(model([node("MatMul", "x w", "y")], {"x": [3, 7]}, initializers=[weights("w", 7)]), tmp_path)
    assert (dot.m, dot.n, dot.k) == (3, 1, 7)


def test_attention_of_matmuls(tmp_path: Path) -> None:
    """ViT-B/16's heads: 197 tokens, 12 heads of 64."""
    heads, keys = [1, 12, 197, 64], [1, 12, 64, 197]
    nodes = [node("MatMul", "q k", "s"), node("Softmax", "s", "p"), node("MatMul", "p v", "y")]
    workload = read(model(nodes, {"q": heads, "k": keys, "v": heads}), tmp_path)
    assert [operator.kind for operator in workload.operators] == ["attention", "softmax", "attention"]
    built = {o.name: o for o in load("vit-b-16").operators}
    for operator, name in zip(workload.operators, ("qk_matmul", "softmax", "sv_matmul"), strict=True):
        twin = built[name]
        for field in ("macs", "activation_elements", "kv_elements", "output_elements", "vector_ops"):
            assert getattr(operator, field) == getattr(twin, field)


@pytest.mark.parametrize("rank", [3, 4])
def test_attention_node_with_grouped_queries(tmp_path: Path, rank: int) -> None:
    q, kv = ([2, 10, 8 * 16], [2, 20, 2 * 16]) if rank == 3 else ([2, 8, 10, 16], [2, 2, 20, 16])
    heads = {"q_num_heads": 8, "kv_num_heads": 2} if rank == 3 else {}
    proto = model([node("Attention", "q k v", "y", **heads)], {"q": q, "k": kv, "v": kv}, opset=23)
    qk, softmax, sv = read(proto, tmp_path).operators
    assert (qk.batch, qk.m, qk.n, qk.k) == (4, 40, 20, 16)
    assert (sv.batch, sv.m, sv.n, sv.k) == (4, 40, 16, 20)
    assert softmax.output_elements == 2 * 8 * 10 * 20
    assert qk.kv_elements == sv.kv_elements == 2 * 2 * 20 * 16


@pytest.mark.parametrize(
    ("equation", "a", "b", "kind", "sizes"),
    [
        ("bhid,bhjd->bhij", (2, 3, 5, 7), (2, 3, 11, 7), "attention", (6, 5, 11, 7)),
        ("bij,jk->bik", (2, 5, 7), (7, 11), "linear", (1, 10, 11, 7)),
        ("i,j->ij", (5,), (7,), "linear", (1, 5, 7, 1)),
    ],
)
def test_einsum(
    tmp_path: Path, equation: str, a: tuple[int, ...], b: tuple[int, ...], kind: str, sizes: tuple[int, ...]
) -> None:
    shapes = {"a": a, "b": b} if kind == "attention" else {"a": a}
    initializers = [] if kind == "attention" else [weights("b", *b)]
    operator = only(model([node("Einsum", "a b", "y", equation=equation)], shapes, initializers=initializers), tmp_path)
    assert operator.kind == kind
    assert (operator.batch, operator.m, operator.n, operator.k) == sizes
    assert operator.output_elements == np.einsum(equation, np.ones(a), np.ones(b)).size


@pytest.mark.parametrize("equation", ["ii,ij->ij", "ij,jk,kl->il", "ij,kl->il"])
def test_other_einsums_are_listed(tmp_path: Path, equation: str) -> None:
    count = equation.count(",") + 1
    shapes = {name: [4, 4] for name in "abc"[:count]}
    proto = model([node("Einsum", " ".join(shapes), "y", equation=equation)], shapes)
    workload = read(proto, tmp_path)
    assert not workload.operators
    assert [missed.op_type for missed in workload.unmodelled] == ["Einsum"]


def test_identical_layers_fold(tmp_path: Path) -> None:
    nodes = [node("MatMul", "x w", "a"), node("Relu", "a", "b"), node("MatMul", "b v", "c"), node("Relu", "c", "y")]
    workload = read(model(nodes, {"x": [1, 8]}, initializers=[weights("w", 8, 8), weights("v", 8, 8)]), tmp_path)
    assert [(o.name, o.count) for o in workload.operators] == [("a", 2), ("b", 2)]
    assert workload.parameters == workload.weight_elements == 128


def test_products_with_nothing_in_them_are_listed(tmp_path: Path) -> None:
    proto = model([node("MatMul", "x w", "y")], {"x": [4, 8]}, initializers=[weights("w", 8, 0)])
    with pytest.raises(InputError, match="computes nothing; expected the graph of a network"):
        read(proto, tmp_path)
    empty = model(
        [node("Slice", "x start end axis", "none"), node("MatMul", "none w", "y")],
        {"x": [4, 8]},
        initializers=[*(constant(n, [v]) for n, v in (("start", 0), ("end", 0), ("axis", 1))), weights("w", 0, 8)],
    )
    assert [missed.reason for missed in read(empty, tmp_path).unmodelled] == ["it multiplies empty matrices"]
