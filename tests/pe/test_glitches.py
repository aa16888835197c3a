"""What the bills say about transitions in vain."""

from __future__ import annotations

import pytest

from hwexplore.pe import PE
from hwexplore.technology import Bill, load

NODE = load("nangate45")


def glitch_pj(text: str) -> float:
    return PE.parse(text).cost(NODE).glitch_pj.mid


def parts(text: str, *names: str) -> Bill:
    return Bill(tuple(item for item in PE.parse(text).bill("gaussian") if item.part in names))


def test_signs_glitch() -> None:
    assert glitch_pj("multi(int8, int8, acc=int32)") > glitch_pj("multi(uint8, uint8, acc=int32)")
    assert glitch_pj("mac(int8, int8, acc=int24)") > 2 * glitch_pj("mac(uint8, uint8, acc=int24)")


def test_registers_behind_the_multiplier_keep_glitches_from_the_accumulator() -> None:
    fused, cut = (glitch_pj(f"mac(int8, int8, acc=int32{stages})") for stages in ("", ", stages=2"))
    assert fused > 1.5 * cut


def test_a_dequantizer_that_works_once_in_a_group_glitches_so_often() -> None:
    names = ("leading zeros", "normalisation", "rounding to nearest even")
    each, seldom = (NODE.price(parts(f"shift_add(int4, int8, group={group})", *names)).glitch_pj for group in (2, 128))
    assert each / seldom == pytest.approx(64, rel=0.25)


def test_scales_of_blocks_stir_the_accumulator() -> None:
    plain, scaled = (
        next(item.activity for item in parts(text, "significand adder"))
        for text in ("dot(e2m1, e2m1, lanes=16, acc=fp32)", "dot(nvfp4, nvfp4, lanes=16, acc=fp32)")
    )
    assert scaled > 1.5 * plain


def test_a_block_of_several_cycles_stirs_the_adder_in_each_and_the_register_in_the_last() -> None:
    text = "dot(mxint4, mxint4, lanes=4, acc=fp32)"
    bill = PE.parse(text).bill("gaussian")
    (register,) = (item for item in bill if item.part == "accumulator")
    (adder,) = (item for item in bill if item.part == "significand adder")
    assert adder.activity / 2 == pytest.approx(8 * register.activity)
