"""Dual-grained weights: INT4 with integer group scales, dequantized to INT8, and a floating-point scale per channel."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.errors import InputError

__all__ = ["DualGrained", "dual_grain"]

INT8_MAX = 127


@dataclass(frozen=True, kw_only=True)
class DualGrained:
    """A weight [out, in] as code * group scale * channel scale.

    ``codes`` int8 [out, in], within +-(2^(bits-1) - 1); ``group_scales`` int8 [out, groups], at least 1;
    ``channel_scales`` float32 [out, 1].
    """

    codes: NDArray[np.int8]
    group_scales: NDArray[np.int8]
    channel_scales: NDArray[np.float32]

    @property
    def integers(self) -> NDArray[np.int8]:
        """The first step of dequantization, [out, in], exact in INT8: what an INT8 array multiplies."""
        group = self.codes.shape[1] // self.group_scales.shape[1]
        return self.codes * np.repeat(self.group_scales, group, axis=1)

    @property
    def values(self) -> NDArray[np.float32]:
        """Both steps: [out, in]."""
        return self.integers * self.channel_scales


def dual_grain(weight: ArrayLike, bits: int = 4, group: int = 32) -> DualGrained:
    """``weight`` [out, in] in dual-grained form, for W4A8 on INT8 arrays (after DGQ, arXiv 2310.04836).

    Symmetric codes of ``bits`` bits. The largest group scale of a channel is tried at every integer up to
    127 / (2^(bits-1) - 1), beyond which products leave INT8, and the one of least squared error kept. Raises InputError
    unless 2 <= ``bits`` <= 7 and ``group`` divides the inputs.
    """
    w = np.asarray(weight, np.float64)
    if not 2 <= bits <= 7:
        raise InputError(f"bits is {bits!r}; dual-grained codes have 2 to 7, so that group scales have room in INT8")
    if group < 1 or w.shape[1] % group:
        raise InputError(f"group is {group!r}; it must divide the {w.shape[1]} inputs of the weight")
    largest_code = 2 ** (bits - 1) - 1
    groups = w.reshape(w.shape[0], -1, group)
    ideal = np.abs(groups).max(-1) / largest_code
    reach = np.maximum(ideal.max(-1, keepdims=True), INT8_MAX * np.finfo(np.float32).tiny)
    best: DualGrained | None = None
    least = np.full((w.shape[0], 1), np.inf)
    for largest_scale in range(1, INT8_MAX // largest_code + 1):
        channel = (reach / largest_scale).astype(np.float32)
        scales = np.clip(np.rint(ideal / channel), 1, largest_scale)
        codes = np.clip(np.rint(groups / (scales * channel)[..., None]), -largest_code, largest_code)
        candidate = DualGrained(
            codes=codes.reshape(w.shape).astype(np.int8), group_scales=scales.astype(np.int8), channel_scales=channel
        )
        errors = ((candidate.values - w) ** 2).sum(1, keepdims=True)
        better = errors < least
        best = candidate if best is None else _choose(better, candidate, best)
        least = np.minimum(errors, least)
    assert best is not None
    return best


def _choose(rows: NDArray[np.bool_], one: DualGrained, other: DualGrained) -> DualGrained:
    """``one`` in the given rows [out, 1], ``other`` elsewhere."""
    parts = {name: np.where(rows, value, getattr(other, name)) for name, value in vars(one).items()}
    return DualGrained(**parts)
