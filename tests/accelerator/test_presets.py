from __future__ import annotations

from dataclasses import replace
from importlib.resources import files
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import tomllib
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.accelerator.presets import (
    COMPUTE_FORMATS,
    UNITS,
    Preset,
    preset,
    presets,
    roofline,
    totals,
)
from hwexplore.errors import InputError
from hwexplore.workloads import Policy, Workload, load

LLM_VIEWER = pd.read_csv(Path(__file__).parents[1] / "data" / "llm_viewer_llama2_7b.csv").query("flash == 0")
SETTING = ["batch", "seq", "w_bit", "a_bit", "kv_bit", "phase"]
FORMATS = {4: "int4", 8: "int8", 16: "fp16"}
MISCOUNTED = ["lm_head", "mlp_act", "attn_add", "mlp_add"]
"""Operators whose work LLM-Viewer counts differently; tests/workloads/test_llm_viewer.py says how."""

KIB = 1024
GHZ = 1e9
FROM_THE_ARCHITECTURE = {
    ("a100", "peak_ops_per_s", "fp16"): 108 * 4 * 256 * 2 * 1.41 * GHZ,  # SMs, Tensor Cores, FMAs, boost clock
    ("a100", "vector_ops_per_s", "fp32"): 108 * 64 * 2 * 1.41 * GHZ,
    ("h100", "peak_ops_per_s", "fp16"): 132 * 4 * 512 * 2 * 1.83 * GHZ,
    ("a6000", "peak_ops_per_s", "fp16"): 84 * 4 * 128 * 2 * 1.8 * GHZ,
    ("a6000", "vector_ops_per_s", "fp32"): 84 * 128 * 2 * 1.8 * GHZ,
    ("jetson-orin", "peak_ops_per_s", "fp16"): 16 * 4 * 256 * 2 * 1.3 * GHZ,
    ("jetson-orin", "vector_ops_per_s", "fp32"): 16 * 128 * 2 * 1.3 * GHZ,
    ("tpu-v4i", "peak_ops_per_s", "bf16"): 4 * 128 * 128 * 2 * 1.05 * GHZ,  # matrix units of 128 x 128
    ("tpu-v4i", "vector_ops_per_s", "fp32"): 128 * 8 * 2 * 1.05 * GHZ,
    ("zcu104", "peak_ops_per_s", "int8"): 1728 * 2 * 2 * 0.775 * GHZ,
    ("zcu104", "peak_ops_per_s", "int4"): 1728 * 4 * 2 * 0.775 * GHZ,
}
BANDWIDTH = {  # bits of the interface times transfers per second
    "a100": 5120 / 8 * 2.43e9,
    "a100-80gb": 5120 / 8 * 3.186e9,
    "a6000": 384 / 8 * 16e9,
    "jetson-orin": 256 / 8 * 6.4e9,
    "zcu104": 64 / 8 * 2.4e9,
}
ON_CHIP = {
    "a100": (40 * KIB + 108 * 192) * KIB,
    "a100-80gb": (40 * KIB + 108 * 192) * KIB,
    "h100": (50 * KIB + 132 * 256) * KIB,
    "a6000": (6 * KIB + 84 * 128) * KIB,
    "jetson-orin": (4 * KIB + 16 * 192) * KIB,
    "tpu-v4i": (128 + 16) * KIB * KIB,
    "zcu104": (312 * 36 + 96 * 288) * KIB // 8,
}


def operators(policy: str, name: str = "a100", phase: str = "decode", context: int = 512) -> pd.DataFrame:
    workload = load("smollm2-135m", phase=phase, context=context)
    return roofline(workload, Policy.parse(policy), preset(name)).set_index("name")


def test_catalogue() -> None:
    folder = files("hwexplore.models") / "accelerators"
    assert [machine.name for machine in presets()] == sorted(
        file.name.removesuffix(".toml") for file in folder.iterdir()
    )
    assert [preset(machine.name) for machine in presets()] == list(presets())
    with pytest.raises(InputError, match=r"^unknown accelerator 'h200'; did you mean h100"):
        preset("h200")


