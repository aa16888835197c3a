"""Primitives as functions, and made of one another where a library has no cell for one."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import product
from math import inf
from statistics import fmean

from hwexplore.calibration.boolean import evaluate

__all__ = ["COMPOSITES", "FUNCTIONS", "Cost", "composite", "with_inverters"]

Cost = dict[str, float | str]
"""Of a primitive: cell, area_um2, leakage_uw, energy_pj, delay_ps, and what it has besides."""

FUNCTIONS = {
    "inverter": ("!a",),
    "nand2": ("!(a b)",),
    "and2": ("a b",),
    "or2": ("a + b",),
    "xor2": ("a ^ b",),
    "mux2": ("a c' + b c",),
    "half_adder": ("a ^ b", "a b"),
    "full_adder": ("a ^ b ^ c", "a b + a c + b c"),
}
"""Combinational primitives by the functions of their outputs: sum before carry."""

COMPOSITES: dict[str, dict[str, tuple[str, ...]]] = {
    "mux2": {
        "select": ("inverter", "c"),
        "first": ("nand2", "a", "select"),
        "second": ("nand2", "b", "c"),
        "out": ("nand2", "first", "second"),
    },
    "half_adder": {"sum": ("xor2", "a", "b"), "carry": ("and2", "a", "b")},
    "full_adder": {
        "propagate": ("xor2", "a", "b"),
        "sum": ("xor2", "propagate", "c"),
        "generated": ("nand2", "a", "b"),
        "propagated": ("nand2", "propagate", "c"),
        "carry": ("nand2", "generated", "propagated"),
    },
}
"""Primitives that a library may have no cell for: each net with the primitive that drives it and that one's inputs.

The nets that drive nothing are the outputs, in the order of `FUNCTIONS`.
"""


def with_inverters(cost: Cost, inverter: Cost, outputs: int = 1) -> Cost:
    """A cell with an inverter behind each of its outputs."""
    added = {"area_um2": outputs, "leakage_uw": outputs, "energy_pj": 1, "delay_ps": 1, "carry_delay_ps": 1}
    return (
        cost
        | {"cell": f"{cost['cell']} and {outputs} {inverter['cell']}"}
        | {
            key: float(cost[key]) + count * float(inverter[key.removeprefix("carry_")])
            for key, count in added.items()
            if key in cost
        }
    )


def composite(name: str, costs: Mapping[str, Cost]) -> Cost:
    """A primitive made of others, whose costs are given.

    Its gates switch as often as independent random inputs make them, in proportion to the transitions of its outputs.
    """
    gates = COMPOSITES[name]
    pins = sorted(set("abc").intersection("".join(FUNCTIONS[name])))
    states = product((False, True), repeat=len(pins))
    values: dict[str, tuple[bool, ...]] = dict(zip(pins, zip(*states, strict=True), strict=True))
    arrival = {pin: {other: 0.0 if other == pin else -inf for other in pins} for pin in pins}
    transitions: dict[str, float] = {}
    for net, (gate, *nets) in gates.items():
        rows = zip(*(values[n] for n in nets), strict=True)
        values[net] = tuple(
            evaluate(FUNCTIONS[gate][0], dict(zip("abc"[: len(nets)], row, strict=True))) for row in rows
        )
        arrival[net] = {pin: max(arrival[n][pin] for n in nets) + float(costs[gate]["delay_ps"]) for pin in pins}
        ones = fmean(values[net])
        transitions[net] = 2 * ones * (1 - ones)

    used = [gate for gate, *_ in gates.values()]
    outputs = [net for net in gates if not any(net in nets for _, *nets in gates.values())]
    energy = sum(transitions[net] * float(costs[gate]["energy_pj"]) for net, gate in zip(gates, used, strict=True))
    slowest = {net: max(arrival[net].values()) for net in outputs}
    cost: Cost = {
        "cell": " and ".join(f"{used.count(gate)} {costs[gate]['cell']}" for gate in dict.fromkeys(used)),
        "area_um2": sum(float(costs[gate]["area_um2"]) for gate in used),
        "leakage_uw": sum(float(costs[gate]["leakage_uw"]) for gate in used),
        "energy_pj": energy / sum(transitions[net] for net in outputs),
        "delay_ps": max(slowest.values()),
    }
    if name == "full_adder":
        total, carry = outputs
        cost |= {"delay_ps": slowest[total], "carry_delay_ps": min(arrival[carry].values())}
    return cost
