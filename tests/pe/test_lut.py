"""LUT tensor cores: arithmetic against fractions, beats against tables looked up by hand, cost."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from itertools import product
from math import inf, isfinite, isnan, nan

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracle import round_to

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Minifloat
from hwexplore.pe import PE, Lut


def parse(text: str) -> Lut:
    pe = PE.parse(text)
    assert isinstance(pe, Lut)
    return pe


# Integers


@dataclass(frozen=True)
class Weights:
    """Weights of one coding, spelled out without the library."""

    coding: str
    bits: int

    @property
    def values(self) -> range:
        half, all_ones = 2 ** (self.bits - 1), 2**self.bits - 1
        return {"int": range(-half, half), "uint": range(all_ones + 1), "bipolar": range(-all_ones, all_ones + 1, 2)}[
            self.coding
        ]

    def odd(self, value: int) -> int:
        return {"int": 2 * value + 1, "uint": 2 * value - (2**self.bits - 1), "bipolar": value}[self.coding]

    def signs(self, value: int) -> list[int]:
        """The signs of the planes, lowest first, which a greedy search finds from the highest."""
        rest, signs = self.odd(value), []
        for plane in reversed(range(self.bits)):
            signs.append(1 if rest > 0 else -1)
            rest -= signs[-1] * 2**plane
        assert rest == 0
        return signs[::-1]

    def __str__(self) -> str:
        return f"{self.coding}{self.bits}"


@st.composite
def weights(draw: st.DrawFn) -> Weights:
    return Weights(draw(st.sampled_from(["int", "uint", "bipolar"])), draw(st.integers(1, 6)))


@st.composite
def problems(draw: st.DrawFn) -> tuple[Weights, str, int, int, np.ndarray, np.ndarray]:
    """Weights, activation format, group, planes per cycle; values [n, terms] and [m, terms], rich in extremes."""
    weight, k = draw(weights()), draw(st.integers(2, 5))
    bits = draw(st.sampled_from([b for b in range(1, weight.bits + 1) if weight.bits % b == 0]))
    activation = Format.parse(draw(st.sampled_from(["int8", "int3", "uint8", "bipolar3", "int8s", "int16", "uint1"])))
    assert isinstance(activation, Integer)
    m, n, terms = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 13))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    w = rng.choice(list(weight.values), (n, terms))
    step = 2 if activation.coding == "bipolar" else 1
    all_values = np.arange(activation.min_value, activation.max_value + 1, step)
    extremes = np.array([activation.min_value, activation.max_value])
    a = np.where(rng.random((m, terms)) < 0.5, rng.choice(extremes, (m, terms)), rng.choice(all_values, (m, terms)))
    return weight, str(activation), k, bits, w, a


@settings(max_examples=200, deadline=None)
@given(problems())
def test_sums_of_looked_up_entries_are_plain_integer_products(
    problem: tuple[Weights, str, int, int, np.ndarray, np.ndarray],
) -> None:
    weight, activation, k, bits, w, a = problem
    pe = parse(f"lut({weight}, {activation}, m=1, n=1, k={k}, bits={bits}, acc=int32)")
    codes = pe.golden(pe.weight.encode(w), pe.activation.encode(a))
    assert codes.shape == (len(a), len(w))
    assert np.array_equal(pe.decode(codes), a @ w.T)
    odd = np.array([[weight.odd(int(v)) for v in row] for row in w], int).reshape(w.shape)
    assert np.array_equal(codes & 0xFFFFFFFF, (a @ odd.T) % 2**32)
    if weight.coding != "bipolar":
        assert np.array_equal(
            codes >> np.uint64(32), np.broadcast_to(a.sum(axis=1, keepdims=True), codes.shape) % 2**32
        )


def quantized(total: Fraction, group: list[Fraction], limit: int) -> Fraction:
    """A signed sum of ``group`` as a table of integers up to ``limit`` has it."""
    all_sums = [sum((s * x for s, x in zip(signs, group, strict=True)), Fraction(0)) for signs in _signs(len(group))]
    scale = 1
    while any(abs(one) > limit * scale for one in all_sums):
        scale *= 2
    return Fraction(round(total / scale) * scale)


def _signs(k: int) -> list[tuple[int, ...]]:
    return list(product((-1, 1), repeat=k))


@settings(max_examples=100, deadline=None)
@given(problems(), st.integers(4, 12), st.integers(0, 3))
def test_tables_of_integers_against_fractions(
    problem: tuple[Weights, str, int, int, np.ndarray, np.ndarray], table_bits: int, spare: int
) -> None:
    weight, activation, k, bits, w, a = problem
    terms = w.shape[1]
    pe = parse(
        f"lut({weight}, {activation}, m=1, n=1, k={k}, bits={bits}, table=int{table_bits}, acc=exact({terms + k}))"
    )
    size = pe.accumulator_bits
    codes = pe.golden(pe.weight.encode(w), pe.activation.encode(a))
    limit = 2 ** (table_bits - 1) - 1
    for i, j in np.ndindex(codes.shape):
        total = activation_sum = Fraction(0)
        for start in range(0, terms, k):
            group = [Fraction(int(x)) for x in a[i, start : start + k]]
            group += [Fraction(0)] * (k - len(group))
            planes = zip(*(weight.signs(int(v)) for v in w[j, start : start + k]), strict=True)
            for place, plane in enumerate(planes):
                looked_up = sum((s * x for s, x in zip(plane, group, strict=False)), Fraction(0))
                total += 2**place * quantized(looked_up, group, limit)
            activation_sum += quantized(sum(group, Fraction(0)), group, limit)
        assert abs(total) < 2 ** (size - 1)
        assert int(codes[i, j]) % 2**size == total % 2**size
        if weight.coding != "bipolar":
            assert int(codes[i, j]) >> size == activation_sum % 2**size


@pytest.mark.parametrize("activation", ["uint8", "int8", "int16"])
@pytest.mark.parametrize("table", ["", ", table=int8"])
@pytest.mark.parametrize("weight", ["int1", "uint2", "bipolar3"])
def test_exact_survives_the_worst_case(activation: str, table: str, weight: str) -> None:
    pe = parse(f"lut({weight}, {activation}, m=1, n=1{table}, acc=exact(4096))")
    assert isinstance(pe.weight, Integer)
    assert isinstance(pe.activation, Integer)
    for w, a in product((pe.weight.min_value, pe.weight.max_value), (pe.activation.min_value, pe.activation.max_value)):
        operands = [f.encode(np.full((1, 4096), v, float)) for f, v in ((pe.weight, w), (pe.activation, a))]
        total = pe.decode(pe.golden(*operands))[0, 0]
        assert total == pytest.approx(4096 * w * a, rel=0.01)
        if not table:
            assert total == 4096 * w * a
            assert pe.is_exact(pe.weight, pe.activation, 4096)
    with pytest.raises(InputError, match=r"accumulator exact\(4096\) sums at most 4096 products, but k = 4097"):
        pe.golden(np.zeros((1, 4097), np.uint8), np.zeros((1, 4097), np.uint16))


def test_sums_beyond_64_bits() -> None:
    pe = parse("lut(uint6, int40, m=1, n=1, acc=int80)")
    rng = np.random.default_rng(0)
    w, a = rng.integers(0, 64, (2, 8)), rng.integers(-(2**39), 2**39, (3, 8))
    codes = pe.golden(pe.weight.encode(w), pe.activation.encode(a.astype(float)))
    assert np.array_equal(pe.decode(codes), a @ w.T)
    assert codes[0, 0] >> 80 == int(a[0].sum()) % 2**80


@settings(max_examples=100, deadline=None)
@given(weights(), st.sampled_from(["int8", "uint5"]), st.integers(0, 6), st.integers(1, 100))
def test_is_exact_is_sound_and_tight(weight: Weights, activation: str, spare: int, terms: int) -> None:
    """Claimed just where the worst sums of odd weights fit: the sum of the activations is smaller."""
    format = Format.parse(activation)
    assert isinstance(format, Integer)
    largest = max(abs(format.min_value), format.max_value)
    odd = max(abs(weight.odd(v)) for v in weight.values)
    bits = (2 * odd * largest).bit_length() + 1 + spare
    pe = parse(f"lut({weight}, {activation}, k=2, acc=int{bits})")
    assert pe.is_exact(pe.weight, format, terms) is (terms * odd * largest < 2 ** (bits - 1))


def test_is_exact_knows_what_rounds() -> None:
    int2, int4, int8 = (Format.parse(name) for name in ("int2", "int4", "int8"))
    assert parse("lut(int4, int8)").is_exact(int4, int8, 4096)
    assert not parse("lut(int4, int8, table=int8)").is_exact(int4, int8, 4)
    assert parse("lut(int4, int8, table=int8)").is_exact(int4, int4, 4)
    assert not parse("lut(int4, fp16)").is_exact(int4, Format.parse("fp16"), 4)
    assert not parse("lut(int4, int8)").is_exact(Format.parse("e2m1"), int8, 4)
    narrow = parse("lut(int4, int8, acc=int18)")
    assert narrow.is_exact(int2, int8, 300)
    assert not narrow.is_exact(int4, int8, 300)


@pytest.mark.parametrize(
    ("weight", "activation", "terms", "accepted"),
    [
        ("int3", "int8", 64, True),
        ("bipolar1", "int4", 64, True),
        ("int3", "int8", 65, False),
        ("int4", "int8", 64, False),
        ("uint3", "int8", 64, False),
        ("int3", "uint8", 64, False),
        ("int3", "e2m1", 64, False),
        ("int3_g32", "int8", 64, False),
    ],
)
def test_accepts_whose_values_fit(weight: str, activation: str, terms: int, accepted: bool) -> None:
    pe = parse("lut(int3, int8, acc=exact(64))")
    assert pe.accepts(Format.parse(weight), Format.parse(activation), terms) is accepted


# Floating point

FLOATING = [
    "lut(int2, fp16)",
    "lut(uint3, e4m3, k=3)",
    "lut(bipolar2, e5m2, k=5, bits=2, acc=fp16)",
    "lut(int1, e4m3, table=e4m3, acc=bf16)",
    "lut(int4, e5m2, k=2, bits=2, table=float8_e4m3fn, acc=fp16)",
    "lut(int2, fp16, table=int8)",
    "lut(uint2, e4m3, k=5, table=int4, acc=fp16)",
    "lut(bipolar6, e2m1, k=2, table=int12, acc=e5m2)",
    "lut(int2, e2m1, table=e3m2, acc=e4m3)",
]


def stored(pe: Lut, signs: tuple[int, ...], group: list[float]) -> float:
    """The signed sum of ``group`` as the table has it."""
    if not all(isfinite(x) for x in group):
        if not isinstance(pe.table, Minifloat):
            return nan
        total = sum(s * x for s, x in zip(signs, group, strict=True) if not isfinite(x))
        return float(pe.table.quantize(total))
    exact = [Fraction(x) for x in group]
    total = sum((s * x for s, x in zip(signs, exact, strict=True)), Fraction(0))
    if isinstance(pe.table, Minifloat):
        return round_to(pe.table, total, 1)
    assert isinstance(pe.activation, Minifloat)
    step = Fraction(pe.activation.smallest_subnormal)
    return float(quantized(total / step, [x / step for x in exact], pe.table.max_value) * step)


def add(format: Minifloat, total: float, term: float) -> float:
    if isfinite(total) and isfinite(term):
        return round_to(format, Fraction(total) + Fraction(term), 1)
    return float(format.quantize(total + term))


def floating_sums(pe: Lut, weight: Weights, w: np.ndarray, a: np.ndarray) -> tuple[float, float]:
    """The sums of q'a and of a, an addition at a time."""
    format = pe.accumulator.format
    assert format is not None
    total = activation_sum = 0.0
    for start in range(0, len(w), pe.k):
        group = [float(x) for x in a[start : start + pe.k]]
        signs = [weight.signs(int(v)) for v in w[start : start + pe.k]]
        signs += [[1] * weight.bits] * (pe.k - len(group))
        group += [0.0] * (pe.k - len(group))
        for place, plane in enumerate(zip(*signs, strict=True)):
            total = add(format, total, stored(pe, plane, group) * 2**place)
        activation_sum = add(format, activation_sum, stored(pe, (1,) * pe.k, group))
    return total, activation_sum


