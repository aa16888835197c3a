"""Shift-add units, bit for bit and cycle for cycle against their golden model; their products, proven by Yosys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from proof import PROVEN, prove
from replays import Case, Mismatches, Replayed, Wrong, varied

from hwexplore.pe import PE, ShiftAdd
from hwexplore.rtl.shift_add_multiplier import FixedShiftAddMultiplier
from hwexplore.rtl.simulator import Simulator
from hwexplore.rtl.vectors import join
from hwexplore.rtl.verilog import convert

TEXTS = [
    "shift_add(int4, int8, group=128)",
    "shift_add(uint4, int8, group=2)",
    "shift_add(int3, uint8, group=5, stages=3)",
    "shift_add(ternary, int8, group=3, stages=4)",
    "shift_add(e3m0, int16, group=33, stages=8)",
    "shift_add(e2m0, int8, group=4)",
    "shift_add(bipolar3, int4, group=1, acc=fp16)",
    "shift_add(int2, e4m3, group=3, acc=bf16)",
    "shift_add(uint3, fp16, group=4, stages=3)",
]
MORE = [
    "shift_add(int4, int8, group=1)",
    "shift_add(uint2, int16, group=33, stages=8)",
    "shift_add(e1m0, int5, group=1, acc=bf16)",
    "shift_add(ternary, fp16, group=16)",
    "shift_add(e3m0, e5m2, group=2)",
    "shift_add(uint4, bf16, group=2)",
    "shift_add(bipolar4, bf16, group=1, stages=5)",
    "shift_add(int4, e4m3, group=2, acc=e5m2)",
    "shift_add(int4, fp16, group=128)",
    "shift_add(uint4, uint16, group=1024)",
]
EXHAUSTIVE_GROUP = 5


def vectors(text: str, pairs: int) -> Case:
    """Random operands; then, in small groups, every pair of narrow operands."""
    pe = PE.parse(text)
    assert isinstance(pe, ShiftAdd)
    return varied(text, pairs, pe.group <= EXHAUSTIVE_GROUP and pe.activation.element_bits <= 8)


@pytest.fixture(scope="module")
def wrong(mismatches: Mismatches) -> Wrong:
    return mismatches({text: vectors(text, 20_000) for text in TEXTS})


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


def test_on_a_second_simulator_clear_breaks_a_group_off(icarus: Simulator, replayed: Replayed) -> None:
    """Some cycles of a group, then, without a reset, the sums of a trace that starts by one."""
    pe, cycles = vectors("shift_add(int2, int4, group=4, stages=3)", 2_000)
    begun = cycles[cycles["enable"] & ~cycles["rst"]].iloc[:9]
    started = cycles.iloc[1:].copy()
    started.iloc[: started["enable"].argmax() + 1, started.columns.get_loc("clear")] = True
    started.iloc[: started["accumulator"].ne(0).argmax(), started.columns.get_loc("defined")] = False
    [done] = replayed([(pe, join([cycles.iloc[:1], begun.assign(defined=False), started]))], icarus)
    assert done.mismatches.empty, done.mismatches.head(10).to_string()


def test_a_wrong_bit_is_noticed(verilator: Simulator, replayed: Replayed) -> None:
    pe, cycles = vectors("shift_add(int2, int4, group=1)", 500)
    cycles.loc[[100, 200], "accumulator"] ^= np.uint64(1)
    [done] = replayed([(pe, cycles)], verilator)
    assert done.mismatches.index.tolist() == [100, 200]


DEFINITIONS = {
    ("int3", "int8"): "$signed(weight) * $signed(activation)",
    ("uint3", "int8"): "$signed({1'b0, weight}) * $signed(activation)",
    ("ternary", "int8"): "weight == 2 ? 0 : $signed(weight) * $signed(activation)",
    ("e2m0", "int8"): "weight[1:0] == 0 ? 0 : (weight[2] ? -1 : 1) * $signed(activation) * (1 << (weight[1:0] - 1))",
}


def proof(weight: str, activation: str, definition: str, folder: Path) -> str:
    pe = PE.parse(f"shift_add({weight}, {activation})")
    assert isinstance(pe, ShiftAdd)
    product = FixedShiftAddMultiplier(weight=pe.recoded_weight, activation=pe.activation_port)
    bits = [pe.weight.element_bits, pe.activation.element_bits, len(product.product)]
    text = (
        f"module definition(input [{bits[0] - 1}:0] weight, input [{bits[1] - 1}:0] activation,"
        f" output signed [{bits[2] - 1}:0] product); assign product = {definition}; endmodule"
    )
    return prove(text, product, folder)


@pytest.mark.parametrize(("weight", "activation"), DEFINITIONS)
def test_products_are_those_of_their_definition(weight: str, activation: str, tmp_path: Path) -> None:
    assert PROVEN in proof(weight, activation, DEFINITIONS[weight, activation], tmp_path)


def test_one_wrong_product_has_no_proof(tmp_path: Path) -> None:
    wrong = "weight == 3 && activation == 77 ? 0 : $signed(weight) * $signed(activation)"
    with pytest.raises(RuntimeError, match="proof did fail"):
        proof("int3", "int8", wrong, tmp_path)


def test_products_have_no_multiplier() -> None:
    pe = PE.parse("shift_add(int4, int8)")
    assert isinstance(pe, ShiftAdd)
    product = FixedShiftAddMultiplier(weight=pe.recoded_weight, activation=pe.activation_port)
    assert "*" not in convert(product, "product").replace("(*", "").replace("*)", "")
