"""Bit-serial dot products: sums against Python integers, planes against their definition, cost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE, BitSerial

KINDS = ("int", "uint", "bipolar")


def bit_values(name: str) -> list[int]:
    """What each bit of an integer counts if it is 1, lowest first; a 0 counts 0, or the negative if bipolar."""
    width = int(name.lstrip("abcdefghijklmnopqrstuvwxyz"))
    places = [2**i for i in range(width)]
    return [*places[:-1], -places[-1]] if name.startswith("int") else places


def bit_value(name: str, bit: int) -> int:
    return 2 * bit - 1 if name.startswith("bipolar") else bit


def value(name: str, code: int) -> int:
    return sum(place * bit_value(name, code >> i & 1) for i, place in enumerate(bit_values(name)))


@st.composite
def problems(draw: st.DrawFn) -> tuple[str, str, BitSerial, list[list[int]], list[list[int]]]:
    """Operand formats, a unit whose accumulator overflows often, and codes in whole tiles, rich in extreme ones."""
    weight, activation = (f"{draw(st.sampled_from(KINDS))}{draw(st.integers(1, 8))}" for _ in range(2))
    lanes, tiles = draw(st.sampled_from([1, 2, 3, 7, 8, 33, 64, 65, 130])), draw(st.integers(1, 3))
    widths = [len(bit_values(name)) for name in (weight, activation)]
    largest = [
        max(abs(value(name, code)) for code in range(2**width))
        for name, width in zip((weight, activation), widths, strict=True)
    ]
    narrowest = max((largest[0] * largest[1]).bit_length() + 1, 2)
    accumulator = draw(st.sampled_from([f"int{narrowest}", f"int{narrowest + 3}", "int70", f"exact({lanes * tiles})"]))
    pe = PE.parse(f"bit_serial({weight}, {activation}, lanes={lanes}, acc={accumulator})")
    assert isinstance(pe, BitSerial)
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))

    def codes(width: int, rows: int) -> list[list[int]]:
        extreme = [0, 2**width - 1, 2 ** (width - 1), 2 ** (width - 1) - 1]
        few = [*extreme, *rng.integers(0, 2**width, 4).tolist()]
        return [[int(rng.choice(few)) for _ in range(lanes * tiles)] for _ in range(rows)]

    return weight, activation, pe, codes(widths[0], draw(st.integers(1, 3))), codes(widths[1], draw(st.integers(1, 3)))


@settings(max_examples=100)
@given(problems())
def test_golden_against_python_integers(problem: tuple) -> None:
    weight, activation, pe, w, a = problem
    sums = [[sum(value(weight, x) * value(activation, y) for x, y in zip(r, s, strict=True)) for r in w] for s in a]
    modulus = 2**pe.accumulator_bits
    codes = pe.golden(np.array(w, np.uint8), np.array(a, np.uint8))
    assert codes.tolist() == [[total % modulus for total in row] for row in sums]
    wrapped = [[(total + modulus // 2) % modulus - modulus // 2 for total in row] for row in sums]
    assert pe.decode(codes).tolist() == wrapped
    if pe.is_exact(pe.weight, pe.activation, len(w[0])):
        assert wrapped == sums


@settings(max_examples=100)
@given(problems())
def test_planes_are_those_that_the_description_says(problem: tuple) -> None:
    """What is at the ports, put together plane by plane as the text of the class says, gives the sums."""
    weight, activation, pe, w, a = problem
    stationary = pe.weight_beats(np.array(w, np.uint8))["weight"].tolist()
    moving = pe.activation_beats(np.array(a, np.uint8))["activation"].tolist()
    pairs = [(i, j) for i in range(len(bit_values(weight))) for j in range(len(bit_values(activation)))]
    assert pe.tile.cycles == len(pairs)
    assert len(stationary[0]) == len(moving[0]) == len(pairs) * len(w[0]) // pe.lanes
    full = 2**pe.lanes - 1
    bipolar = weight.startswith("bipolar"), activation.startswith("bipolar")
    expected = pe.golden(np.array(w, np.uint8), np.array(a, np.uint8))
    for row, x in enumerate(moving):
        for column, y in enumerate(stationary):
            total = 0
            for beat, (p, q) in enumerate(zip(y, x, strict=True)):
                i, j = pairs[beat % len(pairs)]
                if all(bipolar):
                    count = 2 * (~(p ^ q) & full).bit_count() - pe.lanes
                elif any(bipolar):
                    count = 2 * (p & q).bit_count() - (q if bipolar[0] else p).bit_count()
                else:
                    count = (p & q).bit_count()
                negative = (bit_values(weight)[i] < 0) != (bit_values(activation)[j] < 0)
                total += (-count if negative else count) << i + j
            assert total % 2**pe.accumulator_bits == expected[row, column]


@pytest.mark.parametrize("name", ["bipolar1", "bipolar3", "int1", "int5", "uint8"])
def test_codes_are_those_of_the_formats(name: str) -> None:
    codes = np.arange(2 ** len(bit_values(name)))
    assert Format.parse(name).decode(codes).tolist() == [value(name, int(code)) for code in codes]


def test_golden_takes_any_number_of_terms() -> None:
    pe = PE.parse("bit_serial(bipolar2, int3, lanes=16)")
    w, a = np.array([[3, 0, 2]], np.uint8), np.array([[1, 2, 7]], np.uint8)
    assert pe.decode(pe.golden(w, a)).tolist() == [[3 * 1 - 3 * 2 + 1 * -1]]
    assert pe.decode(pe.golden(w[:, :0], a[:, :0])).tolist() == [[0]]


def test_description() -> None:
    pe = PE.parse("bit_serial(bipolar3, bipolar4)")
    assert str(pe) == "bit_serial(bipolar3, bipolar4, lanes=32, acc=int32)"
    assert pe.ports == {"weight": 32, "activation": 32}
    assert pe.meanings["weight"] == "a bit plane of 32 bipolar3, the first lowest"
    assert pe.tile == (1, 1, 32, 12)
    assert pe.macs_per_cycle == pytest.approx(32 / 12)
    assert pe.latency_cycles == 1
    assert PE.parse("bit_serial(int2, uint3, acc=exact(100), stages=4)").latency_cycles == 4
    assert PE.parse("bit_serial(ternary, int8s, lanes=64, acc=exact(64))").accumulator_bits == 14


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("bit_serial(int9, int8)", "operand int9: bit_serial takes integers of 1 to 8 bits"),
        ("bit_serial(int8, e4m3)", "operand e4m3: bit_serial takes integers of 1 to 8 bits"),
        ("bit_serial(int4_g128, int8)", "operand int4_g128 has scales"),
        ("bit_serial(int4, int8, lanes=0)", "lanes = 0 must be a whole number from 1 to 256"),
        ("bit_serial(int4, int8, lanes=257)", "lanes = 257 must be a whole number from 1 to 256"),
        ("bit_serial(int4, int8, stages=9)", "stages = 9 must be a whole number from 1 to 8"),
        ("bit_serial(int4, int8, acc=fp32)", "accumulator fp32 would round or clip parts of products"),
        ("bit_serial(int4, int8, acc=int32 sat)", "accumulator int32 sat would round or clip parts of products"),
        ("bit_serial(int4, int8, acc=int11)", "accumulator int11 is too narrow .* one product needs 12 bits"),
        ("bit_serial(int4, int8, acc=exact(31))", r"exact\(31\) holds fewer products than a tile of 32 lanes"),
        ("bit_serial(int4, int8, group=3)", "unknown option of bit_serial 'group'"),
    ],
)
def test_impossible_units_are_refused_in_one_sentence(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        PE.parse(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weight", "activation", "terms", "accepted"),
    [
        ("int4", "uint4", 64, True),
        ("int4", "uint4", 65, False),
        ("bipolar3", "bipolar1", 64, False),
        ("bipolar3", "uint2", 64, True),
        ("ternary", "uint1", 64, True),
        ("uint4", "uint4", 64, False),
        ("e2m1", "uint4", 64, False),
        ("int4_g32", "uint4", 64, False),
    ],
)
def test_accepts_whose_values_fit(weight: str, activation: str, terms: int, accepted: bool) -> None:
    pe = PE.parse("bit_serial(int4, uint4, acc=exact(64))")
    assert pe.accepts(Format.parse(weight), Format.parse(activation), terms) is accepted


def full_adders(bits: int) -> tuple[int, int]:
    """Full and half adders that bring ``bits`` bits of one place to a binary number, column by column."""
    full = half = 0
    while bits > 1:
        carries = 0
        while bits > 1:
            full, half = full + (bits > 2), half + (bits == 2)
            bits, carries = bits - (2 if bits > 2 else 1), carries + 1
        bits = carries
    return full, half


@pytest.mark.parametrize("lanes", [1, 2, 3, 7, 8, 12, 31, 32, 33, 100, 255, 256])
def test_popcount_has_the_adders_of_its_columns(lanes: int) -> None:
    bill = PE.parse(f"bit_serial(bipolar2, int2, lanes={lanes})").bill("gaussian")
    for part in ("popcount", "second popcount"):
        counts = {item.primitive: item.count for item in bill if item.part == part}
        assert (counts.get("full_adder", 0), counts.get("half_adder", 0)) == full_adders(lanes)


UNITS = (
    "bit_serial(bipolar1, bipolar1)",
    "bit_serial(int2, int2)",
    "bit_serial(int4, int4)",
    "bit_serial(bipolar4, bipolar4)",
    "bit_serial(bipolar4, int4)",
    "bit_serial(int4, int4, stages=3)",
    "bit_serial(uint8, uint4, lanes=16, acc=int24)",
    "bit_serial(bipolar3, bipolar4, lanes=128)",
    "bit_serial(int8, int8, lanes=256)",
)


@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
@pytest.mark.parametrize("text", [*UNITS, "bit_serial(uint1, bipolar1, lanes=1, acc=int70)"])
def test_bill(text: str, operands: str) -> None:
    """Every item states its formula; activities are transitions per cycle, glitches included."""
    pe = PE.parse(text)
    assert isinstance(pe, BitSerial)
    assert PE.parse(str(pe)) == pe
    counter = sum((format.element_bits - 1).bit_length() for format in (pe.weight, pe.activation))
    bill = pe.bill(operands)
    assert all(item.count > 0 and 0 < item.activity <= 8 and item.part and item.why for item in bill)
    state = sum(item.count for item in bill if item.primitive == "flip_flop" and item.part != "pipeline")
    assert state == pe.accumulator_bits + counter
    assert len(bill.paths) == min(pe.stages, 2)
    cost = pe.cost("nangate45", operands=operands)
    for interval in (cost.area_um2, cost.energy_pj, cost.leakage_uw, cost.min_period_ps):
        assert 0 < interval.low < interval.mid < interval.high
    assert cost.clock_pj.mid < cost.energy_pj.mid


def area(weight: str, activation: str, lanes: int = 32) -> float:
    return PE.parse(f"bit_serial({weight}, {activation}, lanes={lanes})").cost("nangate45").area_um2.mid


def test_area_grows_with_lanes_and_planes() -> None:
    for series in (
        [area("int4", "int4", lanes) for lanes in (1, 2, 3, 8, 31, 32, 33, 100, 256)],
        [area("bipolar1", f"bipolar{width}") for width in (1, 2, 3, 5, 8)],
        [area(f"int{width}", "uint8") for width in (2, 3, 5, 8)],
    ):
        assert series == sorted(series)
        assert len(set(series)) == len(series)
    assert area("uint4", "uint4") < area("bipolar4", "bipolar4") < area("bipolar4", "uint4") < area("bipolar4", "int4")


def test_the_operands_set_the_dynamic_energy_alone() -> None:
    pe = PE.parse("bit_serial(int4, int4)")
    gaussian, uniform = (pe.cost("nangate45", operands=operands) for operands in ("gaussian", "uniform"))
    assert uniform.area_um2 == gaussian.area_um2
    assert uniform.clock_pj == gaussian.clock_pj
    assert uniform.energy_pj.mid != gaussian.energy_pj.mid
    with pytest.raises(InputError, match="unknown operand distribution 'zipf'"):
        pe.cost("nangate45", operands="zipf")


def test_pipelining_trades_registers_for_period() -> None:
    units = [PE.parse(f"bit_serial(int4, int4, stages={stages})") for stages in (1, 2, 3)]
    periods = [pe.fastest_period_ps("nangate45") for pe in units]
    areas = [pe.cost("nangate45").area_um2.mid for pe in units]
    assert areas == sorted(set(areas))
    # From two stages on, the accumulator's own loop sets the period.
    assert periods[0] > periods[1] == periods[2]
