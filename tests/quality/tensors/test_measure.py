from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import stats

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.tensors import Tensor
from hwexplore.quality.tensors.measure import check_format, measure

NAMES = [
    "mxint8",
    "mxfp4",
    "nvfp4",
    "nvint4",
    "e2m1_g16_tensor_ue5m3",
    "int4_g128_asym",
    "int4_channel",
    "e4m3",
    "bf16",
]
FORMATS = [Format.parse(name) for name in NAMES]


def tensor(x: NDArray[np.floating], step: int = 7) -> Tensor:
    def blocks() -> object:
        return (x[start : start + step] for start in range(0, len(x), step))

    return Tensor(name="w", shape=x.shape, dtype="F32", blocks=blocks)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_blocks_of_rows_give_what_the_whole_tensor_gives(dtype: type[np.floating]) -> None:
    x = (0.02 * np.random.default_rng(0).standard_t(5, (100, 384)) + 0.003).astype(dtype)
    row = measure(tensor(x), FORMATS)
    for name, format in zip(NAMES, FORMATS, strict=True):
        exact = x.astype(float)
        noise = np.sum((format.quantize(x).astype(float) - exact) ** 2)
        assert row[name] == pytest.approx(10 * np.log10(np.sum(exact**2) / noise), abs=1e-4)
    assert row["std"] == pytest.approx(exact.std(), rel=1e-6)
    assert row["kurtosis"] == pytest.approx(stats.kurtosis(exact, None, fisher=False), rel=1e-4)
    assert row["crest_factor"] == pytest.approx(np.abs(exact).max() / np.sqrt(np.mean(exact**2)), rel=1e-6)
    blocks = np.abs(exact.reshape(-1, 32))
    assert row["block_crest_factor"] == pytest.approx(
        np.mean(blocks.max(-1) / np.sqrt(np.mean(blocks**2, axis=-1))), rel=1e-5
    )
    assert (row["distribution"], row["nu"]) == ("student_t", pytest.approx(5, rel=0.15))
    assert (row["shape"], row["elements"], row["skipped"]) == ("100x384", 38400, "")


def test_winners_of_each_width_that_several_formats_have() -> None:
    x = np.random.default_rng(0).standard_normal((64, 256)).astype(np.float32)
    row = measure(tensor(x), [Format.parse(name) for name in ("mxint8", "mxfp8", "mxfp4", "mxint4", "mxfp6")])
    assert {key: value for key, value in row.items() if "winner" in key} == {
        "winner_4b": "mxfp4",
        "winner_8b": "mxint8",
    }
    exact = measure(tensor(np.ones((4, 32), np.float32)), [Format.parse(name) for name in ("mxint8", "mxfp8")])
    assert exact["mxint8"] == np.inf
    assert (exact["winner_8b"], exact["distribution"], exact["std"]) == ("", "", 0)
    assert np.isnan(exact["kurtosis"])


def test_rows_shorter_than_a_block() -> None:
    x = np.array([[3.0, 4.0], [0.0, 0.0]])
    assert measure(tensor(x), FORMATS)["block_crest_factor"] == pytest.approx(4 / np.sqrt(12.5))


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ([[1.0, np.nan], [np.nan, np.inf], [1.0, -np.inf]], "it has 2 NaN and 2 infinite elements"),
        ([[0.0, -0.0]], "all its elements are zero"),
        ([[1.0], [-1e200]], "the square of its largest element, 1e+200, is beyond float64"),
        ([[1e-200]], "the square of its largest element, 1e-200, is beyond float64"),
    ],
)
def test_tensors_that_are_skipped(values: list[list[float]], reason: str) -> None:
    row = measure(tensor(np.array(values), step=1), FORMATS)
    assert row["skipped"] == reason
    assert np.isnan(row["mxfp4"])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("int8", "int8 has no scale, and weights are below 1; expected a scaled format, as int8_channel"),
        ("int4_g16_asym_tensor_e4m3", "has zero points and a scale per tensor; expected one of the two"),
    ],
)
def test_formats_that_are_refused(name: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        check_format(Format.parse(name))
    with pytest.raises(InputError, match="rounds at random"):
        check_format(Format.parse("mxfp4").with_(rounding="stochastic"))
