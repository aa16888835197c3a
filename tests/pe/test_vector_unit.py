"""Vector units against arithmetic in exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import copysign, isfinite, nan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from oracle import round_to

from hwexplore.errors import InputError
from hwexplore.formats import Format, Minifloat
from hwexplore.pe import PE
from hwexplore.pe.vector_unit import Requantizer, Rescaler, VectorUnit

INT8, FP16 = Format.parse("int8"), Format.parse("fp16")
INTEGER, FLOATING = PE.parse("mac(int8, int8, acc=int32)"), PE.parse("mac(e5m2, e4m3, acc=fp16)")


def requantizer(pe: str = "mac(int8, int8, acc=int32)", output: str = "int8") -> Requantizer:
    unit = VectorUnit.of(PE.parse(pe), Format.parse(output))
    assert isinstance(unit, Requantizer)
    return unit


def rescaler(pe: PE = FLOATING, output: str = "e4m3") -> Rescaler:
    unit = VectorUnit.of(pe, Format.parse(output))
    assert isinstance(unit, Rescaler)
    return unit


def codes(unit: Requantizer, **numbers: int) -> dict[str, np.ndarray]:
    return {
        name: np.array([numbers[name] & (1 << bits) - 1], object if bits > 64 else np.uint64)
        for name, bits in unit.fields.items()
    }


@given(
    st.integers(-(2**31), 2**31 - 1),
    st.integers(-(2**31), 2**31 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 63),
    st.lists(st.integers(-128, 127), min_size=3, max_size=3),
)
def test_requantization(total: int, bias: int, multiplier: int, shift: int, limits: list[int]) -> None:
    low, zero_point, high = sorted(limits)
    unit = requantizer()
    parameters = codes(unit, bias=bias, multiplier=multiplier, shift=shift, zero_point=zero_point, low=low, high=high)
    exact = round(Fraction((total + bias) * multiplier, 2**shift)) + zero_point
    [[code]] = unit.golden(np.array([[total % 2**32]], np.uint64), parameters)
    assert code == min(max(exact, low), high) % 256


@pytest.mark.parametrize(("total", "rounded"), [(1, 0), (3, 2), (5, 2), (7, 4), (-1, 0), (-3, -2), (-5, -2), (2, 1)])
def test_ties_go_to_even(total: int, rounded: int) -> None:
    unit = requantizer()
    parameters = codes(unit, bias=0, multiplier=1, shift=1, zero_point=0, low=-128, high=127)
    assert INT8.decode(unit.golden(np.array([[total % 2**32]], np.uint64), parameters)) == rounded


def test_parameters_of_a_requantizer() -> None:
    unit = requantizer(output="uint8")
    scale = np.exp2(np.random.default_rng(0).uniform(-48, 15.9, 1000))
    parameters = unit.parameters(np.append(scale, [2.0**-48, 2.0**16 - 1, 1 - 2.0**-20]), bias=-5, zero_point=128)
    made = parameters["multiplier"] / 2.0 ** parameters["shift"]
    np.testing.assert_allclose(made[:1000], scale, rtol=2.0**-16)
    np.testing.assert_array_equal(made[1000:], [2.0**-48, 2.0**16 - 1, 1])
    assert (parameters["bias"] == 2**32 - 5).all()
    assert (parameters["low"] == 0).all()
    assert (parameters["high"] == 255).all()


def test_columns_have_their_own_parameters() -> None:
    unit = requantizer()
    sums = np.array([[100, 100, 100]], np.uint64)
    made = unit.golden(sums, unit.parameters([0.5, 0.25, 1], bias=[0, 4, -200], zero_point=[0, 0, 1], low=[0, 0, -9]))
    np.testing.assert_array_equal(INT8.decode(made), [[50, 26, -9]])


def test_wide_sums() -> None:
    unit = requantizer("mac(e5m2, e5m2, acc=exact(4096))", "int8")
    bits = unit.pe.accumulator_bits
    assert bits > 64
    sums = np.array([[3 << bits - 10], [(1 << bits) - (5 << bits - 10)]], object)
    parameters = codes(unit, bias=0, multiplier=1, shift=63, zero_point=0, low=-128, high=127)
    exact = [round(Fraction(factor * 2 ** (bits - 10), 2**63)) for factor in (3, -5)]
    np.testing.assert_array_equal(INT8.decode(unit.golden(sums, parameters)).ravel(), np.clip(exact, -128, 127))


def test_sums_of_activations_count_twice() -> None:
    """Of a lut unit, q'a + c a is twice the product."""
    pe = PE.parse("lut(uint2, int8, m=1, n=1, k=4)")
    unit = requantizer(str(pe), "int16")
    rng = np.random.default_rng(0)
    weights, activations = rng.integers(0, 4, (5, 8)).astype(np.uint64), rng.integers(0, 256, (7, 8)).astype(np.uint64)
    made = unit.golden(pe.golden(weights, activations), unit.parameters(np.full(5, 0.5)))
    exact = INT8.decode(activations) @ weights.T.astype(float)
    np.testing.assert_array_equal(Format.parse("int16").decode(made), exact)


