from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.workloads import Operator
from hwexplore.workloads.attention import Attention, LatentAttention
from hwexplore.workloads.mlp import Mixture, Mlp
from hwexplore.workloads.passes import Pass
from hwexplore.workloads.transformer import Layer, Transformer

PLAIN = Layer(attention=Attention(heads=8, kv_heads=2, head_dim=16, rotary=16), mlp=Mlp(width=96))
TINY = Transformer(hidden=64, vocabulary=100, embedding=64, tied=False, layers=(PLAIN,) * 4)
ENDS = {"embedding", "position_embedding", "project_in", "final_norm", "project_out", "lm_head", "logit_softcap"}
OWN_NORMS = ("attn_sub_norm", "mlp_sub_norm", "q_a_norm", "kv_a_norm")
"""Norms with a gain only, whatever those of the residual stream have."""

RUNS = {"prefill": Pass.prefill, "decode": Pass.decode}

SIZE = st.integers(1, 40)
FLAG = st.booleans()


@st.composite
def attentions(draw: st.DrawFn) -> Attention:
    kv_heads, head_dim = draw(st.integers(1, 4)), draw(SIZE)
    return Attention(
        heads=kv_heads * draw(st.integers(1, 4)),
        kv_heads=kv_heads,
        head_dim=head_dim,
        rotary=draw(st.integers(0, head_dim)),
        window=draw(st.just(0) | SIZE),
        qkv_bias=draw(FLAG),
        out_bias=draw(FLAG),
        qk_norm_parameters=draw(st.sampled_from([0, 2 * head_dim])),
        sinks=draw(FLAG),
        softcap=draw(FLAG),
        sub_norm=draw(FLAG),
    )


LATENT = st.builds(
    LatentAttention,
    heads=SIZE,
    head_dim=st.integers(2, 40),
    rotary=SIZE,
    value_dim=st.integers(2, 40),
    kv_rank=SIZE,
    query_rank=st.just(0) | SIZE,
    bias=FLAG,
)
MLPS = st.builds(Mlp, width=SIZE, gated=FLAG, bias=FLAG, sub_norm=FLAG)
MIXTURES = st.integers(2, 8).flatmap(
    lambda experts: st.builds(
        Mixture,
        experts=st.just(experts),
        experts_per_token=st.integers(1, experts),
        expert=st.builds(Mlp, width=SIZE, gated=FLAG, bias=FLAG),
        shared=st.none() | st.builds(Mlp, width=SIZE, gated=FLAG, bias=FLAG),
        router_bias=FLAG,
        shared_gate=FLAG,
    )
)
BLOCKS = st.sampled_from(["pre", "post", "sandwich", "parallel", "parallel_two_norms"])


ATTENTIONS = attentions() | LATENT


@st.composite
def transformers(
    draw: st.DrawFn,
    attention: st.SearchStrategy[Attention | LatentAttention] = ATTENTIONS,
    mlp: st.SearchStrategy[Mlp | Mixture] = MLPS | MIXTURES,
) -> Transformer:
    hidden, positions = draw(SIZE), draw(st.sampled_from([0, 1024]))
    kinds = draw(st.lists(st.builds(Layer, attention=attention, mlp=mlp, block=BLOCKS), min_size=1, max_size=3))
    return Transformer(
        hidden=hidden,
        vocabulary=draw(SIZE),
        embedding=draw(st.just(hidden) | SIZE),
        tied=draw(FLAG),
        layers=tuple(draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=9))),
        positions=positions,
        spare_positions=2 if positions else 0,
        norm_vectors=draw(st.integers(0, 2)),
        final_norm=draw(FLAG),
        head_bias=draw(FLAG),
        softcap=draw(FLAG),
    )


def by_name(model: Transformer, *, phase: str = "decode", batch: int = 1, context: int = 64) -> dict[str, Operator]:
    return {operator.name: operator for operator in model.operators(RUNS[phase](batch, context))}