@pytest.mark.parametrize("machine", presets(), ids=lambda machine: machine.name)
def test_every_figure_has_its_source(machine: Preset) -> None:
    table = tomllib.loads((files("hwexplore.models") / "accelerators" / f"{machine.name}.toml").read_text("utf-8"))
    figures = {figure.name: figure for figure in machine.figures()}
    for field in UNITS.keys() - {"launch_s", "efficiency"} | UNITS.keys() & table.keys():
        value = table.get(field)
        rates = {f"{field}.{name}": rate for name, rate in value.items()} if isinstance(value, dict) else {}
        for name, expected in (rates or {field: value or None}).items():
            assert figures.pop(name).value == expected
    assert figures == {}
    assert all(len(source) > 10 for source in machine.sources.values())
    assert set(machine.peak_ops_per_s) | set(machine.vector_ops_per_s) <= set(COMPUTE_FORMATS)


def test_what_is_not_published() -> None:
    missing = {(machine.name, figure.name) for machine in presets() for figure in machine.figures() if not figure.value}
    assert missing == {
        ("jetson-orin", "area_mm2"),
        ("zcu104", "vector_ops_per_s"),
        ("zcu104", "power_w"),
        ("zcu104", "area_mm2"),
    }


@pytest.mark.parametrize(("name", "field", "format"), FROM_THE_ARCHITECTURE)
def test_peaks_follow_from_the_architecture(name: str, field: str, format: str) -> None:
    expected = FROM_THE_ARCHITECTURE[name, field, format]
    assert getattr(preset(name), field)[format] == pytest.approx(expected, rel=5e-3)


@pytest.mark.parametrize("name", [machine.name for machine in presets()])
def test_memories_follow_from_the_architecture(name: str) -> None:
    assert preset(name).on_chip_bytes == ON_CHIP[name]
    if name in BANDWIDTH:
        assert preset(name).bandwidth_bytes_per_s == pytest.approx(BANDWIDTH[name], rel=1e-3)


@pytest.mark.parametrize("setting", LLM_VIEWER[SETTING].drop_duplicates().values.tolist(), ids=str)
def test_times_and_bounds_of_llm_viewer(setting: tuple[int, int, int, int, int, str]) -> None:
    """That tool runs 4-bit products at the INT8 peak, so here the A6000 does without INT4."""
    batch, seq, w_bit, a_bit, kv_bit, phase = setting
    theirs = LLM_VIEWER[(LLM_VIEWER[SETTING] == list(setting)).all(axis=1)].set_index("op").drop(index=MISCOUNTED)
    a6000 = preset("a6000")
    machine = replace(a6000, peak_ops_per_s={k: v for k, v in a6000.peak_ops_per_s.items() if k != "int4"})
    policy = Policy(weights=FORMATS[w_bit], activations=FORMATS[a_bit], kv_cache=FORMATS[kv_bit])
    workload = load("llama-2-7b", phase=phase, batch=batch, context=seq)
    mine = roofline(workload, policy, machine).set_index("name").loc[theirs.index]
    assert len(mine) == 12
    assert mine["bound"].tolist() == theirs["bound"].tolist()
    np.testing.assert_allclose(mine["time_s"], theirs["inference_time"], rtol=1e-3)
    np.testing.assert_allclose(mine["intensity"], theirs["arithmetic_intensity"], rtol=1e-12)


def test_int4_products_are_twice_as_fast_as_llm_viewer_says() -> None:
    theirs = LLM_VIEWER.query("w_bit == 4 and a_bit == 4 and batch == 1 and seq == 2048 and phase == 'prefill'")
    theirs_s = theirs.set_index("op")["inference_time"]["gate_proj"]
    workload = load("llama-2-7b", phase="prefill", context=2048)
    mine = roofline(workload, Policy.parse("int4/int4/int4"), preset("a6000")).set_index("name")
    assert theirs_s / mine["time_s"]["gate_proj"] == pytest.approx(2, rel=1e-3)


