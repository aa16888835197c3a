from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe import PE
from hwexplore.technology import load

OPERANDS = ["int2", "int8", "uint4", "int6s", "bipolar3", "ternary"]
ACCUMULATORS = ["int24", "int32", "int20 sat", "exact(1)", "exact(4096)"]


@settings(deadline=None)
@given(st.sampled_from(OPERANDS), st.sampled_from(OPERANDS), st.sampled_from(ACCUMULATORS))
def test_text_round_trip(weight: str, activation: str, accumulator: str) -> None:
    text = f"mac({weight}, {activation}, acc={accumulator})"
    pe = PE.parse(text)
    assert str(pe) == text
    assert PE.parse(str(pe)) == pe
    assert hash(PE.parse(str(pe))) == hash(pe)


@pytest.mark.parametrize(
    "text",
    ["mac(int8,int4,acc=exact(12))", "  mac ( int8 ,  int4,acc = exact(12) ) ", "mac(acc=exact(12), int8, int4)"],
)
def test_spaces_and_order_of_options_do_not_matter(text: str) -> None:
    assert str(PE.parse(text)) == "mac(int8, int4, acc=exact(12))"


def test_accumulator_is_int32_unless_given() -> None:
    assert PE.parse("mac(int8, int8)") == PE.parse("mac(int8, int8, acc=int32)")


def test_families() -> None:
    families = PE.families()
    assert list(families) == ["bit_serial", "dot", "lut", "mac", "multi", "shift_add"]
    assert all(family.family == name and family.__doc__ for name, family in families.items())


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("int8", r"PE 'int8' is not of the form family\(weight, activation, option=value\)"),
        ("", "PE '' is not of the form"),
        ("mac(int8, int8", "is not of the form"),
        ("mca(int8, int8)", "unknown PE family 'mca'; did you mean mac"),
        ("mac()", "needs two operand formats"),
        ("mac(int8)", r"needs two operand formats, weight and activation, as in mac\(int8, int8\)"),
        ("mac(int8, int8, int8)", "needs two operand formats"),
        ("mac(int8, int9x)", "unknown format 'int9x'"),
        ("mac(int8, int0)", "width of a twos_complement integer is 0"),
        ("mac(int8, int8, acc=int32, acc=int24)", "gives acc twice"),
        ("mac(int8, int8, bcc=int32)", "unknown option of mac 'bcc'; did you mean acc"),
        ("mac(int8, int8, acc=int)", "unknown accumulator 'int'; known: int32"),
        ("mac(int8, int8, acc=)", "unknown accumulator ''"),
        ("mac(int8, int8, acc=int1)", "accumulator 'int1' has 1 bits"),
        ("mac(int8, int8, acc=exact(0))", r"accumulator 'exact\(0\)' sums"),
        ("mac(int8, int8, acc=int15)", "accumulator int15 is too narrow for int8 x int8: one product needs 16 bits"),
        ("mac(int8, mxint8)", "mxint8"),
    ],
)
def test_refused_texts(text: str, sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        PE.parse(text)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"technology": "nangate"}, "unknown technology 'nangate'; did you mean nangate45"),
        ({"period_ps": 0}, "period_ps = 0 must be a positive number"),
        ({"period_ps": -5}, "period_ps = -5 must be a positive number"),
        ({"period_ps": float("nan")}, "period_ps = nan must be a positive number"),
        ({"period_ps": 100}, r"cannot run at 100 ps on nangate45.*: its shortest period is \d+ ps"),
        ({"mode": "fast"}, "mode 'fast'.* one mode only"),
        ({"operands": "gausian"}, "unknown operand distribution 'gausian'; did you mean gaussian"),
    ],
)
def test_refused_costs(arguments: dict[str, object], sentence: str) -> None:
    with pytest.raises(InputError, match=sentence):
        PE.parse("mac(int8, int8)").cost(**{"technology": "nangate45", **arguments})  # type: ignore[arg-type]


def test_technology_by_name_or_itself() -> None:
    pe = PE.parse("mac(int4, int8)")
    assert pe.cost("nangate45") == pe.cost(load("nangate45"))
    assert pe.fastest_period_ps("nangate45") == pe.fastest_period_ps(load("nangate45"))


def test_the_nominal_voltage_is_the_default() -> None:
    pe = PE.parse("mac(int4, int8)")
    assert pe.cost("nangate45", voltage=load("nangate45").voltage) == pe.cost("nangate45")


@pytest.mark.parametrize(
    ("format", "accepted"), [("bipolar2", True), ("bipolar3", True), ("int2", False), ("ternary", False)]
)
def test_bipolar_ports_take_odd_numbers_only(format: str, accepted: bool) -> None:
    pe = PE.parse("mac(bipolar3, int8)")
    assert pe.accepts(Format.parse(format), pe.activation, 16) is accepted
