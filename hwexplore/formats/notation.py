"""Formats as text, and as plain dicts.

::

    format    = name | integer | minifloat | scaled, each with options ":option"...
    integer   = ["u"] "int" bits | "int" bits "s" | "bipolar" bits | "ternary"
    minifloat = ["u"] "e" bits "m" bits ["b" bias] ["ieee" | "fn" | "fnuz" | "none"] ["ftz"]
    scaled    = element "_g" block | element "_channel", then in any order
                "_asym" (zero points), "_tensor" or "_dual" (outer scale per tensor, per channel), "_" scale format

A name of the catalogue comes first (``e4m3`` is OCP's, with NaN; ``e4m3none`` has none). Otherwise the bias is
2^(exponent bits - 1) - 1 and there are no inf and NaN; ``ftz`` leaves out the subnormals. Scales are fp16, those of
``_dual`` uint8; ``int4_g128_asym`` has uint4 codes. Options: the rounding (``toward_zero``, ``stochastic``,
``nearest_even``); the overflow of minifloats (``inf``, ``sat``, the default); the rounding of power-of-two scales
(``ceil``, ``nearest``, ``floor``, the default).
"""

from __future__ import annotations

import re
from dataclasses import MISSING, fields, replace
from functools import lru_cache
from typing import Any, cast, get_args

from hwexplore.errors import InputError, unknown
from hwexplore.formats.base import Format, Rounding
from hwexplore.formats.catalog import LISTED, NAMES
from hwexplore.formats.integer import Coding, Integer
from hwexplore.formats.minifloat import Minifloat, Overflow, Special
from hwexplore.formats.scaled import Outer, Scaled, ScaleRounding

__all__ = ["catalog", "from_dict", "name", "parse"]

_INTEGER = re.compile(r"(u?)int(\d+)(s?)|(bipolar)(\d+)|(ternary)")
_MINIFLOAT = re.compile(r"(u?)e(\d+)m(\d+)(?:b(-?\d+))?(ieee|fnuz|fn|none)?(ftz)?")
_SCALED = re.compile(r"(.+?)_(?:g(\d+)|channel)((?:_[a-z0-9-]+)*)")
_OVERFLOW: dict[str, Overflow] = {"sat": "saturate", "inf": "infinity"}
_KINDS: dict[str, type[Integer | Minifloat | Scaled]] = {"integer": Integer, "minifloat": Minifloat, "scaled": Scaled}


def parse(text: str) -> Format:
    """The format that ``text`` names; raises InputError if none does."""
    if not isinstance(text, str):
        raise InputError(f"format is {text!r}; it must be text as 'int4' or 'e4m3'")
    return _parse(text.strip().lower())


def name(format: Format) -> str:
    """The canonical text of ``format``: a name of the catalogue if there is one."""
    options = ""
    if isinstance(format, Scaled):
        default = _scale_rounding(format)
        if format.scale_rounding != default:
            options += f":{format.scale_rounding}"
            format = replace(format, scale_rounding=default)
    if format.rounding != "nearest_even":
        options += f":{format.rounding}"
        format = format.with_(rounding="nearest_even")
    if isinstance(format, Minifloat) and format.has_nan and format not in _names():
        overflowing = replace(format, overflow="infinity")
        if overflowing in _names():
            return f"{_names()[overflowing]}:sat{options}"
    return (_names().get(format) or _spell(format)) + options


def from_dict(description: dict[str, Any]) -> Format:
    """The format of a `Format.to_dict`; raises InputError for unknown, missing or malformed fields."""
    values = dict(description)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in _KINDS:
        raise unknown("kind of format", kind, _KINDS)
    known = {field.name: field for field in fields(_KINDS[kind])}
    for key, value in values.items():
        if key not in known:
            raise unknown(f"field of a {kind} format", key, known)
        if known[key].type == "bool" and not isinstance(value, bool):
            raise InputError(f"{key} is {value!r}; it must be true or false")
        if key in ("element", "scale"):
            values[key] = parse(value)
    for key, field in known.items():
        if field.default is MISSING and key not in values:
            raise InputError(f"{key} is missing; a {kind} format has it")
    return _KINDS[kind](**values)


@lru_cache(maxsize=1)
def catalog() -> dict[str, Format]:
    """The named formats and the common ones of the notation, by name."""
    return {name: parse(name) for name in (*NAMES, *LISTED)}


@lru_cache(maxsize=4096)
def _parse(text: str) -> Format:
    stem, *options = text.split(":")
    format = parse(NAMES[stem]) if stem in NAMES else _integer(stem) or _minifloat(stem) or _scaled(stem)
    if format is None:
        raise unknown("format", text, {*NAMES, *LISTED})
    for option in options:
        format = _with_option(format, option)
    return format


