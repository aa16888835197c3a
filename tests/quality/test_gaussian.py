from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from hwexplore.errors import InputError
from hwexplore.formats import Format, catalog
from hwexplore.quality import crest_factor, gaussian_noise, noise_to_signal, qsnr, scale_overheads


@pytest.mark.parametrize(
    "name", ["int4_g32", "int2_channel", "bipolar3_g32", "ternary_g128", "mxfp4", "nvfp4", "e3m2_g32"]
)
@pytest.mark.parametrize("crest", [1.2, 3.0, 8.0])
@pytest.mark.parametrize("overhead", [0.8, 1.0, 1.5])
def test_against_numerical_integration(name: str, crest: float, overhead: float) -> None:
    """The squared error of the element's own rounding, integrated over the truncated normal distribution."""
    format = Format.parse(name)
    unit = crest * overhead / format.element.max
    values = np.unique(format.element.quantize(np.linspace(-1, 1, 20001) * 2 * format.element.max))
    ends = np.clip((values[1:] + values[:-1]) / 2 * unit, -crest, crest)

    def error(x: float) -> float:
        return float(np.abs(values * unit - x).min() ** 2)

    edges = np.unique([-crest, *ends, crest])
    body = sum(quad(lambda x: error(x) * norm.pdf(x), a, b)[0] for a, b in pairwise(edges))
    body /= norm.cdf(crest) - norm.cdf(-crest)
    share = 1 / (format.block or 4096)
    expected = (1 - share) * body + share * (error(crest) + error(-crest)) / 2
    assert float(gaussian_noise(format, crest, overhead)) == pytest.approx(expected, rel=1e-6)


@settings(deadline=None)
@given(st.integers(8, 16), st.floats(2, 12))
def test_fine_integers_have_uniform_rounding_error(bits: int, crest: float) -> None:
    """A twelfth of the squared step; the largest element itself is exact."""
    step = crest / (2 ** (bits - 1) - 1)
    noise = float(gaussian_noise(Format.parse(f"int{bits}s_g64"), crest))
    assert noise == pytest.approx(step**2 / 12 * 63 / 64, rel=0.02)


@pytest.mark.parametrize("mantissa_bits", range(2, 11))
def test_minifloats_lose_a_third_of_a_db_to_the_theorem(mantissa_bits: int) -> None:
    """The mean of (2^floor(log2 x) / x)^2 over a binade of log-uniform x is 3 / (8 ln 2), not 1/2."""
    format = Format.parse(f"e5m{mantissa_bits}")
    assert float(gaussian_noise(format, 4.0) * 4**mantissa_bits) == pytest.approx(3 / (8 * np.log(2)) / 12, rel=0.03)
    gap = float(qsnr(format, 4)) + 10 * np.log10(float(gaussian_noise(format, 4.0)))
    assert gap == pytest.approx(10 * np.log10(2 * 3 / (8 * np.log(2))), abs=0.12)


def test_broadcasts() -> None:
    crest, overhead = np.linspace(1, 10, 7)[:, None], np.array([0.9, 1.0, 1.5])
    noise = gaussian_noise(Format.parse("mxfp4"), crest, overhead)
    assert noise.shape == (7, 3)
    assert noise[4, 1] == gaussian_noise(Format.parse("mxfp4"), crest[4, 0], 1.0)


@pytest.mark.parametrize("name", ["int8", "fp16", "mxfp4", "nvfp4", "int4_g128_asym", "mxint8:ceil"])
def test_overheads_are_those_of_the_stored_scales(name: str) -> None:
    overheads = scale_overheads(Format.parse(name))
    limits = {"int8": (1, 1), "fp16": (1, 1), "mxfp4": (0.75, 1.5), "nvfp4": (15 / 16, 17 / 16), "mxint8:ceil": (1, 2)}
    low, high = limits.get(name, (1 - 2**-11, 1 + 2**-11))
    assert low <= overheads.min() <= overheads.max() <= high
    assert overheads.min() <= 1.1 * low
    assert overheads.max() >= high / 1.1


def test_down_rounded_scales_of_e4m3_cost_what_they_clip() -> None:
    down, up = (noise_to_signal(Format.parse(name)) for name in ("mxfp8", "mxfp8:ceil"))
    assert 10 * np.log10(down / up) == pytest.approx(1.1, abs=0.5)


@pytest.mark.parametrize("name", [name for name, f in catalog().items() if f.element.signed or name.endswith("asym")])
def test_every_signed_format_has_a_noise(name: str) -> None:
    format = Format.parse(name)
    noise = noise_to_signal(format)
    assert 0 < noise < crest_factor(format.block) ** 2
    if format.element_bits >= 3:
        assert noise < 1.3
    if format.element_bits >= 6:
        theorem = 10 ** (-float(qsnr(name)) / 10)
        assert abs(10 * np.log10(noise / theorem)) < 2


@pytest.mark.parametrize("family", ["int{}", "int{}s_channel", "int{}_g128", "int{}_g128_asym", "bipolar{}"])
def test_noise_falls_with_the_bits(family: str) -> None:
    noise = [noise_to_signal(Format.parse(family.format(bits))) for bits in range(2, 17)]
    assert noise == sorted(noise, reverse=True)
    assert noise[6] / noise[7] == pytest.approx(4, rel=0.05)


@pytest.mark.parametrize(
    "name", ["mxint8", "mxfp6:ceil", "nvfp4", "nvint4", "int4_g32", "int3_g64", "e4m3_g16_tensor_e4m3"]
)
def test_typical_noise_on_data_with_the_typical_crest(name: str) -> None:
    """Blocks of Gaussian elements and one outlier, rms 1 in all, as noise_to_signal supposes; scales of any phase."""
    format = Format.parse(name)
    assert format.block is not None
    rng = np.random.default_rng(0)
    x = rng.standard_normal((8192, format.block))
    crest = crest_factor(format.block)
    sigma = np.sqrt((1 - crest**2 / format.block) / (1 - 1 / format.block))
    x = np.where(np.abs(x) * sigma > crest, 0, x) * sigma
    x[:, 0] = crest * rng.choice([-1, 1], len(x))
    x *= np.exp2(rng.random((len(x), 1)))
    rows = x if format.outer is None else x.reshape(1, -1)
    error = (format.quantize(rows) - rows).reshape(x.shape)
    measured = np.mean((error / np.abs(x[:, :1])) ** 2) * crest**2
    assert 10 * np.log10(noise_to_signal(format) / measured) == pytest.approx(0, abs=0.15)


@settings(max_examples=20, deadline=None)
@given(st.sampled_from(["mxfp4", "int4_g128", "e4m3"]), st.floats(1.5, 20), st.floats(1.0, 1.4))
def test_noise_grows_with_the_crest_factor(name: str, crest: float, growth: float) -> None:
    format = Format.parse(name)
    assert gaussian_noise(format, crest * growth * 1.4) >= 0.9 * gaussian_noise(format, crest)


def test_wide_elements_take_the_theorem() -> None:
    assert noise_to_signal(Format.parse("fp32")) == pytest.approx(10 ** (-float(qsnr("fp32")) / 10))


@pytest.mark.parametrize("name", ["uint8", "ue5m3"])
def test_unsigned_formats_are_refused(name: str) -> None:
    with pytest.raises(InputError, match=f"{name} has no negative values"):
        noise_to_signal(Format.parse(name))


def test_wide_elements_are_not_integrated() -> None:
    with pytest.raises(InputError, match="too many to list"):
        gaussian_noise(Format.parse("fp32"), 4.0)
