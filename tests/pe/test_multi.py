"""Precision-scalable units: arithmetic against Python integers, cost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import hwexplore as hx
from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format
from hwexplore.pe import PE, Multi

MACS_PER_CYCLE = {"8x8": 1, "8x4": 2, "8x2": 4, "4x4": 4, "4x2": 8, "2x2": 16}
"""(8 / A) (8 / W) of mode AxW, as in Bit Fusion (Sharma et al., ISCA 2018)."""
KINDS = st.sampled_from(["int", "uint"])


def parse(text: str) -> Multi:
    pe = PE.parse(text)
    assert isinstance(pe, Multi)
    return pe


def integer(code: int, bits: int, kind: str) -> int:
    return code - (1 << bits) if kind == "int" and code >> bits - 1 else code


def oracle(w: list[int], a: list[int], macs: int, accumulator: str, bits: int) -> int:
    """The code of the sum, ``macs`` products a cycle."""
    total = 0
    for start in range(0, len(w), macs):
        total += sum(x * y for x, y in zip(w[start : start + macs], a[start : start + macs], strict=True))
        if accumulator.endswith("sat"):
            total = min(max(total, -(1 << bits - 1)), (1 << bits - 1) - 1)
    return total % (1 << bits)


def a_unit(kinds: tuple[str, str], width: int, accumulator: str) -> Multi:
    return parse(f"multi({kinds[0]}{width}, {kinds[1]}{width}, acc={accumulator})")


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(KINDS, KINDS),
    st.sampled_from([4, 8, 16]),
    st.integers(0, 9),
    st.sampled_from(["wrap", "sat", "exact"]),
    st.integers(0, 3),
    st.integers(0, 70),
    st.integers(0, 2**32),
)
def test_golden_is_the_sum_of_products(
    kinds: tuple[str, str], width: int, mode: int, kind: str, spare: int, k: int, seed: int
) -> None:
    bits = 2 * width + 1 + spare
    accumulator = {"wrap": f"int{bits}", "sat": f"int{bits} sat", "exact": "exact(70)"}[kind]
    pe = a_unit(kinds, width, accumulator)
    pe = pe.in_mode(pe.modes[mode % len(pe.modes)])
    rng = np.random.default_rng(seed)
    widths = pe.weight_port.width, pe.activation_port.width
    codes = [rng.integers(0, 1 << bits, (2, k), np.uint64) for bits in widths]
    if seed % 2:
        codes = [np.where(rng.random((2, k)) < 0.9, 1 << bits - 1, c) for bits, c in zip(widths, codes, strict=True)]
    numbers = [
        [[integer(int(code), bits, name) for code in row] for row in rows]
        for rows, bits, name in zip(codes, widths, kinds, strict=True)
    ]
    expected = [[oracle(w, a, pe.tile.k, accumulator, pe.accumulator_bits) for w in numbers[0]] for a in numbers[1]]
    assert pe.golden(*codes).tolist() == expected


@settings(max_examples=100, deadline=None)
@given(st.tuples(KINDS, KINDS), st.sampled_from([4, 8, 16]), st.integers(0, 9), st.integers(0, 2**32))
def test_ports_carry_the_operands_in_the_documented_order(
    kinds: tuple[str, str], width: int, mode: int, seed: int
) -> None:
    pe = a_unit(kinds, width, "int40")
    pe = pe.in_mode(pe.modes[mode % len(pe.modes)])
    w_bits, a_bits = pe.weight_port.width, pe.activation_port.width
    rows, columns, cycles = width // w_bits, width // a_bits, 3
    rng = np.random.default_rng(seed)
    w = rng.integers(0, 1 << w_bits, (1, rows * columns * cycles), np.uint64)
    a = rng.integers(0, 1 << a_bits, (1, rows * columns * cycles), np.uint64)
    beats = pe.weight_beats(w) | pe.activation_beats(a)
    assert {name: codes.shape for name, codes in beats.items()} == dict.fromkeys(pe.ports, (1, cycles))
    assert all(int(code) >> pe.ports[name] == 0 for name, codes in beats.items() for code in codes[0])
    total = 0
    for cycle in range(cycles):
        weight, activation = int(beats["weight"][0, cycle]), int(beats["activation"][0, cycle])
        for r in range(rows):
            for c in range(columns):
                x = weight >> w_bits * (c * rows + r) & (1 << w_bits) - 1
                y = activation >> a_bits * (r * columns + c) & (1 << a_bits) - 1
                total += integer(x, w_bits, kinds[0]) * integer(y, a_bits, kinds[1])
    assert int(pe.golden(w, a)[0, 0]) == total % (1 << 40)


def test_modes() -> None:
    pe = parse("multi(int8, uint8, acc=int32)")
    assert set(pe.modes) == set(MACS_PER_CYCLE)
    assert pe.mode == "8x8"
    codes = set()
    for mode, macs in MACS_PER_CYCLE.items():
        one = pe.in_mode(mode)
        activation, weight = mode.split("x")
        assert (str(one.weight), str(one.activation)) == (f"int{weight}", f"uint{activation}")
        assert one.macs_per_cycle == macs == one.tile.k
        assert one.mode == mode
        assert one.modes == pe.modes
        assert one.in_mode("8x8") == pe
        assert one.accumulator_bits == pe.accumulator_bits
        codes.add(one.mode_code)
    assert len(codes) == len(pe.modes)
    assert max(codes) < 1 << pe.ports["mode"]
    assert set(pe.meanings) == {*pe.ports, *pe.outputs}
    assert parse("multi(int4, int4)").modes == ("4x4", "4x2", "2x2")
    assert len(parse("multi(int16, int16, acc=int40)").modes) == 10


@pytest.mark.parametrize(
    "text",
    [
        "multi(int8, int8, acc=int32)",
        "multi(int8, int8, acc=int32, mode=4x4)",
        "multi(uint4, int4, acc=exact(4096), stages=3, mode=2x2)",
        "multi(uint16, uint16, acc=int64 sat, stages=8)",
    ],
)
def test_text_round_trip(text: str) -> None:
    pe = hx.PE.parse(text)
    assert str(pe) == text
    assert hash(PE.parse(str(pe))) == hash(pe)
    assert PE.parse(str(pe)) == pe


def test_defaults() -> None:
    assert str(PE.parse("multi(int8, int8)")) == "multi(int8, int8, acc=int32)"
    assert str(PE.parse("multi(int8, int8, mode=8x8)")) == "multi(int8, int8, acc=int32)"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ("int8, int4", "operands int8 and int4; both take 4, 8 or 16 bits"),
        ("int6, int6", "operands int6 and int6"),
        ("int2, int2", "operands int2 and int2"),
        ("bipolar8, int8", "operand bipolar8; multi takes intN and uintN"),
        ("int8, int8s", "operand int8s; multi takes intN and uintN"),
        ("e4m3, int8", "operand e4m3; multi takes intN and uintN"),
        ("int8_g32, int8", "operand int8_g32 has scales"),
        ("int8, int8, acc=fp32", "accumulator fp32: multi sums integers, in intN, 'intN sat' or exact"),
        ("int8, int8, acc=exact(15)", r"accumulator exact\(15\): multi of 8 bits sums up to 16 products a cycle"),
        ("int8, int8, acc=int15", "accumulator int15 is too narrow for int8 x int8: one product needs 16 bits"),
        ("int8, int8, mode=4x8", "unknown mode of multi.* '4x8'; did you mean"),
        ("int4, int4, mode=8x8", "unknown mode"),
        ("int8, int8, stages=9", "stages = 9 must be a whole number from 1 to 8"),
        ("int8, int8, modes=2x2", "unknown option of multi 'modes'; did you mean mode"),
    ],
)
def test_refused_texts(arguments: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence) as caught:
        PE.parse(f"multi({arguments})")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("weights", "activations", "sentence"),
    [
        (np.zeros((1, 2), int), np.zeros((1, 3), int), r"must be \[n, k\] and \[m, k\]"),
        (np.zeros((1, 17), int), np.zeros((1, 17), int), r"exact\(16\) sums at most 16 products, but k = 17"),
        (Encoded(np.zeros((1, 2), int), np.ones((1, 1))), np.zeros((1, 2), int), "operands have scales"),
    ],
)
def test_refused_operands(weights: Any, activations: Any, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        parse("multi(int8, int8, acc=exact(16))").golden(weights, activations)


@pytest.mark.parametrize("mode", MACS_PER_CYCLE)
@pytest.mark.parametrize("kinds", [("int", "int"), ("uint", "uint"), ("uint", "int")])
def test_exact_holds_the_worst_case_of_every_mode(kinds: tuple[str, str], mode: str) -> None:
    pe = a_unit(kinds, 8, "exact(100)").in_mode(mode)
    ends = [(port.format.min_value, port.format.max_value) for port in (pe.weight_port, pe.activation_port)]  # type: ignore[union-attr]
    for w in ends[0]:
        for a in ends[1]:
            sums = pe.golden(pe.weight.encode(np.full((1, 100), w)), pe.activation.encode(np.full((1, 100), a)))
            assert pe.decode(sums)[0, 0] == 100 * w * a
    assert pe.is_exact(pe.weight, pe.activation, 100)
    assert pe.accepts(pe.weight, pe.activation, 100)
    assert not pe.accepts(pe.weight, pe.activation, 101)


def test_operands_have_to_fit_the_mode() -> None:
    pe = parse("multi(int8, int8, acc=int20)")
    formats = {name: Format.parse(name) for name in ("int2", "int4", "int8", "int4_g32", "e2m1")}
    assert pe.accepts(formats["int4"], formats["int8"], 1000)
    assert not pe.in_mode("4x4").accepts(formats["int4"], formats["int8"], 1000)
    assert pe.in_mode("4x2").accepts(formats["int2"], formats["int4"], 1000)
    assert not pe.accepts(formats["int4_g32"], formats["int8"], 1)
    assert not pe.accepts(formats["e2m1"], formats["int8"], 1)
    assert not pe.is_exact(formats["int8"], formats["int8"], 64)
    assert pe.is_exact(formats["int4"], formats["int8"], 64)


UNITS = (
    "multi(int8, int8, acc=int32)",
    "multi(int8, int8, acc=int32, stages=2)",
    "multi(uint8, uint8, acc=int32)",
    "multi(uint8, int8, acc=int24 sat)",
    "multi(int4, int4, acc=int32)",
    "multi(int16, int16, acc=int48)",
)


@pytest.mark.parametrize("operands", ["gaussian", "uniform"])
@pytest.mark.parametrize("text", UNITS)
def test_bill(text: str, operands: str) -> None:
    pe = parse(text)
    for mode in pe.modes:
        bill = pe.in_mode(mode).bill(operands)
        assert all(item.count > 0 and 0 <= item.activity <= 8 and item.part and item.why for item in bill)
        assert all(stage.count > 0 for path in bill.paths for stage in path)
        registers = sum(item.count for item in bill if item.primitive == "flip_flop")
        assert registers == pe.accumulator_bits + (pe.stages - 1) * (16 + 2)


def test_all_modes_are_one_piece_of_hardware() -> None:
    pe = parse("multi(int8, int8, acc=int32)")
    costs = {mode: pe.cost("nangate45", mode=mode) for mode in pe.modes}
    assert len({(cost.area_um2, cost.leakage_uw, cost.min_period_ps) for cost in costs.values()}) == 1
    assert {mode: cost.macs_per_cycle for mode, cost in costs.items()} == MACS_PER_CYCLE
    assert costs["4x4"] == pe.in_mode("4x4").cost("nangate45")
    for wide, narrow in (("8x8", "8x4"), ("8x4", "8x2"), ("8x4", "4x4"), ("4x4", "4x2"), ("4x2", "2x2")):
        assert costs[narrow].energy_pj.mid < 0.6 * costs[wide].energy_pj.mid
    with pytest.raises(InputError, match="unknown mode of multi"):
        pe.cost("nangate45", mode="16x16")


def test_scalability_costs_area_and_energy_at_full_precision() -> None:
    multi, mac = (PE.parse(f"{name}(int8, int8, acc=int32)").cost("nangate45") for name in ("multi", "mac"))
    assert multi.area_um2.mid > 1.5 * mac.area_um2.mid
    assert multi.energy_pj.mid > mac.energy_pj.mid
    assert multi.min_period_ps.mid > mac.min_period_ps.mid


def test_stages_trade_registers_for_period() -> None:
    units = [parse(f"multi(int8, int8, acc=int32, stages={stages})") for stages in (1, 2, 3)]
    periods = [unit.fastest_period_ps("nangate45") for unit in units]
    areas = [unit.cost("nangate45").area_um2.mid for unit in units]
    assert [unit.latency_cycles for unit in units] == [1, 2, 3]
    assert areas == sorted(areas)
    assert periods == sorted(periods, reverse=True)
