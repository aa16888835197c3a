"""Encoded operands, as PEs take them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded

__all__ = ["Codes", "matrices", "pack", "plain", "without_tensor_scale"]

Codes: TypeAlias = NDArray[Any]
"""Bit patterns: an unsigned integer type, or Python integers (dtype object) beyond 64 bits."""


def plain(operand: Codes | Encoded) -> Codes:
    """The codes of a format without scales; InputError if there are scales."""
    if isinstance(operand, Encoded):
        raise InputError("operands have scales, and this PE takes codes alone; apply the scales to its sums")
    return operand


def without_tensor_scale(operand: Codes | Encoded) -> Codes | Encoded:
    """What comes to the ports of a PE: the scale of a whole tensor is applied to its outputs."""
    if isinstance(operand, Encoded) and operand.tensor_scale is not None:
        return replace(operand, tensor_scale=np.ones_like(operand.tensor_scale))
    return operand


def matrices(weights: Codes | Encoded, activations: Codes | Encoded) -> tuple[Codes, Codes]:
    """Codes without scales, [n, k] and [m, k]; InputError if they are something else."""
    w, a = plain(weights), plain(activations)
    if w.ndim != 2 or a.ndim != 2 or w.shape[1] != a.shape[1]:
        raise InputError(f"weights {w.shape} and activations {a.shape} must be [n, k] and [m, k] with one k")
    return w, a


def pack(codes: Codes, bits: int) -> Codes:
    """Codes of ``bits`` bits along the last axis as one word, the first lowest."""
    shifts = bits * np.arange(codes.shape[-1])
    dtype = np.uint64 if codes.shape[-1] * bits <= 64 else object
    return np.asarray(np.bitwise_or.reduce(codes.astype(dtype) << shifts.astype(dtype), axis=-1), dtype)
