"""Graphs inside nodes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from onnx_graphs import BOOL, INT64, constant, graph, model, node, onnx, save, tensor, weights

from hwexplore.errors import InputError
from hwexplore.workloads import Workload, load

W = weights("w", 8, 8)
YES, NO = constant("yes", 1, BOOL), constant("no", 0, BOOL)


def body(*nodes: Any, still: str = "go") -> Any:
    """A Loop's body that hands `still` on and returns `after`."""
    inputs = [tensor("i", [], INT64), tensor("go", [], BOOL), tensor("h", None)]
    return graph([node("MatMul", "h w", "p"), *nodes, node("Identity", still, "still")], inputs, ["still", "after"])


SAME = body(node("Tanh", "p", "after"))


def read(folder: Path, nodes: list[Any], *initializers: Any, **shapes: list[int]) -> Workload:
    return load(save(model(nodes, shapes or {"x": [2, 8]}, initializers=[W, *initializers]), folder))


def counts(workload: Workload) -> dict[str, int]:
    return {operator.name: operator.count for operator in workload.operators}


def test_a_loop_of_known_length_is_its_body_so_often(tmp_path: Path) -> None:
    workload = read(tmp_path, [node("Loop", "trips - x", "y", body=SAME)], constant("trips", 5))
    assert counts(workload) == {"p": 5, "after": 5}
    assert workload.operators[0].macs == 2 * 8 * 8
    assert workload.parameters == 64
    with pytest.raises(InputError, match="computes nothing"):
        read(tmp_path, [node("Loop", "trips - x", "y", body=SAME)], constant("trips", -1))
    with_condition = read(tmp_path, [node("Loop", "trips yes x", "y", body=SAME)], constant("trips", 5), YES)
    assert counts(with_condition) == {"p": 5, "after": 5}


@pytest.mark.parametrize(
    ("loop", "inside", "reason"),
    [
        ("trips no x", SAME, "its condition is not known"),
        ("n - x", SAME, "its trip count is not known"),
        ("trips - x", body(node("Tanh", "p", "after"), node("Not", "go", "other"), still="other"), "its condition is"),
        ("trips - x", body(node("Concat", "p p", "after", axis=0)), "change their shapes"),
    ],
)
def test_loops_of_unknown_length_are_listed_with_the_macs_of_one_turn(
    tmp_path: Path, loop: str, inside: Any, reason: str
) -> None:
    proto = model([node("Loop", loop, "y", body=inside)], {"x": [2, 8]}, initializers=[W, constant("trips", 5), NO])
    proto.graph.input.append(tensor("n", [], INT64))
    workload = load(save(proto, tmp_path))
    assert not workload.operators
    (missed,) = workload.unmodelled
    assert missed.op_type == "Loop"
    assert reason in missed.reason
    assert missed.macs == 128


def test_scan_goes_through_the_first_axis(tmp_path: Path) -> None:
    step = graph(
        [node("Add", "state slice", "next"), node("MatMul", "next w", "out")],
        [tensor("state", None), tensor("slice", None)],
        ["next", "out"],
    )
    nodes = [node("Scan", "x xs", "final y", body=step, num_scan_inputs=1)]
    workload = read(tmp_path, nodes, x=[2, 8], xs=[7, 2, 8])
    assert counts(workload) == {"next": 7, "out": 7}
    sideways = [node("Scan", "x xs", "final y", body=step, num_scan_inputs=1, scan_input_axes=[1])]
    (missed,) = read(tmp_path, sideways, x=[2, 8], xs=[2, 7, 8]).unmodelled
    assert missed.reason == "it scans along another axis than the first"
    nothing = [node("Scan", "x xs", "final y", body=step, num_scan_inputs=0)]
    (missed,) = read(tmp_path, nothing, x=[2, 8], xs=[7, 2, 8]).unmodelled
    assert missed.reason == "what it goes through is not known"


def test_if(tmp_path: Path) -> None:
    first = graph([node("MatMul", "x w", "a")], [], ["a"])
    second = graph([node("MatMul", "x w", "b"), node("MatMul", "b w", "c")], [], ["c"])
    branches = {"then_branch": first, "else_branch": second}
    assert counts(read(tmp_path, [node("If", "yes", "y", **branches)], YES)) == {"a": 1}
    assert counts(read(tmp_path, [node("If", "no", "y", **branches)], NO)) == {"b": 2}
    proto = model([node("If", "perhaps", "y", **branches)], {"x": [2, 8]}, initializers=[W])
    proto.graph.input.append(tensor("perhaps", [], BOOL))
    (missed,) = load(save(proto, tmp_path)).unmodelled
    assert (missed.reason, missed.macs) == ("its condition is not known", 128)


def test_a_missing_body_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"If node 'y' has no graph then_branch|cannot infer"):
        read(tmp_path, [node("If", "yes", "y")], YES)


def test_counts_are_bounded(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"runs 2147483648 times; expected fewer than 2\*\*31"):
        read(tmp_path, [node("Loop", "trips - x", "y", body=SAME)], constant("trips", 2**31))


def test_functions_are_inlined(tmp_path: Path) -> None:
    helper = onnx.helper
    opset = [helper.make_opsetid("", 21), helper.make_opsetid("com.example", 1)]
    layer = helper.make_function(
        "com.example", "Layer", ["a", "b"], ["c"], [node("MatMul", "a b", "m"), node("Relu", "m", "c")], opset
    )
    nodes = [node("Layer", "x w", "h", domain="com.example"), node("Layer", "h w", "y", domain="com.example")]
    proto = model(nodes, {"x": [2, 8]}, initializers=[W], functions=[layer])
    workload = load(save(proto, tmp_path))
    assert [(o.kind, o.count) for o in workload.operators] == [("linear", 2), ("activation", 2)]
    assert not workload.unmodelled


def test_functions_that_explode_or_call_themselves_are_refused(tmp_path: Path) -> None:
    helper = onnx.helper
    opset = [helper.make_opsetid("", 21), helper.make_opsetid("com.example", 1)]

    def call(callee: str) -> Any:
        return [node(callee, "a", "m", domain="com.example"), node(callee, "m", "c", domain="com.example")]

    functions = [
        helper.make_function("com.example", f"F{depth}", ["a"], ["c"], call(f"F{depth + 1}"), opset)
        for depth in range(40)
    ]
    functions.append(helper.make_function("com.example", "F40", ["a"], ["c"], [node("Relu", "a", "c")], opset))
    start = [node("F0", "x", "y", domain="com.example")]
    with pytest.raises(InputError, match="has more than 100000 nodes"):
        load(save(model(start, {"x": [2, 8]}, functions=functions), tmp_path))
    functions[-1] = helper.make_function("com.example", "F40", ["a"], ["c"], call("F0"), opset)
    with pytest.raises(InputError, match="function 'F0' calls itself"):
        load(save(model(start, {"x": [2, 8]}, functions=functions), tmp_path))
