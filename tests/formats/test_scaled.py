from __future__ import annotations

import math

import gfloat
import gfloat.formats as gf
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Integer, Scaled, catalog

SCALED = [name for name, f in catalog().items() if isinstance(f, Scaled)]
MX = [name for name in SCALED if name.startswith("mx")]

arrays = hnp.arrays(
    st.sampled_from([np.float32, np.float64]),
    hnp.array_shapes(min_dims=1, max_dims=3, min_side=0, max_side=70),
    elements=st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**120), max_value=2.0**120),
)


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.standard_normal(shape) * np.exp2(rng.integers(-10, 10, (*shape[:-1], 1)))


def block_of(x: np.ndarray, f: Format, index: int) -> np.ndarray:
    return x[..., index * f.block : (index + 1) * f.block]


@pytest.mark.parametrize("name", SCALED)
@settings(max_examples=15)
@given(x=arrays)
def test_decode_encode_is_quantize(name: str, x: np.ndarray) -> None:
    f = Format.parse(name)
    encoded = f.encode(x)
    q, decoded = f.quantize(x), f.decode(encoded)
    assert q.dtype == decoded.dtype == x.dtype
    assert q.shape == decoded.shape == encoded.codes.shape == x.shape
    assert np.array_equal(q, decoded)
    assert np.array_equal(np.signbit(q), np.signbit(decoded))
    blocks = 0 if x.shape[-1] == 0 else math.ceil(x.shape[-1] / (f.block or x.shape[-1]))
    assert encoded.scales.shape == (*x.shape[:-1], blocks)
    assert np.array_equal(f.scale.quantize(encoded.scales), encoded.scales)


@pytest.mark.parametrize(
    ("name", "info"),
    [
        ("mxfp8", gf.format_info_mxfp8_e4m3),
        ("mxfp8_e5m2", gf.format_info_mxfp8_e5m2),
        ("mxfp6", gf.format_info_mxfp6_e2m3),
        ("mxfp6_e3m2", gf.format_info_mxfp6_e3m2),
        ("mxfp4", gf.format_info_mxfp4_e2m1),
    ],
)
@given(x=st.lists(st.floats(-1e30, 1e30, allow_subnormal=False), min_size=1, max_size=32))
def test_gfloat_blocks(name: str, info: gfloat.BlockFormatInfo, x: list[float]) -> None:
    f = Format.parse(name)
    block = np.array(x)
    expected = gfloat.quantize_block(info, block, gfloat.compute_scale_amax)
    assert np.array_equal(f.quantize(block), expected)


@pytest.mark.parametrize(("name", "bits"), [("mxint8", 8), ("mxint6", 6), ("mxint4", 4)])
def test_mx_integers_have_the_implicit_fraction_of_ocp(name: str, bits: int) -> None:
    f = Format.parse(name)
    x = normal(50, 32)
    encoded = f.encode(x)
    shared = np.floor(np.log2(np.abs(x).max(-1)))
    assert np.array_equal(f.scale.encode(encoded.scales)[:, 0], shared + 127)
    step = np.exp2(shared - (bits - 2))[:, None]
    limit = 2 ** (bits - 1) - 1
    assert np.array_equal(f.quantize(x), np.clip(np.rint(x / step), -limit, limit) * step)


def test_the_largest_mxint8_is_127_64ths() -> None:
    assert Format.parse("mxint8").quantize([1.9999, -1.9999]).tolist() == [1.984375, -1.984375]


@pytest.mark.parametrize("name", MX)
def test_ceil_never_saturates_and_is_the_least_such_scale(name: str) -> None:
    f = Format.parse(f"{name}:ceil")
    x = normal(200, 32)
    scales = f.encode(x).scales[:, 0]
    largest = np.abs(x).max(-1)
    assert np.all(largest <= f.element.max * scales)
    assert np.all(largest > f.element.max * scales / 2)
    exact = np.zeros(32)
    exact[0] = f.element.max
    assert f.encode(exact).scales == 1
    assert f.encode(np.nextafter(exact, np.inf)).scales == 2


