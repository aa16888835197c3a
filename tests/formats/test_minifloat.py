from __future__ import annotations

import gfloat
import gfloat.formats as gf
import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format, Minifloat

ML_DTYPES = [
    "float4_e2m1fn",
    "float6_e2m3fn",
    "float6_e3m2fn",
    "float8_e3m4",
    "float8_e4m3",
    "float8_e4m3b11fnuz",
    "float8_e4m3fn",
    "float8_e4m3fnuz",
    "float8_e5m2",
    "float8_e5m2fnuz",
    "float8_e8m0fnu",
    "bfloat16",
]
GFLOAT = {
    "e2m1": gf.format_info_ocp_e2m1,
    "e2m3": gf.format_info_ocp_e2m3,
    "e3m2": gf.format_info_ocp_e3m2,
    "e4m3": gf.format_info_ocp_e4m3,
    "e5m2": gf.format_info_ocp_e5m2,
    "e1m1b1fnuz": gf.format_info_p3109(3, 2, domain=gfloat.Domain.Finite),
    "e3m2b4fnuz": gf.format_info_p3109(6, 3, domain=gfloat.Domain.Finite),
    "e4m3b8fnuz": gf.format_info_p3109(8, 4, domain=gfloat.Domain.Finite),
    "e1m6b1fnuz": gf.format_info_p3109(8, 7, domain=gfloat.Domain.Finite),
}

floats = st.floats(allow_nan=False, width=64)


@st.composite
def minifloats(draw: st.DrawFn) -> Minifloat:
    exponent_bits, mantissa_bits = draw(st.integers(1, 5)), draw(st.integers(0, 5))
    signed = draw(st.booleans())
    specials = ["none"]
    if exponent_bits + mantissa_bits > 1:
        specials += ["fn", "fnuz"] if signed else ["fn"]
    if exponent_bits > 1 and mantissa_bits > 0:
        specials.append("ieee")
    return Minifloat(
        exponent_bits=exponent_bits,
        mantissa_bits=mantissa_bits,
        bias=draw(st.integers(-20, 40)),
        signed=signed,
        special=draw(st.sampled_from(specials)),
        has_subnormals=draw(st.booleans()),
    )


def same(a: np.ndarray, b: np.ndarray) -> bool:
    """Equal with NaN equal to NaN and -0 unlike 0."""
    return np.array_equal(a, b, equal_nan=True) and np.array_equal(np.signbit(a)[a == 0], np.signbit(b)[b == 0])


def every_float32_of_interest(f: Format) -> np.ndarray:
    """All values, the midpoints of neighbours, what is next to these, and the world beyond."""
    values = f.values()
    finite = np.unique(values[np.isfinite(values)])
    points = np.concatenate(
        [finite, (finite[1:] + finite[:-1]) / 2, finite[-3:] * [[1.03], [1.1], [1.5], [2], [9]]], None
    )
    points = points.astype(np.float32)
    extremes = [0.0, -0.0, 1e-45, -1e-45, 3e38, -3e38, np.inf, -np.inf, np.nan, -np.nan]
    x = np.concatenate(
        [points, np.nextafter(points, np.float32(np.inf)), np.nextafter(points, np.float32(-np.inf)), extremes, values],
        dtype=np.float32,
    )
    return x if f.has_nan else x[~np.isnan(x)]


@pytest.mark.parametrize("name", ML_DTYPES)
@pytest.mark.filterwarnings("ignore:.*encountered in cast")
def test_ml_dtypes_on_every_code_and_midpoint(name: str) -> None:
    f, dtype = Format.parse(name), np.dtype(getattr(ml_dtypes, name))
    codes = np.arange(2**f.element_bits, dtype=f.encode(1.0).dtype)
    values = codes.view(dtype).astype(np.float64)
    assert same(f.decode(codes), values)
    assert same(f.values(), values)

    with np.errstate(over="ignore"):
        x = every_float32_of_interest(f)
    if name == "float8_e8m0fnu":  # ml_dtypes rounds everything in this binade of float32 subnormals up
        x = x[~((x > 2.0**-127) & (x < 2.0**-126))]
    expected = x.astype(dtype)
    nan = np.isnan(expected.astype(np.float32))
    encoded = f.encode(x)
    assert np.array_equal(np.isnan(f.decode(encoded)), nan)
    assert np.array_equal(encoded[~nan], expected.view(codes.dtype)[~nan])
    assert same(f.quantize(x), expected.astype(np.float32))
    if f.has_nan and f.signed:
        nans = np.array([np.nan, -np.nan], dtype=np.float32)
        assert np.array_equal(f.encode(nans), nans.astype(dtype).view(codes.dtype))


