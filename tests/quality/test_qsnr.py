from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.optimize import brentq
from scipy.stats import norm

import hwexplore as hx
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality import crest_factor, qsnr

MINIFLOATS = ("mxfp8", "mxfp8_e5m2", "mxfp6", "mxfp6_e3m2", "mxfp4")


@pytest.mark.parametrize(
    ("integer", "minifloat", "scale_overhead", "crest", "db"),
    [
        ("mxint8", "mxfp8", 1.5, 7.55, 31.86),
        ("mxint6", "mxfp6", 1.5, 1.96, 31.54),
        ("mxint4", "mxfp4", 1.5, 2.04, 19.14),
        ("nvint4", "nvfp4", 1.05, 2.39, 21.14),
    ],
)
def test_published_crossovers(integer: str, minifloat: str, scale_overhead: float, crest: float, db: float) -> None:
    """Where integers stop winning: arXiv 2510.25602, section 4 and Figure 3."""

    def advantage(kappa: float) -> float:
        return float(qsnr(integer, kappa, scale_overhead) - qsnr(minifloat, kappa, scale_overhead))

    crossover = brentq(advantage, 1, 30)
    assert crossover == pytest.approx(crest, abs=0.01)
    assert float(qsnr(minifloat, crossover, scale_overhead)) == pytest.approx(db, abs=0.015)
    assert advantage(crossover - 0.1) > 0 > advantage(crossover + 0.1)


def test_pinned_call() -> None:
    assert float(hx.quality.qsnr("mxint8", crest_factor=7.55, scale_overhead=1.5)) == pytest.approx(31.86, abs=0.01)


@settings(deadline=None)
@given(st.integers(2, 16), st.floats(1, 50), st.floats(0.5, 2))
def test_integers_gain_six_db_a_bit_and_lose_what_the_crest_takes(bits: int, crest: float, overhead: float) -> None:
    """Theorem 1, with its constants to four digits: 4.78 + 6.02 b - 20 log10(rho) - 20 log10(kappa)."""
    expected = 4.7712 + 6.0206 * bits - 20 * math.log10(overhead * crest)
    assert float(qsnr(f"int{bits}s_g32_ue8m0", crest, overhead)) == pytest.approx(expected, abs=2e-3)


@pytest.mark.parametrize("block", [16, 32, 128])
def test_the_largest_of_a_finely_scaled_block_is_free(block: int) -> None:
    """The term 10 log10(g / (g - 1)) of theorem 1 for E4M3 scales."""
    gain = qsnr(f"int4s_g{block}_tensor_e4m3", 2.5, 1.05) - qsnr("int4s_g32_ue8m0", 2.5, 1.05)
    assert float(gain) == pytest.approx(10 * math.log10(block / (block - 1)))


@pytest.mark.parametrize("name", MINIFLOATS)
@pytest.mark.parametrize("crest", [1.5, 3.0, 12.0, 60.0])
def test_minifloats_against_the_integral_behind_theorem_2(name: str, crest: float) -> None:
    """Relative error of the power above the smallest normal value, absolute error of the probability below it."""
    element = Format.parse(name).element
    unit = 1.5 * crest / element.max
    threshold = unit * element.smallest_normal
    normal_power = 2 * quad(lambda x: x**2 * norm.pdf(x), threshold, 30, epsabs=1e-12)[0]
    subnormal = 2 * (norm.cdf(threshold) - 0.5)
    noise = normal_power / (24 * 4**element.mantissa_bits) + subnormal * (unit * element.smallest_subnormal) ** 2 / 12
    assert float(qsnr(name, crest, 1.5)) == pytest.approx(-10 * math.log10(noise), abs=1e-6)


@pytest.mark.parametrize(("name", "mantissa_bits"), [("e4m3", 3), ("e5m2", 2), ("bf16", 7), ("fp16", 10)])
def test_minifloats_with_range_to_spare_reach_the_ceiling(name: str, mantissa_bits: int) -> None:
    assert float(qsnr(name, 4)) == pytest.approx(13.80 + 6.02 * mantissa_bits, abs=0.03)


@pytest.mark.parametrize("name", ["mxfp4", "int4", "int8_g128"])
def test_broadcasts_and_falls_with_the_crest_factor(name: str) -> None:
    crest, overhead = np.linspace(1, 20, 50)[:, None], np.array([1.0, 1.25, 1.5])
    db = qsnr(name, crest, overhead)
    assert db.shape == (50, 3)
    assert float(qsnr(name, crest[7, 0], 1.25)) == db[7, 1]
    assert (np.diff(db, axis=0) < 0).all()
    assert (np.diff(db, axis=1) < 0).all()


@pytest.mark.parametrize(
    ("name", "crest", "overhead"),
    [
        ("mxint8", 2.96, 1.5),
        ("mxfp4:ceil", 2.96, 1.5),
        ("nvfp4", 2.39, 1.05),
        ("nvint4", 2.39, 1.05),
        ("int8_channel", 11.97, 1),
        ("int8", 11.97, 1),
        ("e4m3", 11.97, 1),
        ("int4_g128", crest_factor(128), 1),
        ("int4_g128_dual", crest_factor(128), 1.05),
    ],
)
def test_defaults(name: str, crest: float, overhead: float) -> None:
    assert qsnr(name) == qsnr(Format.parse(name), crest, overhead)


def test_an_element_with_its_own_fine_scale_has_no_noise() -> None:
    assert qsnr("int4_g1") == np.inf


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("mxint8", 0.5), r"crest_factor = 0\.5 must be at least 1"),
        (("mxint8", float("nan")), "crest_factor = nan must be at least 1"),
        (("mxint8", [2, -3]), r"crest_factor = \[2, -3\] must be"),
        (("mxint8", 2, 0), "scale_overhead = 0 must be positive"),
        (("mxint8", 2, float("nan")), "scale_overhead = nan must be positive"),
        (("mxint8", 2, [1, -1]), r"scale_overhead = \[1, -1\] must be positive"),
        (("mxint9x",), "unknown format 'mxint9x'; did you mean mxint"),
        (("uint8",), "uint8 has no negative values"),
        (("ue4m3",), "ue4m3 has no negative values"),
    ],
)
def test_refusals(arguments: tuple[object, ...], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        qsnr(*arguments)  # type: ignore[arg-type]
