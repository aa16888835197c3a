from __future__ import annotations

from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.accelerator import Choices, Model, mapping
from hwexplore.errors import InputError
from hwexplore.technology import Technology
from hwexplore.workloads import Operator, Workload
from hwexplore.workloads.fusion import CHAINS, IN_PLACE, KV_BLOCK, STARTS, fuse

LANGUAGE = [name for name in workloads.names() if workloads.load(name).phase != "inference"]


def rows(workload: Workload) -> dict[str, Operator]:
    return {operator.name: operator for operator in workload.operators}


def moved(workload: Workload) -> dict[str, tuple[float, float]]:
    """What each operator reads and writes of activations."""
    return {row.name: (row.activation_elements, row.output_elements) for row in workload.operators}


def test_every_tensor_of_a_layer() -> None:
    """Llama, 16 tokens: h hidden, w width, s scores of 32 heads; by hand from what has to come and go."""
    h, w, s, vocabulary = 16 * 4096, 16 * 11008, 32 * 16 * 16, 32000
    plain = workloads.load("llama-2-7b", phase="prefill", context=16)
    assert moved(fuse(plain, ["attention", "elementwise"])) == {
        "embedding": (0, h),
        "attn_norm": (0, h),
        "q_proj": (h, h),
        "k_proj": (h, 0),
        "v_proj": (h, 0),
        "rotary": (0, 0),
        "qk_matmul": (h, 0),
        "softmax": (0, 0),
        "sv_matmul": (0, h),
        "out_proj": (h, 0),
        "attn_add": (h, h),
        "mlp_norm": (0, h),
        "gate_proj": (h, 0),
        "up_proj": (h, 0),
        "mlp_act": (0, w),
        "down_proj": (w, 0),
        "mlp_add": (h, h),
        "final_norm": (0, h),
        "lm_head": (4096, vocabulary),
    }
    only_attention = moved(fuse(plain, ["attention"]))
    assert only_attention == moved(plain) | {
        "qk_matmul": (h, 0),
        "softmax": (0, 0),
        "sv_matmul": (0, h),
    }
    without = moved(fuse(plain, ["elementwise"]))
    assert (without["qk_matmul"], without["softmax"], without["sv_matmul"]) == ((h, 0), (0, s), (s, h))


@pytest.mark.parametrize("phase", ["decode", "prefill", "chat(24, 8, recent=4)"])
@pytest.mark.parametrize("name", LANGUAGE)
def test_what_is_read_was_written(name: str, phase: str) -> None:
    """Work and weights stay, traffic only shrinks, and nothing is read that fusion did not leave in memory."""
    plain = workloads.load(name, phase=phase, batch=2, context=32)
    fused = fuse(plain)
    assert fused.fused == ("attention", "elementwise")
    for before, after in zip(plain.operators, fused.operators, strict=True):
        assert (before.name, before.macs, before.count) == (after.name, after.macs, after.count)
        assert (before.weight_elements, before.kv_elements) == (after.weight_elements, after.kv_elements)
        assert 0 <= after.activation_elements <= before.activation_elements
        assert after.output_elements in (0, before.output_elements)
        assert before.name.endswith("softmax") or before.vector_ops == after.vector_ops

    def traffic(workload: Workload, tensor: str) -> float:
        return float(sum(row.count * getattr(row, f"{tensor}_elements") for row in workload.operators))

    saved_writes = traffic(plain, "output") - traffic(fused, "output")
    saved_reads = traffic(plain, "activation") - traffic(fused, "activation")
    started = sum(row.count * row.activation_elements for row in plain.operators if row.name.split(".")[-1] in STARTS)
    cached = sum(row.count * row.activation_elements for row in plain.operators if row.name.split(".")[-1] in IN_PLACE)
    assert saved_writes <= saved_reads <= saved_writes + started + cached
    assert fuse(fused) == fused
    by_turns = fuse(fuse(plain, ["elementwise"]), ["attention"])
    assert by_turns.operators == fused.operators