@pytest.mark.parametrize("text", FLOATING)
def test_floating_sums_round_once_per_addition(text: str) -> None:
    pe = parse(text)
    format = pe.accumulator.format
    assert format is not None
    assert isinstance(pe.activation, Minifloat)
    weight = Weights(str(pe.weight).rstrip("0123456789"), pe.planes)
    rng = np.random.default_rng(1)
    for share, terms in ((0.0, 23), (0.05, 24)):
        w = rng.choice(list(weight.values), (4, terms))
        activations = np.where(
            rng.random((5, terms)) < 0.5,
            rng.integers(0, 2**pe.activation.element_bits, (5, terms)),
            pe.activation.encode(rng.standard_normal((5, terms)) * 2).astype(int),
        )
        activations = np.where(np.isfinite(pe.activation.decode(activations)), activations, 0)
        if pe.activation.has_nan and share:
            special = replace(pe.activation, overflow="infinity").encode([inf, -inf, nan])
            activations = np.where(rng.random((5, terms)) < share, rng.choice(special, (5, terms)), activations)
        a = pe.activation.decode(activations)
        codes = pe.golden(pe.weight.encode(w), activations)
        expected = np.array([[floating_sums(pe, weight, w[j], a[i]) for j in range(4)] for i in range(5)])
        np.testing.assert_array_equal(format.decode(codes & (1 << pe.accumulator_bits) - 1), expected[..., 0])
        if pe.offset is None:
            np.testing.assert_array_equal(pe.decode(codes), expected[..., 0])
            continue
        np.testing.assert_array_equal(format.decode(codes >> pe.accumulator_bits), expected[..., 1])
        with np.errstate(invalid="ignore"):
            np.testing.assert_array_equal(pe.decode(codes), (expected[..., 0] + pe.offset * expected[..., 1]) / 2)
        assert np.isnan(expected).any() or not share or not pe.activation.has_nan


