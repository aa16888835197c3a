"""Dimensions that a graph leaves open."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_graphs import model, node, onnx, save, weights

from hwexplore.errors import InputError
from hwexplore.workloads import load

W = [weights("w", 8, 8)]
LAYER = [node("MatMul", "x w", "y")]


def test_open_dimensions_take_what_they_are_given(tmp_path: Path) -> None:
    path = save(model(LAYER, {"x": ["batch", "tokens", 8]}, initializers=W), tmp_path)
    workload = load(path, dims={"batch": 3, "tokens": 5})
    assert (workload.batch, workload.tokens, workload.operators[0].m) == (3, 3, 15)
    assert load(path, batch=3, dims={"batch": 3, "tokens": 5}) == workload


def test_missing_ones_are_named(tmp_path: Path) -> None:
    path = save(model(LAYER, {"x": ["batch", None, 8]}, initializers=W), tmp_path)
    with pytest.raises(InputError, match=r"leaves dimensions open: batch, x\.1; give each a size, as in batch=1\."):
        load(path)
    assert load(path, dims={"batch": 1, "x.1": 4}).operators[0].m == 4


def test_many_missing_ones_are_counted(tmp_path: Path) -> None:
    names = [f"d{i}" for i in range(12)]
    path = save(model([node("Relu", "x", "y")], {"x": names}), tmp_path)
    with pytest.raises(InputError, match="d7 and 4 more; give each a size"):
        load(path)


def test_unknown_ones_are_refused(tmp_path: Path) -> None:
    path = save(model(LAYER, {"x": ["batch", 8]}, initializers=W), tmp_path)
    with pytest.raises(InputError, match=r"unknown open dimension of .* 'bach'; did you mean batch"):
        load(path, dims={"bach": 1})
    closed = save(model(LAYER, {"x": [1, 8]}, initializers=W), tmp_path)
    with pytest.raises(InputError, match="has no open dimensions, but batch is to be 1"):
        load(closed, dims={"batch": 1})


def test_the_batch_is_the_graphs_own(tmp_path: Path) -> None:
    path = save(model(LAYER, {"x": [4, 8]}, initializers=W), tmp_path)
    assert load(path).batch == load(path, batch=4).batch == 4
    with pytest.raises(InputError, match=r"batch is 2, but .* has batches of 4"):
        load(path, batch=2)
    with pytest.raises(InputError, match="unknown phase 'training'"):
        load(path, phase="training")


def test_a_scalar_input_is_a_batch_of_one(tmp_path: Path) -> None:
    assert load(save(model([node("Relu", "x", "y")], {"x": []}), tmp_path)).batch == 1


def test_inputs_without_shapes_are_refused(tmp_path: Path) -> None:
    proto = model(LAYER, {"x": [1, 8]}, initializers=W)
    proto.graph.input[0].type.tensor_type.ClearField("shape")
    with pytest.raises(InputError, match="input 'x' has no shape; expected a tensor of known rank"):
        load(save(proto, tmp_path))


def test_stale_shapes_in_the_file_do_not_count(tmp_path: Path) -> None:
    """A value_info or output from before the batch was opened."""
    proto = model([*LAYER, node("Relu", "y", "z")], {"x": ["batch", 8]}, outputs=["z"], initializers=W)
    proto.graph.value_info.append(onnx.helper.make_tensor_value_info("y", 1, [1, 8]))
    assert load(save(proto, tmp_path), dims={"batch": 4}).operators[1].output_elements == 32
    named = model([*LAYER, node("Relu", "y", "z")], {"x": ["batch", 8]}, outputs=["z"], initializers=W)
    named.graph.value_info.append(onnx.helper.make_tensor_value_info("y", 1, ["batch", 8]))
    assert load(save(named, tmp_path), dims={"batch": 4}).operators[1].output_elements == 32


def test_shapes_in_the_file_count_where_none_are_inferred(tmp_path: Path) -> None:
    """Behind a node of another domain, or one whose result depends on the data."""
    nodes = [
        node("Special", "x", "s", domain="com.example"),
        node("Relu", "s", "a"),
        node("NonZero", "a", "places"),
        node("Transpose", "places", "y"),
    ]
    proto = model(nodes, {"x": ["batch", 8]})
    for name, shape, type in (("s", ["batch", 4], 1), ("places", [2, 6], 7)):
        proto.graph.value_info.append(onnx.helper.make_tensor_value_info(name, type, shape))
    workload = load(save(proto, tmp_path), dims={"batch": 3})
    assert {o.name: o.output_elements for o in workload.operators} == {"a": 12, "y": 12}
    assert [missed.op_type for missed in workload.unmodelled] == ["com.example.Special", "NonZero"]
    assert workload.unmodelled[0].elements == 3 * 8 + 3 * 4
