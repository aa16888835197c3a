from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.accelerator import METRICS, REASONS, Evaluator, Model, totals
from hwexplore.errors import InputError
from hwexplore.search import Problem, Space, joint_intervals
from hwexplore.technology import Technology
from hwexplore.workloads import Operator, Policy, Workload

BYTES = ["weight_bytes", "activation_bytes", "output_bytes", "kv_bytes"]


def product(m: int, n: int, k: int) -> Workload:
    """A workload of a single matrix product."""
    operator = Operator(
        name="product",
        kind="linear",
        count=1,
        batch=1,
        m=m,
        n=n,
        k=k,
        weight_elements=n * k,
        activation_elements=m * k,
        kv_elements=0,
        output_elements=m * n,
        vector_ops=0,
    )
    return Workload(
        name="product", phase="prefill", batch=1, context=m, operators=(operator,), parameters=1, active_parameters=1
    )


def one(problem: Problem) -> pd.Series[Any]:
    return problem.evaluate(np.array([0])).iloc[0]


@pytest.mark.parametrize("fidelity", ["roofline", "tile"])
def test_memory_bound_decode_time_is_bytes_over_bandwidth(fidelity: Any, space_of: Any, nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase="decode", batch=1, context=256)
    policy = "int4_g128/int8/int8"
    space = space_of(pe="mac(int4, int8, acc=int32)", policy=policy, dram="ddr4-3200", vector_lanes=1024, sram_kib=2048)
    frame = workload.to_frame(Policy.parse(policy))
    seconds = frame["count"] @ frame[BYTES].sum(axis=1) / nangate45.dram("ddr4-3200").bandwidth_bytes_per_s
    latency = one(Problem(space, workload, nangate45, fidelity))["latency_s"]
    assert latency == pytest.approx(seconds, rel=1e-12 if fidelity == "roofline" else 0.01)
    assert latency >= seconds * (1 - 1e-12)


@pytest.mark.parametrize("fidelity", ["roofline", "tile"])
def test_compute_bound_prefill_time_is_macs_over_peak(fidelity: Any, space_of: Any, nangate45: Technology) -> None:
    workload = product(m=2048, n=4096, k=4096)
    space = space_of(rows=16, cols=16, clock_mhz=250, sram_kib=2048, channels=4)
    seconds = 2048 * 4096 * 4096 / (16 * 16 * 250e6)
    latency = one(Problem(space, workload, nangate45, fidelity))["latency_s"]
    fill = 0 if fidelity == "roofline" else (2 * 16 + 16 - 2) / 4096
    assert (
        seconds * (1 + fill)
        <= latency * (1 + 1e-12)
        <= seconds * (1 + 1e-12) * (1 if fidelity == "roofline" else 17 / 16)
    )


def test_compute_bound_prefill_of_a_network(space_of: Any, nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase="prefill", context=2048)
    space = space_of(rows=16, cols=16, vector_lanes=1024, sram_kib=2048, channels=8)
    seconds = workload.columns()["macs"] @ workload.columns()["count"] / (16 * 16 * 250e6)
    roofline, tile = (one(Problem(space, workload, nangate45, f))["latency_s"] for f in ("roofline", "tile"))
    assert seconds <= roofline <= 1.01 * seconds
    assert roofline <= tile <= 17 / 16 * roofline


def test_halving_weight_bits_halves_decode_weight_traffic(space_of: Any, nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase="decode", context=2048)
    policies = ["int8_channel/int8/int8", "int4_channel/int8/int8"]
    problem = Problem(space_of(policy=policies, sram_kib=8192), workload, nangate45)
    traffic = problem.model.breakdown(problem.space.indices(np.arange(2))).traffic_bytes
    columns = workload.columns()
    assert traffic[0] - traffic[1] == pytest.approx(columns["weight_elements"] / 2, rel=1e-12)
    others = columns["activation_elements"] + columns["output_elements"] + columns["kv_elements"]
    assert traffic[1] - others == pytest.approx(columns["weight_elements"] / 2, rel=1e-12)