SPECIAL = [0.0, -0.0, 1.0, -1.0, 65504.0, -65504.0, 6e-8, -6e-8, 6.1e-5, inf, -inf, nan]


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(st.sampled_from([-2, -1, 0, 1]), st.sampled_from(SPECIAL)), min_size=1, max_size=6))
@example([(1, inf), (-1, inf)])
@example([(1, -inf), (1, 1.0)])
@example([(1, 65504.0), (1, 65504.0)])
def test_special_values_follow_ieee_754(pairs: list[tuple[int, float]]) -> None:
    pe = parse("lut(int2, fp16, k=3, acc=fp16)")
    w, values = (np.array([column]) for column in zip(*pairs, strict=True))
    activations = pe.activation.encode(values)
    total, activation_sum = floating_sums(pe, Weights("int", 2), w[0], pe.activation.decode(activations)[0])
    decoded = float(pe.decode(pe.golden(pe.weight.encode(w), activations))[0, 0])
    expected = (total - activation_sum) / 2
    assert decoded == expected or (isnan(decoded) and isnan(expected))


# Ports


def looked_up(pe: Lut, weight_words: list[int], activation_words: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """The sums [m, n] of q'a and [m] of a, from what stands at the ports in the cycles of some tiles."""
    bits, cycles = pe.activation.element_bits, pe.tile.cycles
    sums, activation_sums = np.zeros((pe.m, pe.n), int), np.zeros(pe.m, int)
    for start in range(0, len(weight_words), cycles):
        for row in range(pe.m):
            word = activation_words[start] >> row * pe.k * bits
            codes = np.array([word >> lane * bits & (1 << bits) - 1 for lane in range(pe.k)], np.uint64)
            a = pe.activation.decode(codes).astype(int)
            activation_sums[row] += a.sum()
            table = [a[-1] + sum(x if e >> i & 1 else -x for i, x in enumerate(a[:-1])) for e in range(pe.entries)]
            for cycle in range(cycles):
                planes = weight_words[start + cycle]
                for column, plane in np.ndindex(pe.n, pe.bits):
                    index = planes >> (column * pe.bits + plane) * pe.k & (1 << pe.k) - 1
                    entry = table[index % pe.entries] * (1 if index >= pe.entries else -1)
                    sums[row, column] += entry << cycle * pe.bits + plane
    return sums, activation_sums


@pytest.mark.parametrize(
    "text",
    [
        "lut(int2, int8, m=2, n=3, acc=int24)",
        "lut(uint4, uint3, m=3, n=2, k=3, bits=2, acc=int20)",
        "lut(bipolar3, int4, m=1, n=4, k=5, bits=3, acc=exact(100))",
        "lut(int1, int8, m=2, n=16, k=5)",
    ],
)
def test_beats_and_outputs_are_those_of_the_hardware(text: str) -> None:
    pe = parse(text)
    tiles, rows, columns = 3, 2, 2
    rng = np.random.default_rng(0)
    w = rng.integers(0, 2**pe.planes, (columns * pe.n, tiles * pe.k), np.uint64)
    a = rng.integers(0, 2**pe.activation.element_bits, (rows * pe.m, tiles * pe.k), np.uint64)
    weight, activation = pe.weight_beats(w)["weight"], pe.activation_beats(a)["activation"]
    assert weight.shape == (columns, tiles * pe.tile.cycles)
    assert activation.shape == (rows, tiles * pe.tile.cycles)
    assert max(weight.ravel().tolist()) < 2 ** pe.ports["weight"]
    assert max(activation.ravel().tolist()) < 2 ** pe.ports["activation"]
    shown = pe.shown(pe.golden(w, a))
    assert set(shown) == set(pe.outputs)
    size = pe.accumulator_bits
    for row, column in np.ndindex(rows, columns):
        sums, activation_sums = looked_up(pe, weight[column].tolist(), activation[row].tolist())
        for name, expected in (("accumulator", sums.ravel()), ("activation_sum", activation_sums)):
            if name in shown:
                word = int(shown[name][row, column])
                assert word == sum((int(v) % 2**size) << i * size for i, v in enumerate(expected))
                assert word < 2 ** pe.outputs[name]
    assert set(pe.meanings) >= {*pe.ports, *pe.outputs}


# Descriptions


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lut(ternary, int8)", "weight ternary is not made of 1 to 6 bit planes; lut takes int1 to int6"),
        ("lut(int4s, int8)", "weight int4s is not made of"),
        ("lut(int7, int8)", "weight int7 is not made of"),
        ("lut(e2m1, int8)", "weight e2m1 is not made of"),
        ("lut(int4_g128, int8)", "operand int4_g128 has scales"),
        ("lut(int4, int8, bits=3)", "bits = 3 does not divide the 4 bits of weight int4"),
        ("lut(int4, bf16)", "activation bf16 takes 264 bits to add 4 numbers exactly; .* up to 48, enough for fp16"),
        ("lut(int4, fp32)", "activation fp32 takes 280 bits"),
        ("lut(int4, int48)", "activation int48 takes 50 bits"),
        ("lut(int4, int8, acc=int32 sat)", "accumulator int32 sat does not go with activation int8"),
        ("lut(int4, fp16, acc=int32)", "accumulator int32 does not go with activation fp16"),
        (
            "lut(int4, int8, acc=fp32)",
            r"accumulator fp32: lut sums integer activations in int32 \(any width\) or exact",
        ),
        ("lut(int4, int8, table=fp16)", "table fp16: integer activations take int4 to int12, or no table"),
        ("lut(int4, int8, acc=int13)", r"int13 is too narrow for the 4 products .* it takes int14 or exact\(4\)"),
        ("lut(int4, int8, acc=exact(3))", r"accumulator exact\(3\) is too narrow"),
        ("lut(int4, e4m3, table=e2m1)", "e2m1 has no NaN for those of e4m3; it takes a format with NaN, such as fp16"),
        ("lut(int4, e2m1, acc=e8m7)", "e8m7 has no NaN for those of fp16"),
        ("lut(int4, e4m3, table=int8, acc=e8m7)", "e8m7 has no NaN for those of e4m3"),
        ("lut(int4, fp16, table=int3)", "table = int3 must be int4 to int12, or a signed floating-point format"),
        ("lut(int4, fp16, table=uint8)", "table = uint8 must be"),
        ("lut(int4, fp16, table=ue4m3)", "table = ue4m3 must be"),
        ("lut(int4, fp16, table=float9)", "float9"),
        ("lut(int4, int8, k=6)", "k = 6 must be a whole number from 2 to 5"),
        ("lut(int4, int8, m=0)", "m = 0 must be a whole number from 1 to 256"),
        ("lut(int4, int8, n=257)", "n = 257 must be"),
        ("lut(int4, int8, stages=1)", "stages = 1 must be a whole number from 2 to 8"),
        ("lut(int4, int8, lanes=2)", "unknown option of lut 'lanes'"),
    ],
)
def test_impossible_units_are_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        PE.parse(text)
    assert "\n" not in str(caught.value)


