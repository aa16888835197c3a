"""The factors of the shipped records, computed anew from the tables that they cite."""

from __future__ import annotations

import numpy as np
import pytest

from hwexplore.technology import load

INVERTER = {
    45: (1.1, 10.9, 1.05),
    32: (0.97, 9.8, 0.51),
    16: (0.86, 6.12, 0.179),
    14: (0.86, 4.02, 0.144),
    10: (0.83, 3.24, 0.122),
    7: (0.8, 2.47, 0.111),
}
"""Stillmaker and Baas 2017, Table 2: node to supply in V, delay in ps, energy in fJ."""
AREA = {45: 17, 32: 7.8, 20: 3.6, 16: 3.2, 14: 2.9, 10: 1.7, 7: 1}
"""Table 4, area over that at 7 nm."""
CACTI_CELL_F2 = 146
BITCELL_UM2 = {28: 0.127, 22: 0.092, 16: 0.074, 12: 0.074, 7: 0.027}


def at(node_nm: float, table: dict[int, float]) -> float:
    nodes = sorted(table)
    return float(np.exp(np.interp(np.log(node_nm), np.log(nodes), np.log([table[node] for node in nodes]))))


def inverter(node_nm: float) -> tuple[float, float, float]:
    volts, delay, energy = (at(node_nm, {node: row[n] for node, row in INVERTER.items()}) for n in range(3))
    return volts, delay, energy


@pytest.mark.parametrize("node_nm", [28, 22, 16, 12])
def test_logic_scales_by_stillmaker_and_baas(node_nm: int) -> None:
    technology = load(f"{node_nm}nm")
    (by,) = technology.scalings
    (volts, delay, energy), (volts45, delay45, energy45) = inverter(node_nm), INVERTER[45]
    assert (technology.node_nm, by.base) == (node_nm, "nangate45")
    assert technology.voltage == pytest.approx(volts, abs=0.005)
    assert by.area == pytest.approx(at(node_nm, AREA) / AREA[45], rel=1e-3)
    assert by.delay == pytest.approx(delay / delay45, rel=1e-3)
    assert by.energy == pytest.approx(energy / energy45, rel=1e-3)
    assert by.leakage == pytest.approx(energy / energy45 * volts45 / volts, rel=1e-3)


def test_nand_of_16_nm() -> None:
    """TSMC's is 0.138 um2, which the area factors do not know."""
    (scaling,) = load("16nm").scalings
    assert 0.798 * scaling.area == pytest.approx(0.138, rel=0.1)


def test_foundry_ratios() -> None:
    (to_5,), (_, to_3) = load("5nm").scalings, load("3nm").scalings
    assert (1 / to_5.area, to_5.energy, to_5.delay) == (pytest.approx(1.84, rel=1e-3), 0.7, 1)
    assert (1 / to_3.area, to_3.energy, to_3.delay) == (pytest.approx(1.6), 0.66, 1)
    assert (to_5.base, to_3.base) == ("asap7", "5nm")


@pytest.mark.parametrize(("node_nm", "cacti_nm"), [(28, 32), (22, 22), (16, 22), (12, 22), (7, 22)])
def test_sram_scales_by_bitcell(node_nm: int, cacti_nm: int) -> None:
    law = load("asap7" if node_nm == 7 else f"{node_nm}nm").sram_law
    (by,) = law.scalings
    assert by.base == f"cacti{cacti_nm}"
    assert by.area == pytest.approx(BITCELL_UM2[node_nm] / (CACTI_CELL_F2 * (cacti_nm / 1e3) ** 2), rel=1e-3)
    (volts, delay, energy), (volts0, delay0, energy0) = inverter(node_nm), inverter(cacti_nm)
    assert by.energy == pytest.approx(energy / energy0, rel=1e-3)
    assert by.delay == pytest.approx(delay / delay0, rel=1e-3)
    assert by.leakage == pytest.approx(energy / energy0 * volts0 / volts, rel=1e-3)


def test_every_factor_has_a_source() -> None:
    for name in ("28nm", "22nm", "16nm", "12nm", "5nm", "3nm"):
        technology = load(name)
        for by in (*technology.scalings, *technology.sram_law.scalings):
            assert by.sources.keys() == {"area", "energy", "delay", "leakage"}
            assert min(map(len, by.sources.values())) > 8
