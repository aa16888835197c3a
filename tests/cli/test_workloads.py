"""``hwexplore workloads``."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.workloads import Policy

Run = Callable[..., tuple[int, str, str]]
BYTES = ["weight_bytes", "activation_bytes", "output_bytes", "kv_bytes"]


def show(run: Run, *arguments: object) -> dict[str, Any]:
    code, out, err = run("workloads", "show", *arguments, "--json")
    assert (code, err) == (0, "")
    return dict(json.loads(out))


def test_list(run: Run) -> None:
    rows = json.loads(run("workloads", "list", "--json")[1])
    assert [row["name"] for row in rows] == workloads.names()
    out = run("workloads", "list")[1]
    assert all(name in out for name in workloads.names())


@pytest.mark.parametrize("name", ["smollm2-135m", "mobilenet-v2", "vit-b-32"])
def test_text(name: str, run: Run) -> None:
    code, out, err = run("workloads", "show", name)
    assert (code, err) == (0, "")
    workload = workloads.load(name)
    assert out.startswith(f"{workload.setting}, fp16/fp16/fp16: {workload.parameters:,} parameters")
    assert all(operator.name in out for operator in workload.operators)
    assert "all of them: " in out
    assert "not modelled" not in out


def test_json_is_the_table_and_its_sums(run: Run) -> None:
    options = ("--phase", "prefill", "--batch", 2, "--context", 16, "--policy", "int4_g128/int8/int8")
    facts = show(run, "llama-2-7b", *options)
    workload = workloads.load("llama-2-7b", phase="prefill", batch=2, context=16)
    frame = workload.to_frame(Policy.parse("int4_g128/int8/int8"))
    table = pd.DataFrame(facts["operators"])
    pd.testing.assert_frame_equal(table[frame.columns], frame, check_dtype=False)
    moved = table[BYTES].sum(axis=1)
    assert (table["intensity"] * moved).tolist() == pytest.approx((2 * table["macs"] + table["vector_ops"]).tolist())
    totals = facts["totals"]
    assert totals["macs"] == (table["count"] * table["macs"]).sum()
    assert totals["bytes"] == (table["count"] * moved).sum() == sum(totals[name] for name in BYTES)
    assert totals["intensity"] == pytest.approx((2 * totals["macs"] + totals["vector_ops"]) / totals["bytes"])
    assert (facts["phase"], facts["batch"], facts["context"]) == ("prefill", 2, 16)
    assert facts["not_modelled"] == []


def test_csv(run: Run) -> None:
    code, out, err = run("workloads", "show", "resnet-18", "--batch", 3, "--policy", "int8/int8/int8", "--csv")
    assert (code, err) == (0, "")
    rows = list(csv.DictReader(io.StringIO(out)))
    workload = workloads.load("resnet-18", batch=3)
    assert [row["name"] for row in rows] == [operator.name for operator in workload.operators]
    assert [float(row["macs"]) for row in rows] == [operator.macs for operator in workload.operators]


@pytest.fixture
def graphs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Saves models in the current folder."""
    graphs = pytest.importorskip("onnx_graphs")
    monkeypatch.chdir(tmp_path)
    return graphs


def test_open_dimensions(graphs: Any, run: Run) -> None:
    layer = [graphs.node("MatMul", "x w", "y")]
    proto = graphs.model(layer, {"x": ["batch", "n=1", 8]}, initializers=[graphs.weights("w", 8, 4)])
    graphs.save(proto, Path())
    assert run("workloads", "show", "model.onnx") == (
        2,
        "",
        "hwexplore: model.onnx leaves dimensions open: batch, n=1; give each a size, as in batch=1.\n",
    )
    facts = show(run, "model.onnx", "--dim", "batch=3", "--dim", "n=1=5")
    assert facts["operators"][0]["m"] == 15
    assert (facts["phase"], facts["batch"], facts["policy"]) == ("inference", 3, "fp16/fp16/fp16")
    code, out, _ = run(
        "roofline", "model.onnx", "--accelerator", "a100", "--dim", "batch=3", "--dim", "n=1=5", "--json"
    )
    assert (code, json.loads(out)["phase"], json.loads(out)["batch"]) == (0, "inference", 3)