def test_a_table_of_floating_point_activations_has_a_format() -> None:
    with pytest.raises(InputError, match="activation fp16 takes a table of a format"):
        replace(parse("lut(int4, fp16)"), table=None)


@pytest.mark.parametrize(
    ("text", "bits"),
    [
        ("lut(int2, int8)", 10),
        ("lut(int2, int8, k=5)", 11),
        ("lut(int2, uint8)", 11),
        ("lut(int2, int16)", 18),
        ("lut(int2, bipolar3, k=2)", 5),
        ("lut(int2, fp16)", 16),
        ("lut(int2, int16, table=int8)", 8),
    ],
)
def test_entries_are_as_wide_as_they_need_to_be(text: str, bits: int) -> None:
    pe = parse(text)
    assert pe.entry_bits == bits
    if pe.table is None:
        assert isinstance(pe.activation, Integer)
        ends = pe.activation.min_value, pe.activation.max_value
        sums = [a + sum(others) for a, *others in product(ends, *[[-x for x in ends] + [*ends]] * (pe.k - 1))]
        assert -(2 ** (bits - 1)) <= min(sums) <= max(sums) < 2 ** (bits - 1)
        assert min(sums) < -(2 ** (bits - 2)) or max(sums) >= 2 ** (bits - 2)


# Cost