@given(transformers())
def test_decode_reads_every_active_parameter_but_tables_norms_and_sinks(model: Transformer) -> None:
    """The operators and the parameter count are derived apart; they must tell of the same tensors."""
    operators = model.operators(Pass.decode(1, 64))
    norms = sum(
        row.count * row.n * (1 if row.name in OWN_NORMS else model.norm_vectors)
        for row in operators
        if row.kind == "norm" and row.name != "qk_norm"
    )
    grouped = [layer.attention for layer in model.layers if isinstance(layer.attention, Attention)]
    norms += sum(attention.qk_norm_parameters for attention in grouped)
    sinks = sum(attention.heads for attention in grouped if attention.sinks)
    tables = 0 if model.tied else model.vocabulary * model.embedding
    if model.positions:
        tables += (model.positions + model.spare_positions) * model.hidden
    read = sum(row.count * row.weight_elements for row in operators if row.kind == "linear")
    assert read + norms + sinks + tables == pytest.approx(model.active_parameters, rel=1e-12)


@given(transformers(), st.integers(1, 5))
def test_decode_and_prefill_of_one_token_are_the_same(model: Transformer, batch: int) -> None:
    sizes = {"batch": batch, "context": 1}
    assert model.operators(Pass.decode(**sizes)) == model.operators(Pass.prefill(**sizes))


@given(transformers(), st.integers(1, 5), st.integers(1, 100), st.sampled_from(["prefill", "decode"]))
def test_dimensions_explain_the_element_counts(model: Transformer, batch: int, context: int, phase: str) -> None:
    for row in model.operators(RUNS[phase](batch, context)):
        outputs = row.batch * row.m * row.n
        written = row.output_elements + (row.kv_elements if row.kind == "linear" else 0)
        assert written == pytest.approx(outputs)
        if row.is_gemm:
            assert row.macs == pytest.approx(outputs * row.k)
            assert row.activation_elements == pytest.approx(row.batch * row.m * row.k)
            assert row.vector_ops == 0
        else:
            assert row.macs == row.k == row.kv_elements == 0
        if row.kind == "attention":
            assert row.weight_elements == 0


@given(transformers(), st.integers(1, 4), st.sampled_from(["prefill", "decode"]))
def test_layers_fold(model: Transformer, factor: int, phase: str) -> None:
    """More layers change the counts of what layers hold, and nothing else."""
    more = replace(model, layers=factor * model.layers)
    pairs = zip(model.operators(RUNS[phase](2, 64)), more.operators(RUNS[phase](2, 64)), strict=True)
    for few, many in pairs:
        assert many == replace(few, count=few.count if few.name in ENDS else factor * few.count)


@given(transformers(), st.sampled_from(["prefill", "decode"]))
def test_folding_keeps_all_work(model: Transformer, phase: str) -> None:
    """A network does what networks of one layer each do, less the ends that all but one of them bring."""

    def work(model: Transformer) -> float:
        operators = model.operators(RUNS[phase](2, 64))
        inner = [row for row in operators if row.name not in ENDS]
        assert len({replace(row, count=1) for row in inner}) == len(inner)
        return sum(row.count * (row.macs + row.vector_ops + row.weight_elements) for row in inner)

    assert work(model) == pytest.approx(sum(work(replace(model, layers=(layer,))) for layer in model.layers))


@given(transformers(mlp=MLPS), st.integers(2, 6))
def test_batch_scales_all_but_weights(model: Transformer, batch: int) -> None:
    pairs = zip(
        model.operators(Pass.decode(1, 64)),
        model.operators(Pass.decode(batch, 64)),
        strict=True,
    )
    for row, scaled in pairs:
        for field in ("macs", "activation_elements", "kv_elements", "output_elements", "vector_ops"):
            assert getattr(scaled, field) == batch * getattr(row, field)
        if row.kind == "linear":
            assert scaled.weight_elements == row.weight_elements


