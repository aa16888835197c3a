"""From a network to its profile, to formats by layer on an accelerator, and back to the network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwexplore import technology, workloads
from hwexplore.accelerator import Choices, Evaluator, Model
from hwexplore.pe import PE
from hwexplore.quality import Profile, ProfiledWorkload, least_loss, operator_costs
from hwexplore.quality.networks import load, measure
from hwexplore.quality.networks.sensitivity import assignment, sensitivity
from hwexplore.quality.networks.train import initial
from hwexplore.workloads import Policy

WEIGHTS = ["int2_g32", "int3_g32", "int4_g32", "int8_channel"]
HARDWARE = {
    "pe": ["multi(int8, int8, acc=int32)"],
    "rows": [1],
    "cols": [16],
    "dataflow": ["os"],
    "clock_mhz": [500],
    "voltage": [1.1],
    "vector_lanes": [16],
    "sram_kib": [128],
    "dram": ["ddr4-3200"],
    "channels": [1],
}
DESIGN = dict.fromkeys(HARDWARE, np.array([0]))


def test_a_chosen_assignment_beats_the_uniform_one_of_equal_cost() -> None:
    benchmark, node = load("charlm"), technology.load("nangate45")
    workload = workloads.load("charlm", phase="decode", batch=1, context=128, per_layer=True)
    formats = {"weights": WEIGHTS, "activations": ["int4", "int8"], "kv_cache": ["int4", "int8"]}
    layers = ProfiledWorkload(sensitivity(benchmark, formats, "fisher", 8), workload)
    assert list(layers.layers) == list(benchmark.network.operators)
    policies = [Policy(w, a, kv) for w in WEIGHTS for a in formats["activations"] for kv in formats["kv_cache"]]
    model = Model(workload, node, Choices({**HARDWARE, "policy": policies}))
    costs, accepted = operator_costs(model, DESIGN)
    assert accepted.all()
    loss = layers.by_layer(policies, model.choices.values["pe"][0])
    assert np.isfinite(loss).all()
    table = np.stack([layers.sums(costs[name]) for name in ("latency_s", "energy_j")])
    uniform = policies.index(Policy("int3_g32", "int8", "int8"))
    found = least_loss(loss, table, table[:, :, uniform].sum(axis=1), layers.cache_ties)
    assert found.proved
    chosen = layers.mix(policies, found.options)
    pair = Choices({**HARDWARE, "policy": [policies[uniform], chosen]})
    both = Evaluator(Model(workload, node, pair))({**DESIGN, "policy": np.arange(2)})
    for name in ("latency_s", "energy_j"):
        assert both[name][1] <= both[name][0] * (1 + 1e-9)
    qualities = [
        measure(benchmark, assignment(benchmark, workload, each), windows=12) for each in (policies[uniform], chosen)
    ]
    assert qualities[1].kl_nats < qualities[0].kl_nats / 2
    assert qualities[1].delta < qualities[0].delta


def test_a_profile_of_every_operator_fits_the_workload_of_smollm2() -> None:
    """Of a network with as many blocks, which has the operators that SmolLM2 has."""
    operators = initial(0, width=4, hidden=4, blocks=30, heads=1).operators
    rows = [(name, operand, "int8", 0.1) for name, reads in operators.items() for operand in reads]
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    profile = Profile(network="n", metric="nats", proxy="fisher", source="made up", table=table)
    workload = workloads.load("smollm2-135m", phase="decode", context=256, per_layer=True)
    layers = ProfiledWorkload(profile, workload)
    assert list(layers.layers) == list(operators)
    assert layers.predicted(Policy.parse("int8/int8/int8"), PE.parse("mac(int8, int8, acc=int32)")) == pytest.approx(
        0.1 * len(rows)
    )