UNITS = (
    "lut(int2, int8)",
    "lut(int1, int8, m=1, n=8)",
    "lut(int2, int8, m=1, n=1)",
    "lut(int2, int8, m=1, n=8)",
    "lut(int2, int8, m=1, n=8, k=3)",
    "lut(int2, int8, m=1, n=8, k=5)",
    "lut(int2, int8, m=1, n=8, bits=2)",
    "lut(int2, int8, m=1, n=8, stages=3)",
    "lut(int2, int8, m=1, n=8, stages=5)",
    "lut(int2, int8, m=1, n=8, table=int8)",
    "lut(int4, int8, m=1, n=8)",
    "lut(uint2, uint8, m=2, n=4, stages=4)",
    "lut(int4, int16, m=1, n=4, bits=2, acc=int40)",
    "lut(int2, int16, m=1, n=4, table=int8)",
    "lut(int2, fp16, m=1, n=1)",
    "lut(int2, fp16, m=1, n=4)",
    "lut(int2, e4m3, m=1, n=4)",
    "lut(int2, e4m3, m=1, n=1, table=int8)",
    "lut(int2, e4m3, m=1, n=2, table=e4m3, acc=bf16)",
    "lut(int2, fp16, m=1, n=4, table=int8)",
    "lut(int2, e5m2, m=1, n=2, acc=fp16)",
)


