from __future__ import annotations

from dataclasses import replace
from math import inf, isnan

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.accelerator import Link, Published, Serving, link, preset, serve
from hwexplore.accelerator.presets import roofline, totals
from hwexplore.accelerator.serving import SERVING_METRICS
from hwexplore.errors import InputError
from hwexplore.workloads import Policy, load

MODEL = "smollm2-135m"
LAYERS, HEADS, KV_HEADS, HEAD_DIM = 30, 9, 3, 64
PROMPT, OUTPUT, BATCH = 48, 9, 4
LENGTHS = {"prompt": PROMPT, "output": OUTPUT, "batch": BATCH}
A100 = Published(preset=preset("a100"), policy=Policy(), price_per_hour=2)
H100 = Published(preset=preset("h100"), policy=Policy(), price_per_hour=4)
PERFECT = Link(name="perfect", bandwidth_bytes_per_s=inf, energy_pj_per_bit=0, latency_s=0)
NVLINK = link("nvlink3")


def by_stage(served: Serving, column: str) -> dict[str, float]:
    return dict(served.to_frame().set_index("name")[column])


def test_prefill_and_every_step_of_decode() -> None:
    """Against the roofline of each pass by itself."""
    served = serve(MODEL, A100, **LENGTHS)

    def latency_s(phase: str, context: int) -> float:
        workload = load(MODEL, phase=phase, batch=BATCH, context=context)
        return totals(roofline(workload, A100.policy, A100.preset), 1)["latency_s"]

    steps_s = [latency_s("decode", PROMPT + step) for step in range(1, OUTPUT)]
    assert served.ttft_s == pytest.approx(latency_s("prefill", PROMPT))
    assert served.tpot_s == pytest.approx(sum(steps_s) / len(steps_s))
    assert served.total_s == pytest.approx(latency_s("prefill", PROMPT) + sum(steps_s))
    assert served.tokens_per_s == pytest.approx(BATCH * OUTPUT / served.total_s)
    assert served.j_per_token == pytest.approx(400 * served.total_s / (BATCH * OUTPUT))
    assert served.power_w == pytest.approx(400)
    assert served.intelligence_per_watt(0.6) == pytest.approx(0.6 / 400)
    assert served.cost_per_million_tokens == pytest.approx(1e6 * 2 / 3600 / served.tokens_per_s)


def test_split_phases_by_hand() -> None:
    served, alone, later = (
        serve(MODEL, device, **LENGTHS, **others)
        for device, others in ((H100, {"decode": A100, "link": NVLINK}), (H100, {}), (A100, {}))
    )
    moved = LAYERS * 2 * KV_HEADS * HEAD_DIM * PROMPT * BATCH * 2
    assert by_stage(served, "time_s") == pytest.approx(
        {
            "prefill": alone.ttft_s,
            "KV cache transfer": moved / 300e9 + 8.92e-6,
            "decode": later.total_s - later.ttft_s,
        }
    )
    energy_j = by_stage(served, "energy_j")
    assert energy_j["KV cache transfer"] == pytest.approx(moved * 8 * 10e-12)
    assert energy_j["prefill"] == pytest.approx(700 * alone.ttft_s)
    assert energy_j["decode"] == pytest.approx(400 * (later.total_s - later.ttft_s))
    assert served.tokens_per_s == pytest.approx(BATCH * OUTPUT / max(by_stage(served, "time_s").values()))
    cost = 4 * alone.ttft_s + 2 * (later.total_s - later.ttft_s)
    assert served.cost_per_million_tokens == pytest.approx(1e6 * cost / 3600 / (BATCH * OUTPUT))


