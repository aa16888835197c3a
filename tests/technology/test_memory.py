from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwexplore.calibration.memories import macros, sweep
from hwexplore.errors import InputError
from hwexplore.technology import Dram, SramLaw, load, names
from hwexplore.technology.catalog import _sram_law

NANGATE = load("nangate45")
LAW = NANGATE.sram_law
DATA = Path(__file__).parents[1] / "data"
QUANTITIES = ("area_um2", "read_pj", "write_pj", "leakage_mw", "access_ns")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return sweep(pd.read_csv(DATA / "cacti7_sram.csv"), 45, "lop")


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    return macros(pd.read_csv(DATA / "ihp130_sram_macros.csv"))


@pytest.mark.parametrize("quantity", QUANTITIES)
def test_law_over_its_anchor_meets_cacti_within_the_published_residual(rows: pd.DataFrame, quantity: str) -> None:
    law = LAW(quantity, rows["size_bytes"], rows["word_bits"]) / LAW.anchor[quantity]
    error = 100 * (law / rows[quantity] - 1)
    assert np.abs(error).max() <= LAW.residual[quantity]["worst_percent"] + 0.1
    assert np.sqrt(np.mean(error**2)) <= LAW.residual[quantity]["rms_percent"] + 0.1


def test_macro_is_the_law_with_its_interval() -> None:
    macro = NANGATE.sram(65536, 64)
    for quantity in QUANTITIES:
        interval = getattr(macro, quantity)
        assert float(interval.mid) == float(LAW(quantity, 65536, 64))
        assert interval.low < interval.mid < interval.high
    assert 5 < macro.read_pj.mid < 40  # 64 bit of 32 KB cost 20 pJ at 45 nm (Horowitz, ISSCC 2014)
    assert macro.read_pj.high / macro.read_pj.low > macro.area_um2.high / macro.area_um2.low


def test_macros_broadcast() -> None:
    sizes, words = np.array([1024, 65536, 4194304])[:, None], np.array([64, 256])
    macros = NANGATE.sram(sizes, words)
    for quantity in QUANTITIES:
        interval = getattr(macros, quantity)
        assert interval.low.shape == interval.mid.shape == interval.high.shape == (3, 2)
        assert interval.high[1, 0] == pytest.approx(float(getattr(NANGATE.sram(65536, 64), quantity).high))


