"""Integer multiply-accumulate: arithmetic against Python integers, cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE, Mac


@dataclass(frozen=True)
class Coding:
    """Integers of one coding, spelled out without the library."""

    name: str
    values: range

    def code(self, value: int, width: int) -> int:
        return (value - self.values[0]) // 2 if self.name.startswith("bipolar") else value % 2**width


def coding(kind: str, width: int) -> Coding:
    half = 2 ** (width - 1)
    match kind:
        case "unsigned":
            return Coding(f"uint{width}", range(2**width))
        case "symmetric":
            return Coding(f"int{width}s", range(-half + 1, half))
        case "bipolar":
            return Coding(f"bipolar{width}", range(-(2**width) + 1, 2**width, 2))
        case "ternary":
            return Coding("ternary", range(-1, 2))
    return Coding(f"int{width}", range(-half, half))


KINDS = ("twos_complement", "unsigned", "symmetric", "bipolar", "ternary")


@st.composite
def operands(draw: st.DrawFn) -> tuple[Coding, int]:
    kind = draw(st.sampled_from(KINDS))
    width = 2 if kind == "ternary" else draw(st.integers(2, 16))
    return coding(kind, width), width


@st.composite
def problems(draw: st.DrawFn) -> tuple[Coding, Coding, str, list[list[int]], list[list[int]], np.ndarray, np.ndarray]:
    """Operand formats, an accumulator that overflows often, and matrices rich in extreme values."""
    (weight, w_width), (activation, a_width) = draw(operands()), draw(operands())
    n, m, k = draw(st.integers(1, 3)), draw(st.integers(1, 3)), draw(st.integers(0, 70))
    largest = max(map(abs, weight.values)) * max(map(abs, activation.values))
    narrowest = max(largest.bit_length() + 1, 2)
    size = draw(st.integers(narrowest, min(narrowest + 4, 63)))
    accumulator = draw(st.sampled_from([f"int{size}", f"int{size} sat", f"exact({max(k, 1)})"]))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def matrix(coding: Coding, rows: int) -> list[list[int]]:
        extreme = [coding.values[0], coding.values[-1], coding.values[0], coding.values[-1]]
        random = [coding.values[int(i)] for i in rng.integers(0, len(coding.values), 4)]
        return [[int(rng.choice(extreme + random)) for _ in range(k)] for _ in range(rows)]

    w, a = matrix(weight, n), matrix(activation, m)
    codes = [
        np.array([[c.code(v, width) for v in row] for row in rows], np.uint32).reshape(len(rows), k)
        for c, width, rows in ((weight, w_width, w), (activation, a_width, a))
    ]
    return weight, activation, accumulator, w, a, *codes


def oracle(accumulator: str, bits: int, w: list[int], a: list[int]) -> int:
    """The sum in ascending k as the accumulator forms it."""
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1) - 1
    total = 0
    for x, y in zip(w, a, strict=True):
        total += x * y
        if accumulator.endswith("sat"):
            total = min(max(total, low), high)
        elif accumulator.startswith("int"):
            total = (total - low) % 2**bits + low
    return total


@settings(max_examples=300, deadline=None)
@given(problems())
def test_golden_against_python_integers(problem: tuple) -> None:
    weight, activation, accumulator, w, a, w_codes, a_codes = problem
    pe = PE.parse(f"mac({weight.name}, {activation.name}, acc={accumulator})")
    assert isinstance(pe, Mac)
    largest = max(map(abs, weight.values)) * max(map(abs, activation.values))
    bits = pe.accumulator_bits
    if accumulator.startswith("exact"):
        terms = len(w[0]) or 1
        assert 2 ** (bits - 1) >= terms * largest + 1 > 2 ** (bits - 2)
    expected = [[oracle(accumulator, bits, row_w, row_a) for row_w in w] for row_a in a]
    codes = pe.golden(w_codes, a_codes)
    assert codes.shape == (len(a), len(w))
    assert codes.tolist() == [[value % 2**bits for value in row] for row in expected]
    exact = [[float(Fraction(value)) for value in row] for row in expected]
    assert pe.decode(codes).tolist() == exact


@settings(deadline=None)
@given(st.integers(0, 2**32))
def test_codes_are_those_of_the_formats(seed: int) -> None:
    rng = np.random.default_rng(seed)
    w, a = rng.integers(-8, 8, (3, 20)), rng.integers(-128, 128, (2, 20))
    codes = PE.parse("mac(int4, int8)").golden(Format.parse("int4").encode(w), Format.parse("int8").encode(a))
    assert np.array_equal(PE.parse("mac(int4, int8)").decode(codes), a @ w.T)


def test_saturation_leaves_the_limit_again() -> None:
    """Clipped at 2^15 - 1, then brought back: the clipped part is lost, and the order matters."""
    pe = PE.parse("mac(int8, int8, acc=int16 sat)")
    w = Format.parse("int8").encode([[127, 127, 127, -127]])
    a = Format.parse("int8").encode([[127, 127, 127, 127], [127, 127, -127, 127]])
    sums = pe.decode(pe.golden(w, a))
    assert sums.tolist() == [[2**15 - 1 - 127**2], [0 + 2 * 127**2 - 127**2 - 127**2]]
    reversed_sums = pe.decode(pe.golden(w[:, ::-1], a[:, ::-1]))
    assert reversed_sums[0, 0] == 2 * 127**2
    assert PE.parse("mac(int8, int8, acc=int16)").golden(w, a)[0, 0] == (2 * 127**2) % 2**16


def test_saturation_at_both_ends_over_many_terms() -> None:
    pe = PE.parse("mac(int4, int4, acc=int8 sat)")
    rng = np.random.default_rng(0)
    w, a = rng.integers(-8, 8, (5, 500)), rng.integers(-8, 8, (4, 500))
    codes = pe.golden(Format.parse("int4").encode(w), Format.parse("int4").encode(a))
    expected = [[oracle("int8 sat", 8, list(map(int, x)), list(map(int, y))) for x in w] for y in a]
    assert pe.decode(codes).tolist() == expected
    assert {-128, 127} & {value for row in expected for value in row} or np.abs(expected).max() > 60


@pytest.mark.parametrize(("weight", "activation"), [("int32", "int32"), ("uint40", "int40"), ("int64", "int64")])
@pytest.mark.parametrize("accumulator", ["{}", "{} sat", "exact(9)"])
def test_products_beyond_64_bits(weight: str, activation: str, accumulator: str) -> None:
    formats = Format.parse(weight), Format.parse(activation)
    bits = formats[0].element_bits + formats[1].element_bits + 1
    pe = PE.parse(f"mac({weight}, {activation}, acc={accumulator.format(f'int{bits}')})")
    rng = np.random.default_rng(1)
    # Values of up to 53 bits: decode gives float64.
    patterns = [
        rng.integers(0, 2 ** min(f.element_bits, 53), (1, 9), np.uint64) << np.uint64(max(f.element_bits - 53, 0))
        for f in formats
    ]
    rows = [
        [int(v) - (2**f.element_bits if f.signed and int(v) >> (f.element_bits - 1) else 0) for v in p[0]]
        for p, f in zip(patterns, formats, strict=True)
    ]
    code = pe.golden(*patterns)
    assert int(code[0, 0]) == oracle(accumulator.format(f"int{bits}"), pe.accumulator_bits, *rows) % (
        2**pe.accumulator_bits
    )


@pytest.mark.parametrize(
    ("weight", "activation"), [("int8", "int8"), ("int16", "int16"), ("uint8", "int4"), ("bipolar3", "int8")]
)
@pytest.mark.parametrize("terms", [1, 7, 512, 4096])
def test_exact_survives_the_worst_case(weight: str, activation: str, terms: int) -> None:
    pe = PE.parse(f"mac({weight}, {activation}, acc=exact({terms}))")
    for w_end in ("min_value", "max_value"):
        for a_end in ("min_value", "max_value"):
            w, a = getattr(pe.weight, w_end), getattr(pe.activation, a_end)
            codes = pe.golden(pe.weight.encode(np.full((1, terms), w)), pe.activation.encode(np.full((1, terms), a)))
            assert pe.decode(codes)[0, 0] == terms * w * a
    assert pe.is_exact(pe.weight, pe.activation, terms)


def test_exact_takes_no_more_terms_than_it_was_made_for() -> None:
    pe = PE.parse("mac(int8, int8, acc=exact(3))")
    zeros = np.zeros((1, 4), np.uint8)
    with pytest.raises(InputError, match=r"accumulator exact\(3\) sums at most 3 products, but k = 4"):
        pe.golden(zeros, zeros)
    assert pe.accepts(pe.weight, pe.activation, 3)
    assert not pe.accepts(pe.weight, pe.activation, 4)


@pytest.mark.parametrize(
    ("w", "a"), [((1, 4), (1, 5)), ((4,), (4,)), ((1, 4), (4,)), ((1, 1, 4), (1, 4)), ((4, 2), (2, 4))]
)
def test_shapes_that_do_not_fit(w: tuple[int, ...], a: tuple[int, ...]) -> None:
    with pytest.raises(InputError, match=r"must be \[n, k\] and \[m, k\] with one k"):
        PE.parse("mac(int8, int8)").golden(np.zeros(w, np.uint8), np.zeros(a, np.uint8))


def test_codes_out_of_range_are_refused() -> None:
    with pytest.raises(InputError, match="codes of int4 range from 16 to 16"):
        PE.parse("mac(int4, int8)").golden(np.full((1, 1), 16), np.zeros((1, 1), np.uint8))


@settings(max_examples=200, deadline=None)
@given(operands(), operands(), st.integers(0, 8), st.sampled_from(["", " sat"]), st.integers(1, 300))
def test_is_exact_is_sound_and_tight(
    weight: tuple[Coding, int], activation: tuple[Coding, int], spare: int, saturate: str, terms: int
) -> None:
    """Never claimed where the worst operands overflow, always where no operands can."""
    w, a = weight[0], activation[0]
    largest = max(map(abs, w.values)) * max(map(abs, a.values))
    bits = max(largest.bit_length() + 1 + spare, 2)
    pe = PE.parse(f"mac({w.name}, {a.name}, acc=int{bits}{saturate})")
    claim = pe.is_exact(Format.parse(w.name), Format.parse(a.name), terms)
    corners = [terms * x * y for x in (w.values[0], w.values[-1]) for y in (a.values[0], a.values[-1])]
    if any(not -(2 ** (bits - 1)) <= corner < 2 ** (bits - 1) for corner in corners):
        assert not claim
    if terms * largest < 2 ** (bits - 1):
        assert claim


def test_is_exact_knows_narrower_operands() -> None:
    pe = PE.parse("mac(int8, int8, acc=int20)")
    assert not pe.is_exact(pe.weight, pe.activation, 64)
    assert pe.is_exact(Format.parse("int4"), pe.activation, 64)


@pytest.mark.parametrize(
    ("weight", "activation", "accepted"),
    [
        ("int8", "int4", True),
        ("int4", "int4", True),
        ("uint7", "uint3", True),
        ("uint8", "int4", False),
        ("int8", "int5", False),
        ("int9", "int4", False),
        ("bipolar7", "ternary", True),
        ("bipolar8", "int4", False),
        ("e2m1", "int4", False),
        ("int8_g32", "int4", False),
    ],
)
def test_accepts_whose_values_fit(weight: str, activation: str, accepted: bool) -> None:
    pe = PE.parse("mac(int8, int4, acc=int32)")
    assert pe.accepts(Format.parse(weight), Format.parse(activation), 100) is accepted


@pytest.mark.parametrize(
    ("weight", "activation", "needed"), [("int8", "int8", 16), ("uint8", "uint8", 17), ("bipolar1", "ternary", 2)]
)
@pytest.mark.parametrize("saturate", ["", " sat"])
def test_one_product_has_to_fit(weight: str, activation: str, needed: int, saturate: str) -> None:
    assert PE.parse(f"mac({weight}, {activation}, acc=int{needed}{saturate})")
    if needed > 2:
        with pytest.raises(InputError, match=rf"int{needed - 1}{saturate} is too narrow .*needs {needed} bits"):
            PE.parse(f"mac({weight}, {activation}, acc=int{needed - 1}{saturate})")


UNITS = (
    "mac(int2, int8, acc=int32)",
    "mac(int4, int4, acc=int32)",
    "mac(int4, int8, acc=int32)",
    "mac(int8, int8, acc=int32)",
    "mac(int16, int16, acc=int48)",
)


@pytest.mark.parametrize("text", UNITS)
def test_cost_is_in_order(text: str) -> None:
    cost = PE.parse(text).cost("nangate45")
    for interval in (cost.area_um2, cost.energy_pj, cost.clock_pj, cost.leakage_uw, cost.min_period_ps):
        assert 0 < interval.low < interval.mid < interval.high
    for point in ("low", "mid", "high"):
        assert getattr(cost.clock_pj, point) <= getattr(cost.energy_pj, point)
    assert (cost.macs_per_cycle, cost.latency_cycles) == (1, 1)
    assert cost == PE.parse(text).cost("nangate45")


def test_energy_of_an_int8_mac() -> None:
    """Horowitz, ISSCC 2014, at 45 nm: 0.2 pJ the multiplication, 0.1 pJ the 32-bit addition, without registers."""
    for operands in ("gaussian", "uniform"):
        energy = PE.parse("mac(int8, int8, acc=int32)").cost("nangate45", operands=operands).energy_pj
        assert 0.3 < energy.low < energy.mid < 5


@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
@pytest.mark.parametrize("text", [*UNITS, "mac(bipolar3, uint4, acc=int20 sat)", "mac(ternary, int8, acc=exact(64))"])
def test_bill(text: str, operands: str) -> None:
    """Every item states its formula; activities are transitions per cycle, glitches included."""
    pe = PE.parse(text)
    assert isinstance(pe, Mac)
    bill = pe.bill(operands)
    assert all(item.count >= 0 and 0 <= item.activity <= 8 and item.part and item.why for item in bill)
    registers = sum(item.count for item in bill if item.primitive == "flip_flop")
    assert registers == pe.accumulator_bits
    assert all(stage.count >= 0 for path in bill.paths for stage in path)


def test_the_operands_set_the_dynamic_energy_alone() -> None:
    for text in UNITS:
        pe = PE.parse(text)
        gaussian, uniform = (pe.cost("nangate45", operands=operands) for operands in ("gaussian", "uniform"))
        assert uniform.area_um2 == gaussian.area_um2
        assert uniform.clock_pj == gaussian.clock_pj
        assert uniform.energy_pj.mid != gaussian.energy_pj.mid
        assert uniform.energy_pj.mid == pytest.approx(gaussian.energy_pj.mid, rel=0.5)


def area(weight: int, activation: int, accumulator: str) -> float:
    return PE.parse(f"mac(int{weight}, int{activation}, acc={accumulator})").cost("nangate45").area_um2.mid


def test_area_grows_with_every_width() -> None:
    widths = [2, 3, 4, 6, 8, 12, 16]
    for series in (
        [area(w, 8, "int48") for w in widths],
        [area(8, w, "int48") for w in widths],
        [area(8, 8, f"int{n}") for n in range(17, 60, 6)],
        [area(8, 8, f"exact({4**n})") for n in range(2, 10)],
    ):
        assert series == sorted(series)
        assert len(set(series)) == len(series)
    assert area(4, 8, "int32") == pytest.approx(area(8, 4, "int32"))
    assert area(8, 8, "int32 sat") > area(8, 8, "int32")
    assert area(8, 8, "exact(4096)") == area(8, 8, f"int{math.ceil(math.log2(4096 * 2**14 + 1)) + 1}")


@pytest.mark.parametrize("text", UNITS)
def test_speed_costs_area_and_energy_but_no_other_structure(text: str) -> None:
    pe = PE.parse(text)
    relaxed, fastest_ps = pe.cost("nangate45"), pe.fastest_period_ps("nangate45")
    fast = pe.cost("nangate45", period_ps=fastest_ps)
    assert fast.bill == relaxed.bill
    assert fast.min_period_ps.mid == fastest_ps < relaxed.min_period_ps.mid
    assert fast.area_um2.mid > relaxed.area_um2.mid
    assert fast.energy_pj.mid > relaxed.energy_pj.mid
    assert fast.clock_pj.mid == relaxed.clock_pj.mid


@settings(max_examples=25, deadline=None)
@given(st.floats(100, 4000), st.sampled_from(list(UNITS)))
def test_a_unit_is_sized_for_its_period(period_ps: float, text: str) -> None:
    pe = PE.parse(text)
    relaxed, fastest_ps = pe.cost("nangate45"), pe.fastest_period_ps("nangate45")
    if period_ps < fastest_ps:
        with pytest.raises(InputError, match=f"shortest period is {fastest_ps:.0f} ps"):
            pe.cost("nangate45", period_ps=period_ps)
        return
    cost, largest = pe.cost("nangate45", period_ps=period_ps), pe.cost("nangate45", period_ps=fastest_ps)
    assert cost.min_period_ps.mid == pytest.approx(min(period_ps, relaxed.min_period_ps.mid))
    assert relaxed.area_um2.mid <= cost.area_um2.mid <= largest.area_um2.mid
    assert (cost.area_um2.mid == relaxed.area_um2.mid) == (period_ps >= relaxed.min_period_ps.mid)
