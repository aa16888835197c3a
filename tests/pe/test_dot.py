"""Dot-product units, against an oracle in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import copysign, floor, isfinite

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import binade, round_to

import hwexplore as hx
from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Integer, Minifloat
from hwexplore.pe import PE, Dot
from hwexplore.rtl.vectors import random_operands

TEXTS = [
    "dot(mxint8, mxint8, lanes=8, acc=fp32)",
    "dot(mxint4, mxint8, lanes=32, acc=bf16)",
    "dot(mxfp8, mxfp8, lanes=16, acc=fp32)",
    "dot(mxfp8_e5m2, mxfp8, lanes=32, acc=fp32)",
    "dot(mxfp8, mxfp8, lanes=8, acc=fp32, window=9)",
    "dot(mxfp8_e5m2, mxfp8_e5m2, lanes=32, acc=fp32, window=24)",
    "dot(mxfp6, mxfp6_e3m2, lanes=16, acc=fp32, window=7)",
    "dot(mxfp4, mxfp4, lanes=64, acc=fp32)",
    "dot(nvfp4, nvfp4, lanes=32, acc=fp32)",
    "dot(nvfp4, nvfp4, lanes=8, acc=fp32, window=6)",
    "dot(nvint4, nvint4, lanes=16, acc=fp16)",
    "dot(int4_g128, fp16, lanes=32, acc=fp32, window=20)",
    "dot(fp16, fp16, lanes=8, acc=fp32)",
    "dot(bf16, bf16, lanes=8, acc=fp32, window=30)",
    "dot(e4m3, int4, lanes=8, acc=fp16, window=5)",
    "dot(int8, int8, lanes=8, acc=fp16)",
]


def dot(text: str) -> Dot:
    pe = PE.parse(text)
    assert isinstance(pe, Dot)
    return pe


def bound(format: Integer | Minifloat, value: Fraction) -> int:
    """The exponent of two that the significands of numbers with this number's exponent stay below."""
    if isinstance(format, Integer):
        return max(-format.min_value, format.max_value).bit_length()
    return max(binade(abs(value)), format.min_exponent) + 1


def window_sum(pe: Dot, weights: list[float], activations: list[float]) -> Fraction:
    """The sum of a cycle's products, each floored to the window below the largest of them."""
    pairs = [(Fraction(w), Fraction(a)) for w, a in zip(weights, activations, strict=True) if w and a]
    if pe.window is None or not pairs:
        return sum((w * a for w, a in pairs), Fraction(0))
    formats = pe.weight.element, pe.activation.element
    top = max(sum(bound(f, v) for f, v in zip(formats, pair, strict=True)) for pair in pairs)
    unit = Fraction(2) ** (top - (pe.window - 1))
    return sum((floor(w * a / unit) * unit for w, a in pairs), Fraction(0))


def oracle(pe: Dot, weights: list[float], activations: list[float], scales: list[float]) -> float:
    """The accumulator after products of elements whose blocks have these products of scales."""
    format = pe.accumulator.format
    assert format is not None
    total = 0.0
    for number, scale in enumerate(scales):
        block = slice(number * pe.terms, (number + 1) * pe.terms)
        w, a = weights[block], activations[block]
        products = [x * y for x, y in zip(w, a, strict=True)]
        special = sum(product for product in products if not isfinite(product))
        if not all(map(isfinite, (special, scale, total))):
            finite = special if not isfinite(special) else float(sum(map(Fraction, products)))
            total += finite * scale
            continue
        cycles = [slice(start, start + pe.lanes) for start in range(0, len(w), pe.lanes)]
        sum_of_block = sum((window_sum(pe, w[cycle], a[cycle]) for cycle in cycles), Fraction(0))
        term = sum_of_block * Fraction(scale)
        zero_sign = -1.0 if term == 0 and total == 0 and copysign(1, total) < 0 and copysign(1, scale) < 0 else 1.0
        total = round_to(format, Fraction(total) + term, zero_sign)
    return total