def test_every_name_exists() -> None:
    known = set()
    for name in LANGUAGE:
        for phase in ("decode", "prefill", "decode(recent=4)"):
            known |= {row.name for row in workloads.load(name, phase=phase, context=32).operators}
    assert {name for chain in CHAINS for link in chain for name in link} - {"shared_mlp_sub_norm"} <= known
    assert {*IN_PLACE, *STARTS} <= known


def test_the_running_maximum_and_sum_against_an_online_softmax() -> None:
    """FlashAttention-2, algorithm 1, carried out for one query with every operation counted."""
    rng = np.random.default_rng(0)
    keys, width = 3 * KV_BLOCK - 20, 8
    scores, values = rng.normal(size=keys), rng.normal(size=(keys, width))
    operations, best, total, outputs = 0, -np.inf, 0.0, np.zeros(width)
    for first in range(0, keys, KV_BLOCK):
        block = scores[first : first + KV_BLOCK]
        operations += 4 * block.size  # maximum, difference, exponential, sum
        higher = max(best, block.max())
        weights = np.exp(block - higher)
        if first:
            operations += 5 + width  # maximum of both, difference, exponential, product and addition; outputs scaled
            total *= np.exp(best - higher)
            outputs *= np.exp(best - higher)
        best, total, outputs = higher, total + weights.sum(), outputs + weights @ values[first : first + KV_BLOCK]
    operations += width
    exact = np.exp(scores - scores.max())
    np.testing.assert_allclose(outputs / total, exact / exact.sum() @ values)

    plain = workloads.load("llama-2-7b", context=keys)
    softmax = rows(fuse(plain, ["attention"]))["softmax"]
    assert softmax.vector_ops == 32 * (operations + (ceil(keys / KV_BLOCK) - 1 + 1) * (128 - width))


def test_softmax_without_attention_keeps_its_operations() -> None:
    plain = workloads.load("llama-2-7b", context=100)
    assert rows(fuse(plain, ["elementwise"]))["softmax"].vector_ops == rows(plain)["softmax"].vector_ops


def attention(nangate45: Technology, policy: str, sram_bytes: float, fused: tuple[str, ...]) -> tuple[Model, Any]:
    queries, head = 1024, 64
    operators = [
        row
        for row in workloads.load("opt-125m", phase="prefill", context=queries, fuse=fused).operators
        if row.name in ("qk_matmul", "softmax", "sv_matmul")
    ]
    assert (operators[0].m, operators[0].n, operators[0].k) == (queries, queries, head)
    workload = Workload(
        name="attention",
        phase="prefill",
        batch=1,
        context=queries,
        operators=tuple(operators),
        parameters=1,
        active_parameters=1,
    )
    design = {"vector_lanes": 16, "dram": "hbm2", "channels": 1, "clock_mhz": 100, "voltage": 1.1, "dataflow": "os"}
    design |= {"pe": "mac(fp16, fp16, acc=fp32)", "rows": 4, "cols": 4, "policy": policy, "sram_kib": sram_bytes / 1024}
    model = Model(workload, nangate45, Choices({name: [value] for name, value in design.items()}))
    return model, {name: np.array([0]) for name in design}