def test_down_saturates_where_ceil_does_not() -> None:
    x = np.array([7.9, 1.0])
    assert Format.parse("mxfp4").quantize(x).tolist() == [6.0, 1.0]
    assert Format.parse("mxfp4:ceil").quantize(x).tolist() == [8.0, 1.0]
    assert Format.parse("mxfp4:nearest").encode([8.9]).scales == 1
    assert Format.parse("mxfp4:nearest").encode([9.1]).scales == 2


@pytest.mark.parametrize(("name", "largest"), [("nvfp4", 6), ("nvint4", 7)])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_nv_has_two_levels_of_scales(name: str, largest: int, dtype: type) -> None:
    f = Format.parse(name)
    x = normal(8, 40).astype(dtype)
    encoded = f.encode(x)
    tensor_scale = np.float32(np.abs(x).max().astype(np.float64) / (448 * largest))
    assert encoded.tensor_scale.shape == ()
    assert encoded.tensor_scale == tensor_scale
    assert encoded.scales.shape == (8, 3)
    for index in range(3):
        block = block_of(x, f, index)
        reach = np.abs(block).max(-1).astype(np.float64)
        scale = Format.parse("e4m3").quantize(reach / tensor_scale / largest)
        assert np.array_equal(encoded.scales[:, index], scale)
        unit = (scale * np.float64(tensor_scale)).astype(dtype)[:, None]
        elements = f.element.quantize(block / np.where(unit > 0, unit, np.inf))
        expected = elements.astype(np.float64) * scale[:, None] * np.float64(tensor_scale)
        assert np.array_equal(block_of(f.quantize(x), f, index), expected.astype(dtype))
    assert encoded.scales.max() == 448


