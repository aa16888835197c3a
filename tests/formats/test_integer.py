from __future__ import annotations

from fractions import Fraction

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer

integers = st.builds(
    Integer, width=st.integers(2, 16), coding=st.sampled_from(["twos_complement", "unsigned", "symmetric", "bipolar"])
) | st.just(Integer(width=2, coding="ternary"))
floats = st.floats(allow_nan=False)


def grid(f: Integer) -> np.ndarray:
    """The values by their definition."""
    b = f.width
    return {
        "twos_complement": np.arange(-(2 ** (b - 1)), 2 ** (b - 1)),
        "unsigned": np.arange(2**b),
        "symmetric": np.arange(-(2 ** (b - 1)) + 1, 2 ** (b - 1)),
        "bipolar": 2 * np.arange(2**b) - (2**b - 1),
        "ternary": np.array([-1, 0, 1]),
    }[f.coding].astype(np.float64)


@given(f=integers, x=floats)
def test_nearest_value_wins(f: Integer, x: float) -> None:
    values = grid(f)
    assert (f.min_value, f.max_value, f.max) == (values[0], values[-1], values[-1])
    assert f.symmetric == np.array_equal(values, -values[::-1])
    result = float(f.quantize(x))
    inside = Fraction(min(max(x, values[0]), values[-1]))
    near = values[np.abs(values - float(inside)) <= 2]
    distances = [abs(Fraction(value) - inside) for value in near]
    assert abs(Fraction(result) - inside) == min(distances)
    assert f.decode(f.encode(x)) == result
    if distances.count(min(distances)) == 2:
        assert f.encode(x) % 2 == 0 or (f.coding == "bipolar" and result >= x)


@given(f=integers, x=st.lists(floats, min_size=1, max_size=30))
def test_idempotent_and_monotone(f: Integer, x: list[float]) -> None:
    q = f.quantize(np.sort(x))
    assert np.array_equal(f.quantize(q), q)
    assert np.all(np.diff(q) >= 0)
    if f.symmetric and f.coding != "bipolar":
        assert np.array_equal(f.quantize(-np.sort(x)), -q)


@pytest.mark.parametrize("name", ["int2", "int4", "uint2", "uint4"])
def test_ml_dtypes(name: str) -> None:
    f, dtype = Format.parse(name), np.dtype(getattr(ml_dtypes, name))
    codes = np.arange(2**f.element_bits, dtype=np.uint8)
    assert np.array_equal(f.values(), codes.view(dtype).astype(np.float64))
    assert np.array_equal(f.encode(f.values()), codes)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64])
def test_numpy_integers(dtype: type) -> None:
    f, info = Format.parse(np.dtype(dtype).name), np.iinfo(dtype)
    assert (f.min_value, f.max_value) == (info.min, info.max)
    x = np.array([0, 1, 2, 100, 127, info.max // 3, info.min // 3]).astype(np.float64)
    codes = f.encode(x)
    assert codes.dtype == np.dtype(dtype.__name__.replace("uint", "int").replace("int", "uint"))
    assert np.array_equal(codes.view(dtype), x.astype(dtype))
    assert np.array_equal(f.decode(codes), x)


@pytest.mark.parametrize("name", ["int32", "uint32", "int64", "uint64"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_wide_integers_saturate_at_the_last_float_inside(name: str, dtype: type) -> None:
    f = Format.parse(name)
    q = f.quantize(np.array([np.inf, -np.inf], dtype=dtype))
    assert q.dtype == dtype
    assert int(q[0]) <= f.max_value < float(np.nextafter(q[0], dtype(np.inf)))
    assert int(q[1]) == f.min_value
    assert np.array_equal(f.decode(f.encode(q)), q)


@pytest.mark.parametrize(
    ("name", "codes"),
    [
        ("int8s", {-127: 0x81, 127: 0x7F, -1: 0xFF}),
        ("bipolar3", {-7: 0, -5: 1, 7: 7}),
        ("ternary", {-1: 3, 0: 0, 1: 1}),
    ],
)
def test_codes(name: str, codes: dict[int, int]) -> None:
    f = Format.parse(name)
    assert f.encode(list(codes)).tolist() == list(codes.values())
    assert f.decode(list(codes.values())).tolist() == list(codes)


def test_unused_lowest_code_reads_as_twos_complement() -> None:
    assert Format.parse("int4s").decode([8]) == -8
    assert Format.parse("ternary").values().tolist() == [0, 1, -2, -1]


def test_documented_edges() -> None:
    f = Format.parse("int8")
    assert (f.element, f.block) == (f, None)
    assert f.quantize([np.inf, -np.inf, 0.5, 1.5, -2.5]).tolist() == [127, -128, 0, 2, -2]
    assert not np.signbit(f.quantize([-0.0, -0.2])).any()
    for call in (f.quantize, f.encode):
        with pytest.raises(InputError, match="NaN, which int8"):
            call([0, np.nan])


def test_other_roundings() -> None:
    assert Format.parse("int8:toward_zero").quantize([1.9, -1.9]).tolist() == [1, -1]
    f = Format.parse("int8:stochastic")
    q = f.quantize(np.full(100_000, -3.25), rng=np.random.default_rng(0))
    assert set(q.tolist()) == {-4.0, -3.0}
    assert q.mean() == pytest.approx(-3.25, abs=5 * 0.44 / np.sqrt(100_000))


@pytest.mark.parametrize(
    ("name", "container", "expected"),
    [
        ("int3", 32, 3.2),
        ("int3", None, 3),
        ("int3", 8, 4),
        ("int5", 32, 32 / 6),
        ("int6", 64, 6.4),
        ("int4", 32, 4),
        ("int8", 32, 8),
        ("int24", 16, 32),
        ("e5m2", 4, 8),
        ("ternary", 32, 1.6),
        ("ternary", 8, 1.6),
        ("ternary", 12, 2.4),
        ("ternary", 4, 1.6),
        ("ternary", None, 1.6),
        ("tf32", 32, 32),
    ],
)
def test_packed_bits(name: str, container: int | None, expected: float) -> None:
    f = Format.parse(name)
    assert f.packed_bits(container) == pytest.approx(expected)
    assert f.bits == f.packed_bits(None) <= f.packed_bits()


def test_a_container_has_bits() -> None:
    with pytest.raises(InputError, match="container is 0"):
        Format.parse("int4").packed_bits(0)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"width": 0}, r"width of a twos_complement integer is 0; it must be in 1\.\.64"),
        ({"width": 65}, r"1\.\.64"),
        ({"width": 2.0}, "width"),
        ({"width": 1, "coding": "symmetric"}, r"2\.\.64"),
        ({"width": 3, "coding": "ternary"}, r"2\.\.2"),
        ({"width": 4, "coding": "gray"}, "unknown integer coding 'gray'"),
        ({"width": 4, "rounding": "up"}, "unknown rounding 'up'"),
        ({"width": 4, "coding": "bipolar", "rounding": "toward_zero"}, "must be 'nearest_even'"),
    ],
)
def test_bad_fields(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Integer(**fields)
