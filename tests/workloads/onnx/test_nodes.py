"""Nodes that make no sense, and constants of every spelling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx_graphs import constant, graph, model, node, onnx, save, tensor, weights

from hwexplore.errors import InputError
from hwexplore.workloads import load
from hwexplore.workloads.onnx.elementwise import vector_operator
from hwexplore.workloads.onnx.products import PRODUCTS
from hwexplore.workloads.onnx.quantization import quantized_format
from hwexplore.workloads.onnx.tensors import Node, NotModelledError, Tensor


def made(op_type: str, *shapes: tuple[int, ...] | None, output: tuple[int, ...] = (1, 1), **attributes: Any) -> Node:
    """A node of float tensors; None is an input left out."""
    inputs = [Tensor(name=f"x{i}", shape=s, type="FLOAT") if s is not None else None for i, s in enumerate(shapes)]
    outputs = (Tensor(name="y", shape=output, type="FLOAT"),)
    return Node(name="n", op_type=op_type, inputs=tuple(inputs), outputs=outputs, attributes=attributes)


@pytest.mark.parametrize(
    ("made_node", "message"),
    [
        (made("Conv", (1, 4, 8, 8)), "Conv node 'n' has no input 1"),
        (made("Conv", (1, 4, 8, 8), None), "has no input 1"),
        (made("Conv", (4,), (8, 4, 3, 3)), "input 0 has 1 dimensions; expected at least 2"),
        (made("Conv", (1, 4, 8, 8), (8, 4, 3)), "do not fit"),
        (made("Conv", (1, 4, 8, 8), (8, 4, 3, 3), output=(8,)), "the output has 1 dimensions; expected at least 2"),
        (made("MatMul", (2, 3), (4, 5)), r"\[2, 3\] and \[4, 5\] do not fit"),
        (made("Einsum", (2, 3), (3, 5), equation=b"ij,jkl->ik"), "equation ij,jkl->ik does not fit"),
        (made("Attention", (1, 2, 64), (1, 2, 64), (1, 2, 64)), "0 query heads do not fit 0 heads of keys and values"),
        (made("Attention", (1, 8, 2, 4), (1, 3, 2, 4), (1, 3, 2, 4)), "8 query heads do not fit 3 heads"),
    ],
)
def test_unsound_products(made_node: Node, message: str) -> None:
    with pytest.raises(InputError, match=message):
        list(PRODUCTS[made_node.op_type](made_node))


def test_attention_with_a_cache() -> None:
    past = (1, 2, 30, 4)
    qk, _, sv = PRODUCTS["Attention"](made("Attention", (1, 8, 1, 4), (1, 2, 1, 4), (1, 2, 1, 4), None, past, past))
    assert (qk.batch, qk.m, qk.n, qk.k) == (2, 4, 31, 4)
    assert (sv.n, sv.k) == (4, 31)
    with pytest.raises(NotModelledError, match="empty"):
        list(PRODUCTS["Attention"](made("Attention", (1, 8, 0, 4), (1, 2, 1, 4), (1, 2, 1, 4))))


def test_unsound_pools() -> None:
    with pytest.raises(InputError, match="attribute kernel_shape is None; expected integers"):
        vector_operator(made("MaxPool", (1, 1, 4, 4)))
    with pytest.raises(InputError, match=r"kernel_shape.* has a dimension of -3"):
        vector_operator(made("MaxPool", (1, 1, 4, 4), kernel_shape=(2, -3)))


def test_quantizers_of_other_types() -> None:
    text = Node(
        name="n",
        op_type="DequantizeLinear",
        inputs=(Tensor(name="x", shape=(1,), type="STRING"),),
        outputs=(),
        attributes={},
    )
    with pytest.raises(InputError, match="quantized tensors have type STRING; expected one of FLOAT"):
        quantized_format(text)
    bias = Tensor(name="b", shape=(4,), type="INT32", constant=True)
    sums = Node(name="n", op_type="DequantizeLinear", inputs=(bias, None), outputs=(), attributes={})
    assert quantized_format(sums) is None


@pytest.mark.parametrize(
    ("attributes", "size"),
    [
        ({"value": constant("v", [1.0, 2.0], onnx.TensorProto.FLOAT)}, 2),
        ({"value_float": 1.5}, 1),
        ({"value_floats": [1.5, 2.5]}, 2),
    ],
)
def test_constants(tmp_path: Path, attributes: dict[str, Any], size: int) -> None:
    nodes = [node("Constant", "", "c", **attributes), node("Mul", "x c", "y")]
    workload = load(save(model(nodes, {"x": [3, 2]}), tmp_path))
    assert workload.parameters == workload.operators[0].weight_elements == size


def test_constants_without_shapes_are_listed_where_they_are_used(tmp_path: Path) -> None:
    nodes = [node("Constant", "", "c", value_strings=["a"]), node("Equal", "x c", "y")]
    (missed,) = load(save(model(nodes, {"x": [3, 2]}), tmp_path)).unmodelled
    assert (missed.op_type, missed.elements) == ("Equal", None)
    with pytest.raises(InputError, match=r"Constant 'c' has no value|cannot infer"):
        load(save(model([node("Constant", "", "c", other=1)], {"x": [1]}, ["c"]), tmp_path))


def test_sparse_weights_count_as_dense(tmp_path: Path) -> None:
    """No accelerator here skips zeros."""
    sparse = onnx.SparseTensorProto(dims=[8, 4], values=weights("w", 3), indices=constant("", [1, 2, 3]))
    proto = model([node("MatMul", "x w", "y")], {"x": [2, 8]})
    proto.graph.sparse_initializer.append(sparse)
    proto.graph.value_info.append(tensor("y", [2, 4]))
    workload = load(save(proto, tmp_path))
    assert [(o.m, o.n, o.k) for o in workload.operators] == [(2, 4, 8)]
    assert workload.parameters == 32


def test_functions_that_cannot_be_inlined(tmp_path: Path) -> None:
    helper = onnx.helper
    opset = [helper.make_opsetid("", 21)]
    layer = helper.make_function("com.example", "F", ["a"], ["c"], [node("Relu", "a", "c")], opset)
    nodes = [node("F", "x x x", "y", domain="com.example")]
    proto = model(nodes, {"x": [2, 8]}, functions=[layer])
    with pytest.raises(InputError, match="ONNX cannot inline its functions"):
        load(save(proto, tmp_path))


def test_bodies_may_read_tensors_of_unknown_shape(tmp_path: Path) -> None:
    body = graph([node("Relu", "places", "a")], [], ["a"])
    nodes = [node("NonZero", "x", "places"), node("If", "yes", "y", then_branch=body, else_branch=body)]
    yes = constant("yes", 1, onnx.TensorProto.BOOL)
    missed = load(save(model(nodes, {"x": [4]}, initializers=[yes]), tmp_path)).unmodelled
    assert [node.op_type for node in missed] == ["NonZero", "Relu"]


def test_weights_may_stand_on_the_left(tmp_path: Path) -> None:
    quantized = [weights("w", 8, 4, type=onnx.TensorProto.INT8), weights("s", 8)]
    nodes = [node("DequantizeLinear", "w s", "d", axis=0), node("MatMul", "d x", "y")]
    workload = load(save(model(nodes, {"x": [4, 5]}, initializers=quantized), tmp_path))
    (product,) = workload.operators
    assert (product.m, product.n, product.k, product.weight_elements) == (5, 8, 4, 32)
    assert str(workload.policy) == "int8_channel>fp32/fp32/fp32"