@pytest.mark.parametrize("bits", range(2, 9))
def test_symmetric_groups(bits: int) -> None:
    f = Format.parse(f"int{bits}_g64")
    x = normal(6, 128)
    encoded = f.encode(x)
    groups = x.reshape(6, 2, 64)
    scales = (np.abs(groups).max(-1) / (2 ** (bits - 1) - 1)).astype(np.float16).astype(np.float64)
    assert np.array_equal(encoded.scales, scales)
    codes = np.clip(np.rint(groups / scales[..., None]), -(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    assert np.array_equal(f.element.decode(encoded.codes), codes.reshape(6, 128))
    assert np.array_equal(f.quantize(x), (codes * scales[..., None]).reshape(6, 128))


@pytest.mark.parametrize("bits", range(2, 9))
@pytest.mark.parametrize("offset", [0, 3, -30])
def test_asymmetric_groups(bits: int, offset: float) -> None:
    f = Format.parse(f"int{bits}_g64_asym")
    x = np.random.default_rng(0).standard_normal((6, 128)) + offset
    encoded = f.encode(x)
    top = 2**bits - 1
    low, high = np.minimum(x.reshape(6, 2, 64).min(-1), 0), np.maximum(x.reshape(6, 2, 64).max(-1), 0)
    scales = ((high - low) / top).astype(np.float16).astype(np.float64)
    zeros = np.clip(np.rint(-low / scales), 0, top)
    assert np.array_equal(encoded.scales, scales)
    assert np.array_equal(encoded.zero_points, zeros)
    assert encoded.zero_points.dtype == np.uint8
    codes = np.clip(np.rint(x.reshape(6, 2, 64) / scales[..., None] + zeros[..., None]), 0, top)
    assert np.array_equal(encoded.codes, codes.reshape(6, 128))
    assert np.array_equal(f.quantize(x), ((codes - zeros[..., None]) * scales[..., None]).reshape(6, 128))
    assert np.abs(f.quantize(x) - x).max() <= 1.01 * scales.max()


def test_dual_scales_are_integers_of_a_channel_scale() -> None:
    f = Format.parse("int4_g32_dual")
    x = normal(5, 128) * np.repeat([1, 0.5, 0.1, 2], 32)
    encoded = f.encode(x)
    reach = np.abs(x.reshape(5, 4, 32)).max(-1)
    channel = (reach.max(-1, keepdims=True) / (7 * 255)).astype(np.float16).astype(np.float64)
    assert encoded.tensor_scale.shape == (5, 1)
    assert np.array_equal(encoded.tensor_scale, channel)
    assert np.array_equal(encoded.scales, np.clip(np.rint(reach / channel / 7), 0, 255))
    step = (encoded.scales * channel)[..., None]
    expected = np.clip(np.rint(x.reshape(5, 4, 32) / step), -8, 7) * step
    assert np.allclose(f.quantize(x), expected.reshape(5, 128), rtol=1e-15)


def test_channel_is_one_scale_per_last_axis() -> None:
    f = Format.parse("int8_channel")
    x = normal(4, 3, 300)
    scales = (np.abs(x).max(-1, keepdims=True) / 127).astype(np.float16).astype(np.float64)
    assert np.array_equal(f.encode(x).scales, scales)
    assert np.array_equal(f.quantize(x), np.rint(x / scales).clip(-128, 127) * scales)


@pytest.mark.parametrize("name", SCALED)
def test_ragged_block_counts_as_filled_with_zeros(name: str) -> None:
    f = Format.parse(name)
    x = normal(3, 77)
    filled = np.pad(x, [(0, 0), (0, -77 % (f.block or 77))])
    assert np.array_equal(f.quantize(x), f.quantize(filled)[:, :77])
    assert np.array_equal(f.encode(x).scales, f.encode(filled).scales)
    assert np.array_equal(f.encode(x).codes, f.encode(filled).codes[:, :77])


@pytest.mark.parametrize("name", SCALED)
def test_zeros(name: str) -> None:
    f = Format.parse(name)
    x = np.zeros((2, 200), dtype=np.float32)
    x[1, :128] = normal(128)
    q = f.quantize(x)
    assert not q[0].any()
    assert q[1, :128].any()
    assert f.encode(x).scales[0, 0] == f.scale.quantize(0)
    assert not f.quantize(np.zeros((2, 3))).any()
    if f.element_bits >= 4:
        assert np.abs(f.quantize(x) - x).max() < 0.2 * np.abs(x).max()


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", SCALED)
def test_a_block_with_nan_or_infinity_is_nan(name: str, bad: float) -> None:
    f = Format.parse(name)
    x = normal(2, 256)
    x[:, 128:] = x[:, :128]
    expected = f.quantize(x)
    x[0, 3] = bad
    if not f.scale.has_nan:
        with pytest.raises(InputError, match="NaN or infinity"):
            f.quantize(x)
        return
    q, encoded = f.quantize(x), f.encode(x)
    block = f.block or 256
    assert np.isnan(q[0, :block]).all()
    assert np.isnan(encoded.scales[0, 0])
    assert np.all(encoded.codes[0, :block] == f.element.encode(0))
    assert np.array_equal(f.decode(encoded), q, equal_nan=True)
    assert np.array_equal(np.nan_to_num(q[0, block:], nan=9e9), expected[0, block:])
    assert np.array_equal(q[1], expected[1])


def test_scales_saturate_at_the_ends_of_e8m0() -> None:
    f = Format.parse("mxfp4")
    assert f.quantize([1e300, -1e300]).tolist() == [6 * 2.0**127, -6 * 2.0**127]
    assert f.quantize([1e-300, 2.0**-128]).tolist() == [0, 2.0**-128]
    assert f.encode([1e-300]).scales == 2.0**-127
    assert f.encode(np.float32([1e-45])).scales == np.float32(2.0**-127)
    assert Format.parse("int8_channel").encode([1e9]).scales == 65504
    assert Format.parse("nvfp4").quantize([1e-300, 0]).tolist() == [0, 0]
    assert np.isfinite(Format.parse("nvfp4").quantize(np.float32([1e-44, 3e38, -1]))).all()


def test_negative_zero() -> None:
    for name in ("mxfp4", "nvfp4", "mxfp8"):
        assert np.signbit(Format.parse(name).quantize([-0.0, 1.0, 0.0])).tolist() == [True, False, False]
    assert not np.signbit(Format.parse("mxint8").quantize([-0.0, 1.0])).any()


@pytest.mark.parametrize("name", ["mxfp4", "mxint8", "int4_g32", "nvfp4", "int4_g32_asym"])
def test_rounding_is_the_elements(name: str) -> None:
    f = Format.parse(f"{name}:toward_zero")
    x = normal(4, 64)
    assert (f.rounding, f.element.rounding) == ("toward_zero", "toward_zero")
    assert f.with_(rounding="nearest_even") == Format.parse(name)
    if "asym" not in name:
        assert np.all(np.abs(f.quantize(x)) <= np.abs(x) * (1 + 1e-15))
    stochastic = f.with_(rounding="stochastic")
    first, second = (stochastic.quantize(x, rng=np.random.default_rng(1)) for _ in range(2))
    assert np.array_equal(first, second)
    assert not np.array_equal(first, Format.parse(name).quantize(x))
    assert np.array_equal(stochastic.decode(stochastic.encode(x, rng=np.random.default_rng(1))), first)


@pytest.mark.parametrize(
    ("name", "bits", "packed"),
    [
        ("mxint8", 8.25, 8.25),
        ("mxfp6", 6.25, 6.4 + 0.25),
        ("mxfp4", 4.25, 4.25),
        ("nvfp4", 4.5, 4.5),
        ("nvint4", 4.5, 4.5),
        ("int4_g128", 4 + 16 / 128, 4 + 16 / 128),
        ("int3_g128_asym", 3 + 19 / 128, 3.2 + 19 / 128),
        ("int4_g64_dual", 4 + 8 / 64, 4 + 8 / 64),
        ("int8_channel", 8, 8),
        ("ternary_g128", 1.6 + 16 / 128, 1.6 + 16 / 128),
    ],
)
def test_bits(name: str, bits: float, packed: float) -> None:
    f = Format.parse(name)
    assert f.bits == pytest.approx(bits)
    assert f.packed_bits() == pytest.approx(packed)
    assert f.element_bits == f.element.element_bits


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"block": 0}, "block is 0"),
        ({"block": 1.5}, r"block is 1\.5"),
        ({"outer": "row"}, "unknown outer scale 'row'"),
        ({"scale_rounding": "up"}, "unknown scale rounding 'up'"),
        ({"scale_rounding": "floor"}, "takes a power of two"),
        ({"zero_point": True}, "zero point takes unsigned integers"),
        ({"element": "int4"}, "element is int4; it must be"),
        ({"scale": Format.parse("e4m3:stochastic")}, "scales round to nearest_even"),
        (
            {"scale": Format.parse("ue8m0"), "scale_rounding": "ceil", "outer": "tensor"},
            "outer scales and zero points take 'nearest'",
        ),
    ],
)
def test_bad_fields(fields: dict[str, object], message: str) -> None:
    good = {"element": Integer(width=4), "scale": Format.parse("fp16"), "block": 32}
    with pytest.raises(InputError, match=message):
        Scaled(**{**good, **fields})


def test_bad_input() -> None:
    f = Format.parse("nvfp4")
    encoded = f.encode(normal(2, 40))
    with pytest.raises(InputError, match="single number"):
        f.quantize(1.0)
    with pytest.raises(InputError, match="depend on the scale"):
        f.values()
    with pytest.raises(InputError, match=r"scales have shape \(2, 1\); codes \(2, 40\) of nvfp4 take \(2, 3\)"):
        f.decode(Encoded(encoded.codes, encoded.scales[:, :1], encoded.tensor_scale))
    with pytest.raises(InputError, match="tensor_scale of the codes is missing for nvfp4"):
        f.decode(Encoded(encoded.codes, encoded.scales))
    with pytest.raises(InputError, match="zero_points of the codes is superfluous"):
        f.decode(Encoded(encoded.codes, encoded.scales, encoded.tensor_scale, encoded.scales))
