from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwexplore.workloads import Operator
from hwexplore.workloads.attention import Attention, LatentAttention
from hwexplore.workloads.passes import Pass

GROUPED = Attention(heads=8, kv_heads=2, head_dim=16, rotary=16)
LATENT = LatentAttention(heads=8, head_dim=12, rotary=4, value_dim=10, kv_rank=16, query_rank=24)
HIDDEN = 64


def rows(
    attention: Attention | LatentAttention, *, phase: str = "decode", batch: int = 1, context: int = 64
) -> dict[str, Operator]:
    run = (Pass.prefill if phase == "prefill" else Pass.decode)(batch, context)
    return {operator.name: operator for operator in attention.operators(run, HIDDEN)}


def test_a_pass_processes_tokens() -> None:
    assert Pass.decode(3, 32).tokens == 3
    assert Pass.prefill(3, 32).tokens == 96


def test_grouped_heads_read_keys_and_values_once() -> None:
    grouped, separate = rows(GROUPED), rows(replace(GROUPED, kv_heads=8))
    for name in ("qk_matmul", "sv_matmul"):
        assert grouped[name].kv_elements == 2 * 64 * 16
        assert separate[name].kv_elements == 8 * 64 * 16
        assert grouped[name].macs == separate[name].macs
        assert grouped[name].m == 4
        assert grouped[name].activation_elements == separate[name].activation_elements


def test_dimensions() -> None:
    prefill = rows(GROUPED, phase="prefill", batch=3, context=32)
    qk, sv = prefill["qk_matmul"], prefill["sv_matmul"]
    assert (qk.batch, qk.m, qk.n, qk.k) == (3 * 2, 32 * 4, 32, 16)
    assert (sv.batch, sv.m, sv.n, sv.k) == (3 * 2, 32 * 4, 16, 32)


def test_decode_attends_the_window_and_prefill_reads_all_keys() -> None:
    local = replace(GROUPED, window=16)
    decode, prefill = rows(local), rows(local, phase="prefill")
    assert decode["qk_matmul"].n == prefill["qk_matmul"].n == 16
    assert decode["qk_matmul"].kv_elements == 2 * 16 * 16
    assert prefill["qk_matmul"].kv_elements == rows(GROUPED, phase="prefill")["qk_matmul"].kv_elements
    assert rows(local, context=16) == rows(GROUPED, context=16)


def test_rotation_of_a_part_of_each_head() -> None:
    assert rows(GROUPED)["rotary"].n == 10 * 16
    assert rows(replace(GROUPED, rotary=4))["rotary"].n == 10 * 4
    assert "rotary" not in rows(replace(GROUPED, rotary=0))


def test_norms_of_queries_and_keys() -> None:
    norm = rows(replace(GROUPED, qk_norm_parameters=32), batch=3)["qk_norm"]
    assert (norm.kind, norm.m, norm.n) == ("norm", 3, 10 * 16)
    assert "qk_norm" not in rows(GROUPED)


def test_a_sink_is_one_more_column_of_the_softmax() -> None:
    sinks = replace(GROUPED, sinks=True)
    assert rows(sinks)["softmax"].n == rows(GROUPED)["softmax"].n + 1
    assert rows(sinks)["sv_matmul"] == rows(GROUPED)["sv_matmul"]
    assert sinks.parameters(HIDDEN) == GROUPED.parameters(HIDDEN) + 8


def test_soft_capping_touches_every_score() -> None:
    capped = rows(replace(GROUPED, softcap=True), batch=2)["softcap"]
    assert capped.output_elements == capped.activation_elements == 2 * 8 * 64
    assert capped.vector_ops == 3 * 2 * 8 * 64


def test_latent_attention_in_decode_attends_the_compressed_cache() -> None:
    decode = rows(LATENT, batch=3)
    qk, sv = decode["qk_matmul"], decode["sv_matmul"]
    assert (qk.batch, qk.m, qk.n, qk.k) == (3, 8, 64, 16 + 4)
    assert (sv.batch, sv.m, sv.n, sv.k) == (3, 8, 16, 64)
    assert qk.kv_elements == 3 * 64 * (16 + 4)
    assert sv.kv_elements == 3 * 64 * 16
    assert decode["kv_a_proj"].kv_elements == 3 * (16 + 4)
    assert (decode["k_b_proj"].batch, decode["k_b_proj"].m, decode["v_b_proj"].m) == (8, 3, 3)


def test_latent_attention_in_prefill_expands_keys_and_values() -> None:
    prefill = rows(LATENT, phase="prefill", batch=3, context=32)
    qk, sv = prefill["qk_matmul"], prefill["sv_matmul"]
    assert (qk.batch, qk.m, qk.n, qk.k) == (3 * 8, 32, 32, 12 + 4)
    assert (sv.batch, sv.m, sv.n, sv.k) == (3 * 8, 32, 10, 32)
    assert qk.kv_elements == prefill["k_b_proj"].kv_elements + 3 * 32 * 4
    assert sv.kv_elements == prefill["v_b_proj"].kv_elements == 3 * 32 * 8 * 10


@pytest.mark.parametrize("query_rank", [0, 24])
def test_both_ways_read_the_same_weights(query_rank: int) -> None:
    latent = replace(LATENT, query_rank=query_rank)
    decode, prefill = rows(latent), rows(latent, phase="prefill")
    assert set(decode) == set(prefill)
    for name, row in decode.items():
        assert row.weight_elements == prefill[name].weight_elements


def test_absorbed_matrices_give_the_outputs_of_the_definition() -> None:
    """Latent attention carried out both ways in NumPy: the same outputs, through arrays of the operators' shapes."""
    rng = np.random.default_rng(0)
    heads, dim, rotary, value, rank, context = 8, 12, 4, 10, 16, 64
    query, query_rotated = rng.normal(size=(heads, dim)), rng.normal(size=(heads, rotary))
    latent, shared = rng.normal(size=(context, rank)), rng.normal(size=(context, rotary))
    up_key, up_value = rng.normal(size=(heads, rank, dim)), rng.normal(size=(heads, rank, value))

    keys, values = latent @ up_key, latent @ up_value
    scores = np.einsum("hd,hcd->hc", query, keys) + query_rotated @ shared.T
    expanded = np.einsum("hc,hcv->hv", scores, values)

    decode = rows(LATENT)
    absorbed = np.einsum("hd,hrd->hr", query, up_key)
    assert absorbed.size == decode["k_b_proj"].output_elements
    compressed = np.concatenate([absorbed, query_rotated], axis=1) @ np.concatenate([latent, shared], axis=1).T
    assert compressed.shape == (decode["qk_matmul"].m, decode["qk_matmul"].n)
    mixed = compressed @ latent
    assert mixed.shape == (decode["sv_matmul"].m, decode["sv_matmul"].n)
    outputs = np.einsum("hr,hrv->hv", mixed, up_value)
    assert outputs.size == decode["v_b_proj"].output_elements == decode["out_proj"].k
    np.testing.assert_allclose(outputs, expanded)