@pytest.mark.parametrize("phase", ["decode", "prefill"])
def test_roofline_is_a_lower_bound(phase: str, nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase=phase, batch=2, context=1000)
    space = Space(policy=["int8_channel/int8/int8", "int4_g128/int8/int4", "int3_g128>int8/int8/fp16"])
    ids = np.sort(np.random.default_rng(0).choice(space.size, 5000, replace=False))
    model = Problem(space, workload, nangate45).model
    tile, roofline = (Evaluator(model, fidelity)(space.indices(ids)) for fidelity in ("tile", "roofline"))
    feasible = tile["reason"] == 0
    assert feasible.sum() > 500
    for name in ("latency_s", "energy_j"):
        assert np.all(roofline[name][feasible] <= tile[name][feasible] * (1 + 1e-9))
    np.testing.assert_array_equal(roofline["area_mm2"][feasible], tile["area_mm2"][feasible])
    no_tile = tile["reason"] == REASONS.index("the buffer is too small for any tile")
    np.testing.assert_array_equal(roofline["reason"], np.where(no_tile, 0, tile["reason"]))


@pytest.mark.parametrize("fidelity", ["tile", "roofline"])
def test_a_mesh_gives_what_columns_give(fidelity: Any, nangate45: Technology) -> None:
    pes = ["mac(int4, int8, acc=int24 sat)", "mac(int8, int8, acc=int32)"]
    space = Space(pe=pes, rows=[4, 16], cols=[64], vector_lanes=[64], channels=[1, 2])
    problem = Problem(space, workloads.load("llama-2-7b"), nangate45, fidelity)
    (ids, mesh), *others = space.blocks(space.size)
    assert not others
    columns = problem.evaluator(space.indices(ids))
    for name, values in problem.evaluator(mesh).items():
        np.testing.assert_allclose(values, columns[name], rtol=1e-12, err_msg=name)


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({}, ""),
        ({"clock_mhz": 5000}, "the PE cannot reach the clock"),
        ({"sram_kib": 16}, "the buffer is too small for the banks that feed array and vector unit"),
        ({"sram_kib": 16, "vector_lanes": 1024, "rows": 1, "cols": 1}, "the buffer is too small for the banks"),
        (
            {"sram_kib": 32768, "rows": 1, "cols": 1, "vector_lanes": 1, "clock_mhz": "max"},
            "the buffer's banks are slower than the clock",
        ),
        ({"dram": "ddr4-3200"}, "the DRAM cannot hold weights and KV cache"),
        ({"dram": "ddr4-3200", "channels": 2}, ""),
        ({"rows": 64, "cols": 1024, "sram_kib": 256}, "the buffer is too small for any tile"),
    ],
)
def test_reasons(values: dict[str, Any], reason: str, space_of: Any, nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase="prefill", context=512)
    design = one(Problem(space_of(**values), workload, nangate45))
    assert design["reason"].startswith(reason) == (reason != "" or design["reason"] == "")
    assert np.isfinite(design["latency_s"]) == np.isfinite(design["area_mm2"]) == (reason == "")
    assert design["tops"] >= 0


def test_every_reason_is_tested() -> None:
    marks = test_reasons.pytestmark  # type: ignore[attr-defined]
    tested = {reason for _, reason in marks[0].args[1]}
    assert set(REASONS) <= tested


def test_scales_cost_where_they_are_applied(space_of: Any, nangate45: Technology) -> None:
    policies = {
        "channel": "int4_channel/int8/int8",
        "group": "int4_g128/int8/int8",
        "edge": "int4_g128>int8/int8/int8",
        "dram": "int4_g128>int8@dram/int8/int8",
    }
    m, n, k = 8, 512, 1024
    problem = Problem(space_of(policy=list(policies.values())), product(m, n, k), nangate45)
    ops = problem.model.operators
    array_ops, b_bits = (
        dict(zip(policies, ops.array_ops[:, 0], strict=True)),
        dict(zip(policies, ops.b_bits[:, 0], strict=True)),
    )
    outputs = m * n
    assert array_ops == {
        "channel": outputs,
        "group": 2 * outputs * k / 128,
        "edge": outputs + n * k,
        "dram": outputs + n * k,
    }
    assert b_bits == {"channel": 4, "group": 4.125, "edge": 4.125, "dram": 8}
    energy = problem.evaluate(np.arange(4))["energy_j"]
    assert energy.is_unique


