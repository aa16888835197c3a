"""Elements that share scales: MX and NV blocks, weight groups, channels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats.base import Format, Rounding, as_float
from hwexplore.formats.integer import Integer
from hwexplore.formats.minifloat import Minifloat

__all__ = ["Encoded", "Outer", "ScaleRounding", "Scaled"]

Outer = Literal["tensor", "channel"]
ScaleRounding = Literal["nearest", "floor", "ceil"]

_OUTER_SCALE = {
    "tensor": Minifloat(exponent_bits=8, mantissa_bits=23, bias=127, special="ieee"),
    "channel": Minifloat(exponent_bits=5, mantissa_bits=10, bias=15, special="ieee"),
}


@dataclass(frozen=True, eq=False)
class Encoded:
    """What `Scaled.encode` gives; an element is (code - zero point) * scale * tensor_scale.

    - ``codes``: the elements' bit patterns, shape of the tensor, unsigned
    - ``scales``: the *values* of the scales, [..., ceil(n / block)], in the float type of the tensor and exactly on
      the grid of the format's ``scale``, whose ``encode`` gives their bits
    - ``tensor_scale``: the outer scale, shape () for one per tensor, [..., 1] for one per channel; None without
    - ``zero_points``: integers like the codes, shape of ``scales``; None if the format has none
    """

    codes: NDArray[Any]
    scales: NDArray[Any]
    tensor_scale: NDArray[Any] | None = None
    zero_points: NDArray[Any] | None = None


class _Scaling(NamedTuple):
    """The scales of a tensor, in its float type: [..., blocks], () or [..., 1], [..., blocks]."""

    scales: NDArray[Any]
    outer: NDArray[Any] | None
    zero_points: NDArray[Any] | None


@dataclass(frozen=True, kw_only=True)
class Scaled(Format):
    """Elements that share a scale per ``block`` of the last axis (None: one for the whole axis, a channel).

    A ragged last block counts as filled up with zeros. With a = max |x| of a block and q = ``element.max``:

    - ``scale_rounding`` ``nearest``: the scale is a/q rounded to ``scale``.
    - ``floor``: 2^(floor(log2 a) - floor(log2 q)), as OCP MX v1.0 does; large elements saturate.
    - ``ceil``: 2^ceil(log2(a/q)), so that nothing saturates (arXiv 2510.25602). Both take a power-of-two ``scale``.
    - ``zero_point``: a = max(x, 0) - min(x, 0), and the codes are shifted by round(-min(x, 0) / scale), an unsigned
      integer of the element's width.
    - ``outer``: a second level of scales. ``tensor``: one float32 for all, max(a) / (q * scale.max) (NVFP4);
      ``channel``: one fp16 for the last axis (dual-grained, as DGQ). The block's scale is then a/q in units of it.

    The formats of OCP MX with integers have elements code * 2^-(b-2); that factor is in the bias of ``scale``, so its
    codes are those of E8M0.

    Scales saturate at the ends of ``scale``. A block of zeros gets the smallest scale, and so does one that is too
    small for it. A block with a NaN or an infinity gets the scale NaN and the codes of 0, hence all its values are NaN;
    other blocks are not touched (outer scales leave it out). If ``scale`` has no NaN, it raises InputError. -0 stays
    -0 in minifloat elements.

    Elements and scales saturate, whatever their own overflow. Elements are rounded by ``element``, after a division in
    the float type of ``x``. Decoded values are the exact product rounded once to that type, so float32 can overflow to
    inf where a value next to its maximum is rounded up.
    """

    element: Integer | Minifloat
    scale: Integer | Minifloat
    block: int | None = None
    zero_point: bool = False
    outer: Outer | None = None
    scale_rounding: ScaleRounding = "nearest"

    def __post_init__(self) -> None:
        if self.block is not None and (not isinstance(self.block, int) or self.block < 1):
            raise InputError(f"block is {self.block!r}; it must be a positive integer, or absent for a whole channel")
        if self.outer is not None and self.outer not in get_args(Outer):
            raise unknown("outer scale", self.outer, get_args(Outer))
        if self.scale_rounding not in get_args(ScaleRounding):
            raise unknown("scale rounding", self.scale_rounding, get_args(ScaleRounding))
        for field in ("element", "scale"):
            part = getattr(self, field)
            if not isinstance(part, Integer | Minifloat):
                raise InputError(f"{field} is {part}; it must be an integer or a minifloat")
            if isinstance(part, Minifloat):
                object.__setattr__(self, field, replace(part, overflow="saturate"))
        if self.scale.rounding != "nearest_even":
            raise InputError(f"scale is {self.scale}; scales round to nearest_even, or by scale_rounding")
        if self.zero_point and (not isinstance(self.element, Integer) or self.element.signed):
            raise InputError(f"element is {self.element}; a zero point takes unsigned integers")
        if self.scale_rounding != "nearest" and (not isinstance(self.scale, Minifloat) or self.scale.mantissa_bits):
            raise InputError(
                f"scale is {self.scale}; rounding it by {self.scale_rounding} takes a power of two as ue8m0"
            )
        if self.scale_rounding != "nearest" and (self.outer or self.zero_point):
            raise InputError(f"scale_rounding is {self.scale_rounding!r}; outer scales and zero points take 'nearest'")

    @property
    def rounding(self) -> Rounding:  # type: ignore[override]
        return self.element.rounding

    @property
    def element_bits(self) -> int:
        return self.element.element_bits

    def packed_bits(self, container: int | None = 32) -> float:
        bits = self.element.packed_bits(container)
        if self.block is None:
            return bits
        return bits + (self.scale.bits + self.zero_point * self.element_bits) / self.block

    def with_(self, *, rounding: Rounding) -> Scaled:
        return replace(self, element=self.element.with_(rounding=rounding))

    def quantize(self, x: ArrayLike, rng: np.random.Generator | None = None) -> NDArray[Any]:
        x = as_float(x)
        blocks, scaling = self._normalise(x)
        return _join(_rescale(self.element.quantize(blocks, rng), scaling), x.shape)

    def encode(self, x: ArrayLike, rng: np.random.Generator | None = None) -> Encoded:
        """Codes and scales of ``x`` [..., n]; see `Encoded`. Raises InputError if ``x`` has no axis."""
        x = as_float(x)
        blocks, (scales, outer, zero_points) = self._normalise(x)
        codes = _join(self.element.encode(blocks, rng), x.shape)
        return Encoded(codes, scales, outer, None if zero_points is None else zero_points.astype(codes.dtype))

    def decode(self, codes: Encoded) -> NDArray[Any]:
        """The values, shape of the codes, in the float type of the scales.

        Raises InputError if the parts are not those of this format or do not fit together.
        """
        for part, expected in (("tensor_scale", self.outer is not None), ("zero_points", self.zero_point)):
            if (getattr(codes, part) is not None) != expected:
                raise InputError(f"{part} of the codes is {'missing' if expected else 'superfluous'} for {self}")
        scaling = _Scaling(codes.scales, codes.tensor_scale, codes.zero_points)
        blocks = self._split(self.element.decode(codes.codes).astype(codes.scales.dtype))
        if codes.scales.shape != blocks.shape[:-1]:
            raise InputError(
                f"scales have shape {codes.scales.shape}; codes {codes.codes.shape} of {self} take {blocks.shape[:-1]}"
            )
        return _join(_rescale(blocks, scaling), codes.codes.shape)

    def values(self) -> NDArray[np.float64]:
        raise InputError(f"values of {self} depend on the scale; f.element.values() gives those of an element")

    def _split(self, x: NDArray[Any]) -> NDArray[Any]:
        """[..., n] -> [..., blocks, block], filled up with zeros."""
        if x.ndim == 0:
            raise InputError(f"x is a single number; {self} takes an array whose last axis is split into blocks")
        n = x.shape[-1]
        block = self.block or max(n, 1)
        if n % block:
            x = np.pad(x, [(0, 0)] * (x.ndim - 1) + [(0, -n % block)])
        return x.reshape(*x.shape[:-1], -(-n // block), block)

    def _normalise(self, x: NDArray[Any]) -> tuple[NDArray[Any], _Scaling]:
        """``x`` in blocks and in units of its scales, zero point added; and those scales."""
        blocks = self._split(x)
        if self.zero_point:
            low = np.minimum(blocks.min(-1).astype(np.float64), 0)
            reach = np.maximum(blocks.max(-1), 0) - low
        else:
            reach = np.abs(blocks).max(-1).astype(np.float64)
        finite = np.isfinite(reach)
        if not finite.all():
            if not self.scale.has_nan:
                raise InputError(f"x has NaN or infinity, which the scale of {self} cannot hold")
            reach = np.where(finite, reach, 0)
            blocks = np.where(finite[..., None], blocks, 0)

        outer = self._outer_scale(reach)
        scales = self._scales(reach if outer is None else _divide(reach, outer))
        unit = scales if outer is None else scales * outer
        zero_points = None
        if self.zero_point:
            below = np.where(finite, -low, 0)
            zero_points = np.rint(np.clip(_divide(below, unit), 0, self.element.max))

        with np.errstate(over="ignore", under="ignore"):
            divisor = unit.astype(x.dtype)[..., None]
            normalised = blocks / np.where(divisor > 0, divisor, np.inf)
        if zero_points is not None:
            normalised += zero_points[..., None].astype(x.dtype)
        scales = np.where(finite, scales, np.nan).astype(x.dtype)
        return normalised, _Scaling(scales, None if outer is None else outer.astype(x.dtype), zero_points)

    def _outer_scale(self, reach: NDArray[np.float64]) -> NDArray[np.float64] | None:
        if self.outer is None:
            return None
        largest = reach.max(initial=0) if self.outer == "tensor" else reach.max(-1, keepdims=True, initial=0)
        return _OUTER_SCALE[self.outer].quantize(largest / (self.element.max * self.scale.max))

    def _scales(self, reach: NDArray[np.float64]) -> NDArray[np.float64]:
        """The scale of each block with that reach."""
        if self.scale_rounding == "nearest":
            return self.scale.quantize(reach / self.element.max)
        mantissa, exponent = np.frexp(reach)
        max_mantissa, max_exponent = np.frexp(self.element.max)
        exponent = exponent - max_exponent
        if self.scale_rounding == "ceil":
            exponent = exponent + (mantissa > max_mantissa)
        return self.scale.quantize(np.where(reach > 0, np.ldexp(1.0, exponent), 0))


def _divide(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """x / y, and 0 where y is 0."""
    return np.divide(x, y, out=np.zeros(np.broadcast_shapes(x.shape, y.shape)), where=y > 0)


def _rescale(blocks: NDArray[Any], scaling: _Scaling) -> NDArray[Any]:
    """Elements [..., blocks, block] times their scales, in place."""
    if scaling.zero_points is not None:
        blocks -= scaling.zero_points[..., None].astype(blocks.dtype)
    with np.errstate(over="ignore", under="ignore"):
        blocks *= scaling.scales[..., None]
        if scaling.outer is not None:
            blocks *= scaling.outer[..., None]
    return blocks


def _join(blocks: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
    """[..., blocks, block] -> [..., n]"""
    flat = blocks.reshape(*shape[:-1], blocks.shape[-2] * blocks.shape[-1])
    return np.ascontiguousarray(flat[..., : shape[-1]])