def sum_and_product(format: Minifloat, addend: float, a: float, b: float) -> float:
    """``addend + a * b`` rounded once."""
    if not all(map(isfinite, (addend, a, b))):
        return addend + a * b
    exact = Fraction(addend) + Fraction(a) * Fraction(b)
    sign = -1.0 if copysign(1, addend) < 0 and copysign(1, a) * copysign(1, b) < 0 else 1.0
    return round_to(format, exact, sign)


@given(st.lists(st.integers(0, 2**16 - 1), min_size=3, max_size=3), st.sampled_from(["e4m3", "e5m2", "bf16", "fp16"]))
def test_rescaling(numbers: list[int], output: str) -> None:
    unit = rescaler(output=output)
    total, scale, bias = FP16.decode(np.array(numbers, np.uint64))
    low, high = -3.0, 448.0
    with np.errstate(invalid="ignore"):
        exact = round_twice(unit, total, scale, bias)
    expected = exact if np.isnan(exact) else min(max(exact, low), high)
    parameters = unit.parameters([scale], bias=bias, low=low, high=high)
    made = unit.output.decode(unit.golden(np.array([[numbers[0]]], np.uint64), parameters))
    np.testing.assert_array_equal(made, [[expected]])


def round_twice(unit: Rescaler, total: float, scale: float, bias: float) -> float:
    wide = sum_and_product(unit.accumulator, bias, total, scale)
    if isfinite(wide):
        return round_to(unit.output, Fraction(wide), 1.0)
    return float(unit.output.quantize(wide)) if not np.isnan(wide) else nan


def test_rescaling_keeps_infinities_and_nan() -> None:
    unit = rescaler(output="e5m2:inf")
    sums = FP16.encode([[np.inf], [-np.inf], [np.nan], [1e4]])
    made = unit.output.decode(unit.golden(sums, unit.parameters([4.0])))
    np.testing.assert_array_equal(made, [[np.inf], [-np.inf], [np.nan], [40960.0]])


def test_rescaled_sums_of_activations() -> None:
    pe = PE.parse("lut(int2, fp16, m=1, n=1, k=4, acc=fp16)")
    unit = rescaler(pe, "fp16")
    rng = np.random.default_rng(0)
    weights, activations = rng.integers(0, 4, (5, 8)).astype(np.uint64), FP16.encode(rng.integers(-9, 9, (7, 8)))
    made = FP16.decode(unit.golden(pe.golden(weights, activations), unit.parameters(np.full(5, 0.5))))
    exact = FP16.decode(activations) @ Format.parse("int2").decode(weights).T
    np.testing.assert_array_equal(made, exact)


@pytest.mark.parametrize(
    ("pe", "output", "message"),
    [
        (INTEGER, "e4m3", "output e4m3: sums in int32 are requantized to intN or uintN"),
        (INTEGER, "bipolar3", "output bipolar3: sums in int32 are requantized"),
        (FLOATING, "int8", "output int8: sums in fp16 are rounded to a signed floating point"),
        (FLOATING, "ue4m3", "output ue4m3: sums in fp16 are rounded to a signed floating point"),
        (FLOATING, "e2m1", "output e2m1 has no NaN for those of fp16"),
    ],
)
def test_outputs_that_there_are_not(pe: PE, output: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        VectorUnit.of(pe, Format.parse(output))


@pytest.mark.parametrize("scale", [1.0, [0.0], [-1.0], [2.0**-49], [2.0**16], [np.nan]])
def test_scales_that_do_not_fit(scale: object) -> None:
    with pytest.raises(InputError, match=r"^scale = .* must be a vector of numbers from 2\^-48 to 2\^16 - 1"):
        requantizer().parameters(scale)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "numbers", [{"bias": 2**31}, {"bias": 0.5}, {"zero_point": 128}, {"low": -129}, {"high": 1000}]
)
def test_parameters_that_do_not_fit(numbers: dict[str, float]) -> None:
    [(name, number)] = numbers.items()
    with pytest.raises(InputError, match=f"^{name} = {number} must be an integer that its (32|8) bits hold$"):
        requantizer().parameters([1.0, 0.5], **numbers)