def test_offloaded_attention_by_hand() -> None:
    served = serve(MODEL, H100, **LENGTHS, attention=A100, link=NVLINK)
    steps = OUTPUT - 1
    elements = (2 * HEADS + 2 * KV_HEADS) * HEAD_DIM  # queries and results, keys and values
    moved = steps * LAYERS * BATCH * elements * 2
    time_s, energy_j = by_stage(served, "time_s"), by_stage(served, "energy_j")
    assert time_s["attention transfer"] == pytest.approx(moved / 300e9 + 2 * LAYERS * steps * 8.92e-6)
    assert energy_j["attention transfer"] == pytest.approx(moved * 8 * 10e-12)
    held_s = served.total_s - time_s["prefill"] - time_s["KV cache transfer"]
    assert energy_j["decode"] == pytest.approx(700 * held_s)
    assert energy_j["attention"] == pytest.approx(400 * held_s)
    assert by_stage(served, "cost")["attention"] == pytest.approx(2 * held_s / 3600)
    assert served.tokens_per_s == pytest.approx(BATCH * OUTPUT / served.total_s)


def test_latent_attention_moves_the_compressed_cache() -> None:
    """DeepSeek-V2-Lite: 27 layers, 16 heads, latent vectors of 512 and shared keys of 64 elements."""
    served = serve("deepseek-v2-lite", H100, **LENGTHS, attention=A100, link=NVLINK)
    energy_j = by_stage(served, "energy_j")
    assert energy_j["KV cache transfer"] == pytest.approx(27 * 576 * PROMPT * BATCH * 2 * 8 * 10e-12)
    elements = 16 * (576 + 512) + 576
    assert energy_j["attention transfer"] == pytest.approx(27 * elements * BATCH * (OUTPUT - 1) * 2 * 8 * 10e-12)


def test_a_perfect_link_to_the_same_device_changes_nothing() -> None:
    alone = serve(MODEL, A100, **LENGTHS)
    split = serve(MODEL, A100, **LENGTHS, decode=A100, link=PERFECT)
    offloaded = serve(MODEL, A100, **LENGTHS, attention=A100, link=PERFECT)
    for served in (split, offloaded):
        assert served.ttft_s == pytest.approx(alone.ttft_s)
        assert served.tpot_s == pytest.approx(alone.tpot_s)
    assert split.j_per_token == pytest.approx(alone.j_per_token)
    assert split.cost_per_million_tokens == pytest.approx(alone.cost_per_million_tokens)
    assert alone.tokens_per_s < split.tokens_per_s < 2 * alone.tokens_per_s
    decode_s = alone.total_s - alone.ttft_s
    assert offloaded.j_per_token - alone.j_per_token == pytest.approx(400 * decode_s / (BATCH * OUTPUT))


@settings(deadline=None, max_examples=15)
@given(
    st.floats(1e6, 1e12),
    st.floats(0, 1e-2),
    st.floats(0, 1e3),
    st.floats(1, 100),
    st.sampled_from(["decode", "attention"]),
    st.integers(2, 40),
)
def test_a_slower_link_is_never_faster(
    bandwidth: float, latency_s: float, energy: float, factor: float, role: str, output: int
) -> None:
    fast = Link(name="fast", bandwidth_bytes_per_s=bandwidth, energy_pj_per_bit=energy, latency_s=latency_s)
    slow = replace(fast, bandwidth_bytes_per_s=bandwidth / factor, latency_s=latency_s * factor)
    quick, late = (
        serve(MODEL, H100, prompt=PROMPT, output=output, **{role: A100}, link=joined) for joined in (fast, slow)
    )
    assert late.ttft_s == quick.ttft_s
    assert late.tpot_s >= quick.tpot_s
    assert late.tokens_per_s <= quick.tokens_per_s
    assert late.j_per_token >= quick.j_per_token
    assert quick.ttft_s + (output - 1) * quick.tpot_s == pytest.approx(quick.total_s)


def test_one_token_is_all_prefill() -> None:
    served = serve(MODEL, H100, prompt=PROMPT, output=1, decode=A100, attention=A100, link=NVLINK)
    assert [stage.name for stage in served.stages] == ["prefill"]
    assert isnan(served.tpot_s)
    assert served.tokens_per_s == pytest.approx(1 / served.ttft_s)


def test_three_devices() -> None:
    served = serve(MODEL, H100, **LENGTHS, decode=H100, attention=A100, link=NVLINK)
    assert served.to_frame()["group"].tolist() == ["prefill", "transfer", "decode", "decode", "decode"]
    assert served.to_frame()["where"].tolist() == ["h100", "nvlink3", "h100", "a100", "nvlink3"]