@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
@pytest.mark.parametrize("text", [*FLOATING, *UNITS])
def test_costs_are_sane_and_text_round_trips(text: str, operands: str) -> None:
    pe = parse(text)
    assert PE.parse(str(pe)) == pe
    cost = pe.cost("nangate45", operands=operands)
    for interval in (cost.area_um2, cost.energy_pj, cost.leakage_uw, cost.min_period_ps):
        assert 0 < interval.low <= interval.mid <= interval.high
    assert cost.clock_pj.mid < cost.energy_pj.mid
    assert all(item.count > 0 and 0 <= item.activity <= 8 and item.why for item in cost.bill)
    assert cost.macs_per_cycle == pe.m * pe.n * pe.k * pe.bits / pe.planes
    assert cost.latency_cycles == pe.stages


def registers(pe: Lut, part: str) -> float:
    bill = pe.cost("nangate45").bill
    return sum(item.count for item in bill if item.primitive == "flip_flop" and item.part == part)


def test_tables_and_weights_are_as_large_as_published() -> None:
    """arXiv 2408.06003: M 2^(K-1) LUT_BIT bits of tables (eq. 7), K N W_BIT bits of weights (eq. 8)."""
    for text in ("lut(int2, fp16)", "lut(int4, fp16, m=4, n=16, k=5, bits=4)"):
        pe = parse(text)
        assert registers(pe, "table") == pe.m * 2 ** (pe.k - 1) * 16
        assert registers(pe, "weights") == pe.k * pe.n * pe.bits
        assert registers(pe, "accumulator") == (pe.m * pe.n + pe.m) * 32
    # The lowest bits of exact entries are those of one sum without signs.
    assert registers(parse("lut(int2, int8)"), "table") == 2 * (8 * 9 + 1)


