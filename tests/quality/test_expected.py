from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality import Gaussian, compare_distributions, expected_noise

BLOCKS = [
    *("mxint8", "mxfp8", "mxfp8:ceil", "mxfp6", "mxint4", "mxfp4", "nvfp4", "nvint4"),
    *("int4_g128", "int4_g128_dual", "e3m0_g32_ue8m0", "e2m1_g16_ue5m3", "e2m1_g16_tensor_ue5m3"),
]
CHANNELS = ["int8_channel", "int4_channel", "e4m3_channel", "e2m1_channel"]
LIGHT = ["gaussian", "laplace"]
HEAVY = ["student_t(4)", "student_t(8)", "outliers(0.01, 20)"]


def db(name: str, distribution: str = "gaussian", **options: float) -> float:
    return float(-10 * np.log10(expected_noise(name, distribution, **options)))  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    frame = compare_distributions([*BLOCKS, *CHANNELS], [*LIGHT, *HEAVY])
    print()
    print(frame.round(2).to_string())
    return frame


def test_theory_meets_monte_carlo(table: pd.DataFrame) -> None:
    light = table[table.distribution.isin(LIGHT)]
    assert light.gap_db.abs().max() < 0.1
    heavy = table[table.distribution.isin(HEAVY) & table.format.isin(BLOCKS)]
    assert heavy.gap_db.abs().max() < 0.2  # the power of the samples themselves varies by 0.1 dB


def test_channels_of_heavy_tails(table: pd.DataFrame) -> None:
    """A channel's noise is set by its one largest element, and Monte Carlo has but 256 of them."""
    heavy = table[table.distribution.isin(HEAVY) & table.format.isin(CHANNELS)].set_index("distribution")
    assert heavy.gap_db["outliers(0.01, 20)"].abs().max() < 0.2
    assert heavy.gap_db["student_t(8)"].abs().max() < 0.4


@pytest.mark.parametrize("sigma", [0.1, 0.005, 0.001])
def test_scales_of_small_range(sigma: float) -> None:
    """E4M3 scales without a tensor scale lose precision, then blocks; UE5M3 and UE8M0 reach further."""
    formats = ["e2m1_g16_ue4m3", "e2m1_g16_ue5m3", "mxfp4", "nvfp4"]
    frame = compare_distributions(formats, LIGHT, sigma=sigma)
    assert frame.gap_db.abs().max() < 0.15
    short, long, *_ = frame.theory_db
    assert (short < long - 0.2) == (sigma < 0.1)


def test_smaller_blocks_are_worse_where_the_scale_does_not_reach() -> None:
    """The anomaly of E4M3 scales on narrow tensors, and that UE5M3 has none of it."""
    sizes = (8, 16, 32)
    narrow = [db(f"e2m1_g{g}_ue4m3", sigma=0.003) for g in sizes]
    assert narrow == sorted(narrow)
    for wide in ([db(f"e2m1_g{g}_ue5m3", sigma=0.003) for g in sizes], [db(f"e2m1_g{g}_ue4m3") for g in sizes]):
        assert wide == sorted(wide, reverse=True)


def test_one_scale_per_tensor() -> None:
    """A tensor is a channel of its whole size; here of 256 tensors of 128 x 128."""
    tensors = compare_distributions(["int8_channel", "e2m1_channel"], LIGHT, channel=128 * 128)
    assert tensors.gap_db.abs().max() < 0.15
    assert db("int8_channel", "laplace", channel=2**24) < db("int8_channel", "laplace") - 4


def test_integers_lose_to_minifloats_as_blocks_grow() -> None:
    """INT4 wins in small blocks of Gaussian elements, E2M1 in large ones and where the tails are heavier.

    arXiv 2510.25602 has the crossover at a crest factor of 2.39, which are 34 Gaussian elements; its law counts a
    level more than INT4 has.
    """
    blocks = (8, 16, 32, 64, 128)

    def integer_wins(distribution: str) -> list[bool]:
        return [
            db(f"int4s_g{g}_tensor_e4m3", distribution) > db(f"e2m1_g{g}_tensor_e4m3", distribution) for g in blocks
        ]

    assert integer_wins("gaussian") == [True, True, True, False, False]
    assert not any(any(integer_wins(name)) for name in ("laplace", "student_t(4)", "outliers(0.01, 20)"))


@pytest.mark.parametrize("distribution", [*LIGHT, *HEAVY])
def test_mxint8_over_mxfp8(distribution: str) -> None:
    """arXiv 2510.25602, Table 3: twelve models of twelve; down- or up-rounded scales."""
    assert db("mxint8", distribution) > db("mxfp8", distribution) + 3
    assert db("mxint8:ceil", distribution) > db("mxfp8:ceil", distribution) + 3


@pytest.mark.parametrize(
    ("bits", "minifloats"),
    [
        (4, ["e2m1"]),
        (5, ["e2m2", "e3m1"]),
        (6, ["e2m3", "e3m2"]),
        (7, ["e2m4", "e3m3"]),
        (8, ["e2m5", "e3m4", "e4m3"]),
    ],
)
def test_minifloats_over_integers_per_channel(bits: int, minifloats: list[str]) -> None:
    """Heavier than Gaussian, a minifloat of the width beats the integer at 4 bits and above (arXiv 2311.12359)."""
    for distribution in ("laplace", *HEAVY):
        integer = db(f"int{bits}s_channel", distribution)
        assert max(db(f"{name}_channel", distribution) for name in minifloats) > integer + 0.5


def test_wide_elements() -> None:
    """The scale's own rounding clips the largest of a channel by several steps of 16 bits."""
    frame = compare_distributions(["int16_channel", "int12_channel"], ["gaussian"])
    assert frame.gap_db.abs().max() < 0.1
    assert frame.theory_db[0] - frame.theory_db[1] < 4 * 6.02 - 0.1


@pytest.mark.parametrize(
    ("name", "options", "sentence"),
    [
        ("int8", {}, "int8 has no scales to measure; compare a scaled format, as int8_channel"),
        ("int4_g128_asym", {}, "int4_g128_asym has zero points; the law is that of scales about zero"),
        ("uint8_g32", {}, "uint8_g32 has no negative values"),
        ("mxfp4", {"sigma": 0.0}, "sigma = 0.0 must be positive and finite"),
        ("mxfp4", {"sigma": float("nan")}, "sigma = nan must be positive"),
        ("mxfp4", {"channel": 0}, "channel = 0 must be a positive number of elements"),
        ("nvfp4", {"tensor": -1}, "tensor = -1 must be a positive number of elements"),
        ("int17_g32", {}, "17 bits are too many to list"),
    ],
)
def test_refusals(name: str, options: dict[str, float], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        db(name, **options)


def test_names_and_objects() -> None:
    assert expected_noise(Format.parse("mxfp4"), Gaussian()) == expected_noise("mxfp4", "gaussian")


def test_deterministic() -> None:
    first = compare_distributions(["mxfp4"], ["student_t(5)"], seed=4)
    pd.testing.assert_frame_equal(first, compare_distributions(["mxfp4"], ["student_t(5)"], seed=4), check_exact=True)
    assert first.monte_carlo_db[0] != compare_distributions(["mxfp4"], ["student_t(5)"], seed=5).monte_carlo_db[0]
