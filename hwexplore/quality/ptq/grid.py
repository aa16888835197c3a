"""The values that weights can take once the scales of their format are fixed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.formats import Format, Minifloat, Scaled

__all__ = ["Grid", "scaled"]

_FP32 = Minifloat(exponent_bits=8, mantissa_bits=23, bias=127, special="ieee")
_SELF_SCALED_BITS = 16


def scaled(format: Format) -> Format:
    """``format`` with an FP32 scale for the last axis, a weight's output channel or an activation's token.

    Formats that have scales, and floating point of at least 16 bits, which needs none, are returned as they are.
    """
    element = format.element
    if element is not format or (isinstance(element, Minifloat) and element.element_bits >= _SELF_SCALED_BITS):
        return format
    return Scaled(element=format, scale=_FP32)  # type: ignore[arg-type]


@dataclass(frozen=True, kw_only=True)
class Grid:
    """The grid of a weight [out, in]: elements of ``format`` about ``zero_points``, times ``scales`` [out, blocks].

    ``scales`` and ``zero_points`` are None where the format has none; an outer scale is part of ``scales``.
    """

    format: Format
    scales: NDArray[np.float64] | None = None
    zero_points: NDArray[np.float64] | None = None

    @classmethod
    def of(cls, format: Format, weight: ArrayLike) -> Grid:
        """The grid on which ``format`` itself puts ``weight`` [out, in]."""
        format = scaled(format)
        if not isinstance(format, Scaled):
            return cls(format=format)
        encoded = format.encode(np.asarray(weight, np.float64))
        outer = 1.0 if encoded.tensor_scale is None else encoded.tensor_scale
        zero_points = None if encoded.zero_points is None else encoded.zero_points.astype(float)
        return cls(format=format, scales=encoded.scales * outer, zero_points=zero_points)

    def with_scales(self, scales: NDArray[np.float64]) -> Grid:
        """The same with other ``scales``."""
        return replace(self, scales=scales)

    def row(self, output: int) -> Grid:
        """That of one ``output``."""
        scales, zero_points = (None if all is None else all[[output]] for all in (self.scales, self.zero_points))
        return replace(self, scales=scales, zero_points=zero_points)

    def round(self, weight: NDArray[Any], first: int = 0) -> NDArray[np.float64]:
        """``weight`` [out, columns], those from column ``first`` on, rounded to the grid."""
        if self.scales is None:
            return np.asarray(self.format.quantize(weight), np.float64)
        columns = np.arange(first, first + weight.shape[1]) // (self.format.block or first + weight.shape[1])
        scales = self.scales[:, columns]
        shift = 0.0 if self.zero_points is None else self.zero_points[:, columns]
        normalised = np.divide(weight, scales, out=np.zeros_like(weight, dtype=np.float64), where=scales > 0)
        return np.asarray((self.format.element.quantize(normalised + shift) - shift) * scales)
