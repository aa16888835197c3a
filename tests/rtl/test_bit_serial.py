"""Bit-serial dot products, bit for bit and cycle for cycle against their golden model."""

from __future__ import annotations

from math import gcd

import numpy as np
import pytest
from replays import Case, Mismatches, Replayed, Wrong

from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import exhaustive_operands, join, random_operands, trace

TEXTS = [
    "bit_serial(bipolar3, bipolar4)",
    "bit_serial(bipolar1, bipolar1, lanes=63, acc=int9)",
    "bit_serial(int4, int4, lanes=16, acc=int13)",
    "bit_serial(int8, int8, lanes=64, stages=2)",
    "bit_serial(uint8, uint8, lanes=64, acc=exact(150), stages=3)",
    "bit_serial(bipolar8, bipolar8, lanes=64, acc=exact(100))",
    "bit_serial(bipolar2, int3, lanes=12, acc=int70)",
    "bit_serial(uint4, bipolar3, lanes=7, stages=8)",
    "bit_serial(int1, uint2, lanes=1, acc=int4)",
    "bit_serial(ternary, int8s, lanes=100, acc=int40)",
    "bit_serial(int5, uint1, lanes=256, acc=int20, stages=4)",
]
MORE = [
    "bit_serial(bipolar7, int6, lanes=31, acc=int24)",
    "bit_serial(uint3, uint5, lanes=2, acc=int9, stages=2)",
    "bit_serial(int1, int1, lanes=33, acc=int2)",
]
SWAPPED = "bit_serial(bipolar2, bipolar4, lanes=8, acc=int16)", "bit_serial(bipolar4, bipolar2, lanes=8, acc=int16)"
"""Whose traces take as many cycles, with the planes in another order."""


def every_pair(pe: PE) -> tuple[Codes, Codes]:
    """Weights [n, k] and activations [m, k], of one tile's k, that bring every pair together in some lane."""
    weights, activations = exhaustive_operands(pe)
    assert isinstance(weights, np.ndarray)
    assert isinstance(activations, np.ndarray)
    fewer = activations[:: gcd(pe.tile.k, len(activations))]
    together = weights[np.newaxis] << np.uint64(8) | fewer[:, np.newaxis]
    assert len(np.unique(together)) == len(weights) * len(activations)
    return weights, fewer


def vectors(text: str, pairs: int) -> Case:
    """Random operands with pauses and resets; then every pair of operands at full rate."""
    pe = PE.parse(text)
    rng = np.random.default_rng(0)
    pauses = trace(pe, *random_operands(pe, pairs, rng), rng)
    return pe, join([pauses, trace(pe, *every_pair(pe), rng, full_rate=True)])


@pytest.fixture(scope="module")
def wrong(mismatches: Mismatches) -> Wrong:
    """Those of each configuration, and those of one with the trace of another."""
    cases = {text: vectors(text, 20_000) for text in TEXTS}
    return mismatches({**cases, SWAPPED[0]: (PE.parse(SWAPPED[0]), vectors(SWAPPED[1], 2_000)[1])})


@pytest.fixture(scope="module")
def wrong_of_many(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 200_000) for text in (*TEXTS, *MORE)})


@pytest.mark.parametrize("text", TEXTS)
def test_rtl_is_its_golden_model(text: str, wrong: Wrong) -> None:
    assert wrong[text].empty, wrong[text].head(10).to_string()


@pytest.mark.slow
@pytest.mark.parametrize("text", [*TEXTS, *MORE])
def test_rtl_is_its_golden_model_over_many_vectors(text: str, wrong_of_many: Wrong) -> None:
    assert wrong_of_many[text].empty, wrong_of_many[text].head(10).to_string()


def test_rtl_is_its_golden_model_on_a_second_simulator(icarus: Simulator, replayed: Replayed) -> None:
    texts = ["bit_serial(bipolar3, int2, lanes=8, acc=int10)", "bit_serial(int3, uint3, lanes=70, stages=2)"]
    for done in replayed([vectors(text, 5_000) for text in texts], icarus):
        assert done.mismatches.empty, done.mismatches.head(10).to_string()


def test_planes_in_another_order_are_noticed(wrong: Wrong) -> None:
    assert len(wrong[SWAPPED[0]]) > 100