@pytest.mark.parametrize("name", GFLOAT)
@pytest.mark.parametrize(
    ("rounding", "mode"),
    [("nearest_even", gfloat.RoundMode.TiesToEven), ("toward_zero", gfloat.RoundMode.TowardZero)],
)
def test_gfloat_on_every_code_and_midpoint(name: str, rounding: str, mode: gfloat.RoundMode) -> None:
    f, info = Format.parse(f"{name}:{rounding}"), GFLOAT[name]
    decoded = [gfloat.decode_float(info, code).fval for code in range(2**f.element_bits)]
    assert same(f.values(), np.array(decoded))

    x = every_float32_of_interest(f).astype(np.float64)
    x = x[np.isfinite(x)]
    expected = [gfloat.round_float(info, v, mode, sat=True) for v in x.tolist()]
    assert same(f.quantize(x), np.array(expected))
    assert f.encode(x).tolist() == [gfloat.encode_float(info, v) for v in expected]


def test_gfloat_e8m0() -> None:
    decoded = [gfloat.decode_float(gf.format_info_ocp_e8m0, code).fval for code in range(256)]
    assert same(Format.parse("ue8m0").values(), np.array(decoded))


def test_float16_is_numpys_from_float64() -> None:
    f = Format.parse("fp16")
    codes = np.arange(2**16, dtype=np.uint16)
    values = codes.view(np.float16).astype(np.float64)
    assert same(f.decode(codes), values)
    finite = np.unique(values[np.isfinite(values)])
    middle = (finite[1:] + finite[:-1]) / 2
    x = np.concatenate(
        [finite, middle, np.nextafter(middle, 1e9), np.nextafter(middle, -1e9), [65519.99, 65520, 1e300]]
    )
    with np.errstate(over="ignore"):
        expected = x.astype(np.float16)
    assert np.array_equal(f.encode(x), expected.view(np.uint16))
    assert same(f.quantize(x), expected.astype(np.float64))


def test_float32_is_numpys() -> None:
    f = Format.parse("fp32")
    codes = np.random.default_rng(1).integers(0, 2**32, 20000, dtype=np.uint32)
    codes = codes[~np.isnan(codes.view(np.float32))]
    x = codes.view(np.float32)
    assert np.array_equal(f.encode(x), codes)
    assert same(f.decode(codes), x.astype(np.float64))
    assert same(f.quantize(x), x)
    assert f.encode([np.inf, np.nan, 1e300]).tolist() == [0x7F800000, 0x7FC00000, 0x7F800000]
    wide = np.random.default_rng(2).standard_normal(1000) * 1e-40
    assert same(f.quantize(wide), wide.astype(np.float32).astype(np.float64))


def test_tf32_drops_thirteen_bits_of_float32() -> None:
    f = Format.parse("tf32:toward_zero")
    x = np.random.default_rng(3).standard_normal(1000).astype(np.float32)
    assert np.array_equal(f.quantize(x), (x.view(np.uint32) & np.uint32(0xFFFFE000)).view(np.float32))
    assert np.array_equal(f.encode(x), x.view(np.uint32) >> 13)


@pytest.mark.parametrize(
    ("name", "largest", "normal", "subnormal", "inf", "nan"),
    [  # OCP OFP8 v1.0 table 2, OCP MX v1.0 tables 3 to 5
        ("e4m3", 448, 2.0**-6, 2.0**-9, False, True),
        ("e5m2", 57344, 2.0**-14, 2.0**-16, True, True),
        ("e3m2", 28, 0.25, 0.0625, False, False),
        ("e2m3", 7.5, 1, 0.125, False, False),
        ("e2m1", 6, 1, 0.5, False, False),
        ("ue8m0", 2.0**127, 2.0**-127, 2.0**-127, False, True),
        ("ue4m3", 448, 2.0**-6, 2.0**-9, False, True),
        ("ue5m3", 114688, 2.0**-14, 2.0**-17, False, True),
        ("e3m4", 2**4 * 1.9375, 0.25, 2.0**-6, False, False),
    ],
)
def test_limits(name: str, largest: float, normal: float, subnormal: float, inf: bool, nan: bool) -> None:
    f = Format.parse(name)
    assert (f.max, f.smallest_normal, f.smallest_subnormal, f.has_inf, f.has_nan) == (
        largest,
        normal,
        subnormal,
        inf,
        nan,
    )
    assert f.quantize([1e38, np.inf]).tolist() == [min(largest, f.quantize(1e38)), largest]


