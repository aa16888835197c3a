from __future__ import annotations

from pathlib import Path

from onnx_graphs import model, node, save

from hwexplore.workloads import Policy, load
from hwexplore.workloads.onnx.names import Names


def test_names_are_unique_and_not_those_of_kinds() -> None:
    names = Names()
    assert [names.unique(name) for name in ("a", "a", "conv", "a", "a#2", "")] == [
        *("a", "a#2", "conv#2", "a#3", "a#2#2", "node")
    ]


def test_names_are_printable_and_short() -> None:
    names = Names()
    assert names.unique("\x1b[31mred\n; rm\u2028") == "_[31mred__ rm_"
    assert len(names.unique("x" * 10_000)) == 120


def test_every_name_selects_its_operator(tmp_path: Path) -> None:
    """A name of the file, with what policies are spelt with, goes through a policy's text."""
    hostile = "<img src=x onerror=alert(1)>;weights/activations=int4"
    proto = model([node("Relu", "x", "a", name=hostile), node("Sigmoid", "a", "y")], {"x": [4]})
    workload = load(save(proto, tmp_path))
    first = workload.operators[0]
    assert first.name == hostile.replace(";", "_")
    policy = Policy.parse(str(Policy(overrides={first.name: {"activations": "int4"}})))
    assert [str(operands.activations) for operands in workload.operands(policy)] == ["int4", "fp16"]
