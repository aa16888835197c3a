from __future__ import annotations

import json

import pytest
import tomllib
from hypothesis import given
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.formats import Format, Integer, Minifloat, Scaled, catalog

roundings = st.sampled_from(["nearest_even", "toward_zero", "stochastic"])
integers = st.builds(
    Integer,
    width=st.integers(2, 64),
    coding=st.sampled_from(["twos_complement", "unsigned", "symmetric"]),
    rounding=roundings,
) | st.builds(Integer, width=st.integers(1, 16), coding=st.just("bipolar"))
minifloats = st.builds(
    Minifloat,
    exponent_bits=st.integers(2, 8),
    mantissa_bits=st.integers(1, 23),
    bias=st.integers(-100, 200),
    special=st.sampled_from(["ieee", "fn", "fnuz"]),
    has_subnormals=st.booleans(),
    overflow=st.sampled_from(["saturate", "infinity"]),
    rounding=roundings,
) | st.builds(
    Minifloat,
    exponent_bits=st.integers(1, 8),
    mantissa_bits=st.integers(0, 23),
    bias=st.just(7) | st.integers(0, 127),
    signed=st.booleans(),
    rounding=roundings,
)
powers = st.sampled_from(["ue8m0", "ue8m0b133fn", "ue5m0"]).map(Format.parse)
scales = st.sampled_from(["fp16:sat", "e4m3", "ue5m3", "uint8", "bf16:sat"]).map(Format.parse)
elements = st.sampled_from(["int4", "int8s", "e4m3", "e2m1", "bipolar2", "ternary", "e3m3", "e4m3none"]).map(
    Format.parse
)
blocks = st.none() | st.integers(1, 256)
scaleds = (
    st.builds(
        Scaled,
        element=elements,
        scale=powers,
        block=blocks,
        scale_rounding=st.sampled_from(["floor", "ceil", "nearest"]),
    )
    | st.builds(
        Scaled, element=elements, scale=scales | powers, block=blocks, outer=st.sampled_from(["tensor", "channel"])
    )
    | st.builds(
        Scaled,
        element=st.builds(Integer, width=st.integers(1, 8), coding=st.just("unsigned"), rounding=roundings),
        scale=scales,
        block=blocks,
        zero_point=st.just(True),
        outer=st.sampled_from([None, "tensor", "channel"]),
    )
)


@given(f=integers | minifloats | scaleds)
def test_text_and_dict_round_trip(f: Format) -> None:
    assert Format.parse(str(f)) == f
    plain = f.to_dict()
    assert Format.from_dict(plain) == f
    toml = "\n".join(f"{key} = {json.dumps(value)}" for key, value in plain.items())
    assert Format.from_dict(tomllib.loads(toml)) == f


@pytest.mark.parametrize("name", catalog())
def test_catalogue_round_trip(name: str) -> None:
    f = catalog()[name]
    assert Format.parse(name) == f
    assert Format.parse(str(f)) == f
    assert str(f) in catalog()
    assert Format.from_dict(f.to_dict()) == f


@pytest.mark.parametrize(
    "name",
    [
        *("int8", "uint8", "int8s", "bipolar3", "ternary", "e4m3", "e4m3none", "e3m4", "e2m1", "fp16", "bf16", "ue8m0"),
        *("float8_e4m3fn", "e5m2b11", "ue4m4", "e3m3ftz", "e4m3noneftz", "e4m3:stochastic", "e5m10", "e4m3b-3"),
        *("mxfp8", "mxfp4:ceil", "mxfp4:ceil:toward_zero", "mxint8:nearest", "nvfp4", "nvfp4:stochastic"),
        *("int4_g128", "int4_g128_asym", "int4_g128_dual", "int4_g128_asym_dual", "int8_channel", "e4m3_channel"),
        *(
            "e2m1_g16_ue5m3",
            "e2m1_g16_tensor_ue5m3",
            "int4_g64_dual_uint6",
            "ternary_g64",
            "fp16_g8",
            "int4_g128_bf16",
            "fp16:sat:stochastic",
        ),
    ],
)
def test_canonical_names(name: str) -> None:
    assert str(Format.parse(name)) == name


