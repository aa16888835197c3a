"""Shift-add units: arithmetic against fractions, cost."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from math import inf, isnan, nan
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import round_to

import hwexplore as hx
from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Minifloat
from hwexplore.pe import PE, ShiftAdd

WEIGHTS = [
    *("int2", "int3", "int4", "int4s", "uint2", "uint3", "uint4", "ternary"),
    *("bipolar2", "bipolar3", "bipolar4", "e1m0", "e2m0", "e3m0"),
]
INTEGERS = ["int4", "int8", "int8s", "uint8", "int16"]
FP32 = Minifloat(exponent_bits=8, mantissa_bits=23, bias=127, special="ieee", overflow="infinity")
FLOATS = ["fp16", "e4m3", "e5m2", "bf16"]


def parse(text: str) -> ShiftAdd:
    pe = PE.parse(text)
    assert isinstance(pe, ShiftAdd)
    return pe


def group_oracle(weights: list[float], activations: list[float], zero_point: int | None, exact: bool) -> float:
    """The sum of a group of finite products, less the zero point times the activations."""

    def add(total: Fraction, term: Fraction) -> Fraction:
        return total + term if exact else Fraction(round_to(FP32, total + term, 1))

    total = activation_sum = Fraction(0)
    for w, a in zip(weights, activations, strict=True):
        total = add(total, Fraction(w) * Fraction(a))
        activation_sum = add(activation_sum, Fraction(a))
    return float(total if zero_point is None else add(total, -zero_point * activation_sum))


def oracle(pe: ShiftAdd, weights: Encoded, activations: np.ndarray, row: int, column: int) -> float:
    """The accumulator after all groups of finite numbers."""
    element = pe.weight.element.decode(weights.codes[column])
    values = pe.activation.decode(activations[row])
    format = pe.accumulator.format
    assert format is not None
    total = 0.0
    for group, start in enumerate(range(0, len(element), pe.group)):
        block = slice(start, start + pe.group)
        zero_point = None if weights.zero_points is None else int(weights.zero_points[column, group])
        exact = str(pe.activation) in INTEGERS
        sums = group_oracle(list(element[block]), list(values[block]), zero_point, exact)
        term = Fraction(float(weights.scales[column, group])) * Fraction(sums)
        if abs(total) == inf:
            continue
        total = round_to(format, Fraction(total) + term, 1)
    return total


def used_codes(format: Format) -> np.ndarray:
    """The codes that `encode` can give."""
    codes = np.arange(1 << format.element_bits)
    values = format.decode(codes)
    codes = codes[np.isfinite(values)]
    return codes[format.decode(format.encode(values[np.isfinite(values)])) == values[np.isfinite(values)]]


def some_weights(pe: ShiftAdd, n: int, k: int, rng: np.random.Generator) -> Encoded:
    groups = n, -(-k // pe.group)
    scale = pe.weight.scale
    scales = scale.decode(rng.choice(used_codes(scale), groups))
    if rng.random() < 0.5:
        scales = scale.quantize(np.exp2(rng.standard_normal(groups)))
    points = rng.integers(0, 1 << pe.weight.element_bits, groups) if pe.weight.zero_point else None
    return Encoded(rng.choice(used_codes(pe.weight.element), (n, k)), scales, None, points)


def some_activations(pe: ShiftAdd, m: int, k: int, rng: np.random.Generator) -> np.ndarray:
    """Any numbers whose group sums are finite, or, of floating point, often moderate ones."""
    codes = used_codes(pe.activation)
    codes = rng.choice(codes[abs(pe.activation.decode(codes)) < 2.0**100], (m, k))
    if pe.activation_port.is_float and rng.random() < 0.7:
        codes = pe.activation.encode(rng.standard_normal((m, k)) * 3)
    return codes


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(WEIGHTS),
    st.sampled_from(INTEGERS + FLOATS),
    st.integers(1, 9),
    st.integers(0, 20),
    st.sampled_from(["fp32", "fp16", "bf16"]),
    st.integers(0, 2**32),
)
def test_golden_is_the_definition(weight: str, activation: str, group: int, k: int, acc: str, seed: int) -> None:
    pe = parse(f"shift_add({weight}, {activation}, group={group}, acc={acc})")
    rng = np.random.default_rng(seed)
    w, a = some_weights(pe, 2, k, rng), some_activations(pe, 3, k, rng)
    sums = pe.decode(pe.golden(w, a))
    expected = [[oracle(pe, w, a, row, column) for column in range(2)] for row in range(3)]
    np.testing.assert_array_equal(sums, expected)


@pytest.mark.parametrize("text", ["shift_add(int4, int8, group=32)", "shift_add(uint4, fp16, group=32)"])
def test_sums_are_near_those_of_the_decoded_weights(text: str) -> None:
    pe = parse(text)
    rng = np.random.default_rng(0)
    w = pe.weight.encode(rng.standard_normal((6, 100)).astype(np.float32) + 0.3)
    a = pe.activation.encode(rng.standard_normal((5, 100)) * 20)
    expected = pe.activation.decode(a) @ pe.weight.decode(w).astype(float).T
    np.testing.assert_allclose(pe.decode(pe.golden(w, a)), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("text", ["shift_add(uint3, int8, group=6)", "shift_add(uint3, fp16, group=6)"])
def test_a_ragged_group_is_one_filled_up_with_zeros(text: str) -> None:
    pe = parse(text)
    rng = np.random.default_rng(2)
    w, a = some_weights(pe, 4, 9, rng), some_activations(pe, 3, 9, rng)
    filled = replace(w, codes=np.pad(w.codes, ((0, 0), (0, 3)), constant_values=5))
    zeros = np.pad(a, ((0, 0), (0, 3)), constant_values=int(pe.activation.encode(0.0)))
    np.testing.assert_array_equal(pe.golden(w, a), pe.golden(filled, zeros))


def one_sum(text: str, scales: list[float], activations: list[float]) -> float:
    pe = parse(text)
    a = replace(pe.activation, overflow="infinity").encode([activations])  # type: ignore[type-var]
    codes = np.ones((1, len(activations)), np.uint8)
    points = np.zeros((1, len(scales)), np.uint8) if pe.weight.zero_point else None
    return float(pe.decode(pe.golden(Encoded(codes, np.array([scales]), None, points), a))[0, 0])


@pytest.mark.parametrize(
    ("scales", "activations", "expected"),
    [
        ([1.0, 2.0], [1.0, 2.0, 3.0, 4.0], 17.0),
        ([1.0, nan], [1.0, 2.0, 3.0, 4.0], nan),
        ([nan, 1.0], [0.0, 0.0, 3.0, 4.0], nan),
        ([inf, 1.0], [1.0, 2.0, 3.0, 4.0], inf),
        ([inf, 1.0], [1.0, -1.0, 3.0, 4.0], nan),
        ([1.0, 1.0], [inf, 2.0, 3.0, 4.0], inf),
        ([1.0, -1.0], [inf, 2.0, inf, 4.0], nan),
        ([0.0, 1.0], [inf, 2.0, 3.0, 4.0], nan),
        ([1.0, 1.0], [nan, 2.0, 3.0, 4.0], nan),
    ],
)
@pytest.mark.parametrize("weight", ["int4", "ternary"])
def test_special_values_follow_ieee_754(
    weight: str, scales: list[float], activations: list[float], expected: float
) -> None:
    result = one_sum(f"shift_add({weight}, fp16, group=2)", scales, activations)
    assert result == expected or (isnan(result) and isnan(expected))


def test_every_nan_is_the_same() -> None:
    pe = parse("shift_add(int4, int8, group=1)")
    for scale in (nan, -nan):
        codes = Encoded(np.ones((1, 1), np.uint8), np.array([[scale]]))
        assert pe.golden(codes, np.full((1, 1), 255, np.uint8))[0, 0] == 0x7FC00000


def test_text_and_weight_format() -> None:
    for text, weight in {
        "shift_add(int4, int8, group=128)": "int4_g128",
        "shift_add(uint4, int8, group=128)": "int4_g128_asym",
        "shift_add(ternary, fp16, group=64)": "ternary_g64",
        "shift_add(e3m0, int16, group=1, acc=fp16, stages=5)": "e3m0_g1",
        "shift_add(bipolar2, e4m3, group=1024)": "bipolar2_g1024",
    }.items():
        pe = hx.PE.parse(text)
        assert str(pe) == text
        assert pe.weight == Format.parse(weight)
        assert pe.weight_port.format == pe.weight.element
    assert str(PE.parse("shift_add(int4, int8, acc=fp32)")) == "shift_add(int4, int8, group=128)"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("int8, int8", "weight int8: shift_add takes integers of 2 to 4 bits, ternary, and e1m0, e2m0 or e3m0"),
        ("int1, int8", "weight int1"),
        ("bipolar5, int8", "weight bipolar5"),
        ("e2m1, int8", "weight e2m1"),
        ("ue2m0, int8", "weight ue2m0"),
        ("e4m0, int8", "weight e4m0"),
        ("e2m0fn, int8", "weight e2m0fn"),
        ("int4_g128, int8", "operand int4_g128 has scales"),
        ("int4, int3", "activation int3: shift_add takes integers and floating point of 4 to 16 bits"),
        ("int4, int17", "activation int17"),
        ("int4, fp32", "activation fp32"),
        ("int4, int8, group=0", "group = 0 must be a whole number from 1 to 1024"),
        ("int4, int8, group=1025", "group = 1025"),
        ("int4, int8, stages=1", "stages = 1 must be a whole number from 2 to 8"),
        ("int4, int8, acc=int32", "accumulator int32: shift_add adds scaled groups in floating point, such as fp32"),
        ("int4, int8, lanes=2", "unknown option of shift_add 'lanes'"),
    ],
)
def test_refused_texts(arguments: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        PE.parse(f"shift_add({arguments})")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "sentence"),
    [
        (np.zeros((2, 8), np.uint8), "weights have no scales, and shift_add.* takes those of int4_g4_asym"),
        (Encoded(np.zeros((2, 8)), np.ones((2, 1)), None, np.zeros((2, 1))), r"int4_g4_asym has \(2, 2\) of each"),
        (Encoded(np.zeros((2, 8)), np.ones((2, 2))), "zero points None; int4_g4_asym has"),
        (Encoded(np.zeros((2, 9), int), np.ones((2, 3)), None, np.zeros((2, 3))), r"must be \[n, k\] and \[m, k\]"),
    ],
)
def test_refused_operands(weights: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse("shift_add(uint4, int8, group=4)").golden(weights, np.zeros((3, 8), np.uint8))


@pytest.mark.parametrize(
    ("weight", "activation", "accepted"),
    [
        ("int4_g128", "int8", True),
        ("int4", "int8", True),
        ("int3", "uint7", True),
        ("ternary", "int4", True),
        ("int4_g64", "int8", False),
        ("int3_g128", "int8", False),
        ("int4_g128_asym", "int8", False),
        ("int5", "int8", False),
        ("int4", "int9", False),
        ("int4", "int8_g128", False),
    ],
)
def test_accepts_its_own_weights_and_whose_values_fit(weight: str, activation: str, accepted: bool) -> None:
    pe = PE.parse("shift_add(int4, int8, group=128)")
    formats = Format.parse(weight), Format.parse(activation)
    assert pe.accepts(*formats, 4096) is accepted
    assert not pe.is_exact(*formats, 1)


def test_scale_and_zero_point_come_in_the_last_cycle_of_a_group() -> None:
    pe = parse("shift_add(uint2, int8, group=3, stages=3)")
    assert (pe.tile.k, pe.tile.cycles, pe.macs_per_cycle, pe.latency_cycles) == (3, 3, 1, 3)
    assert pe.ports == {"weight": 2, "activation": 8, "scale": 16, "zero_point": 2}
    assert set(pe.meanings) == {*pe.ports, *pe.outputs}
    assert "zero_point" not in parse("shift_add(int2, int8)").ports
    codes = np.arange(6, dtype=np.uint8).reshape(1, 6) % 4
    beats = pe.weight_beats(Encoded(codes, np.array([[1.0, -2.0]]), None, np.array([[3, 2]], np.uint8)))
    assert beats["weight"].tolist() == codes.tolist()
    assert beats["scale"].tolist() == [[0, 0, 0x3C00, 0, 0, 0xC000]]
    assert beats["zero_point"].tolist() == [[0, 0, 3, 0, 0, 2]]
    assert pe.activation_beats(codes)["activation"].tolist() == codes.tolist()


UNITS = (
    "shift_add(int4, int8, group=128)",
    "shift_add(ternary, int8, group=128)",
    "shift_add(e3m0, int8, group=128)",
    "shift_add(uint4, int8, group=128)",
    "shift_add(int2, int16, group=32, stages=3)",
    "shift_add(int4, fp16, group=128)",
    "shift_add(uint4, fp16, group=128)",
    "shift_add(e2m0, e4m3, group=32, acc=fp16)",
)


@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
@pytest.mark.parametrize("text", UNITS)
def test_bill(text: str, operands: str) -> None:
    pe = parse(text)
    bill = pe.bill(operands)
    assert all(item.count > 0 and 0 <= item.activity <= 8 and item.part and item.why for item in bill)
    assert all(stage.count > 0 for path in bill.paths for stage in path)


def test_registers() -> None:
    """Group sum, accumulator, cycle counter, scale, zero point, and the sum of the activations."""

    def flip_flops(text: str) -> float:
        return sum(item.count for item in PE.parse(text).cost("nangate45").bill if item.primitive == "flip_flop")

    assert flip_flops("shift_add(int4, int8, group=128)") == 19 + 32 + 7 + 16 + 3
    assert flip_flops("shift_add(int4, int8, group=1)") == 12 + 32 + 16 + 3
    assert flip_flops("shift_add(uint4, int8, group=128)") == 19 + 32 + 7 + 16 + 3 + 4 + 16
    # A scaled sum of 11 + 19 bits, its exponent of 5, sign, NaN, inf and the two flags.
    assert flip_flops("shift_add(int4, int8, group=128, stages=4)") == 19 + 32 + 7 + 16 + 3 + 2 * (30 + 5 + 5)


def test_stages_trade_registers_for_period() -> None:
    units = [parse(f"shift_add(int4, int8, group=128, stages={stages})") for stages in (2, 3, 4, 5)]
    periods = [unit.fastest_period_ps("nangate45") for unit in units]
    areas = [unit.cost("nangate45").area_um2.mid for unit in units]
    assert [unit.latency_cycles for unit in units] == [2, 3, 4, 5]
    assert areas == sorted(areas)
    # From three stages on, the accumulator's own loop sets the period.
    assert periods[0] > periods[1] == periods[2] == periods[3]


def test_larger_groups_dequantize_less_often() -> None:
    energies = [parse(f"shift_add(int4, int8, group={group})").cost("nangate45").energy_pj.mid for group in (1, 8, 64)]
    assert energies == sorted(energies, reverse=True)
    assert energies[0] > 3 * energies[2]


def gates(text: str) -> dict[str, tuple[int, int]]:
    table = parse(text).product_table()
    return {
        name: tuple(rows) for name, rows in table.groupby("primitive")[["shift_add", "multiplier"]].sum().iterrows()
    }  # type: ignore[misc]


def test_a_product_of_integers_is_that_of_an_array_multiplier() -> None:
    for text in ("shift_add(int4, int8)", "shift_add(int2, int8)", "shift_add(int3, fp16)"):
        table = parse(text).product_table()
        assert table["shift_add"].tolist() == table["multiplier"].tolist()
        assert table["shift_add"].sum() > 0


def test_powers_of_two_and_ternary_numbers_need_no_adders() -> None:
    assert gates("shift_add(e3m0, int8)")["full_adder"] == (0, 20)
    assert gates("shift_add(ternary, int8)")["full_adder"] == (0, 10)
    assert gates("shift_add(e3m0, int8)")["mux2"][1] == 0 < gates("shift_add(e3m0, int8)")["mux2"][0]