@pytest.mark.parametrize("tile", [64, 128, 256])
def test_keys_and_values_are_read_for_every_tile_of_queries(
    tile: int, nangate45: Technology, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The IO of FlashAttention-2 per head: queries and outputs once, keys and values once for each tile of queries."""
    monkeypatch.setattr(mapping, "STREAMED", 1e-9)  # steps as short as they can be, so that the buffer is all queries
    queries, head, heads = 1024, 64, 12
    # queries stay beside a step of 4 keys and its scores; outputs in FP32 stay beside a step of one value
    half = max(tile * head * 2 + 4 * head * 2 + tile * 4 * 4, tile * head * 4 + head * 2 + tile * 2)
    model, index = attention(nangate45, "fp16/fp16/fp16", 2 * half, ("attention",))
    found, breakdown = model.mapper.tiling(index), model.breakdown(index)
    assert found.tile_m[0, 2] == tile
    tensor = heads * queries * head * 2
    tiles = (queries / found.tile_m[0, 0], queries / found.tile_m[0, 2])
    assert breakdown.traffic_bytes[0].tolist() == [
        pytest.approx(tensor * (1 + ceil(tiles[0]))),
        0,
        pytest.approx(tensor * (1 + ceil(tiles[1]))),
    ]
    assert ceil(tiles[0]) <= ceil(tiles[1]) == queries / tile
    plain, index = attention(nangate45, "fp16/fp16/fp16", 2 * half, ())
    scores = heads * queries * queries * 2
    assert plain.breakdown(index).traffic_bytes[0].sum() >= breakdown.traffic_bytes[0].sum() + 4 * scores - 2 * tensor


def test_probabilities_on_chip_take_buffer_and_are_quantized(nangate45: Technology) -> None:
    model, _ = attention(nangate45, "int8/int8/int8", 2**20, ("attention",))
    ops = model.operators
    assert ops.a_bytes[0, 2] == 0
    assert ops.a_width[0].tolist() == [1, 0, 1]
    plain, _ = attention(nangate45, "int8/int8/int8", 2**20, ())
    scores = 12 * 1024 * 1024
    assert ops.vector_ops[0, 2] - plain.operators.vector_ops[0, 2] == 3 * scores
    # neither the scores are quantized, nor the probabilities twice
    assert plain.operators.vector_ops[0].sum() - ops.vector_ops[0].sum() >= 3 * scores


def test_fusing_nothing_changes_nothing() -> None:
    plain = workloads.load("llama-2-7b")
    assert fuse(plain, []) == plain
    assert workloads.load("llama-2-7b", fuse=["attention", "attention"]).fused == ("attention",)
    assert fuse(plain, ["elementwise"]).setting.endswith("context 2048, fused elementwise")


def test_experts_write_what_their_sum_reads() -> None:
    fused = rows(workloads.load("deepseek-v2", context=32, fuse=["elementwise"]))
    plain = rows(workloads.load("deepseek-v2", context=32))
    hidden = plain["expert_sum"].output_elements
    assert fused["down_proj"].output_elements == plain["down_proj"].output_elements > 0
    assert fused["shared_down_proj"].output_elements == 0
    assert fused["expert_sum"].activation_elements == plain["expert_sum"].activation_elements - hidden
    assert fused["expert_sum"].output_elements == 0
    assert fused["mlp_add"].activation_elements == hidden


@pytest.mark.parametrize(("name", "phase"), [("resnet-18", "decode"), ("llama-2-7b", " training")])
def test_what_cannot_be_fused(name: str, phase: str) -> None:
    with pytest.raises(InputError, match=r"fuse is attention, but .* keeps its tensors apart; expected a language"):
        workloads.load(name, phase=phase, context=16, fuse=["attention"])


def test_unknown_fusion() -> None:
    with pytest.raises(InputError, match="unknown fusion 'atention'; did you mean attention"):
        workloads.load("llama-2-7b", fuse=["atention"])


def test_graphs_are_not_fused(tmp_path: Path) -> None:
    graphs = pytest.importorskip("onnx_graphs")
    layer = [graphs.node("MatMul", "x w", "y")]
    path = graphs.save(graphs.model(layer, {"x": [2, 8]}, initializers=[graphs.weights("w", 8, 4)]), tmp_path)
    with pytest.raises(InputError, match="keeps its tensors apart"):
        workloads.load(path, fuse=["elementwise"])
    with pytest.raises(InputError, match="has no experts to choose from"):
        workloads.load(path, expert_skew=1)