def test_the_graphs_own_policy_is_the_default(graphs: Any, run: Run) -> None:
    quantized = [graphs.weights("w", 8, 4, type=graphs.INT8), graphs.weights("s", 4)]
    layer = [graphs.node("DequantizeLinear", "w s", "d", axis=1), graphs.node("MatMul", "x d", "y")]
    graphs.save(graphs.model(layer, {"x": [1, 8]}, initializers=quantized), Path())
    own = show(run, "model.onnx")
    assert own["policy"] == "int8_channel>fp32/fp32/fp32"
    assert own["totals"]["weight_bytes"] == 32
    assert show(run, "model.onnx", "--policy", "int4/fp16/fp16")["totals"]["weight_bytes"] == 16
    code, out, _ = run("roofline", "model.onnx", "--accelerator", "a100", "--json")
    assert (code, json.loads(out)["policy"]) == (0, "int8_channel>fp32/fp32/fp32")


def test_what_is_not_modelled_is_listed_with_its_shares(graphs: Any, run: Run) -> None:
    body = graphs.graph(
        [graphs.node("MatMul", "h w", "after"), graphs.node("Identity", "go", "still")],
        [graphs.tensor("i", [], graphs.INT64), graphs.tensor("go", [], graphs.BOOL), graphs.tensor("h", None)],
        ["still", "after"],
    )
    nodes = [
        graphs.node("MatMul", "x w", "a"),
        graphs.node("TopK", "a one", "b indices"),
        graphs.node("Loop", "trips - a", "y", body=body),
        graphs.node("Special", "y", "z", domain="com.example"),
    ]
    proto = graphs.model(nodes, {"x": [3, 8]}, ["z"], [graphs.weights("w", 8, 8), graphs.constant("one", [1])])
    proto.graph.input.append(graphs.tensor("trips", [], graphs.INT64))
    graphs.save(proto, Path())
    top, loop, special = show(run, "model.onnx")["not_modelled"]
    assert (top["name"], top["op_type"], top["macs_share"]) == ("b", "TopK", None)
    moved = 2 * (24 + 1 + 3 + 3)
    assert top["bytes"] == moved
    assert top["bytes_share"] == pytest.approx(moved / (moved + 2 * (24 + 64 + 24)))
    assert (loop["macs"], loop["macs_share"], loop["bytes_share"]) == (192, 0.5, None)
    assert (special["op_type"], special["macs"], special["bytes"]) == ("com.example.Special", None, None)
    out = run("workloads", "show", "model.onnx")[1]
    assert "not modelled: 3 nodes, and their shares" in out
    assert "com.example.Special" in out
    assert "unknown" in out
    code, out, err = run("workloads", "show", "model.onnx", "--strict")
    assert (code, out) == (2, "")
    assert err == (
        "hwexplore: model.onnx has 3 nodes that are not modelled, the first TopK 'b': "
        "operator type TopK is not modelled.\n"
    )


def test_strict_accepts_what_is_whole(run: Run) -> None:
    assert run("workloads", "show", "resnet-18", "--strict")[0] == 0


def test_names_cannot_mark_up_the_terminal(graphs: Any, run: Run) -> None:
    nodes = [graphs.node("Relu", "x", "y", name="[bold red]x[/]\x1b[31m")]
    graphs.save(graphs.model(nodes, {"x": [4]}), Path())
    out = run("workloads", "show", "model.onnx")[1]
    assert "[bold red]x[/]_[31m" in out
    assert "\x1b" not in out


def test_explore_and_explain_a_graph(graphs: Any, run: Run, space: Path) -> None:
    layer = [graphs.node("Conv", "x w", "c", pads=[1, 1, 1, 1]), graphs.node("Relu", "c", "y")]
    proto = graphs.model(layer, {"x": ["batch", 16, 14, 14]}, initializers=[graphs.weights("w", 32, 16, 3, 3)])
    graphs.save(proto, Path())
    options = ("--space", space, "--dim", "batch=2", "--out", "run.parquet", "--json")
    code, out, _ = run("explore", "model.onnx", *options)
    front = json.loads(out)
    assert (code, front["phase"], front["batch"], front["dims"]) == (0, "inference", 2, {"batch": 2})
    code, out, _ = run("explain", "row:0", "--from", "run.parquet", "--json")
    facts = json.loads(out)
    assert code == 0
    assert facts["operators"]["name"] == ["c", "y"]
    assert facts["operators"]["macs"][0] == 2 * 14 * 14 * 32 * 16 * 9
    assert facts["operators"]["unit"] == ["array", "vector unit"]
    assert facts["metrics"]["tokens_per_s"] == pytest.approx(2 / facts["metrics"]["latency_s"])
    again = run("explain", facts["id"], "--workload", "model.onnx", "--dim", "batch=2", "--space", space, "--json")
    assert json.loads(again[1])["metrics"] == facts["metrics"]