def _with_option(format: Format, option: str) -> Format:
    known = set(get_args(Rounding))
    if option in known:
        return format.with_(rounding=cast("Rounding", option))
    if isinstance(format, Minifloat):
        if option in _OVERFLOW:
            return replace(format, overflow=_OVERFLOW[option])
        known |= _OVERFLOW.keys()
    if isinstance(format, Scaled):
        if option in get_args(ScaleRounding):
            return replace(format, scale_rounding=cast("ScaleRounding", option))
        known |= set(get_args(ScaleRounding))
    raise unknown(f"option of {format}", option, known)


def _integer(stem: str) -> Integer | None:
    match = _INTEGER.fullmatch(stem)
    if match is None:
        return None
    unsigned, width, symmetric, bipolar, bipolar_width, ternary = match.groups()
    if ternary:
        return Integer(width=2, coding="ternary")
    if bipolar:
        return Integer(width=int(bipolar_width), coding="bipolar")
    if unsigned and symmetric:
        return None
    coding: Coding = "unsigned" if unsigned else "symmetric" if symmetric else "twos_complement"
    return Integer(width=int(width), coding=coding)


def _minifloat(stem: str) -> Minifloat | None:
    match = _MINIFLOAT.fullmatch(stem)
    if match is None:
        return None
    unsigned, exponent_bits, mantissa_bits, bias, special, flush = match.groups()
    return Minifloat(
        exponent_bits=int(exponent_bits),
        mantissa_bits=int(mantissa_bits),
        bias=_default_bias(int(exponent_bits)) if bias is None else int(bias),
        signed=not unsigned,
        special=cast("Special", special or "none"),
        has_subnormals=not flush,
    )


def _scaled(stem: str) -> Scaled | None:
    match = _SCALED.fullmatch(stem)
    if match is None:
        return None
    element_text, block, rest = match.groups()
    marks = rest.split("_")[1:]
    asym = "asym" in marks
    outer: Outer | None = "channel" if "dual" in marks else "tensor" if "tensor" in marks else None
    scales = [mark for mark in marks if mark not in ("asym", "dual", "tensor")] or [_default_scale(outer)]
    if len(marks) != len(set(marks)) or len(scales) > 1 or {"dual", "tensor"} <= set(marks):
        raise InputError(
            f"format {stem!r} repeats a part; at most one of each: asym, tensor or dual, and a scale format"
        )
    element = parse(element_text)
    if asym and isinstance(element, Integer):
        element = replace(element, coding="unsigned")
    format = Scaled(
        element=cast("Integer", element),
        scale=cast("Minifloat", parse(scales[0])),
        block=None if block is None else int(block),
        zero_point=asym,
        outer=outer,
    )
    return replace(format, scale_rounding=_scale_rounding(format))


def _default_bias(exponent_bits: int) -> int:
    return int(2 ** (exponent_bits - 1)) - 1


def _default_scale(outer: Outer | None) -> str:
    return "uint8" if outer == "channel" else "fp16"


def _scale_rounding(format: Scaled) -> ScaleRounding:
    """The rounding of the scale that the notation leaves out."""
    power_of_two = isinstance(format.scale, Minifloat) and format.scale.mantissa_bits == 0
    return "floor" if power_of_two and not format.outer and not format.zero_point else "nearest"


@lru_cache(maxsize=1)
def _names() -> dict[Format, str]:
    return {parse(name): name for name in reversed(NAMES)}


def _spell(format: Format) -> str:
    """The notation of a format that rounds as the notation's default."""
    if isinstance(format, Integer):
        spelled = {"unsigned": "uint{}", "symmetric": "int{}s", "bipolar": "bipolar{}", "ternary": "ternary"}
        return spelled.get(format.coding, "int{}").format(format.width)
    if isinstance(format, Minifloat):
        text = f"{'' if format.signed else 'u'}e{format.exponent_bits}m{format.mantissa_bits}"
        if format.bias != _default_bias(format.exponent_bits):
            text += f"b{format.bias}"
        if format.special != "none" or text in NAMES:
            text += format.special
        if format.mantissa_bits and not format.has_subnormals:
            text += "ftz"
        return text + (":inf" if format.overflow == "infinity" else "")
    assert isinstance(format, Scaled)
    element, scale = (str(part).removesuffix(":sat") for part in (format.element, format.scale))
    text = element.removeprefix("u") if format.zero_point else element
    text += "_channel" if format.block is None else f"_g{format.block}"
    text += "_asym" * format.zero_point + {None: "", "tensor": "_tensor", "channel": "_dual"}[format.outer]
    return text if scale == _default_scale(format.outer) else f"{text}_{scale}"
