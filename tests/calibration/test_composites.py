from __future__ import annotations

from itertools import product

import pytest

from hwexplore.calibration.boolean import evaluate
from hwexplore.calibration.composites import COMPOSITES, FUNCTIONS, Cost, composite, with_inverters
from hwexplore.technology.bill import PRIMITIVES


def cost(cell: str, scale: float) -> Cost:
    return {"cell": cell, "area_um2": 2 * scale, "leakage_uw": scale, "energy_pj": 3 * scale, "delay_ps": 10 * scale}


def test_composites_are_of_primitives() -> None:
    assert COMPOSITES.keys() < FUNCTIONS.keys() < set(PRIMITIVES)
    assert {gate for gates in COMPOSITES.values() for gate, *_ in gates.values()} < FUNCTIONS.keys() - COMPOSITES.keys()


def test_composites_compute_their_primitives() -> None:
    """By evaluation of their gates, which are other primitives."""
    for name, gates in COMPOSITES.items():
        pins = sorted(set("abc").intersection("".join(FUNCTIONS[name])))
        driven = {net for _, *nets in gates.values() for net in nets}
        outputs = [net for net in gates if net not in driven]
        for row in product((False, True), repeat=len(pins)):
            known = dict(zip(pins, row, strict=True))
            for net, (gate, *nets) in gates.items():
                values = [known[other] for other in nets]
                known[net] = evaluate(FUNCTIONS[gate][0], dict(zip("abc", values, strict=False)))
            for net, function in zip(outputs, FUNCTIONS[name], strict=True):
                assert known[net] == evaluate(function, known), (name, net, row)


@pytest.mark.parametrize("name", COMPOSITES)
def test_a_composite_of_equal_gates(name: str) -> None:
    """As many gates as nets; no gate toggles oftener than every other cycle, and outputs are among them."""
    gates = COMPOSITES[name]
    made = composite(name, {gate: cost(gate, 1) for gate, *_ in gates.values()})
    assert (made["area_um2"], made["leakage_uw"]) == (2 * len(gates), len(gates))
    assert 3 <= float(made["energy_pj"]) <= 3 * len(gates)
    assert made["delay_ps"] == {"mux2": 30, "half_adder": 10, "full_adder": 20}[name]
    assert made.get("carry_delay_ps") == {"full_adder": 20}.get(name)


def test_inverters_behind_two_outputs() -> None:
    adder = cost("FN", 4) | {"carry_delay_ps": 7.0, "setup_ps": 5.0}
    assert with_inverters(adder, cost("IV", 1), 2) == {
        "cell": "FN and 2 IV",
        "area_um2": 8 + 2 * 2,
        "leakage_uw": 4 + 2 * 1,
        "energy_pj": 12 + 3,
        "delay_ps": 40 + 10,
        "carry_delay_ps": 7 + 10,
        "setup_ps": 5,
    }