@pytest.mark.parametrize(
    ("size", "word", "sentence"),
    [
        (512, 64, "SRAM size_bytes = 512 is outside the fitted range 1024 to 4.1943e[+]06"),
        (2**23, 64, "SRAM size_bytes = 8.38861e[+]06 is outside"),
        (4096, 32, "SRAM word_bits = 32 is outside the fitted range 64 to 256"),
        (4096, 512, "SRAM word_bits = 512 is outside"),
        (float("nan"), 64, "SRAM size_bytes = nan is outside"),
        (-1, 64, "SRAM size_bytes = -1 is outside"),
        ([4096, 8192, 3], [64, 128, 64], "SRAM size_bytes = 3 is outside"),
    ],
)
def test_no_extrapolation(size: object, word: object, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        NANGATE.sram(size, word)  # type: ignore[arg-type]


def test_a_law_has_no_anchor_unless_it_is_given_one() -> None:
    law = SramLaw({"read_pj": (1, 0.5, 0, 0, 0)}, (1, 1024), (8, 64), {}, "test")
    assert float(law("read_pj", 16, 32)) == 2 * 4


@pytest.mark.parametrize(("quantity", "anchor"), [("read_pj", 5.4), ("write_pj", 3.2), ("area_um2", 1.8)])
@pytest.mark.parametrize("name", ["cacti45", "cacti32", "cacti22"])
def test_intervals_of_cacti_laws_reach_the_real_macros(name: str, quantity: str, anchor: float) -> None:
    """IHP's 64-bit macros over CACTI scaled to 130 nm, and CACTI itself."""
    law, spreads = _sram_law(name)
    sigma = spreads["sram_area" if quantity == "area_um2" else "sram_energy"][0]
    assert law.anchor[quantity] * np.exp(-1.645 * sigma) < 1
    assert law.anchor[quantity] * np.exp(1.645 * sigma) > anchor


def test_cacti_scaled_to_130_nm_holds_the_real_macros(real: pd.DataFrame) -> None:
    """Scaled by capacitance (feature size) and square of the voltage, area by its square, delay by an inverter's
    (33.5 ps at 130 nm, 1.2 V, over 10.9 ps at 45 nm; Stillmaker and Baas 2017)."""
    wide = real[(real["word_bits"] == 64) & (real["size_bytes"] >= 1024)]
    here = NANGATE.sram(wide["size_bytes"], wide["word_bits"])
    feature, volts = 130 / 45, 1.2 / 0.7
    for quantity, factor in (
        ("read_pj", feature * volts**2),
        ("write_pj", feature * volts**2),
        ("area_um2", feature**2),
        ("access_ns", 33.5 / 10.9),
    ):
        interval = getattr(here, quantity)
        assert (np.asarray(interval.low) * factor < wide[quantity]).all(), quantity
        assert (np.asarray(interval.high) * factor > wide[quantity]).all(), quantity


def test_the_law_of_the_real_macros(real: pd.DataFrame) -> None:
    law = load("sg13g2").sram_law
    for quantity in QUANTITIES:
        error = 100 * (law(quantity, real["size_bytes"], real["word_bits"]) / real[quantity] - 1)
        assert np.abs(error).max() <= law.residual[quantity]["worst_percent"] + 0.1
    size = np.geomspace(512, law.size_bytes[1], 50)[:, None]
    for quantity in QUANTITIES:
        assert (np.diff(law(quantity, size, np.array([8, 16, 32, 64])), axis=0) > 0).all(), quantity


def test_a_macro_of_the_5_volt_kit() -> None:
    """gf180mcu_fd_ip_sram 512x8: 209,400 um2, 908 pJ a read, 5.68 ns, 624 nW."""
    law = load("gf180").sram_law
    for quantity, value in (("area_um2", 209400), ("read_pj", 908.1), ("access_ns", 5.678), ("leakage_mw", 6.242e-4)):
        assert float(law(quantity, 512, 8)) == pytest.approx(value, rel=0.2)


@pytest.mark.parametrize("name", names())
def test_every_law_keeps_its_range(name: str) -> None:
    technology = load(name)
    (small, large), (narrow, wide) = technology.sram_law.size_bytes, technology.sram_law.word_bits
    assert technology.sram(large, wide).area_um2.mid > technology.sram(small, wide).area_um2.mid
    for size, word in ((small / 2, wide), (large * 2, wide), (small, narrow / 2), (small, wide * 2)):
        with pytest.raises(InputError, match="is outside the fitted range"):
            technology.sram(size, word)


@pytest.mark.parametrize(
    ("name", "bits", "transfers_per_s"),
    [
        ("ddr4-3200", 64, 3.2e9),
        ("lpddr4-4266", 32, 4.266e9),
        ("lpddr4x-4266", 32, 4.266e9),
        ("lpddr5-6400", 32, 6.4e9),
        ("gddr6-16", 32, 16e9),
        ("hbm2", 1024, 2e9),
        ("hbm2e", 1024, 3.2e9),
        ("hbm3", 1024, 6.4e9),
    ],
)
def test_drams(name: str, bits: int, transfers_per_s: float) -> None:
    """JEDEC's widths and rates."""
    dram = NANGATE.dram(name)
    assert dram.bandwidth_bytes_per_s == pytest.approx(bits / 8 * transfers_per_s)
    assert dram.capacity_bytes % 2**29 == 0
    assert dram.sources.keys() == {field.name for field in fields(Dram)} - {"name", "sources"}
    recalled = any("recalled" in text or "derived" in text for text in dram.sources.values())
    assert dram.uncertainty >= 1 + 0.5 * recalled


def test_drams_are_the_same_on_every_node() -> None:
    kinds = [NANGATE.drams[name] for name in ("ddr4-3200", "lpddr4-4266", "lpddr4x-4266", "lpddr5-6400")]
    assert [kind.energy_pj_per_bit for kind in kinds] == sorted((k.energy_pj_per_bit for k in kinds), reverse=True)
    assert all(load(name).drams == NANGATE.drams for name in names())


def test_a_derived_figure_has_a_wider_interval() -> None:
    known, derived = (
        NANGATE.interval(lambda node, name=name: node.dram(name).energy_pj_per_bit) for name in ("hbm2", "hbm3")
    )
    assert np.log(derived.high / derived.mid) == pytest.approx(2.5 * np.log(known.high / known.mid), rel=1e-3)


def test_background_power_of_lpddr4() -> None:
    """Micron 6 Gbit LPDDR4-3200 as in DRAMPower: two channels, active standby and all-bank refresh."""
    standby = 1.8 * 2.25e-3 + 1.1 * 30.75e-3
    refresh = (1.8 * (10 - 2.25) + 1.1 * (90 - 30)) * 1e-3 * 448 / 6246
    assert NANGATE.dram("lpddr4-4266").static_w == pytest.approx(2 * (standby + refresh), rel=0.02)
    read_w = 1.8 * 2.25e-3 + 1.1 * 425e-3 - standby
    assert NANGATE.dram("lpddr4-4266").energy_pj_per_bit == pytest.approx(
        np.sqrt(read_w / (16 * 3.2e9) * 1e12 * 13.5), rel=0.01
    )
    output_w = 1.1 * 150e-3
    assert NANGATE.dram("lpddr4x-4266").energy_pj_per_bit == pytest.approx(
        10.7 * (1 - output_w / read_w * (1 - (0.6 / 1.1) ** 2)), rel=0.01
    )


def test_unknown_dram() -> None:
    with pytest.raises(InputError, match="unknown DRAM 'hbm'; did you mean hbm"):
        NANGATE.dram("hbm")
