"""The orders of formats and methods that docs/networks.md reports, where they are far beyond the noise."""

from __future__ import annotations

from functools import cache

import pytest

from hwexplore.quality.networks import load, measure, uniform

benchmark = load("charlm")


@cache
def divergence(formats: str, method: str = "rtn") -> float:
    return measure(benchmark, uniform(benchmark, formats), method, windows=16).kl_nats


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        ("int8", "e4m3"),
        ("mxint8", "mxfp8"),
        ("e2m3", "int6"),
        ("mxfp6", "mxint6"),
        ("e2m1", "int4"),
        ("mxfp4", "mxint4"),
        ("int4_g32/mxint8/fp32", "int4_g32/mxfp8/fp32"),
    ],
)
def test_formats_rounded_to_nearest(better: str, worse: str) -> None:
    assert divergence(better) < divergence(worse)


@pytest.mark.parametrize(("better", "worse"), [("mxint8", "mxfp8"), ("mxfp4", "mxint4"), ("nvint4", "nvfp4")])
def test_formats_rotated(better: str, worse: str) -> None:
    assert divergence(better, "hadamard16") < divergence(worse, "hadamard16")


@pytest.mark.parametrize(
    ("formats", "better", "worse"),
    [
        ("int4", "hadamard", "rtn"),
        ("int6", "hadamard", "rtn"),
        ("nvfp4", "rtn", "hadamard16"),
        ("int3/fp32/fp32", "clip", "rtn"),
        ("int3/fp32/fp32", "gptq", "rtn"),
        ("int3/fp32/fp32", "clip+gptq", "gptq"),
        ("int4_g32/int8/fp32", "gptq", "rtn"),
    ],
)
def test_methods(formats: str, better: str, worse: str) -> None:
    assert divergence(formats, better) < divergence(formats, worse)
