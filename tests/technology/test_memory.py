from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwexplore.calibration.memories import sweep
from hwexplore.errors import InputError
from hwexplore.technology import SramLaw, load

NANGATE = load("nangate45")
LAW = NANGATE.sram_law
QUANTITIES = ("area_um2", "read_pj", "write_pj", "leakage_mw", "access_ns")


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    return sweep(pd.read_csv(Path(__file__).parents[1] / "data" / "cacti7_sram.csv"), 45, "lop")


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


def test_drams() -> None:
    """64 bit at 3200 MT/s; 1024 bit at 2 GT/s."""
    assert NANGATE.dram("ddr4-3200").bandwidth_bytes_per_s == 8 * 3.2e9
    assert NANGATE.dram("hbm2").bandwidth_bytes_per_s == 128 * 2e9
    assert NANGATE.dram("ddr4-3200").energy_pj_per_bit > NANGATE.dram("hbm2").energy_pj_per_bit


def test_unknown_dram() -> None:
    with pytest.raises(InputError, match="unknown DRAM 'hbm'; did you mean hbm2"):
        NANGATE.dram("hbm")
