from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.workloads import Operator, Policy, Workload, load
from hwexplore.workloads.attention import Attention, LatentAttention
from hwexplore.workloads.mlp import Mixture, Mlp
from hwexplore.workloads.passes import Group, Pass
from hwexplore.workloads.scenarios import parse
from hwexplore.workloads.transformer import Layer, Transformer

GLOBAL = Layer(attention=Attention(heads=4, kv_heads=2, head_dim=6, rotary=6, softcap=True), mlp=Mlp(width=20))
LOCAL = replace(GLOBAL, attention=Attention(heads=4, kv_heads=2, head_dim=6, rotary=6, window=9))
LATENT = Layer(
    attention=LatentAttention(heads=4, head_dim=6, rotary=4, value_dim=6, kv_rank=16),
    mlp=Mixture(experts=4, experts_per_token=2, expert=Mlp(width=8), shared=Mlp(width=8)),
)
DENSE = Transformer(hidden=12, vocabulary=50, embedding=12, tied=False, layers=(LOCAL, GLOBAL, LOCAL, GLOBAL))
MODELS = {
    "dense": DENSE,
    "latent": replace(DENSE, layers=(GLOBAL, LATENT, LATENT)),
    "draft": replace(DENSE, hidden=8, embedding=8, layers=(LOCAL,)),
}
FIELDS = ("macs", "weight_elements", "activation_elements", "kv_elements", "output_elements", "vector_ops")

NAME = st.sampled_from(["dense", "latent"])
SIZE = st.integers(1, 30)
BATCH = st.integers(1, 5)


def scenario(
    text: str, *, model: str = "dense", batch: int = 1, context: int = 16, per_layer: bool = False
) -> Workload:
    made = parse(text, MODELS.__getitem__)
    return made.workload(MODELS[model], name=model, phase=text, batch=batch, context=context, per_layer=per_layer)


def work(operators: Iterable[Operator]) -> dict[str, float]:
    """Sums over rows and counts of each operator and field, without labels, layers and parts of the cache."""
    sums: dict[str, float] = {}
    for row in operators:
        name = row.name.rpartition(".")[2].removesuffix("_recent")
        for field in FIELDS:
            sums[f"{name}.{field}"] = sums.get(f"{name}.{field}", 0) + row.count * getattr(row, field)
    return sums


def all_macs(workload: Workload) -> float:
    return sum(row.count * row.macs for row in workload.operators)


def repeated(operators: Iterable[Operator], times: float) -> list[Operator]:
    return [replace(row, count=times * row.count) for row in operators]


@settings(max_examples=40)
@given(NAME, BATCH, SIZE, SIZE, st.integers(0, 12))
def test_chat_is_every_one_of_its_steps(name: str, batch: int, prompt: int, output: int, recent: int) -> None:
    model, folded = MODELS[name], scenario(f"chat({prompt}, {output}, recent={recent})", model=name, batch=batch)
    steps = list(model.operators(Pass.prefill(batch, prompt)))
    for context in range(prompt + 1, prompt + output):
        steps += model.operators(Pass.decode(batch, context, recent=recent))
    assert work(folded.operators) == pytest.approx(work(steps), rel=1e-9)
    assert folded.tokens == batch * output


def test_chat_of_two_tokens_is_prefill_and_one_decode() -> None:
    rows = scenario("chat(16, 2)", batch=3).operators
    for label, alone in (
        ("prefill", scenario("prefill", batch=3)),
        ("decode", scenario("decode", batch=3, context=17)),
    ):
        labelled = [row for row in rows if row.name.startswith(label)]
        assert [replace(row, name=row.name.removeprefix(f"{label}.")) for row in labelled] == list(alone.operators)


def test_chat_of_one_token_is_prefill() -> None:
    assert work(scenario("chat(16, 1)").operators) == work(scenario("prefill").operators)


def test_chat_is_the_mean_over_its_lengths() -> None:
    mixed = work(scenario("chat(8:1+24:3, 5:1+11:1)", batch=2).operators)
    parts = [
        row
        for prompt, share in ((8, 0.25), (24, 0.75))
        for output in (5, 11)
        for row in repeated(scenario(f"chat({prompt}, {output})", batch=2).operators, share / 2)
    ]
    assert mixed == pytest.approx(work(parts))


