"""Dot-product units, bit for bit and cycle for cycle against their golden model."""

from __future__ import annotations

import pytest
from replays import Case, Mismatches, Replayed, Wrong, varied

from hwexplore.rtl.simulator import Simulator

TEXTS = [
    "dot(int8, int8, lanes=4, acc=int20 sat, stages=2)",
    "dot(mxint8, mxint8, lanes=8)",
    "dot(mxfp8, mxfp8, lanes=8, window=16, stages=2)",
    "dot(mxfp8_e5m2, mxfp6, lanes=4, stages=3)",
    "dot(mxfp4, mxfp4, lanes=32)",
    "dot(nvfp4, nvfp4, lanes=32, stages=4)",
    "dot(nvint4, nvint4, lanes=8, acc=bf16)",
    "dot(nvfp4, nvfp4, lanes=16, window=6)",
    "dot(e5m2, e5m2, lanes=8, acc=fp16)",
    "dot(fp16, int4, lanes=4, window=12)",
]
MORE = [
    "dot(int4, uint8, lanes=32, acc=exact(96))",
    "dot(int8, int8, lanes=16, acc=fp32, stages=3)",
    "dot(mxfp8, mxfp8, lanes=32, stages=2)",
    "dot(mxfp8, mxfp4, lanes=16, window=9)",
    "dot(mxfp6, mxfp6_e3m2, lanes=32, stages=5)",
    "dot(mxint4, mxint8, lanes=16, acc=e8m7ieee:sat)",
    "dot(fp16, fp16, lanes=8)",
    "dot(bf16, bf16, lanes=8, window=46, stages=2)",
    "dot(int4_g128, e4m3, lanes=32, stages=3)",
    "dot(mxfp8_e5m2, mxfp8_e5m2, lanes=16, window=40)",
]
EXHAUSTIVE = ["dot(int8, int8, lanes=4, acc=int20 sat, stages=2)", "dot(nvfp4, nvfp4, lanes=16, window=6)"]


def vectors(text: str, pairs: int) -> Case:
    return varied(text, pairs, text in EXHAUSTIVE)


@pytest.fixture(scope="module")
def wrong(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 100_000) for text in TEXTS})


@pytest.fixture(scope="module")
def wrong_of_many(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 1_000_000) for text in (*TEXTS, *MORE)})


@pytest.mark.parametrize("text", TEXTS)
def test_rtl_is_its_golden_model(text: str, wrong: Wrong) -> None:
    assert wrong[text].empty, wrong[text].head(10).to_string()


@pytest.mark.slow
@pytest.mark.parametrize("text", [*TEXTS, *MORE])
def test_rtl_is_its_golden_model_over_many_vectors(text: str, wrong_of_many: Wrong) -> None:
    assert wrong_of_many[text].empty, wrong_of_many[text].head(10).to_string()


def test_rtl_is_its_golden_model_on_a_second_simulator(icarus: Simulator, replayed: Replayed) -> None:
    for done in replayed([vectors("dot(mxfp4, mxfp6, lanes=8, window=7, stages=2)", 20_000)], icarus):
        assert done.mismatches.empty, done.mismatches.head(10).to_string()
