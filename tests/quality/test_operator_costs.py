"""Costs by operator against whole designs."""

from __future__ import annotations

import numpy as np
import pytest

from hwexplore import technology
from hwexplore.accelerator import Choices, Evaluator, Model
from hwexplore.errors import InputError
from hwexplore.quality.operator_costs import operator_costs
from hwexplore.workloads import Policy, Workload

HARDWARE = {
    "pe": ["mac(int8, int8, acc=int32)", "mac(int4, int8, acc=int24)"],
    "rows": [4],
    "cols": [64],
    "dataflow": ["os"],
    "clock_mhz": [250, 100_000],
    "voltage": [1.1],
    "vector_lanes": [16],
    "sram_kib": [128],
    "dram": ["ddr4-3200"],
    "channels": [1],
}
DESIGN = {name: np.array([0]) for name in HARDWARE}
OWN = ["int8_channel/int8/int8", "int4_channel/int8/int8", "fp16/fp16/int8"]


def model_of(workload: Workload, policies: list[object]) -> Model:
    return Model(workload, technology.load("nangate45"), Choices({**HARDWARE, "policy": policies}))


def test_a_mixed_policy_costs_the_sum_of_its_parts(small_workload: Workload) -> None:
    random = np.random.default_rng(0)
    costs, _ = operator_costs(model_of(small_workload, OWN), DESIGN)
    for _ in range(5):
        options = random.integers(0, len(OWN), len(small_workload.operators))
        parts = [Policy.parse(OWN[option]) for option in options]
        overrides = {
            operator.name: {"weights": part.weights, "activations": part.activations}
            for operator, part in zip(small_workload.operators, parts, strict=True)
        }
        model = model_of(small_workload, [Policy("int8", "int8", "int8", overrides)])
        metrics = Evaluator(model)({**DESIGN, "policy": np.array([0])})
        rows = np.arange(len(options))
        assert costs["latency_s"][rows, options].sum() == pytest.approx(metrics["latency_s"][0])
        assert costs["energy_j"][rows, options].sum() == pytest.approx(metrics["energy_j"][0])
        frame = small_workload.to_frame(model.choices.values["policy"][0])
        assert costs["weight_bytes"][rows, options] == pytest.approx(frame["weight_bytes"])


def test_a_pe_takes_what_it_accepts_or_anything_if_it_accepts_nothing(small_workload: Workload) -> None:
    model = model_of(small_workload, OWN)
    _, accepted = operator_costs(model, {**DESIGN, "pe": np.array([1])})
    names = [operator.name for operator in small_workload.operators]
    assert accepted[names.index("head")].tolist() == [False, True, False]
    assert accepted[names.index("layers.1.qk")].tolist() == [True, True, True]
    assert accepted[names.index("layers.1.norm")].all()


def test_hardware_that_cannot_work_is_refused(small_workload: Workload) -> None:
    with pytest.raises(InputError, match="the design is infeasible: the PE cannot reach the clock: clock_mhz = 100000"):
        operator_costs(model_of(small_workload, OWN), {**DESIGN, "clock_mhz": np.array([1])})
