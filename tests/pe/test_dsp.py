"""Multipliers of PEs, and the hardware that is left without them."""

from __future__ import annotations

import pytest

from hwexplore.calibration.population import population
from hwexplore.pe import PE
from hwexplore.pe.dsp import fpga_bill, multipliers
from hwexplore.technology.device import Multiplier


@pytest.mark.parametrize(
    ("pe", "expected"),
    [
        ("mac(int4, int8, acc=int32)", [(8, 4, True, 1)]),
        ("mac(e4m3, e4m3, acc=fp32)", [(4, 4, False, 1)]),
        ("dot(int8, int8, lanes=4, acc=int32)", [(8, 8, True, 4)]),
        ("dot(mxint8, mxint8, lanes=4)", [(8, 8, True, 4)]),
        ("shift_add(int4, int8, group=128)", [(19, 11, False, 1)]),
        ("lut(int2, int8, m=1, n=4, k=4)", []),
        ("multi(int8, int8, acc=int32)", []),
    ],
)
def test_multipliers(pe: str, expected: list[tuple[int, int, bool, int]]) -> None:
    found = [(unit.wide, unit.narrow, unit.signed, unit.count) for unit in multipliers(PE.parse(pe))]
    assert found == expected


def test_scales_with_a_significand_are_multiplied() -> None:
    elements, *scales = multipliers(PE.parse("dot(nvfp4, nvfp4, lanes=8)"))
    assert elements.of_operands
    assert elements.count == 8
    assert [scale.of_operands for scale in scales] == [False, False]
    assert scales[1].wide == scales[0].wide + scales[0].narrow


def _count(pe: PE, in_dsp: bool, *parts: str) -> float:
    bill = fpga_bill(pe, lambda multiplier: in_dsp)
    return sum(item.count for item in bill if item.part in parts)


def test_an_integer_mac_without_its_multiplier_is_its_accumulator() -> None:
    pe = PE.parse("mac(int8, int8, acc=int32)")
    assert _count(pe, True, "partial products", "compressor") == 0
    assert _count(pe, True, "accumulator's adder", "ripple adder") == 32


@pytest.mark.parametrize("pe", population(), ids=str)
def test_what_is_left_is_part_of_the_bill(pe: PE) -> None:
    whole, rest = fpga_bill(pe), fpga_bill(pe, lambda multiplier: True)
    counts = [sum(item.count for item in bill) for bill in (whole, rest)]
    assert all(item.count > 0 for item in rest)
    assert (counts[1] < counts[0]) == bool(multipliers(pe))
    registers = [item for item in rest if item.primitive == "flip_flop"]
    assert registers == [item for item in whole if item.primitive == "flip_flop"]


def test_operands_in_either_order_are_one_multiplier() -> None:
    assert Multiplier(4, 8, signed=True) == Multiplier(8, 4, signed=True)
