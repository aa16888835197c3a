"""Traces, against a unit written out cycle by cycle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.pe import PE, Mac
from hwexplore.rtl.vectors import exhaustive_operands, join, random_operands, trace


def mac(text: str) -> Mac:
    pe = PE.parse(text)
    assert isinstance(pe, Mac)
    return pe


def accumulators(inputs: pd.DataFrame, stages: int, bits: int) -> list[int]:
    """What an int4 x int4 unit with a saturating accumulator shows in each cycle."""
    pipeline: list[tuple[bool, bool, int]] = [(False, False, 0)] * stages
    total, shown = 0, []
    for row in inputs.itertuples():
        shown.append(total % 2**bits)
        w, a = ((int(code) + 8) % 16 - 8 for code in (row.weight, row.activation))
        pipeline = [(row.enable, row.clear, w * a), *pipeline[: stages - 1]]
        enable, clear, product = pipeline[-1]
        if enable:
            total = min(max((0 if clear else total) + product, -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
        if row.rst:
            pipeline, total = [(False, False, 0)] * stages, 0
    return shown


@given(st.integers(1, 5), st.integers(0, 2**32), st.booleans(), st.integers(1, 400))
@settings(max_examples=25, deadline=None)
def test_traces_show_what_the_unit_does(stages: int, seed: int, full_rate: bool, pairs: int) -> None:
    pe = mac(f"mac(int4, int4, acc=int8 sat, stages={stages})")
    rng = np.random.default_rng(seed)
    one = trace(pe, *random_operands(pe, pairs, rng), rng, full_rate)
    both = join([one, trace(pe, *exhaustive_operands(pe), rng, full_rate=True), one])
    shown = both.assign(unit=accumulators(both, stages, 8))[both["defined"]]
    assert shown["accumulator"].tolist() == shown["unit"].tolist()
    assert (~both["defined"]).sum() == 2
    assert one["enable"].sum() >= pairs


def test_traces_have_pauses_resets_and_both_ways_to_start_a_sum() -> None:
    pe = mac("mac(int4, int4, acc=int8 sat, stages=3)")
    rng = np.random.default_rng(0)
    cycles = trace(pe, *random_operands(pe, 5000, rng), rng)
    assert 0.1 < (~cycles["enable"]).mean() < 0.3
    starts = cycles["rst"].sum(), (cycles["clear"] & cycles["enable"]).sum()
    assert min(starts) > 10
    in_flight = cycles["enable"].shift(1, fill_value=False) & cycles["rst"]
    assert in_flight.sum() > 10
    assert cycles["clear"][~cycles["enable"]].any()


def test_operands_have_the_special_values() -> None:
    pe = mac("mac(e5m2, fp16, acc=fp16)")
    weights, activations = random_operands(pe, 5000, np.random.default_rng(0))
    for codes, format in ((weights, pe.weight), (activations, pe.activation)):
        values = format.decode(codes)
        present = {float(v) for v in values.ravel() if np.isfinite(v)}
        largest = format.element.max
        assert {0.0, largest, -largest, 2.0**-16 if format.element_bits == 8 else 2.0**-24} <= present
        assert np.isnan(values).any()
        assert np.isinf(values).any()
        assert (np.signbit(values) & (values == 0)).any()
        assert np.isfinite(values).all(axis=1).mean() > 0.3
    golden = pe.decode(pe.golden(weights, activations))
    assert np.isnan(golden).any()
    assert np.isinf(golden).any()
    assert np.isfinite(golden).any()


@pytest.mark.parametrize(
    ("text", "count"),
    [("mac(int4, uint3)", 128), ("mac(int3s, ternary, acc=int8)", 21), ("mac(e4m3, e2m1, acc=exact(8))", 254 * 16)],
)
def test_exhaustive_means_every_number(text: str, count: int) -> None:
    weights, activations = exhaustive_operands(mac(text))
    assert len(np.unique(weights)) * len(np.unique(activations)) == len(weights) * len(activations) == count


def test_too_many_pairs_are_refused() -> None:
    with pytest.raises(InputError, match=r"mac\(int8, int9, acc=int32\) has 2\^17 operand pairs; up to 2\^16"):
        exhaustive_operands(mac("mac(int8, int9)"))


def test_sums_stay_within_an_exact_accumulator() -> None:
    pe = mac("mac(int8, int8, acc=exact(3))")
    assert random_operands(pe, 100, np.random.default_rng(0))[0].shape == (6, 3)