@pytest.mark.parametrize(
    ("name", "canonical"),
    [
        (" INT8 ", "int8"),
        ("float16", "fp16"),
        ("bfloat16", "bf16"),
        ("e4m3fn", "e4m3"),
        ("e4m3:inf", "float8_e4m3fn"),
        ("float8_e4m3fn:sat", "e4m3"),
        ("float4_e2m1fn", "e2m1"),
        ("e2m1_g32_ue8m0", "mxfp4"),
        ("mxfp4:floor", "mxfp4"),
        ("e2m1_g16_e4m3_tensor", "nvfp4"),
        ("uint4_g128_asym", "int4_g128_asym"),
        ("e5m10ieee", "fp16:sat"),
        ("int4_g128_fp16", "int4_g128"),
        ("float8_e4m3fn_g32", "e4m3_g32"),
        ("e3m2:nearest_even", "e3m2"),
    ],
)
def test_aliases(name: str, canonical: str) -> None:
    assert str(Format.parse(name)) == canonical


def test_generic_minifloat_is_finite_with_subnormals() -> None:
    f = Format.parse("e3m3")  # arXiv 2311.12359
    assert (f.bias, f.special, f.has_subnormals, f.has_inf, f.has_nan) == (3, "none", True, False, False)
    assert f.max == 2**4 * 1.875


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("e4m33x", "unknown format 'e4m33x'; did you mean"),
        ("int", "unknown format"),
        ("uint8s", "unknown format"),
        ("", "unknown format"),
        ("foo_g128", "unknown format 'foo'"),
        ("int4_g128_foo", "unknown format 'foo'"),
        ("int0", "width"),
        ("int65", "width"),
        ("e9m0", "exponent_bits is 9"),
        ("e0m3", "exponent_bits is 0"),
        ("int4_g0", "block is 0"),
        ("int4:inf", "unknown option of int4 'inf'"),
        ("mxfp4:up", "unknown option of mxfp4 'up'"),
        ("e4m3:floor", "unknown option of e4m3 'floor'"),
        ("e2m1:inf", "without inf and NaN"),
        ("nvfp4:ceil", "takes a power of two"),
        ("mxfp4_g32", "element is mxfp4"),
        ("int4_g32_mxfp4", "scale is mxfp4"),
        ("e4m3_g128_asym", "zero point takes unsigned integers"),
        ("int4_g128_dual_tensor", "repeats a part"),
        ("int4_g128_asym_asym", "repeats a part"),
        ("int4_g128_e4m3_e5m2", "repeats a part"),
        (8, "it must be text"),
        (None, "it must be text"),
        (["int8"], "it must be text"),
    ],
)
def test_bad_names(name: object, message: str) -> None:
    with pytest.raises(InputError, match=message):
        Format.parse(name)


@pytest.mark.parametrize(
    ("description", "message"),
    [
        ({}, "unknown kind of format None"),
        ({"kind": "posit"}, "unknown kind of format 'posit'"),
        ({"kind": ["integer"]}, "unknown kind of format"),
        ({"kind": "integer"}, "width is missing"),
        ({"kind": "integer", "width": 4, "sign": True}, "unknown field of a integer format 'sign'"),
        ({"kind": "integer", "width": "4"}, "width"),
        ({"kind": "minifloat", "exponent_bits": 4, "mantissa_bits": 3, "bias": 7, "signed": 1}, "signed is 1"),
        ({"kind": "scaled", "element": "int4", "scale": 3}, "format is 3"),
        ({"kind": "scaled", "element": "int4", "scale": "fp16", "block": "32"}, "block is '32'"),
    ],
)
def test_bad_descriptions(description: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Format.from_dict(description)
