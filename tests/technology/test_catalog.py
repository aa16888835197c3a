from __future__ import annotations

from importlib.resources import files
from typing import Any

import pytest
import tomllib

from hwexplore.errors import InputError
from hwexplore.technology import FACTORS, PRIMITIVES, load, names
from hwexplore.technology.catalog import from_table

SYNTHESISED = {"nangate45", "asap7", "sky130hd", "sg13g2", "gf180", "gt2n"}
SCALED = {"28nm", "22nm", "16nm", "12nm", "5nm", "3nm"}


def table(name: str) -> dict[str, Any]:
    """A technology's own figures, and what was calibrated."""
    folder = files("hwexplore.models")
    own = tomllib.loads((folder / "technologies" / f"{name}.toml").read_text("utf-8"))
    if "scaled" in own:
        return own
    fitted = tomllib.loads((folder / "calibration" / f"{name}.toml").read_text("utf-8"))
    return own | fitted | {key: own.get(key, {}) | fitted[key] for key in ("spread", "sources")}


def test_what_ships() -> None:
    assert set(names()) == SYNTHESISED | SCALED
    assert {name for name in names() if load(name).scalings} == SCALED
    assert {name for name in names() if not load(name).sram_law.scalings} == {"nangate45", "sg13g2"}


@pytest.mark.parametrize("name", names())
def test_every_shipped_technology_loads(name: str) -> None:
    technology = load(name)
    assert technology.name == name
    assert set(PRIMITIVES) == set(technology.primitives)
    assert tuple(technology.spread) == FACTORS
    assert technology.at(technology.voltage).primitives["nand2"].delay_ps == pytest.approx(
        technology.primitives["nand2"].delay_ps
    )
    assert technology.temperature_c == technology.sram_law.temperature_c == 25
    assert load(name) is technology


@pytest.mark.parametrize("name", ["nangate", "Nangate45", "", "xyz"])
def test_unknown_technology(name: str) -> None:
    with pytest.raises(InputError, match=rf"unknown technology '{name}'; "):
        load(name)


def test_unknown_memory() -> None:
    with pytest.raises(InputError, match="unknown memory 'sram_cacti54'; did you mean sram_cacti45"):
        from_table(table("nangate45") | {"sram": "cacti54"})


def test_a_technology_prices_every_primitive() -> None:
    short = table("nangate45")
    del short["primitives"]["mux2"], short["primitives"]["or2"]
    with pytest.raises(InputError, match="technology nangate45 prices no or2, mux2"):
        from_table(short)


def test_a_technology_has_every_spread() -> None:
    short = table("nangate45")
    del short["spread"]["delay"], short["spread"]["leakage"]
    with pytest.raises(InputError, match="technology nangate45 has no spread of delay, leakage"):
        from_table(short)


def test_all_leakage_is_at_one_temperature() -> None:
    with pytest.raises(InputError, match="technology nangate45: logic leaks at 85 C, its SRAM cacti45 at 25 C; one"):
        from_table(table("nangate45") | {"temperature_c": 85})


@pytest.mark.parametrize("name", sorted(SCALED))
def test_a_scaled_technology_is_its_base_times_the_factors(name: str) -> None:
    technology, factors = load(name), table(name)["scaled"]
    base = load(factors["base"])
    assert technology.scalings == (*base.scalings, technology.scalings[-1])
    for primitive, there in base.primitives.items():
        here = technology.primitives[primitive]
        assert here.area_um2 == pytest.approx(there.area_um2 * factors["area"])
        assert here.energy_pj == pytest.approx(there.energy_pj * factors["energy"])
        assert here.clock_pj == pytest.approx(there.clock_pj * factors["energy"])
        assert here.delay_ps == pytest.approx(there.delay_ps * factors["delay"])
        assert here.leakage_uw == pytest.approx(there.leakage_uw * factors["leakage"])
    assert technology.vector_unit.area_um2 == pytest.approx(base.vector_unit.area_um2 * factors["area"])
    assert technology.vector_unit.energy_pj == pytest.approx(base.vector_unit.energy_pj * factors["energy"])
    assert technology.vector_unit.leakage_uw == pytest.approx(base.vector_unit.leakage_uw * factors["leakage"])
    for factor in FACTORS:
        if not factor.startswith("dram"):
            assert technology.spread[factor] >= base.spread[factor]
    assert technology.spread["logic_energy"] > load("nangate45").spread["logic_energy"]


def test_a_base_can_be_any_technology() -> None:
    """The shipped 5 nm on another base, which shares no figure with asap7."""
    other = table("5nm")
    other["scaled"]["base"] = "nangate45"
    nand = from_table(other).primitives["nand2"]
    assert nand.area_um2 == pytest.approx(load("nangate45").primitives["nand2"].area_um2 / 1.84, rel=1e-3)
    assert from_table(other).sram_law == load("5nm").sram_law


@pytest.mark.parametrize(
    ("name", "ratio"), [("sky130hd", 4.1), ("gf180", 69), ("sg13g2", 3.3), ("asap7", 0.19), ("gt2n", 0.063)]
)
def test_energy_between_nodes(name: str, ratio: float) -> None:
    """INT8 multiply-accumulate mapped to each library, energy by OpenSTA 3.1, over that on nangate45."""
    from hwexplore.pe import PE

    pe = PE.parse("mac(int8, int8, acc=int32)")
    here, there = pe.cost(name).energy_pj, pe.cost("nangate45").energy_pj
    assert here.low / there.mid < ratio < here.high / there.mid
    assert here.mid / there.mid == pytest.approx(ratio, rel=0.4)