@pytest.mark.parametrize("activation", ["int8", "fp16"])
def test_pipelining_trades_registers_for_period(activation: str) -> None:
    units = [parse(f"lut(int4, {activation}, m=1, n=4, stages={stages})") for stages in range(2, 9)]
    areas = [unit.cost("nangate45").area_um2.mid for unit in units]
    periods = [unit.fastest_period_ps("nangate45") for unit in units]
    assert areas == sorted(set(areas))
    assert [unit.latency_cycles for unit in units] == [1 + unit.table_stages + unit.lookup_stages for unit in units]
    # From four stages on, the accumulators' own loop sets the period.
    assert periods[0] >= periods[1] >= periods[2] == periods[-1]
    assert periods[0] > periods[-1]


def per_mac(text: str) -> tuple[float, float]:
    """Area and energy per multiply-accumulate and cycle."""
    cost = PE.parse(text).cost("nangate45")
    return cost.area_um2.mid / cost.macs_per_cycle, cost.energy_pj.mid


def test_fewer_planes_cost_less_per_product() -> None:
    """Fig. 14 of arXiv 2408.06003: units for 1-bit weights are 4 to 6 times smaller than those that multiply."""
    area, energy = zip(*(per_mac(f"lut(int{bits}, int8)") for bits in (1, 2, 4)), strict=True)
    assert list(area) == sorted(area)
    assert list(energy) == sorted(energy)
    mac_area, mac_energy = per_mac("mac(int8, int8)")
    assert mac_area / area[0] > 4
    assert mac_energy / energy[0] > 4