@given(f=minifloats(), x=floats)
def test_nearest_value_wins_and_ties_go_to_the_even_code(f: Minifloat, x: float) -> None:
    codes = np.arange(2**f.element_bits)
    values = f.values()
    canonical = np.isfinite(values) & (f.encode(np.where(np.isfinite(values), values, 1)) == codes)
    codes, values = codes[canonical], values[canonical]
    result = float(f.quantize(x))
    distance = np.abs(values - np.clip(x, values.min(), values.max()))
    nearest = distance == distance.min()
    assert result in values[nearest]
    assert f.decode(f.encode(x)) == result
    if len(set(values[nearest])) == 2 and f.mantissa_bits:
        assert f.encode(x) % 2 == 0


@given(f=minifloats(), x=st.lists(floats, min_size=1, max_size=50))
def test_idempotent_monotone_odd(f: Minifloat, x: list[float]) -> None:
    q = f.quantize(np.sort(x))
    assert same(f.quantize(q), q)
    assert np.all(np.diff(q) >= 0)
    if f.signed:
        assert np.array_equal(f.quantize(-np.sort(x)), -q)


@given(f=minifloats(), x=st.lists(st.floats(width=32, allow_nan=False), max_size=50))
def test_float32_in_float32_out(f: Minifloat, x: list[float]) -> None:
    single = np.array(x, dtype=np.float32)
    q = f.quantize(single)
    assert q.dtype == np.float32
    with np.errstate(over="ignore"):
        assert same(q, f.quantize(single.astype(np.float64)).astype(np.float32))
    assert same(f.decode(f.encode(single)).astype(np.float32), q)


@given(f=minifloats(), x=floats)
def test_toward_zero_is_the_nearest_value_inside(f: Minifloat, x: float) -> None:
    values = f.values()
    values = values[np.isfinite(values)]
    inside = values[(np.abs(values) <= abs(x)) & (values * np.sign(x) >= 0)]
    result = float(f.with_(rounding="toward_zero").quantize(x))
    if inside.size and (f.signed or x >= 0):
        assert abs(result) == np.abs(inside).max()
    else:
        assert result == (0 if f.has_zero else f.smallest_normal)


@given(f=minifloats(), x=floats, seed=st.integers(0, 2**32))
def test_stochastic_takes_one_of_the_two_neighbours(f: Minifloat, x: float, seed: int) -> None:
    stochastic = f.with_(rounding="stochastic")
    result = float(stochastic.quantize(x, rng=np.random.default_rng(seed)))
    values = f.values()
    values = values[np.isfinite(values)]
    x = np.clip(x, values.min(), values.max())
    assert result in (values[values <= x].max(), values[values >= x].min())
    assert stochastic.quantize(result, rng=np.random.default_rng(seed)) == result
    assert stochastic.decode(stochastic.encode(x, rng=np.random.default_rng(seed))) == stochastic.quantize(
        x, rng=np.random.default_rng(seed)
    )


def test_stochastic_is_unbiased() -> None:
    f = Format.parse("e2m1:stochastic")
    q = f.quantize(np.full(100_000, 2.3, dtype=np.float32), rng=np.random.default_rng(0))
    assert set(q.tolist()) == {2.0, 3.0}
    assert q.mean() == pytest.approx(2.3, abs=5 * 0.46 / np.sqrt(100_000))
    with pytest.raises(InputError, match="rng is None"):
        f.quantize([2.3])


@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("e4m3", [np.inf, -np.inf, np.nan, 1e9], [448, -448, np.nan, 448]),
        ("e4m3:inf", [np.inf, -1e9, 464, 464.01], [np.nan, np.nan, 448, np.nan]),
        ("e5m2:inf", [np.inf, -1e9, 61439], [np.inf, -np.inf, 57344]),
        ("e5m2:inf:toward_zero", [np.inf, -1e9, 61439], [np.inf, -57344, 57344]),
        ("e4m3:inf:toward_zero", [np.inf, 490], [np.nan, 448]),
        ("fp16:sat", [1e9, -np.inf], [65504, -65504]),
        ("ue4m3", [-1, -np.inf, -0.0, 0.0], [0, 0, 0, 0]),
        ("ue4m3:inf", [-1e-9, -0.0, 1], [np.nan, 0, 1]),
        ("ue8m0", [-1, 0, 1e-45, 3], [2.0**-127, 2.0**-127, 2.0**-127, 4]),
        ("ue8m0:inf", [-1, 0, 1e-300], [np.nan, np.nan, 2.0**-127]),
        ("e4m3b8fnuz", [-0.0, -1e-9], [0, 0]),
        ("e2m1", [-0.0, -0.25, -0.26], [-0.0, -0.0, -0.5]),
        ("e4m3ftz", [2.0**-8, 2.0**-7, 1.1 * 2.0**-7], [0, 0, 2.0**-6]),
    ],
)
def test_documented_edges(name: str, x: list[float], expected: list[float]) -> None:
    f = Format.parse(name)
    assert same(f.quantize(x), np.array(expected, dtype=np.float64))
    assert same(f.decode(f.encode(x)), np.array(expected, dtype=np.float64))


