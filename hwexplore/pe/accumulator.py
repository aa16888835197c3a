"""Accumulators: how wide a PE's running sum is and what happens when it does not fit."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError

__all__ = ["Accumulator"]

MAX_BITS = 63
BLOCK = 64
"""Terms summed at a time where a sum is shown to stay within its limits."""

Codes = NDArray[np.int64]


@dataclass(frozen=True)
class Accumulator:
    """A fixed-point running sum.

    ``kind`` is ``wrap`` (two's complement of ``size`` bits), ``saturate`` (the same, clipping after every addition)
    or ``exact`` (as wide as ``size`` products of the PE's operands can need, so it never overflows).
    """

    kind: str
    size: int

    @classmethod
    def parse(cls, text: str) -> Accumulator:
        """``int32``, ``int32 sat`` or ``exact(4096)``."""
        text = text.strip()
        if match := re.fullmatch(r"int(\d+)( sat)?", text):
            accumulator = cls("saturate" if match[2] else "wrap", int(match[1]))
            if not 2 <= accumulator.size <= MAX_BITS:
                raise InputError(f"accumulator {text!r} has {accumulator.size} bits; 2 to {MAX_BITS} are supported")
        elif match := re.fullmatch(r"exact\((\d+)\)", text):
            accumulator = cls("exact", int(match[1]))
            if accumulator.size < 1:
                raise InputError(f"accumulator {text!r} sums no product; exact(n) needs n >= 1")
        else:
            raise InputError(
                f"unknown accumulator {text!r}; known: int32, 'int32 sat' (any width) and exact(4096) (any n)"
            )
        return accumulator

    def __str__(self) -> str:
        if self.kind == "exact":
            return f"exact({self.size})"
        return f"int{self.size}" + (" sat" if self.kind == "saturate" else "")

    def bits(self, largest_product: int) -> int:
        """Width in bits when one product is at most ``largest_product`` in magnitude."""
        if self.kind != "exact":
            return self.size
        return int(np.ceil(np.log2(self.size * largest_product + 1))) + 1

    def holds(self, terms: int, largest_product: int) -> bool:
        """Whether no sum of ``terms`` products can overflow, whatever the operands."""
        return terms * largest_product >> (self.bits(largest_product) - 1) == 0

    def accumulate(self, weights: Codes, activations: Codes, largest_product: int) -> NDArray[np.uint64]:
        """Two's complement codes [m, n] of the sums of ``activations`` [m, k] times ``weights`` [n, k], ascending k."""
        terms = weights.shape[1]
        if self.kind == "exact" and terms > self.size:
            raise InputError(f"accumulator {self} sums at most {self.size} products, but k = {terms}")
        total = _product(activations, weights, largest_product)
        bits = self.bits(largest_product)
        if self.kind == "saturate":
            total = _saturated(activations, weights, total, (1 << (bits - 1)) - 1)
        return total.astype(np.uint64) & np.uint64((1 << bits) - 1)


def _saturated(activations: Codes, weights: Codes, exact: Codes, high: int) -> Codes:
    """``exact`` [m, n], with the sums that may leave -high - 1 .. high redone, clipping after each addition."""
    blocks = np.array_split(np.arange(weights.shape[1]), max(weights.shape[1] // BLOCK, 1))
    start = np.zeros(exact.shape)
    safe = np.ones(exact.shape, bool)
    for block in blocks:
        a, w = activations[:, block].astype(float), weights[:, block].astype(float)
        safe &= (abs(start) + abs(a) @ abs(w).T) * (1 + 1e-9) <= high
        start += a @ w.T
    m, n = np.nonzero(~safe)
    if not len(m):
        return exact
    clipped = np.zeros(len(m), np.int64)
    for activation, weight in zip(activations.T, weights.T, strict=True):
        clipped += activation[m] * weight[n]
        np.clip(clipped, -high - 1, high, out=clipped)
    total = exact.copy()
    total[m, n] = clipped
    return total


def _product(activations: Codes, weights: Codes, largest_product: int) -> Codes:
    """``activations`` times transposed ``weights`` modulo 2^64, through floating point where that is exact."""
    if weights.shape[1] * largest_product < 2**53:
        return (activations.astype(np.float64) @ weights.T.astype(np.float64)).astype(np.int64)
    return activations @ weights.T