@given(transformers(), st.integers(2, 200), st.integers(1, 5))
def test_in_decode_only_attention_depends_on_context(model: Transformer, context: int, more: int) -> None:
    model = replace(model, positions=0)
    attends = ("qk_matmul", "softcap", "softmax", "sv_matmul")

    def rest(context: int) -> list[Operator]:
        operators = model.operators(Pass.decode(2, context))
        return [row for row in operators if row.name not in attends]

    assert rest(context) == rest(context + more)


@given(transformers(), st.integers(1, 4), st.integers(1, 60))
def test_the_cache_holds_what_prefill_writes_to_it(model: Transformer, batch: int, context: int) -> None:
    """All of it within the window; the expanded keys and values of latent attention are passed on, not kept."""
    operators = model.operators(Pass.prefill(batch, context))
    written = sum(row.count * row.kv_elements for row in operators if row.name in ("k_proj", "v_proj", "kv_a_proj"))
    held = model.cache_elements(batch=batch, context=context)
    windows = [layer.attention.window for layer in model.layers if isinstance(layer.attention, Attention)]
    if any(0 < window < context for window in windows):
        assert held < written
    else:
        assert held == written


def test_blocks_place_norms_and_additions() -> None:
    def steps(block: str) -> list[str]:
        layer = replace(PLAIN, block=block)
        operators = replace(TINY, layers=(layer,)).operators(Pass.decode(1, 64))
        return [row.name for row in operators if row.kind in ("norm", "residual") or row.name in ("q_proj", "up_proj")]

    tail = ["final_norm"]
    assert steps("pre") == ["attn_norm", "q_proj", "attn_add", "mlp_norm", "up_proj", "mlp_add", *tail]
    assert steps("post") == ["q_proj", "attn_add", "attn_norm", "up_proj", "mlp_add", "mlp_norm", *tail]
    assert steps("sandwich") == [
        *("attn_norm", "q_proj", "attn_post_norm", "attn_add"),
        *("mlp_norm", "up_proj", "mlp_post_norm", "mlp_add", *tail),
    ]
    assert steps("parallel") == ["attn_norm", "q_proj", "up_proj", "block_add", *tail]
    assert steps("parallel_two_norms") == ["attn_norm", "q_proj", "mlp_norm", "up_proj", "block_add", *tail]


def test_a_parallel_block_adds_three_operands_at_once() -> None:
    add = by_name(replace(TINY, layers=(replace(PLAIN, block="parallel"),)))["block_add"]
    assert (add.activation_elements, add.output_elements, add.vector_ops) == (3 * 64, 64, 2 * 64)


def test_prefill_needs_the_logits_of_the_last_tokens() -> None:
    assert by_name(TINY, phase="prefill", batch=3, context=32)["lm_head"].m == 3


def test_learned_positions_end() -> None:
    model = replace(TINY, positions=64)
    assert by_name(model)["position_embedding"].weight_elements == 64
    with pytest.raises(
        InputError, match="context is 65; expected at most 64, the length of the learned position table"
    ):
        by_name(model, context=65)


def test_projected_embeddings() -> None:
    rows = by_name(replace(TINY, embedding=32), phase="prefill", batch=2, context=8)
    assert (rows["project_in"].m, rows["project_in"].n, rows["project_in"].k) == (16, 64, 32)
    assert (rows["project_out"].m, rows["project_out"].n, rows["project_out"].k) == (2, 32, 64)
    assert rows["lm_head"].k == 32


def test_logits_are_soft_capped() -> None:
    rows = by_name(replace(TINY, softcap=True), batch=2)
    assert rows["logit_softcap"].vector_ops == 3 * 2 * 100
    assert "logit_softcap" not in by_name(TINY)


def test_vector_operations_per_element() -> None:
    rows = by_name(TINY, batch=1, context=64)
    assert rows["rotary"].vector_ops == 3 * (8 + 2) * 16
    assert rows["softmax"].vector_ops == 5 * 8 * 64
    assert rows["attn_norm"].vector_ops == 7 * 64
    assert rows["mlp_act"].vector_ops == 2 * 96
    assert rows["attn_add"].vector_ops == 64
    assert rows["embedding"].vector_ops == 0
