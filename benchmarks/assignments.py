"""Formats by layer, chosen on an accelerator by a profile, beside uniform ones: costs, predicted and real loss.

For each uniform policy, the assignment of least predicted loss that is no slower and takes no more energy per token,
and the one whose weights take no more memory, on one design. Loss increases in units of the network's metric, with
their standard error over windows of text; divergence from FP32's predictions in units of 0.001 nats.
"""

from __future__ import annotations

import argparse
import time

import numpy as np

import hwexplore as hx
from hwexplore.accelerator import Choices, Evaluator, Model
from hwexplore.quality import Profile, ProfiledWorkload, least_loss, operator_costs
from hwexplore.quality.networks import load, measure
from hwexplore.quality.networks.sensitivity import assignment
from hwexplore.workloads import Policy

UNIFORM = {
    "charlm": (
        *("int8_channel/int8/int8", "int6_channel/int8/int8", "int4_g32/int8/int8", "int4_g32/int8/int4"),
        *("int4_g32/int4/int4", "int3_g32/int8/int8", "int3_g32/int4/int4", "int2_g32/int8/int8"),
    ),
    "smollm2-135m": ("int4_g64/int8/int8", "int3_g64/int8/int8", "int6_channel/int8/int8"),
}
HARDWARE = {"rows": 1, "dataflow": "os", "clock_mhz": 500, "voltage": 1.1, "dram": "ddr4-3200", "channels": 1}
SIZES = {
    "charlm": {"cols": 16, "vector_lanes": 16, "sram_kib": 128},
    "smollm2-135m": {"cols": 64, "vector_lanes": 64, "sram_kib": 512},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("network", choices=UNIFORM)
    parser.add_argument("profile", help="written by 'hwexplore quality profile'")
    parser.add_argument("--pe", default="multi(int8, int8, acc=int32)", help="default: %(default)s")
    parser.add_argument("--context", type=int, default=128, help="tokens attended in decode (default: %(default)s)")
    parser.add_argument("--windows", type=int, help="of held-out text to measure on (default: all)")
    options = parser.parse_args()
    benchmark, profile = load(options.network), Profile.read(options.profile)
    workload = hx.workloads.load(options.network, phase="decode", context=options.context, per_layer=True)
    layers = ProfiledWorkload(profile, workload)
    formats = [
        list(dict.fromkeys(profile.table["format"][profile.table["operand"] == operand]))
        for operand in ("weights", "activations", "kv_cache")
    ]
    policies = [Policy(w, a, kv) for w in formats[0] for a in formats[1] for kv in formats[2]]
    hardware = {name: [value] for name, value in {"pe": options.pe, **HARDWARE, **SIZES[options.network]}.items()}
    technology = hx.technology.load("nangate45")
    design = dict.fromkeys(hardware, np.array([0]))
    choices = Choices({**hardware, "policy": policies})
    costs, accepted = operator_costs(Model(workload, technology, choices), design)
    loss = layers.by_layer(policies, choices.values["pe"][0])
    loss[layers.sums((~accepted).astype(float)) > 0] = np.inf
    stacked = {name: layers.sums(values) for name, values in costs.items()}
    names = {"time and energy": ("latency_s", "energy_j"), "memory": ("weight_bytes",)}

    print(f"{options.network} on {options.pe}, {len(policies)} policies to choose from, profile by {profile.proxy}")
    print(f"{'':34}{'us':>9}{'uJ':>9}{'kB':>9}{'predicted':>11}{'loss':>9}{'+-':>8}{'KL':>8}{'4 bits':>8}{'s':>6}")

    def show(label: str, policy: Policy) -> None:
        model = Model(workload, technology, Choices({**hardware, "policy": [policy]}))
        metrics = Evaluator(model)({**design, "policy": np.array([0])})
        latency, energy = (1e6 * float(metrics[name][0]) for name in ("latency_s", "energy_j"))
        kilobytes = workload.to_frame(policy)["weight_bytes"].sum() / 1e3
        quality = measure(benchmark, assignment(benchmark, workload, policy), windows=options.windows)
        predicted = layers.predicted(policy, choices.values["pe"][0])
        print(
            f"{label:34}{latency:>9.1f}{energy:>9.1f}{kilobytes:>9.0f}{predicted:>11.4f}{quality.delta:>9.4f}", end=""
        )
        print(f"{quality.delta_error:>8.4f}{1e3 * quality.kl_nats:>8.2f}{_share(workload, policy):>8.0%}", end="")

    for text in UNIFORM[options.network]:
        uniform = Policy.parse(text)
        show(text, uniform)
        print()
        column = [str(policy) for policy in policies].index(str(uniform))
        for label, limited in names.items():
            start = time.perf_counter()
            table = np.stack([stacked[name] for name in limited])
            limits = table[:, :, column].sum(axis=1)
            found = least_loss(loss, table, limits, layers.cache_ties, time_limit_s=60)
            seconds = time.perf_counter() - start
            show(f"  within its {label}{'' if found.proved else ' *'}", layers.mix(policies, found.options))
            print(f"{seconds:>6.1f}", flush=True)


def _share(workload: hx.workloads.Workload, policy: Policy) -> float:
    """Of the weights that are read, those in formats of four bits and less."""
    elements = np.array([each.count * each.weight_elements * each.is_gemm for each in workload.operators])
    few = np.array([operands.weights.storage.element_bits <= 4 for operands in workload.operands(policy)])
    return float(elements[few].sum() / elements.sum())


if __name__ == "__main__":
    main()
