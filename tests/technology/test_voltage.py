from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.technology import load, names

NANGATE = load("nangate45")
LAW = NANGATE.voltage_law
volts = st.floats(*LAW.volts)


@pytest.mark.parametrize(("at", "delay_ps"), [(0.5, 85.65), (0.7, 28.5812), (0.9, 12.6036), (1.1, 10.9)])
def test_delay_of_an_inverter(at: float, delay_ps: float) -> None:
    """566.1 - 1619 V + 1567 V^2 - 501.6 V^3 by hand; 10.9 ps at 1.1 V (Stillmaker and Baas 2017, Tables 5 and 2)."""
    assert LAW.delay_factor(at) * 10.9 == pytest.approx(delay_ps, rel=1e-3)


@pytest.mark.parametrize(("at", "energy_fj"), [(0.5, 0.2531), (0.9, 0.6989), (1.1, 1.0439)])
def test_energy_of_an_inverter(at: float, energy_fj: float) -> None:
    """0.1539 - 0.3107 V + 1.018 V^2 by hand; Table 2 has 1.05 fJ at 1.1 V."""
    assert LAW.energy_factor(at) * 1.0439 == pytest.approx(energy_fj, rel=1e-3)


@settings(deadline=None)
@given(volts, volts)
def test_logic_is_slower_and_thriftier_at_a_lower_voltage(one: float, two: float) -> None:
    low, high = sorted((one, two))
    assert LAW.delay_factor(low) >= LAW.delay_factor(high) >= 1
    assert LAW.energy_factor(low) <= LAW.energy_factor(high) <= 1
    assert LAW.leakage_factor(low) <= LAW.leakage_factor(high) <= 1


def test_delay_has_no_step_where_the_polynomial_ends() -> None:
    around = np.array([-1e-9, 1e-9]) + LAW.delay_until
    assert LAW.delay_factor(around[0]) == pytest.approx(LAW.delay_factor(around[1]), rel=1e-6)


def test_a_technology_at_another_voltage() -> None:
    low = NANGATE.at(0.8)
    assert low.voltage == 0.8
    for name, primitive in NANGATE.primitives.items():
        there = low.primitives[name]
        assert there.area_um2 == primitive.area_um2
        assert there.delay_ps == pytest.approx(primitive.delay_ps * LAW.delay_factor(0.8))
        assert there.energy_pj == pytest.approx(primitive.energy_pj * LAW.energy_factor(0.8))
        assert there.clock_pj == pytest.approx(primitive.clock_pj * LAW.energy_factor(0.8))
        assert there.leakage_uw == pytest.approx(primitive.leakage_uw * 0.8 / 1.1)
    assert low.vector_unit.energy_pj == pytest.approx(NANGATE.vector_unit.energy_pj * LAW.energy_factor(0.8))
    assert low.vector_unit.area_um2 == NANGATE.vector_unit.area_um2
    assert (low.sram_law, low.drams) == (NANGATE.sram_law, NANGATE.drams)
    back = low.at(1.1)
    assert back.primitives["nand2"].delay_ps == pytest.approx(NANGATE.primitives["nand2"].delay_ps)
    assert NANGATE.at(1.1).primitives == NANGATE.primitives


def test_draws_at_another_voltage_are_the_same_draws() -> None:
    scale = [drawn.primitives["and2"].energy_pj / NANGATE.primitives["and2"].energy_pj for drawn in NANGATE.draws]
    low = NANGATE.at(0.9)
    assert [drawn.primitives["and2"].energy_pj / low.primitives["and2"].energy_pj for drawn in low.draws] == (
        pytest.approx(scale)
    )


def test_a_pe_at_another_voltage() -> None:
    pe = PE.parse("mac(int8, int8)")
    nominal, low = pe.cost("nangate45"), pe.cost("nangate45", voltage=0.8)
    assert low.area_um2 == nominal.area_um2
    assert low.energy_pj.mid == pytest.approx(nominal.energy_pj.mid * LAW.energy_factor(0.8))
    assert low.min_period_ps.mid == pytest.approx(nominal.min_period_ps.mid * LAW.delay_factor(0.8))
    assert low.leakage_uw.mid < nominal.leakage_uw.mid


@pytest.mark.parametrize(
    ("name", "at", "delay_ps", "energy_fj"),
    [
        ("asap7", 0.6, 3.9367, 0.0338),  # 24.69 - 70.26 V + 76.6 V^2 - 28.58 V^3; 0.02447 - 0.09097 V + 0.1776 V^2
        ("16nm", 0.6, 9.286, 0.0623),  # 28.87 - 47.52 V + 24.8 V^2; 0.03024 - 0.1241 V + 0.2958 V^2
        ("sg13g2", 0.9, 47.14, 2.6744),  # 275.8 - 493.4 V + 334.9 V^2 - 76.65 V^3; 2.904 - 6.709 V + 7.171 V^2
    ],
)
def test_laws_of_other_nodes(name: str, at: float, delay_ps: float, energy_fj: float) -> None:
    law = load(name).voltage_law
    top = law.volts[1]
    delay_top = sum(c * top**n for n, c in enumerate(law.delay_ps))
    energy_top = sum(c * top**n for n, c in enumerate(law.energy_fj))
    assert law.delay_factor(at) * delay_top == pytest.approx(delay_ps, rel=1e-3)
    assert law.energy_factor(at) * energy_top == pytest.approx(energy_fj, rel=1e-3)


@pytest.mark.parametrize("name", [name for name in names() if load(name).voltage_law])
def test_every_law_is_slower_and_thriftier_at_a_lower_voltage(name: str) -> None:
    law = load(name).voltage_law
    grid = np.linspace(*law.volts, 100)
    assert (np.diff([law.delay_factor(at) for at in grid]) < 1e-9).all()
    assert (np.diff([law.energy_factor(at) for at in grid]) > 0).all()
    assert law.volts[0] <= load(name).voltage <= law.volts[1]


@pytest.mark.parametrize("at", [1.7, 0, float("nan")])
def test_a_node_without_a_law_has_one_voltage(at: float) -> None:
    node = load("sky130hd")
    assert node.at(1.8) is node
    sentence = rf"voltage = {at:g} V: there is no published voltage law for sky130hd; accepted is its own 1\.8 V"
    with pytest.raises(InputError, match=sentence):
        node.at(at)


@pytest.mark.parametrize("at", [0.49, 1.11, 0, -1, float("nan"), float("inf")])
def test_no_extrapolation(at: float) -> None:
    with pytest.raises(InputError, match=rf"voltage = {at:g} V is outside the law's range of 0\.5 to 1\.1 V"):
        NANGATE.at(at)
    with pytest.raises(InputError, match="outside the law's range"):
        PE.parse("mac(int8, int8)").cost("nangate45", voltage=at)
