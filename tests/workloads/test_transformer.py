from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.workloads import Operator
from hwexplore.workloads.transformer import Transformer

TINY = Transformer(
    hidden=64,
    intermediate=96,
    layers=4,
    heads=8,
    kv_heads=2,
    head_dim=16,
    vocabulary=100,
    embedding=64,
    tied=False,
)
ENDS = {"embedding", "position_embedding", "project_in", "final_norm", "project_out", "lm_head"}


@st.composite
def transformers(draw: st.DrawFn) -> Transformer:
    size = st.integers(1, 40)
    hidden, kv_heads = draw(size), draw(st.integers(1, 4))
    experts = draw(st.sampled_from([1, 1, 4, 8]))
    layers = draw(size)
    positions = draw(st.sampled_from([0, 1024]))
    return Transformer(
        hidden=hidden,
        intermediate=draw(size),
        layers=layers,
        heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        head_dim=draw(size),
        vocabulary=draw(size),
        embedding=draw(st.just(hidden) | size),
        tied=draw(st.booleans()),
        positions=positions,
        spare_positions=2 if positions else 0,
        qkv_bias=draw(st.booleans()),
        out_bias=draw(st.booleans()),
        mlp_bias=draw(st.booleans()),
        gated=draw(st.booleans()),
        experts=experts,
        experts_per_token=draw(st.integers(1, experts)),
        window=draw(size),
        local_layers=draw(st.integers(0, layers)),
        norm_vectors=draw(st.integers(0, 2)),
        final_norm=draw(st.booleans()),
        sub_norms=draw(st.booleans()),
        post_norms=draw(st.booleans()),
    )


def by_name(model: Transformer, *, phase: str = "decode", batch: int = 1, context: int = 64) -> dict[str, Operator]:
    return {operator.name: operator for operator in model.operators(phase=phase, batch=batch, context=context)}


@given(transformers())
def test_decode_reads_every_active_parameter_but_tables_and_norms(model: Transformer) -> None:
    """The operators and the parameter count are derived apart; they must tell of the same tensors."""
    operators = model.operators(phase="decode", batch=1, context=64)
    norms = model.norm_vectors * sum(row.count * row.n for row in operators if row.kind == "norm")
    tables = 0 if model.tied else model.vocabulary * model.embedding
    if model.positions:
        tables += (model.positions + model.spare_positions) * model.hidden
    read = sum(row.count * row.weight_elements for row in operators if row.kind == "linear")
    assert read + norms + tables == pytest.approx(model.active_parameters, rel=1e-12)


@given(transformers(), st.integers(1, 5))
def test_decode_and_prefill_of_one_token_are_the_same(model: Transformer, batch: int) -> None:
    sizes = {"batch": batch, "context": 1}
    assert model.operators(phase="decode", **sizes) == model.operators(phase="prefill", **sizes)


@given(transformers(), st.integers(1, 5), st.integers(1, 100), st.sampled_from(["prefill", "decode"]))
def test_dimensions_explain_the_element_counts(model: Transformer, batch: int, context: int, phase: str) -> None:
    for row in model.operators(phase=phase, batch=batch, context=context):
        outputs = row.batch * row.m * row.n
        written = row.output_elements + (row.kv_elements if row.name in ("k_proj", "v_proj") else 0)
        assert written == pytest.approx(outputs)
        if row.is_gemm:
            assert row.macs == pytest.approx(outputs * row.k)
            assert row.activation_elements == pytest.approx(row.batch * row.m * row.k)
            assert row.vector_ops == 0
        else:
            assert row.macs == row.k == row.kv_elements == 0
        if row.kind == "attention":
            assert row.weight_elements == 0
            assert row.kv_elements >= row.batch * row.n * row.k


@given(transformers(), st.integers(1, 4), st.sampled_from(["prefill", "decode"]))
def test_layers_fold(model: Transformer, factor: int, phase: str) -> None:
    """More layers change the counts of what layers hold, and nothing else."""
    model = replace(model, local_layers=0)
    more = replace(model, layers=factor * model.layers)
    pairs = zip(
        model.operators(phase=phase, batch=2, context=64), more.operators(phase=phase, batch=2, context=64), strict=True
    )
    for few, many in pairs:
        assert many == replace(few, count=few.count if few.name in ENDS else factor * few.count)


@given(transformers(), st.integers(2, 6))
def test_batch_scales_all_but_weights(model: Transformer, batch: int) -> None:
    model = replace(model, experts=1, experts_per_token=1)
    one, many = by_name(model), by_name(model, batch=batch)
    for name, row in one.items():
        scaled = many[name]
        for field in ("macs", "activation_elements", "kv_elements", "output_elements", "vector_ops"):
            assert getattr(scaled, field) == batch * getattr(row, field)
        if row.kind == "linear":
            assert scaled.weight_elements == row.weight_elements


@given(transformers(), st.integers(1, 200), st.integers(2, 5))
def test_in_decode_only_attention_depends_on_context(model: Transformer, context: int, factor: int) -> None:
    model = replace(model, local_layers=0, positions=0)
    short, long = by_name(model, context=context), by_name(model, context=factor * context)
    for name, row in short.items():
        if name in ("qk_matmul", "sv_matmul", "softmax"):
            assert long[name].macs == factor * row.macs
            assert long[name].kv_elements == factor * row.kv_elements
            assert long[name].vector_ops == factor * row.vector_ops
        else:
            assert long[name] == row


