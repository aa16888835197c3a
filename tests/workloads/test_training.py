from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwexplore.workloads import Operator, Policy, load
from hwexplore.workloads.primitives import elementwise, linear, lookup, matmul
from hwexplore.workloads.training import adam, backward


def rows(operator: Operator) -> dict[str, Operator]:
    return {row.name: row for row in backward([operator])}


def test_both_gradients_of_a_linear_layer() -> None:
    """NumPy's arrays of a layer and its gradients have the shapes and sizes of the operators."""
    rng = np.random.default_rng(0)
    x, w, dy = rng.normal(size=(6, 4)), rng.normal(size=(4, 3)), rng.normal(size=(6, 3))
    forward = linear("proj", 6, 3, 4, bias=True)
    gradients = rows(forward)
    for name, a, b in (("dgrad.proj", dy, w.T), ("wgrad.proj", x.T, dy)):
        row = gradients[name]
        assert ((row.m, row.k), (row.k, row.n)) == (a.shape, b.shape)
        assert row.activation_elements == a.size
        assert row.weight_elements + row.kv_elements == b.size
        assert row.macs == forward.macs
    assert gradients["dgrad.proj"].output_elements == x.size
    assert gradients["wgrad.proj"].output_elements == 0


def test_both_gradients_of_attention() -> None:
    forward = matmul("qk_matmul", 5, 6, 7, 4, cached=5 * 7 * 4)
    dgrad, wgrad = rows(forward).values()
    assert (dgrad.m, dgrad.n, dgrad.k) == (6, 4, 7)
    assert (dgrad.activation_elements, dgrad.kv_elements, dgrad.output_elements) == (5 * 6 * 7, 5 * 7 * 4, 5 * 6 * 4)
    assert (wgrad.m, wgrad.n, wgrad.k) == (4, 7, 6)
    assert (wgrad.activation_elements, wgrad.kv_elements, wgrad.output_elements) == (5 * 6 * 4, 5 * 6 * 7, 5 * 7 * 4)


@pytest.mark.parametrize("m", [0.3, 1, 7.4, 100.5])
def test_experts_share_a_fractional_number_of_tokens(m: float) -> None:
    forward = replace(linear("up_proj", 8, 3, 4, batch=8), m=m)
    wgrad = rows(forward)["wgrad.up_proj"]
    assert wgrad.k == max(1, round(m))
    assert wgrad.macs == pytest.approx(forward.macs)


def test_elementwise_operators() -> None:
    act = rows(elementwise("act", "activation", 6, 4, operands=2))["backward.act"]
    assert (act.activation_elements, act.output_elements, act.vector_ops) == (3 * 24, 2 * 24, 2 * 2 * 24)
    add = elementwise("add", "residual", 6, 4, operands=2)
    assert rows(add)["backward.add"] == replace(add, name="backward.add")
    table = rows(replace(lookup("embedding", 6, 4), count=2))["backward.embedding"]
    assert (table.count, table.activation_elements, table.output_elements, table.vector_ops) == (2, 48, 24, 24)


def test_adam_moves_34_bytes_per_parameter_with_bf16_weights() -> None:
    update = adam(1000)
    operands = Policy(weights="bf16", activations="e4m3").operands(update)
    assert str(operands.activations) == "fp32"
    moved = 4 * (update.activation_elements + update.output_elements) + 2 * update.weight_elements
    assert moved == 34 * 1000
    assert update.vector_ops == 12 * 1000
    overridden = Policy(overrides={"optimizer": {"activations": "bf16"}}).operands(update)
    assert str(overridden.activations) == "bf16"


def test_memory_holds_weights_optimizer_and_activations() -> None:
    """ZeRO (arXiv 1910.02054, section 3.1): 2 bytes of weights and 12 of Adam's; gradients are in FP32 here."""
    workload = load("smollm2-135m", phase="training", context=64)
    state = workload.resident_bytes(Policy()) - 2 * workload.cache_elements
    assert state == pytest.approx((2 + 12 + 4) * workload.parameters)


def test_formats_of_fp8_training() -> None:
    """E4M3 forward, E5M2 gradients in the operand where each product reads them (arXiv 2209.05433)."""
    workload = load("smollm2-135m", phase="training", context=64)
    policy = Policy.parse("e4m3/e4m3/e4m3;dgrad=/e5m2/;wgrad=//e5m2")
    for row, operands in zip(workload.operators, workload.operands(policy), strict=True):
        label = row.name.partition(".")[0]
        assert str(operands.weights) == "e4m3"
        if row.is_gemm:
            assert str(operands.activations) == ("e5m2" if label == "dgrad" else "e4m3")
            assert str(operands.kv_cache) == ("e5m2" if label == "wgrad" else "e4m3")