@settings(max_examples=40)
@given(NAME, BATCH, SIZE, st.integers(2, 30))
def test_continuous_batching_does_the_work_of_its_requests(name: str, batch: int, prompt: int, output: int) -> None:
    """An iteration ends batch / (output - 1) requests. With whole prompts, products are those of requests alone."""
    iteration = scenario(f"continuous({prompt}, {output}, chunk=30)", model=name, batch=batch)
    request = scenario(f"chat({prompt}, {output})", model=name)
    assert all_macs(iteration) * (output - 1) == pytest.approx(batch * all_macs(request))
    assert iteration.tokens * (output - 1) == pytest.approx(batch * request.tokens)


@given(st.integers(1, 60), st.integers(1, 20), st.integers(2, 30))
def test_chunks_run_every_token_of_a_prompt_once(prompt: int, chunk: int, output: int) -> None:
    rows = scenario(f"continuous({prompt}, {output}, {chunk})", batch=3).operators
    tokens = sum(row.count * row.m for row in rows if row.name.endswith("q_proj")) / len(DENSE.layers)
    logits = sum(row.count * row.m for row in rows if row.name.endswith("lm_head"))
    assert tokens == pytest.approx(3 + 3 * prompt / (output - 1))
    assert logits == pytest.approx(3 + 3 / (output - 1))


def test_chunks_attend_what_came_before() -> None:
    """Two chunks of 8 attend 8 and 16 entries, of which the windows let through 8 and 9."""
    rows = scenario("continuous(16, 3, chunk=8)", batch=2).operators
    scores = {(row.m, row.n) for row in rows if row.name == "mixed.qk_matmul" and row.m > 2}
    assert scores == {(16, 8), (16, 16), (16, 9)}


def test_short_prompts_leave_iterations_to_decode_alone() -> None:
    rows = scenario("continuous(4, 101)", batch=10).operators
    counts = {row.name: row.count for row in rows if row.name.endswith("final_norm")}
    assert counts == {"decode.final_norm": pytest.approx(0.9), "mixed.final_norm": pytest.approx(0.1)}
    alone = work(scenario("continuous(1, 1000001)", batch=10).operators)
    decode = work(scenario("decode", batch=10, context=500001).operators)
    for field in FIELDS:
        assert alone[f"down_proj.{field}"] == pytest.approx(decode[f"down_proj.{field}"], rel=1e-4)
        assert alone[f"qk_matmul.{field}"] == pytest.approx(decode[f"qk_matmul.{field}"], rel=1e-4)


def test_all_sequences_of_a_pass_share_the_weights() -> None:
    groups = tuple(Group(sequences=2, queries=queries, context=20) for queries in (1, 5, 20))
    for name in ("dense", "latent"):
        rows = MODELS[name].operators(Pass(groups=groups))
        assert next(row.m for row in rows if row.name == "down_proj") in (52, 52 * 2 / 4)
        for row in rows:
            if row.name in ("q_proj", "out_proj", "kv_a_proj"):
                assert row.m == 52
    assert {row.n: row.m for row in rows if row.name == "lm_head"} == {50: 6}


def test_speculation_without_a_draft_is_decode() -> None:
    alone, decode = scenario("speculative(draft, 0, 0.7)", batch=3), scenario("decode", batch=3)
    assert [replace(row, name=row.name.removeprefix("verify.")) for row in alone.operators] == list(decode.operators)
    assert alone.tokens == decode.tokens
    assert alone.parameters == decode.parameters + MODELS["draft"].parameters


@given(st.integers(1, 12), st.floats(0, 1), BATCH)
def test_expected_tokens_are_the_mean_over_accepted_drafts(gamma: int, alpha: float, batch: int) -> None:
    """The mean over how many drafts in a row are accepted, plus the one token that verification gives."""
    chances = [alpha**accepted * (1 - alpha) for accepted in range(gamma)] + [alpha**gamma]
    expected = sum(chance * (accepted + 1) for accepted, chance in enumerate(chances))
    assert scenario(f"speculative(draft, {gamma}, {alpha})", batch=batch).tokens == pytest.approx(batch * expected)


def test_certain_acceptance_gives_all_tokens() -> None:
    assert scenario("speculative(draft, 4, 1)", batch=2).tokens == 10
    assert scenario("speculative(draft, 4, 0.999999999)", batch=2).tokens == pytest.approx(10)


