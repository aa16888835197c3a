"""Precision-scalable units, bit for bit and cycle for cycle against their golden model, in all modes of one core."""

from __future__ import annotations

from functools import reduce

import numpy as np
import pandas as pd
import pytest
from replays import Case, Mismatches, Replayed, Wrong

from hwexplore.pe import PE
from hwexplore.rtl.core import build
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import exhaustive_operands, join, random_operands, trace
from hwexplore.rtl.verilog import convert

TEXTS = [
    "multi(int8, int8, acc=int32)",
    "multi(uint8, int8, acc=exact(40), stages=3)",
    "multi(uint8, uint8, acc=int20 sat, stages=2)",
    "multi(int8, uint8, acc=int17 sat)",
    "multi(int4, int4, acc=int32, stages=8)",
    "multi(uint4, int4, acc=int10 sat)",
    "multi(uint4, uint4, acc=exact(4), stages=2)",
    "multi(int16, uint16, acc=exact(1000), stages=3)",
]
MORE = [
    "multi(int16, int16, acc=int33 sat)",
    "multi(uint16, uint16, acc=int48, stages=5)",
]
PAIRS = 4096
"""Operand pairs of a mode up to which all are replayed by default, and of all 8-bit modes of the first units."""


def vectors(text: str, pairs: int, every_pair: int = 1 << 16) -> Case:
    """In each mode random operands with pauses and resets; then every pair of operands, without resets in between."""
    pe = PE.parse(text)
    rng = np.random.default_rng(0)
    modes = [pe.in_mode(mode) for mode in pe.modes]
    traces = [trace(one, *random_operands(one, pairs // len(modes), rng), rng) for one in modes]
    narrow = [one for one in modes if 1 << one.weight.element_bits + one.activation.element_bits <= every_pair]
    full = [trace(one, *exhaustive_operands(one), rng, full_rate=True) for one in narrow]
    return pe, join([*traces, reduce(lambda before, after: switched(pe, before, after), full)])


def switched(pe: PE, before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Two traces at full rate, the second straight after the last operands of the first."""
    latency = pe.latency_cycles
    after = after.iloc[1:].reset_index(drop=True)
    after.loc[0, "clear"] = True
    late = before.iloc[len(before) - latency :].reset_index(drop=True)
    seen = [*pe.outputs, "defined"]
    after.loc[: latency - 1, seen] = late[seen]
    return pd.concat([before.iloc[:-latency], after], ignore_index=True)


@pytest.fixture(scope="module")
def wrong(mismatches: Mismatches) -> Wrong:
    every = {text: vectors(text, 20_000) for text in TEXTS[:2]}
    return mismatches({**every, **{text: vectors(text, 20_000, PAIRS) for text in TEXTS[2:]}})


@pytest.fixture(scope="module")
def wrong_of_many(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 200_000) for text in (*TEXTS, *MORE)})


@pytest.mark.parametrize("text", TEXTS)
def test_rtl_is_its_golden_model_in_every_mode(text: str, wrong: Wrong) -> None:
    assert wrong[text].empty, wrong[text].head(10).to_string()


@pytest.mark.slow
@pytest.mark.parametrize("text", [*TEXTS, *MORE])
def test_rtl_is_its_golden_model_over_many_vectors(text: str, wrong_of_many: Wrong) -> None:
    assert wrong_of_many[text].empty, wrong_of_many[text].head(10).to_string()


def test_rtl_is_its_golden_model_on_a_second_simulator(icarus: Simulator, replayed: Replayed) -> None:
    [done] = replayed([vectors("multi(int4, uint4, acc=int12, stages=3)", 3_000)], icarus)
    assert done.mismatches.empty, done.mismatches.head(10).to_string()


def test_the_wrong_mode_is_noticed(verilator: Simulator, replayed: Replayed) -> None:
    pe, cycles = vectors("multi(int4, int4, acc=int12)", 500)
    cycles["mode"] = 0
    [done] = replayed([(pe, cycles)], verilator)
    assert len(done.mismatches) > len(cycles) / 8


@pytest.mark.parametrize("mode", ["8x4", "2x2"])
def test_all_modes_are_one_core(mode: str) -> None:
    pe = PE.parse("multi(int8, uint8, acc=int20 sat, stages=2)")
    assert convert(build(pe.in_mode(mode)), "core") == convert(build(pe), "core")