@pytest.mark.parametrize(
    ("weights", "activations", "format", "a100", "h100"),
    [
        ("int4", "int4", "int4", "int4", "int8"),
        ("int4", "int8", "int8", "int8", "int8"),
        ("ternary", "int8", "int8", "int8", "int8"),
        ("bipolar3", "int4", "int4", "int4", "int8"),
        ("bipolar4", "int4", "int8", "int8", "int8"),
        ("int4_g128", "fp16", "fp16", "fp16", "fp16"),
        ("int8", "bf16", "bf16", "bf16", "bf16"),
        ("int4", "e4m3", "fp8", "fp16", "fp8"),
        ("int8", "e4m3", "fp16", "fp16", "fp16"),
        ("mxfp4", "mxfp8", "fp8", "fp16", "fp8"),
        ("e4m3", "e5m2", "fp8", "fp16", "fp8"),
        ("fp16", "bf16", "fp32", "fp32", "fp32"),
        ("int16", "int8", "fp32", "fp32", "fp32"),
        ("int4_g128>fp16", "int4", "fp16", "fp16", "fp16"),
    ],
)
def test_products_run_in_the_narrowest_format_that_holds_both(
    weights: str, activations: str, format: str, a100: str, h100: str
) -> None:
    for name, runs_as in (("a100", a100), ("h100", h100)):
        for policy, operator in (
            (f"{weights}/{activations}/fp32", "q_proj"),
            (f"fp32/{activations}/{weights}", "qk_matmul"),
        ):
            row = operators(policy, name).loc[operator]
            assert (row["format"], row["runs_as"]) == (format, runs_as)
            assert row["peak_ops_per_s"] == preset(name).peak_ops_per_s[runs_as]


@pytest.mark.parametrize(("activations", "runs_as"), [("int8", "fp16"), ("fp16", "fp16"), ("bf16", "fp32")])
def test_elementwise_operators_run_at_the_vector_rate(activations: str, runs_as: str) -> None:
    softmax = operators(f"int8/{activations}/int8").loc["softmax"]
    assert softmax["runs_as"] == runs_as
    assert softmax["peak_ops_per_s"] == preset("a100").vector_ops_per_s[runs_as]


def test_without_a_vector_rate_elementwise_operators_cost_their_traffic() -> None:
    table = operators("int4/int8/int8", "zcu104", phase="prefill")
    elementwise = table[table["macs"] == 0]
    assert elementwise["runs_as"].isna().all()
    assert (elementwise["bound"] == "memory").all()
    np.testing.assert_array_equal(elementwise["time_s"], elementwise["bytes"] / 19.2e9)


@pytest.mark.parametrize(
    ("policy", "name", "message"),
    [
        ("fp16/fp16/fp16", "zcu104", "q_proj computes in fp16, which zcu104 does not; it computes in int4, int8"),
        ("fp16/fp16/fp16", "tpu-v4i", "q_proj computes in fp16, which tpu-v4i does not; it computes in int8, bf16"),
        (
            "int32/int8/int8",
            "a100",
            "q_proj computes in int8 x int32; expected formats that one of int4, .* fp32 holds",
        ),
    ],
)
def test_products_that_do_not_run(policy: str, name: str, message: str) -> None:
    with pytest.raises(InputError, match=f"^{message}$"):
        operators(policy, name)


def test_one_operator_by_hand() -> None:
    """Decode of one token: q_proj of llama-2-7b reads 4096 x 4096 weights and 4096 activations and writes 4096."""
    table = roofline(load("llama-2-7b"), Policy(), preset("a100")).set_index("name")
    q_proj = table.loc["q_proj"]
    assert q_proj["bytes"] == 2 * (4096 * 4096 + 4096 + 4096)
    assert q_proj["intensity"] == 2 * 4096 * 4096 / q_proj["bytes"]
    assert q_proj["attainable_ops_per_s"] == pytest.approx(q_proj["intensity"] * 1555e9)
    assert q_proj["time_s"] == pytest.approx(q_proj["bytes"] / 1555e9)
    assert (q_proj["bound"], q_proj["count"], q_proj["runs_as"]) == ("memory", 32, "fp16")
    assert table["share"].sum() == pytest.approx(1)
    embedding = table.loc["embedding"]
    assert embedding["attainable_ops_per_s"] == embedding["intensity"] == 0 < embedding["time_s"]