def test_speculation_drafts_one_by_one_and_verifies_at_once() -> None:
    rows = scenario("speculative(draft, gamma=3, alpha=0.5)", batch=2).operators
    drafted = [row for context in (16, 17, 18) for row in MODELS["draft"].operators(Pass.decode(2, context))]
    assert work(row for row in rows if row.name.startswith("draft.")) == pytest.approx(work(drafted))
    verified = {row.name: row for row in rows if row.name.startswith("verify.")}
    assert verified["verify.lm_head"].m == verified["verify.q_proj"].m == 2 * 4
    assert {row.n for row in rows if row.name == "verify.qk_matmul"} == {19, 9}


@pytest.mark.parametrize("name", ["dense", "latent"])
def test_training_triples_the_products(name: str) -> None:
    training = scenario("training", model=name, batch=2, context=12)
    forward = [row for row in training.operators if row.name.startswith("forward.")]
    for label in ("dgrad", "wgrad"):
        gradients = [row for row in training.operators if row.name.startswith(label)]
        assert sum(row.count * row.macs for row in gradients) == pytest.approx(
            sum(row.count * row.macs for row in forward)
        )
    logits = next(row for row in forward if row.name == "forward.lm_head")
    assert logits.m == training.tokens == 24


def test_the_recent_part_is_taken_from_the_cache() -> None:
    """The same products and scores, with queries read twice; then two partial sums to add, and one entry that moves."""
    plain, split = work(scenario("decode").operators), scenario("decode(recent=5)")
    parts = work(split.operators)
    assert parts["cache_convert.kv_elements"] == 4 * 2 * 2 * 6
    assert parts["sv_add.output_elements"] == plain["sv_matmul.output_elements"]
    twice = {"qk_matmul.activation_elements", "sv_matmul.output_elements"}
    assert {name: parts[name] / (2 if name in twice else 1) for name in plain} == plain
    scores = {(row.name, row.n) for row in split.operators if row.name.startswith("qk_")}
    assert scores == {("qk_matmul", 11), ("qk_matmul_recent", 5), ("qk_matmul", 4)}
    assert scenario("decode(recent=0)").operators == scenario("decode").operators


def test_a_cache_that_is_all_recent_has_no_other_part() -> None:
    names = {row.name for row in scenario("decode(recent=16)").operators}
    assert "qk_matmul_recent" in names
    assert not names & {"qk_matmul", "sv_matmul", "sv_add", "cache_convert"}


@pytest.mark.parametrize("name", ["dense", "latent"])
def test_the_recent_part_can_have_another_format(name: str) -> None:
    workload = scenario("decode(recent=4)", model=name)
    mixed = Policy.parse("int4/fp16/int4;qk_matmul_recent=//fp16;sv_matmul_recent=//fp16")
    frame, elements = workload.to_frame(mixed), workload.columns()["kv_elements"]
    bits = dict(zip(frame["name"], 8 * frame["kv_bytes"] / np.maximum(elements, 1), strict=True))
    assert {part for part, width in bits.items() if width == 16} == {"qk_matmul_recent", "sv_matmul_recent"}
    assert bits["qk_matmul"] == bits["sv_matmul"] == bits["cache_convert"] == 4
    low, high = (workload.resident_bytes(Policy(weights="int4", kv_cache=text)) for text in ("int4", "fp16"))
    assert low < workload.resident_bytes(mixed) < high


@pytest.mark.parametrize("text", ["prefill", "decode(recent=3)", "chat(16, 4)", "continuous(16, 4)", "training"])
@pytest.mark.parametrize("name", ["dense", "latent"])
def test_rows_per_layer_do_the_same_work(text: str, name: str) -> None:
    folded, unfolded = scenario(text, model=name), scenario(text, model=name, per_layer=True)
    assert work(unfolded.operators) == pytest.approx(work(folded.operators))
    layers = {part for row in unfolded.operators for part in row.name.split(".") if part.isdecimal()}
    assert layers == {str(index) for index in range(len(MODELS[name].layers))}


def test_a_policy_selects_layers_and_passes() -> None:
    workload = scenario("chat(16, 4)", per_layer=True)
    overrides = {
        "decode.layers.3": {"weights": "int2"},
        "q_proj": {"weights": "int6"},
        "prefill": {"weights": "int8"},
        "linear": {"weights": "int3"},
    }
    operands = workload.operands(Policy(weights="int4", overrides=overrides))
    weights = {row.name: str(each.weights) for row, each in zip(workload.operators, operands, strict=True)}
    assert weights["decode.layers.3.q_proj"] == weights["decode.layers.3.down_proj"] == "int2"
    assert weights["decode.layers.2.q_proj"] == "int6"
    assert weights["prefill.layers.3.q_proj"] == weights["prefill.final_norm"] == "int8"
    assert weights["decode.lm_head"] == "int3"
    assert weights["decode.final_norm"] == "int4"
    with pytest.raises(InputError, match=r"unknown operator or kind .* 'layers.4'"):
        workload.operands(Policy(overrides={"layers.4": {"weights": "int8"}}))