def test_codes_of_flushed_subnormals_are_zero() -> None:
    assert Format.parse("e2m1ftz").values().tolist() == [0, 0, 1, 1.5, 2, 3, 4, 6, 0, 0, -1, -1.5, -2, -3, -4, -6]


def test_values_past_float32_need_float64() -> None:
    f = Format.parse("e8m3")
    assert f.max == 1.875 * 2.0**128
    assert f.quantize(1e300) == f.max
    assert f.quantize(np.float32(3.4e38)) == np.inf
    assert f.decode(f.encode(np.float32(3.4e38))) == 2.0**128


@pytest.mark.parametrize("shape", [(), (0,), (3, 0), (7,), (2, 3, 5), (70_000,)])
@pytest.mark.parametrize("name", ["e4m3", "bf16", "int8", "bipolar3"])
def test_shapes(name: str, shape: tuple[int, ...]) -> None:
    f = Format.parse(name)
    x = np.random.default_rng(0).standard_normal(shape)
    q, codes = f.quantize(x), f.encode(x)
    assert q.shape == codes.shape == shape == np.shape(f.decode(codes))
    assert np.array_equal(f.decode(codes), q)
    assert np.array_equal(f.quantize(x.T), q.T)


def test_dtypes() -> None:
    f = Format.parse("e4m3")
    assert f.quantize(np.float16([1.06])).dtype == np.float64
    assert f.quantize([1, 17, True]).tolist() == [1, 16, 1]
    assert f.quantize(np.array([1.06], dtype=ml_dtypes.bfloat16)) == 1.0
    assert f.quantize(np.array([1.06], dtype=">f4")) == 1.0
    assert [Format.parse(n).encode([1]).dtype.itemsize for n in ("e2m1", "bf16", "tf32", "fp32")] == [1, 2, 4, 4]
    for bad in (["one"], [1j], [None, "x"]):
        with pytest.raises(InputError, match="real numbers"):
            f.quantize(np.array(bad))
    with pytest.raises(InputError, match="real numbers"):
        f.quantize(np.array([object()]))


def test_nan_without_a_code_is_refused() -> None:
    for call in (Format.parse("e2m1").quantize, Format.parse("e2m1").encode):
        with pytest.raises(InputError, match=r"NaN, which e2m1"):
            call([1, np.nan])


def test_bad_codes_are_refused() -> None:
    f = Format.parse("e2m1")
    with pytest.raises(InputError, match="0 to 16; they have 4 bits"):
        f.decode([0, 16])
    with pytest.raises(InputError, match="-1"):
        f.decode([-1])
    with pytest.raises(InputError, match="integers"):
        f.decode([1.0])
    with pytest.raises(InputError, match="too many to list"):
        Format.parse("tf32").values()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"exponent_bits": 9}, "exponent_bits is 9"),
        ({"exponent_bits": 0}, "exponent_bits is 0"),
        ({"mantissa_bits": 24}, "mantissa_bits is 24"),
        ({"mantissa_bits": 1.5}, "mantissa_bits is 1.5"),
        ({"bias": 501}, "bias is 501"),
        ({"special": "ocp"}, "unknown special values policy 'ocp'"),
        ({"overflow": "wrap"}, "unknown overflow 'wrap'"),
        ({"rounding": "up"}, "unknown rounding 'up'"),
        ({"special": "fnuz", "signed": False}, "unsigned"),
        ({"special": "none", "overflow": "infinity"}, "without inf and NaN"),
        ({"special": "ieee", "mantissa_bits": 0}, "at least 2 and 1"),
        ({"special": "fn", "exponent_bits": 1, "mantissa_bits": 0}, "all zero or NaN"),
    ],
)
def test_bad_fields(fields: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Minifloat(**{"exponent_bits": 4, "mantissa_bits": 3, "bias": 7, "special": "fn", **fields})