def test_grouped_heads_read_keys_and_values_once() -> None:
    grouped, separate = by_name(TINY), by_name(replace(TINY, kv_heads=TINY.heads))
    for name in ("qk_matmul", "sv_matmul"):
        assert grouped[name].kv_elements == TINY.kv_heads * 64 * TINY.head_dim
        assert separate[name].kv_elements == TINY.heads * 64 * TINY.head_dim
        assert grouped[name].macs == separate[name].macs
        assert grouped[name].m == 4
        assert grouped[name].activation_elements == separate[name].activation_elements


def test_attention_dimensions() -> None:
    prefill = by_name(TINY, phase="prefill", batch=3, context=32)
    qk, sv = prefill["qk_matmul"], prefill["sv_matmul"]
    assert (qk.batch, qk.m, qk.n, qk.k) == (3 * 2, 32 * 4, 32, 16)
    assert (sv.batch, sv.m, sv.n, sv.k) == (3 * 2, 32 * 4, 16, 32)
    assert prefill["lm_head"].m == 3


def test_decode_attends_the_window_and_prefill_reads_all_keys() -> None:
    local = replace(TINY, window=16, local_layers=TINY.layers)
    decode, prefill = by_name(local), by_name(local, phase="prefill")
    assert decode["qk_matmul"].n == prefill["qk_matmul"].n == 16
    assert decode["qk_matmul"].kv_elements == 2 * 16 * 16
    assert prefill["qk_matmul"].kv_elements == by_name(TINY, phase="prefill")["qk_matmul"].kv_elements
    assert by_name(local, context=16) == by_name(TINY, context=16)


def test_alternating_windows_split_the_layers() -> None:
    model = replace(TINY, window=16, local_layers=1)
    rows = [row for row in model.operators(phase="decode", batch=1, context=64) if row.name == "softmax"]
    assert [(row.count, row.n) for row in rows] == [(1, 16), (3, 64)]


@pytest.mark.parametrize(("experts", "chosen", "tokens"), [(4, 2, 1), (4, 2, 3), (4, 1, 4), (5, 3, 2), (3, 3, 2)])
def test_experts_touched_against_enumeration(experts: int, chosen: int, tokens: int) -> None:
    """The mean number of distinct experts over all equally likely choices."""
    choices = [set(choice) for choice in combinations(range(experts), chosen)]
    distinct = np.mean([len(set.union(*run)) for run in product(choices, repeat=tokens)])
    rows = by_name(replace(TINY, experts=experts, experts_per_token=chosen), batch=tokens)
    for name in ("gate_proj", "up_proj", "down_proj"):
        assert rows[name].batch == pytest.approx(distinct)
        assert rows[name].batch * rows[name].m == pytest.approx(tokens * chosen)
        assert rows[name].weight_elements == pytest.approx(distinct * 64 * 96)
        assert rows[name].macs == pytest.approx(tokens * chosen * 64 * 96)
    assert rows["router"].n == rows["router_softmax"].n == experts
    assert rows["expert_sum"].activation_elements == chosen * rows["expert_sum"].output_elements


def test_many_tokens_touch_all_experts() -> None:
    model = replace(TINY, experts=8, experts_per_token=2)
    gate = by_name(model, phase="prefill", context=2048)["gate_proj"]
    assert (gate.batch, gate.m) == (8, 2048 * 2 / 8)


def test_gated_and_plain_mlp() -> None:
    gated, plain = by_name(TINY), by_name(replace(TINY, gated=False))
    assert "gate_proj" in gated
    assert "gate_proj" not in plain
    assert gated["mlp_act"].activation_elements == 2 * 96
    assert plain["mlp_act"].activation_elements == 96


def test_learned_positions_replace_rotary_and_end() -> None:
    model = replace(TINY, positions=64)
    rows = by_name(model)
    assert "rotary" not in rows
    assert rows["position_embedding"].weight_elements == 64
    with pytest.raises(
        InputError, match="context is 65; expected at most 64, the length of the learned position table"
    ):
        by_name(model, context=65)


def test_projected_embeddings() -> None:
    rows = by_name(replace(TINY, embedding=32), phase="prefill", batch=2, context=8)
    assert (rows["project_in"].m, rows["project_in"].n, rows["project_in"].k) == (16, 64, 32)
    assert (rows["project_out"].m, rows["project_out"].n, rows["project_out"].k) == (2, 32, 64)
    assert rows["lm_head"].k == 32


def test_vector_operations_per_element() -> None:
    rows = by_name(TINY, batch=1, context=64)
    assert rows["rotary"].vector_ops == 3 * (8 + 2) * 16
    assert rows["softmax"].vector_ops == 5 * 8 * 64
    assert rows["attn_norm"].vector_ops == 7 * 64
    assert rows["mlp_act"].vector_ops == 2 * 96
    assert rows["attn_add"].vector_ops == 64
    assert rows["embedding"].vector_ops == 0
    chosen = by_name(replace(TINY, experts=4, experts_per_token=3))["expert_sum"]
    assert chosen.vector_ops == (3 + 2) * 64