@pytest.mark.parametrize("text", ["decode", "prefill", "decode(recent=128)", "chat(1000000, 48576)", "training"])
def test_a_million_tokens(text: str) -> None:
    """Windows hold, and all that is not attention is what it is at a short context."""
    million = load("gemma-3-27b", phase=text, context=2**20)
    columns = million.columns()
    assert all(np.isfinite(column).all() and (column >= 0).all() for column in columns.values())
    queries = 2**20 if text in ("prefill", "training") else 1
    attended = {
        row.n for row in million.operators if row.name.rpartition(".")[2] == "qk_matmul" and row.m % queries == 0
    }
    assert min(attended) <= 1024
    assert max(attended) > 10**6 - 128
    if text == "decode":
        short = {row.name: row.macs for row in load("gemma-3-27b", context=2048).operators if row.kind == "linear"}
        assert short == {row.name: row.macs for row in million.operators if row.kind == "linear"}


@pytest.mark.parametrize("text", ["prefill", "decode", "chat(16, 4)", "continuous(16, 4)", "training"])
def test_loading_again_from_what_a_workload_tells(text: str) -> None:
    workload = load("smollm2-135m", phase=text, batch=3, context=100)
    again = load(workload.name, phase=workload.phase, batch=workload.batch, context=workload.context)
    assert again == workload


@pytest.mark.parametrize("text", ["chat(512, 128:1+2048:3)", "continuous(lognormal(512, 1.2), 256)", "training"])
def test_a_deep_mixture_stays_tens_of_rows(text: str) -> None:
    assert len(load("deepseek-v3", phase=text, batch=8).operators) < 100


def test_a_draft_by_its_name() -> None:
    workload = load("llama-3.1-8b", phase="speculative(llama-3.2-1b, gamma=4, alpha=0.8)")
    assert workload.parameters == sum(load(name).parameters for name in ("llama-3.1-8b", "llama-3.2-1b"))
    assert workload.setting == "llama-3.1-8b speculative(llama-3.2-1b, gamma=4, alpha=0.8), batch 1, context 2048"


def test_the_cache_holds_the_longest_request() -> None:
    assert scenario("chat(8:1+20:1, 5:1+10:1)").context == 29
    assert scenario("continuous(20, 11)", batch=2).context == round(np.mean(range(21, 31)))


def test_learned_positions_end_within_a_scenario() -> None:
    """The steps stand at a mean context, but the last one counts."""
    assert load("opt-125m", phase="chat(2000, 49)").context == 2048
    with pytest.raises(InputError, match="context is 2049; expected at most 2048"):
        load("opt-125m", phase="chat(2000, 50)")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("chatter(1, 2)", "unknown phase 'chatter.*did you mean chat"),
        ("chat(1, 2", "unknown phase"),
        ("chat", r"'chat' lacks a field; expected chat\(prompt, output, recent=0\)"),
        ("chat(512)", "lacks a field"),
        ("chat(512, 2, 3, 4)", "chat has no field for '4'"),
        ("chat(512, 2, last=3)", "chat has no field for 'last=3'"),
        ("chat(512, prompt=3)", "chat has two values for prompt"),
        ("chat(512,, 3)", "length is ''"),
        ("chat(0, 3)", "length is '0'"),
        ("decode(recent=-1)", "recent of decode is '-1'; expected an integer from 0"),
        ("decode(recent=1.5)", "expected an integer from 0"),
        ("prefill(3)", r"prefill has no field for '3'; expected prefill\(\)"),
        ("continuous(8, 1)", "output is always 1"),
        ("continuous(8, 4, 0)", "chunk is 0; expected at least one"),
        ("speculative(draft, 4, 1.5)", "alpha is 1.5; expected a probability"),
        ("speculative(draft, 4, nan)", "alpha of speculative is 'nan'; expected a number from 0"),
    ],
)
def test_bad_scenarios(text: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        scenario(text)


def test_unknown_drafts_are_named() -> None:
    with pytest.raises(InputError, match=r"unknown workload 'lama-3\.2-1b'"):
        load("llama-3.1-8b", phase="speculative(lama-3.2-1b, 4, 0.8)")
