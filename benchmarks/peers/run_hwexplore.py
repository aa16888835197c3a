"""hwexplore on the common setting: reads it as JSON from standard input, prints results as JSON."""

from __future__ import annotations

import json
import sys
import time

import numpy as np

from hwexplore import technology
from hwexplore.accelerator import PARAMETERS, Choices, Evaluator, Model
from hwexplore.workloads import Operator, Workload, load

NODE = technology.load("nangate45")
RUNS = 5
DESIGNS = {"rows": [8, 16, 32, 64], "cols": [8, 16, 32, 64], "vector_lanes": [16, 32, 64, 128], "sram_kib": [256, 512]}
"""Values of the designs whose evaluation is timed."""
TERMS = {
    "MAC": ("MAC", "operand registers", "array wires"),
    "buffer": ("buffer", "interconnect"),
    "DRAM": ("DRAM",),
    "array clock": ("array clock",),
}
"""Terms of the energy, as the other tools divide it."""


def gemms(name: str, operators: list[dict[str, int]]) -> Workload:
    """The products alone, as the other tools have them."""
    rows = tuple(
        Operator(
            name=str(row["name"]),
            kind="linear",
            count=row["count"],
            m=row["m"],
            n=row["n"],
            k=row["k"],
            weight_elements=row["n"] * row["k"],
            activation_elements=row["size"] ** 2 * row["channels"] if "size" in row else row["m"] * row["k"],
            output_elements=row["m"] * row["n"],
        )
        for row in operators
    )
    return Workload(name=name, phase="inference", batch=1, context=1, operators=rows, parameters=0, active_parameters=0)


def values(setting: dict) -> dict[str, list]:
    return {
        "pe": ["mac(int8, int8, acc=int32)"],
        **{name: [setting[name]] for name in ("rows", "cols", "dataflow", "clock_mhz", "dram", "channels")},
        "voltage": [1.1],
        "vector_lanes": [64],
        "sram_kib": [setting["buffer_kib"]],
        "policy": ["int8/int8/int8"],
    }


def evaluate(setting: dict, workload: Workload) -> dict:
    index = {name: np.zeros(1, np.intp) for name in PARAMETERS}
    model = Model(workload, NODE, Choices(values(setting)))
    breakdown, count = model.breakdown(index), model.operators.count
    assert not breakdown.reason.any()
    clock_hz = 1e6 * setting["clock_mhz"]
    total_s = float((breakdown.operator_s @ count)[0])
    many = Model(workload, NODE, Choices({**values(setting), **DESIGNS}))
    grid = dict(
        zip(PARAMETERS, np.ix_(*(np.arange(len(many.choices.values[name])) for name in PARAMETERS)), strict=True)
    )
    evaluator, bound = Evaluator(many), Evaluator(model, "roofline")
    evaluator(grid)
    seconds = []
    for _ in range(RUNS):
        start = time.perf_counter()
        designs = evaluator(grid)["latency_s"].size
        seconds.append(time.perf_counter() - start)
    return {
        "cycles": total_s * clock_hz,
        "compute_cycles": float((np.broadcast_to(breakdown.seconds["array"], (1, len(count))) @ count)[0]) * clock_hz,
        "roofline_cycles": float(bound(index)["latency_s"][0]) * clock_hz,
        "dram_bytes": float((breakdown.traffic_bytes @ count)[0]),
        "energy_uj": {
            name: 1e-6 * sum(float(np.ravel(breakdown.picojoules[term] @ count)[0]) for term in terms)
            for name, terms in TERMS.items()
        }
        | {"static": 1e6 * total_s * sum(float(watts[0]) for watts in breakdown.static_w.values())},
        "evaluations_per_s": designs / min(seconds),
    }


def costs(setting: dict) -> dict[str, float]:
    """Energies in pJ of a MAC and of a bit read or written, for tools that are given them."""
    empty = gemms("one", [{"name": "one", "count": 1, "m": 1, "n": 1, "k": 1}])
    model = Model(empty, NODE, Choices(values(setting)))
    index = {name: np.zeros(1, np.intp) for name in PARAMETERS}
    hardware, picojoules = model.hardware(index), model.breakdown(index).picojoules
    moving = float(hardware.interconnect_pj_per_bit[0])
    return {
        "mac_pj": sum(float(np.ravel(picojoules[term])[0]) for term in TERMS["MAC"]),
        "read_pj_per_bit": float(hardware.read_pj_per_bit[0]) + moving,
        "write_pj_per_bit": float(hardware.write_pj_per_bit[0]) + moving,
        "dram_pj_per_bit": float(hardware.dram_pj_per_byte[0]) / 8,
    }


def main() -> None:
    setting = json.load(sys.stdin)
    results = {name: evaluate(setting, gemms(name, rows)) for name, rows in setting["workloads"].items()}
    whole = load("llama-2-7b", phase="decode", batch=1, context=setting["context"])
    results["Llama-2-7B decode, all operators"] = evaluate(setting, whole)
    print(json.dumps({**results, "costs": costs(setting)}))


if __name__ == "__main__":
    main()