def test_overrides_may_name_the_phase_or_the_attention() -> None:
    policy = Policy.parse("int8/fp16/fp16;prefill.down_proj=fp16//;qk_matmul=/fp32/;lm_head=fp16//")
    plain, mixed = (replace(H100, policy=each) for each in (Policy("int8"), policy))
    others = {"attention": A100, "link": NVLINK}
    faster, slower = (serve(MODEL, device, **LENGTHS, **others) for device in (plain, mixed))
    assert slower.ttft_s > faster.ttft_s
    assert by_stage(slower, "time_s")["decode"] > by_stage(faster, "time_s")["decode"]
    with pytest.raises(InputError, match="'lm_haed'; did you mean lm_head"):
        serve(MODEL, replace(H100, policy=Policy.parse("int8/fp16/fp16;lm_haed=fp16//")), **LENGTHS)


def with_memory(device: Published, memory_bytes: float) -> Published:
    return replace(device, preset=replace(device.preset, memory_bytes=memory_bytes))


def test_the_cache_lies_on_the_attention_device() -> None:
    """Llama-2-7B has 13.5 GB of weights and 0.5 MiB of KV cache per token: 42 GB for 40 sequences of 2,000."""
    setting = {"prompt": 1990, "output": 11, "batch": 40, "link": NVLINK}
    weights, cache = with_memory(A100, 14e9), with_memory(A100, 43e9)
    assert serve("llama-2-7b", H100, decode=weights, attention=cache, **setting).total_s > 0
    with pytest.raises(InputError, match=r"a100 has 13 GB of memory; 13.48 GB .* do not fit"):
        serve("llama-2-7b", H100, decode=with_memory(A100, 13e9), attention=cache, **setting)
    with pytest.raises(InputError, match=r"a100 has 41 GB of memory; 41.94 GB .* do not fit"):
        serve("llama-2-7b", H100, decode=weights, attention=with_memory(A100, 41e9), **setting)
    with pytest.raises(InputError, match=r"a100 has 50 GB of memory; 55.4. GB of weights and KV cache"):
        serve("llama-2-7b", H100, decode=with_memory(A100, 50e9), **setting)


def test_what_is_not_known() -> None:
    free = serve(MODEL, replace(A100, price_per_hour=None), **LENGTHS)
    assert isnan(free.cost_per_million_tokens)
    fpga = Published(preset=preset("zcu104"), policy=Policy.parse("int8/int8/int8"), price_per_hour=1)
    served = serve(MODEL, fpga, **LENGTHS)
    assert isnan(served.j_per_token)
    assert served.cost_per_million_tokens > 0
    assert set(served.metrics()) == set(SERVING_METRICS)
    assert isnan(free.metrics()["intelligence_per_watt"])
    assert free.metrics(0.5)["intelligence_per_watt"] == pytest.approx(0.5 / 400)


@pytest.mark.parametrize("accuracy", [-0.1, 1.1, 60])
def test_accuracy_is_a_fraction(accuracy: float) -> None:
    with pytest.raises(InputError, match=f"^accuracy is {accuracy}; expected a fraction from 0 to 1$"):
        serve(MODEL, A100, **LENGTHS).intelligence_per_watt(accuracy)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"prompt": 0}, "prompt is 0; expected tokens, at least one"),
        ({"output": -1}, "output is -1; expected tokens, at least one"),
        ({"output": 2**31}, "output is 2147483648; expected tokens"),
        ({"batch": 0}, "batch is 0; expected a positive integer"),
        ({"decode": A100}, "several devices need a link between them"),
        ({"attention": A100}, "several devices need a link between them"),
        ({"network": "resnet-18"}, "resnet-18 has no KV cache; expected a language model"),
        ({"network": "lama-2-7b"}, "unknown workload 'lama-2-7b'; did you mean llama-2-7b"),
    ],
)
def test_bad_input(changed: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}"):
        serve(**{"network": MODEL, "device": A100, **LENGTHS, **changed})  # type: ignore[arg-type]