def parts(format: Format, operand: np.ndarray | Encoded, row: int, blocks: int) -> tuple[list[float], list[float]]:
    """Elements and scales of one row."""
    if isinstance(operand, Encoded):
        return format.element.decode(operand.codes[row]).tolist(), operand.scales[row].tolist()
    return format.decode(operand[row]).tolist(), [1.0] * blocks


@pytest.mark.parametrize("text", TEXTS)
@given(seed=st.integers(0, 2**32), cut=st.integers(0, 40))
@settings(max_examples=6, deadline=None)
def test_golden_is_the_definition(text: str, seed: int, cut: int) -> None:
    pe = dot(text)
    format = pe.accumulator.format
    assert format is not None
    weights, activations = random_operands(pe, 3 * pe.tile.k * 16, np.random.default_rng(seed))
    terms = (weights.codes if isinstance(weights, Encoded) else weights).shape[1] - cut % pe.tile.k
    blocks = -(-terms // pe.terms)
    codes = pe.golden(*(first(operand, terms, blocks) for operand in (weights, activations)))
    values = pe.decode(codes)
    assert np.array_equal(format.encode(values), codes)
    for m, n in np.random.default_rng(seed).integers(0, values.shape, (8, 2)):
        w, w_scales = parts(pe.weight, weights, n, blocks)
        a, a_scales = parts(pe.activation, activations, m, blocks)
        scales = [x * y for x, y in zip(w_scales, a_scales, strict=True)][:blocks]
        expected = oracle(pe, w[:terms], a[:terms], scales)
        assert repr(float(values[m, n])) == repr(expected)


def first(operand: np.ndarray | Encoded, terms: int, blocks: int) -> np.ndarray | Encoded:
    if isinstance(operand, Encoded):
        return Encoded(operand.codes[:, :terms], operand.scales[:, :blocks])
    return operand[:, :terms]


@pytest.mark.parametrize("text", ["dot(int8, int8, lanes=8)", "dot(int4, uint8, lanes=16, acc=exact(64))"])
def test_integers_are_summed_exactly(text: str) -> None:
    pe = dot(text)
    rng = np.random.default_rng(0)
    weights, activations = (rng.integers(0, 2**f.element_bits, (9, 61)) for f in (pe.weight, pe.activation))
    exact = pe.activation.decode(activations) @ pe.weight.decode(weights).T
    assert np.array_equal(pe.decode(pe.golden(weights, activations)), exact)
    assert pe.is_exact(pe.weight, pe.activation, 61)


@pytest.mark.parametrize("bits", [19, 20, 24])
def test_integers_saturate_after_every_cycle(bits: int) -> None:
    pe = dot(f"dot(int8, int8, lanes=8, acc=int{bits} sat)")
    rng = np.random.default_rng(0)
    weights, activations = (rng.choice([127, 128, 129, 1], (5, 80)) for _ in range(2))
    values = pe.decode(pe.golden(weights, activations))
    w, a = (np.where(x > 127, x - 256, x) for x in (weights, activations))
    for m, n in np.ndindex(values.shape):
        total = 0
        for k in range(0, 80, 8):
            total = min(max(total + int(a[m, k : k + 8] @ w[n, k : k + 8]), -(2 ** (bits - 1))), 2 ** (bits - 1) - 1)
        assert values[m, n] == total


@pytest.mark.parametrize("text", ["dot(e4m3, e4m3, lanes=8)", "dot(e5m2, e2m1, lanes=8)", "dot(int4, e3m2, lanes=8)"])
def test_a_window_is_exact_from_the_width_that_the_description_says(text: str) -> None:
    exact = dot(text)
    just, narrow = (dot(f"{text[:-1]}, window={exact.exact_window - less})") for less in (0, 1))
    # The largest products cancel and leave the product of the smallest numbers.
    weights, activations = (
        format.encode(np.array([[format.max, step, *[0] * 5, format.max * sign]]))
        for format, step, sign in (
            (exact.weight.element, 2.0**exact.weight_port.step_exponent, 1),
            (exact.activation.element, 2.0**exact.activation_port.step_exponent, -1),
        )
    )
    sums = [float(pe.decode(pe.golden(weights, activations))[0, 0]) for pe in (exact, just, narrow)]
    smallest = 2.0 ** (exact.weight_port.step_exponent + exact.activation_port.step_exponent)
    assert sums == [smallest, smallest, 0.0]


def test_what_falls_out_of_the_window_rounds_down() -> None:
    pe = dot("dot(e4m3, e4m3, lanes=8, window=8)")
    one_and_a_bit = pe.weight.encode(np.array([[1.0, 2.0**-6, 0, 0, 0, 0, 0, 0]]))
    ones = pe.activation.encode(np.ones((1, 8)))
    minus = pe.activation.encode(np.array([[1.0] + [-1.0] * 7]))
    # The product's bits reach up to 4: seven bits of magnitude leave steps of 1/32.
    assert pe.decode(pe.golden(one_and_a_bit, ones)) == 1.0
    assert pe.decode(pe.golden(one_and_a_bit, minus)) == 1.0 - 1 / 32


def test_partial_sums_of_a_wide_unit_are_those_of_a_narrow_one() -> None:
    """A block is one addition, however many lanes form it."""
    operands = random_operands(dot("dot(nvfp4, nvfp4, lanes=32)"), 4000, np.random.default_rng(0))
    sums = [dot(f"dot(nvfp4, nvfp4, lanes={lanes})").golden(*operands) for lanes in (4, 8, 16, 32, 64)]
    for other in sums[1:]:
        assert np.array_equal(other, sums[0])


def test_mx_sums_are_products_of_the_quantized_tensors() -> None:
    pe = dot("dot(mxfp4, mxfp8, lanes=32)")
    rng = np.random.default_rng(0)
    weights, activations = rng.standard_normal((4, 128)), rng.standard_normal((5, 128))
    exact = pe.activation.quantize(activations) @ pe.weight.quantize(weights).T
    sums = pe.decode(pe.golden(pe.weight.encode(weights), pe.activation.encode(activations)))
    np.testing.assert_allclose(sums, exact, rtol=1e-6)


def test_beats_carry_lanes_from_bit_0_and_a_scale_for_each_block() -> None:
    pe = dot("dot(nvfp4, nvfp4, lanes=32)")
    codes = np.arange(64, dtype=np.uint64).reshape(1, 64) % 16
    beats = pe.weight_beats(Encoded(codes, np.array([[1.0, 2.0, 0.5, 4.0]])))
    assert beats["weight"].shape == (1, 2)
    assert f"{int(beats['weight'][0, 0]):x}" == "fedcba9876543210fedcba9876543210"
    one, two, half, four = (int(Format.parse("e4m3").encode(np.array(x))) for x in (1.0, 2.0, 0.5, 4.0))
    assert beats["weight_scale"].tolist() == [[one | two << 8, half | four << 8]]


@pytest.mark.parametrize(
    ("text", "tile", "macs", "latency"),
    [
        ("dot(mxfp4, mxfp4, lanes=8, stages=3)", (1, 1, 32, 4), 8, 3),
        ("dot(nvfp4, nvfp4, lanes=32)", (1, 1, 32, 1), 32, 1),
        ("dot(int8, int8, lanes=16)", (1, 1, 16, 1), 16, 1),
    ],
)
def test_tiles_are_whole_blocks(text: str, tile: tuple[int, ...], macs: int, latency: int) -> None:
    pe = dot(text)
    assert (tuple(pe.tile), pe.macs_per_cycle, pe.latency_cycles) == (tile, macs, latency)


@pytest.mark.parametrize(
    ("text", "canonical"),
    [
        ("dot(int8,int8)", "dot(int8, int8, lanes=32, acc=int32)"),
        ("dot(mxfp8_e4m3, nvfp4, lanes=8)", None),
        ("dot(e4m3, e4m3, window=12, stages=2)", "dot(e4m3, e4m3, lanes=32, acc=fp32, window=12, stages=2)"),
    ],
)
def test_text(text: str, canonical: str | None) -> None:
    if canonical is None:
        with pytest.raises(InputError, match="blocks of mxfp8 and nvfp4 differ; a sum takes one scale each"):
            PE.parse(text)
    else:
        assert str(PE.parse(text)) == canonical
        assert PE.parse(canonical) == PE.parse(text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("mxfp4, mxfp4, lanes=48", "lanes = 48 and the block of 32 must be a multiple of one another"),
        ("mxfp4, mxfp4, lanes=0", "lanes = 0 must be a whole number from 1 to 128"),
        ("mxfp4, mxfp4, acc=int32", "accumulator int32 takes plain integers; give a floating-point one"),
        ("int8, int8, acc=int8", "accumulator int8 is too narrow: one sum needs 21 bits"),
        ("int8, int8, window=20", "products of integers are aligned as they are; leave out the window"),
        ("bf16, bf16", "exact sums of these products have 523 bits; give a window of 2 to 46 bits"),
        ("e4m3, e4m3, window=99", "window = 99 must be a whole number from 2 to 46"),
        ("int4_g128_asym, int8", "must have one scale per block and no zero point"),
        ("int8_channel, int8", "must have one scale per block and no zero point"),
        ("int4_g128_dual, int8", "must have one scale per block and no zero point"),
        ("mxfp4, mxfp4, width=3", "unknown option of dot 'width'"),
    ],
)
def test_refused_texts(arguments: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        PE.parse(f"dot({arguments})")


def test_refused_operands() -> None:
    pe, plain = dot("dot(mxfp4, mxfp4, lanes=32)"), dot("dot(int8, int8, lanes=8, acc=exact(8))")
    with pytest.raises(InputError, match="operands of int8 have no scales"):
        plain.golden(pe.weight.encode(np.ones((1, 8))), np.ones((1, 8), np.uint8))
    with pytest.raises(InputError, match=r"must be \[n, k\] and \[m, k\] with one k"):
        plain.golden(np.ones((1, 8), np.uint8), np.ones((1, 9), np.uint8))
    with pytest.raises(InputError, match="sums at most 8 products, but k = 9"):
        plain.golden(np.ones((1, 9), np.uint8), np.ones((1, 9), np.uint8))


@pytest.mark.parametrize(
    ("weight", "activation", "accepted"),
    [("mxfp4", "mxfp4", True), ("e2m1", "e2m1", True), ("mxfp6", "mxfp4", False), ("e2m1", "e4m3", False)],
)
def test_accepts_its_own_blocks_and_elements(weight: str, activation: str, accepted: bool) -> None:
    pe = dot("dot(mxfp4, mxfp4)")
    assert pe.accepts(Format.parse(weight), Format.parse(activation), 4096) is accepted
    assert not pe.is_exact(pe.weight, pe.activation, 32)


# Yosys 0.70 + ABC on Nangate45, the least over {-booth, -booth -noalumacc} x {, extract_fa}.


@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
def test_bills(operands: str) -> None:
    for text in (*TEXTS, "dot(nvfp4, nvfp4, lanes=32, acc=fp32, stages=4)"):
        cost = hx.PE.parse(text).cost("nangate45", operands=operands)
        assert all(item.count > 0 and item.activity >= 0 and item.why for item in cost.bill)
        assert cost.energy_pj.mid > cost.clock_pj.mid > 0
        assert cost.macs_per_cycle == dot(text).lanes


def test_what_more_bits_and_more_lanes_cost() -> None:
    def area(text: str) -> float:
        return float(dot(text).cost("nangate45").area_um2.mid)

    assert area("dot(mxfp8, mxfp8, lanes=8, window=12)") < area("dot(mxfp8, mxfp8, lanes=8, window=24)")
    assert area("dot(e5m2, e5m2, lanes=8, window=24)") < area("dot(e5m2, e5m2, lanes=8)")
    assert area("dot(mxfp4, mxfp4, lanes=32)") / 32 < area("dot(mxfp4, mxfp4, lanes=8)") / 8
    assert area("dot(nvfp4, nvfp4, lanes=32)") > area("dot(mxfp4, mxfp4, lanes=32)")


def test_pipelining_shortens_the_period() -> None:
    periods = [
        dot(f"dot(mxfp8, mxfp8, lanes=16, stages={stages})").fastest_period_ps("nangate45") for stages in (1, 2, 4)
    ]
    assert periods == sorted(periods, reverse=True)
    assert periods[-1] < periods[0] / 1.5
