"""Round to nearest."""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike, NDArray

from hwexplore.formats import Format
from hwexplore.quality.ptq.grid import scaled

__all__ = ["round_to_nearest"]


def round_to_nearest(x: ArrayLike, format: Format) -> NDArray[Any]:
    """``x`` [..., in] rounded to ``format``; a format without scales gets one per row, as `scaled` says.

    Rows are the output channels of weights [out, in], the tokens of activations [samples, in], the tokens of each head
    of keys and values [batch, heads, time, head size].
    """
    return scaled(format).quantize(x)