@given(
    rate=st.floats(1e9, 1e15),
    bandwidth=st.floats(1e9, 1e13),
    phase=st.sampled_from(["prefill", "decode"]),
    policy=st.sampled_from(["fp16/fp16/fp16", "int4_g128/int8/int8", "mxfp4/e4m3/fp16"]),
)
def test_a_roofline_is_the_slower_of_the_two(rate: float, bandwidth: float, phase: str, policy: str) -> None:
    machine = replace(
        preset("h100"),
        peak_ops_per_s={"fp16": rate},
        vector_ops_per_s={"fp16": rate / 8},
        bandwidth_bytes_per_s=bandwidth,
    )
    table = roofline(load("smollm2-135m", phase=phase, context=64), Policy.parse(policy), machine)
    ops = 2 * table["macs"] + table["vector_ops"]
    compute_bound = table["bound"] == "compute"
    np.testing.assert_allclose(table["time_s"][compute_bound], (ops / table["peak_ops_per_s"])[compute_bound])
    np.testing.assert_allclose(table["time_s"][~compute_bound], (table["bytes"] / bandwidth)[~compute_bound])
    np.testing.assert_allclose(table["attainable_ops_per_s"] * table["time_s"], ops)
    assert (table["time_s"] >= (1 - 1e-12) * ops / table["peak_ops_per_s"]).all()
    assert (table["time_s"] >= (1 - 1e-12) * table["bytes"] / bandwidth).all()
    assert 0 < totals(table, 1)["fraction_of_peak"] <= 1 + 1e-12


def test_totals() -> None:
    workload = load("smollm2-135m", phase="prefill", batch=2, context=512)
    machine = replace(preset("h100"), vector_ops_per_s={"fp16": 1e30}, bandwidth_bytes_per_s=1e30)
    table = roofline(workload, Policy(), machine)
    at_peak = totals(table, workload.tokens)
    macs = (table["count"] * table["macs"]).sum()
    assert at_peak["latency_s"] == pytest.approx(2 * macs / 989.4e12)
    assert at_peak["tokens_per_s"] == pytest.approx(2 * 512 / at_peak["latency_s"])
    assert at_peak["fraction_of_peak"] == pytest.approx(1)
    starved = totals(roofline(workload, Policy(), replace(machine, bandwidth_bytes_per_s=1e9)), workload.tokens)
    assert starved["latency_s"] == pytest.approx((table["count"] * table["bytes"]).sum() / 1e9)
    assert starved["fraction_of_peak"] == pytest.approx(at_peak["latency_s"] / starved["latency_s"])


@pytest.mark.parametrize(("policy", "weight_bytes", "kv_bytes"), [("fp16/fp16/fp16", 2, 2), ("int8/int8/fp16", 1, 2)])
@pytest.mark.parametrize("phase", ["prefill", "decode"])
def test_resident_bytes(policy: str, weight_bytes: int, kv_bytes: int, phase: str) -> None:
    workload = load("llama-2-7b", phase=phase, batch=3, context=1000)
    expected = 6_738_415_616 * weight_bytes + 3 * 1000 * 2 * 32 * 4096 * kv_bytes
    assert workload.resident_bytes(Policy.parse(policy)) == pytest.approx(expected, rel=1e-12)


def test_resident_bytes_count_all_experts() -> None:
    assert load("mixtral-8x7b", context=1).resident_bytes(Policy.parse("int8/int8/int8")) > 46e9


def test_a_network_without_weights_holds_none() -> None:
    workload = load("smollm2-135m")
    softmax = tuple(operator for operator in workload.operators if operator.kind == "softmax")
    bare: Workload = replace(workload, operators=softmax, parameters=0)
    assert bare.resident_bytes(Policy()) == 0


def test_measured_products_slow_every_operator_down() -> None:
    workload, machine = load("smollm2-135m"), preset("a100")
    ideal, measured = (roofline(workload, Policy(), machine, measured) for measured in (False, True))
    np.testing.assert_allclose(measured["time_s"], 29.5e-6 + ideal["time_s"] / 0.888)
    ops = 2 * ideal["macs"] + ideal["vector_ops"]
    at_peaks = ideal["count"] @ (ops / ideal["peak_ops_per_s"])
    assert totals(measured, 1)["fraction_of_peak"] == pytest.approx(at_peaks / totals(measured, 1)["latency_s"])
    with pytest.raises(
        InputError, match=r"^h100 has no measured launch overhead and efficiency; a100, a100-80gb have$"
    ):
        roofline(workload, Policy(), preset("h100"), measured=True)