def test_operands_of_one_format_are_both_converted(space_of: Any, nangate45: Technology) -> None:
    m, n, k = 8, 512, 1024
    problem = Problem(space_of(policy="int4>int8/int4>int8/int8"), product(m, n, k), nangate45)
    ops = problem.model.operators
    assert ops.array_ops[0, 0] == m * n + (m + n) * k
    assert ops.fallback_ops[0, 0] == m * n * k + (m + n) * k


def test_no_pe_dequantizes_inside(space_of: Any, nangate45: Technology) -> None:
    problem = Problem(space_of(policy="int4_g128>int8@pe/int8/int8"), product(8, 8, 8), nangate45)
    with pytest.raises(InputError, match="product: int4_g128>int8@pe: no PE converts formats inside; use edge or dram"):
        one(problem)


def test_unknown_names(space_of: Any, nangate45: Technology) -> None:
    workload = product(8, 8, 8)
    with pytest.raises(InputError, match="unknown DRAM 'hbm5'; did you mean hbm"):
        one(Problem(space_of(dram="hbm5"), workload, nangate45))
    with pytest.raises(InputError, match="unknown fidelity 'rooflin'; did you mean roofline"):
        one(Problem(space_of(), workload, nangate45, "rooflin"))  # type: ignore[arg-type]


def test_metrics_follow_from_latency_energy_and_area(space_of: Any, nangate45: Technology) -> None:
    workload = workloads.load("llama-2-7b", phase="decode", batch=4, context=100)
    row = one(Problem(space_of(), workload, nangate45))
    operations = 2 * workload.columns()["macs"] @ workload.columns()["count"]
    assert row["tokens_per_s"] == pytest.approx(4 / row["latency_s"])
    assert row["j_per_token"] == pytest.approx(row["energy_j"] / 4)
    assert row["power_w"] == pytest.approx(row["energy_j"] / row["latency_s"])
    assert row["edp_js"] == pytest.approx(row["energy_j"] * row["latency_s"])
    assert row["tops"] == pytest.approx(operations / row["latency_s"] / 1e12)
    assert row["tops_per_w"] == pytest.approx(operations / row["energy_j"] / 1e12)
    assert row["tops_per_mm2"] == pytest.approx(row["tops"] / row["area_mm2"])
    assert {"error", *row.index} >= set(METRICS)


def test_intervals_share_their_draws(space_of: Any, nangate45: Technology) -> None:
    """Each draw is a technology of its own, in which all designs are priced."""
    workload = workloads.load("smollm2-135m", context=64)
    space = space_of(rows=[8, 16], clock_mhz=100)
    problem, ids = Problem(space, workload, nangate45), np.arange(2)
    intervals = joint_intervals(problem, ids)

    models = [Model(workload, drawn, space.choices) for drawn in nangate45.draws]
    for row, name in enumerate(("latency_s", "energy_j", "area_mm2")):
        draws = np.array([totals(model, model.breakdown(space.indices(ids)))[row] for model in models])
        low, high = np.quantile(draws, (0.05, 0.95), axis=0)
        np.testing.assert_allclose(intervals[name].low, low, rtol=1e-12)
        np.testing.assert_allclose(intervals[name].high, high, rtol=1e-12)
        np.testing.assert_array_equal(intervals[name].mid, problem.evaluate(ids)[name])
        if name != "latency_s":
            ratio = draws[:, 1] / draws[:, 0]
            assert np.ptp(np.log(ratio)) < np.ptp(np.log(draws[:, 0])) / 2


def test_the_distribution_of_the_operands_sets_the_energy_of_the_macs(space_of: Any, nangate45: Technology) -> None:
    workload = product(64, 64, 64)
    energies = {}
    for operands in ("gaussian", "uniform"):
        problem = Problem(space_of(), workload, nangate45, operands=operands)
        energies[operands] = problem.model.breakdown(problem.space.indices(np.arange(1))).picojoules
    pe = problem.space.choices.values["pe"][0]
    activities = {name: np.array([item.activity for item in pe.bill(name)]) for name in energies}
    assert (energies["uniform"]["MAC"] > energies["gaussian"]["MAC"]) == (
        activities["uniform"].mean() > activities["gaussian"].mean()
    )
    assert energies["uniform"]["buffer"] == energies["gaussian"]["buffer"]
    with pytest.raises(InputError, match="unknown operand distribution 'gauss'; did you mean gaussian"):
        one(Problem(space_of(), workload, nangate45, operands="gauss"))
