"""Multiply-accumulate units, bit for bit and cycle for cycle against their golden model."""

from __future__ import annotations

import numpy as np
import pytest
from replays import Case, Mismatches, Replayed, Wrong, varied

from hwexplore.pe import PE, Mac
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import EXHAUSTIVE_BITS

INTEGER = [
    "mac(int8, int8, acc=int32)",
    "mac(int4, int8, acc=int16 sat, stages=2)",
    "mac(uint4, uint4, acc=exact(24), stages=3)",
    "mac(bipolar3, ternary, acc=int5 sat)",
    "mac(int8s, uint8, acc=int20, stages=8)",
]
FIXED = [
    "mac(int4, e4m3, acc=exact(24))",
    "mac(e4m3, e4m3, acc=exact(4096), stages=2)",
    "mac(e5m2, e5m2, acc=exact(24))",
    "mac(e2m1, e2m1, acc=int9 sat)",
    "mac(float8_e4m3fnuz, ue4m3, acc=int44 sat)",
    "mac(fp16, fp16, acc=exact(24), stages=2)",
]
FLOATING = [
    "mac(bipolar4, int8, acc=bf16)",
    "mac(e2m1, e2m1, acc=e3m2)",
    "mac(e4m3, e4m3, acc=fp32, stages=2)",
    "mac(e5m2, e5m2, acc=fp16)",
    "mac(fp16, fp16, acc=fp16)",
    "mac(bf16, bf16, acc=fp32, stages=3)",
    "mac(int4, fp16, acc=fp32)",
    "mac(e5m2, e4m3, acc=e4m3)",
    "mac(e4m3, e5m2, acc=float8_e4m3fnuz)",
    "mac(e2m3, e3m2, acc=e4m3ftz)",
    "mac(e8m0, e5m2, acc=e8m7ieee:sat)",
]
MORE = [
    "mac(fp32, fp32, acc=fp32)",
    "mac(e5m2, e4m3, acc=e4m3:inf)",
    "mac(ternary, ternary, acc=int2 sat)",
    "mac(bipolar1, bipolar1, acc=e8m0none)",
    "mac(e4m3fnftz, int4, acc=e5m0)",
    "mac(ue5m3, ue4m3, acc=exact(100), stages=4)",
    "mac(int16, int16, acc=int48)",
    "mac(e3m4, float8_e5m2fnuz, acc=tf32)",
]


def vectors(text: str, pairs: int) -> Case:
    """Random operands; then, of narrow formats, every pair of operands."""
    pe = PE.parse(text)
    assert isinstance(pe, Mac)
    return varied(text, pairs, pe.weight.element_bits + pe.activation.element_bits <= EXHAUSTIVE_BITS)


@pytest.fixture(scope="module")
def wrong(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 20_000) for text in (*INTEGER, *FIXED, *FLOATING)})


@pytest.fixture(scope="module")
def wrong_of_many(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 200_000) for text in (*INTEGER, *FIXED, *FLOATING, *MORE)})


@pytest.mark.parametrize("text", [*INTEGER, *FIXED, *FLOATING])
def test_rtl_is_its_golden_model(text: str, wrong: Wrong) -> None:
    assert wrong[text].empty, wrong[text].head(10).to_string()


@pytest.mark.slow
@pytest.mark.parametrize("text", [*INTEGER, *FIXED, *FLOATING, *MORE])
def test_rtl_is_its_golden_model_over_many_vectors(text: str, wrong_of_many: Wrong) -> None:
    assert wrong_of_many[text].empty, wrong_of_many[text].head(10).to_string()


def test_rtl_is_its_golden_model_on_a_second_simulator(icarus: Simulator, replayed: Replayed) -> None:
    texts = ["mac(int4, int4, acc=int10 sat)", "mac(e5m2, int4, acc=fp16, stages=2)"]
    for done in replayed([vectors(text, 5_000) for text in texts], icarus):
        assert done.mismatches.empty, done.mismatches.head(10).to_string()


def test_a_wrong_bit_or_cycle_is_noticed(verilator: Simulator, replayed: Replayed) -> None:
    pe, cycles = vectors("mac(int4, int4, acc=int12)", 500)
    cycles.loc[[100, 200], "accumulator"] ^= np.uint64(1 << 11)
    later = PE.parse("mac(int4, int4, acc=int12, stages=2)")
    bit, cycle = replayed([(pe, cycles), (later, cycles)], verilator)
    assert bit.mismatches.index.tolist() == [100, 200]
    assert len(cycle.mismatches) > len(cycles) / 2
