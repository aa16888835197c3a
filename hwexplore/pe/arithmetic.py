"""Golden arithmetic: sums of products, bit for bit as the hardware forms them, in ascending k."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.formats import Format, Minifloat

__all__ = ["exact_sums", "float_sums", "rounded_sum", "saturating_accumulation", "saturating_sums", "signed", "wrap"]

Integers = NDArray[Any]
"""int64, or Python integers (dtype object) where int64 is too narrow."""
FP32 = Format.parse("fp32")
LIMB = 16
BLOCK = 64
"""Terms summed at a time where a sum is shown to stay within its limits."""


def exact_sums(activations: Integers, weights: Integers, largest: int) -> Integers:
    """Sums over k of ``activations`` [m, k] times ``weights`` [n, k]: [m, n], int64 if ``largest`` (of a sum) allows.

    Operands beyond the reach of float64 products are split into limbs of 16 bits, whose products sum exactly.
    """
    if largest < 2**53:
        return np.asarray((activations.astype(float) @ weights.astype(float).T).astype(np.int64))
    total = np.zeros((activations.shape[0], weights.shape[0]), object)
    for i, a in enumerate(_limbs(activations)):
        for j, w in enumerate(_limbs(weights)):
            total += (a @ w.T).astype(np.int64).astype(object) << LIMB * (i + j)
    return total.astype(np.int64) if largest < 2**63 else total


def saturating_sums(activations: Integers, weights: Integers, largest: int, bits: int) -> Integers:
    """The same sums [m, n], clipped to ``bits`` bits, two's complement, after every addition."""
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    total = exact_sums(activations, weights, largest)
    m, n = np.nonzero(~_stays_within(activations.astype(float), weights.astype(float), float(high)))
    if len(m):
        clipped = np.zeros(len(m), total.dtype if high < 2**62 else object)
        for activation, weight in zip(activations.T, weights.T, strict=True):
            clipped = np.clip(clipped + activation[m].astype(clipped.dtype) * weight[n], low, high)
        total[m, n] = clipped
    return total


def saturating_accumulation(sums: Iterator[Integers], bits: int) -> Integers:
    """Their sum, clipped to ``bits`` bits, two's complement, after every addition."""
    total: Integers = np.zeros(1, np.int64 if bits < 62 else object)
    for term in sums:
        total = np.clip(total + term, -(1 << bits - 1), (1 << bits - 1) - 1)
    return total


def float_sums(
    activations: NDArray[np.float64], weights: NDArray[np.float64], format: Minifloat, product_bits: int
) -> NDArray[np.float64]:
    """Values [m, n] of sums in ``format``: each product exact, each addition rounded once, to nearest even.

    ``product_bits`` bounds the significand of a product.
    """
    shape = activations.shape[0], weights.shape[0]
    with np.errstate(invalid="ignore", over="ignore"):
        if format == FP32 and product_bits <= 24 and _exponents_fit_float32(activations, weights):
            total = _float32_sums(activations.astype(np.float32), weights.astype(np.float32)).astype(float)
            return np.where(np.isnan(total), np.nan, total)
        total = np.zeros(shape)
        for activation, weight in zip(activations.T, weights.T, strict=True):
            total = rounded_sum(total, np.multiply.outer(activation, weight), format)
    return np.where(np.isnan(total), np.nan, total)


def rounded_sum(total: NDArray[np.float64], term: NDArray[np.float64], format: Minifloat) -> NDArray[np.float64]:
    """``total + term`` in ``format``, of at most 51 bits of significand: exact, then rounded once."""
    with np.errstate(invalid="ignore", over="ignore"):
        return np.asarray(format.quantize(_add_to_odd(total, term)))


def _float32_sums(activations: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums [m, n] by the machine's own float32 additions, which accumulate() does one after the other."""
    total = np.zeros((1, activations.shape[0], weights.shape[0]), np.float32)
    for start in range(0, weights.shape[1], BLOCK):
        a, w = activations.T[start : start + BLOCK], weights.T[start : start + BLOCK]
        total = np.add.accumulate(np.concatenate([total, a[:, :, None] * w[:, None, :]]))[-1:]
    return np.asarray(total[0])


def _exponents_fit_float32(*operands: NDArray[np.float64]) -> bool:
    """Whether products of these operands stay far inside the range of float32."""
    magnitudes = [abs(values[np.isfinite(values)]) for values in operands]
    nonzero = [values[values > 0] for values in magnitudes]
    return all(values.max(initial=1) < 2.0**60 and values.min(initial=1) > 2.0**-40 for values in nonzero)


def wrap(values: Integers, bits: int) -> Integers:
    """Two's complement codes of ``bits`` bits: uint64, or Python integers beyond 64 bits."""
    if bits > 64:
        return np.asarray(values.astype(object) & (1 << bits) - 1, object)
    if values.dtype == object:
        return np.asarray(values & (1 << bits) - 1, object).astype(np.uint64)
    return values.astype(np.uint64) & np.uint64((1 << bits) - 1)


def signed(codes: Integers, bits: int) -> Integers:
    """The integers that two's complement ``codes`` of ``bits`` bits stand for."""
    if bits > 64:
        return np.asarray(codes - ((codes >> bits - 1) << bits), object)
    return codes.astype(np.uint64).astype(np.int64) << 64 - bits >> 64 - bits


def _limbs(values: Integers) -> list[NDArray[np.float64]]:
    """``values`` as sums of limbs times 2^(16 i), each limb in float64; the last one carries the sign."""
    limbs = []
    while np.any((values < -(1 << LIMB)) | (values >= 1 << LIMB)):
        limbs.append((values & (1 << LIMB) - 1).astype(float))
        values = values >> LIMB
    return [*limbs, values.astype(float)]


def _stays_within(activations: NDArray[np.float64], weights: NDArray[np.float64], high: float) -> NDArray[np.bool_]:
    """Where every running sum surely keeps a magnitude of at most ``high``: [m, n]."""
    blocks = np.array_split(np.arange(weights.shape[1]), max(weights.shape[1] // BLOCK, 1))
    start = np.zeros((activations.shape[0], weights.shape[0]))
    safe = np.ones(start.shape, bool)
    for block in blocks:
        a, w = activations[:, block], weights[:, block]
        safe &= (abs(start) + abs(a) @ abs(w).T) * (1 + 1e-9) <= high
        start += a @ w.T
    return safe


def _add_to_odd(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
    """``a + b`` in float64, rounded to odd: rounding it again to at most 51 bits gives what one rounding would.

    See Boldo and Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms using rounding to odd"
    (IEEE Trans. Computers 57(4), 2008).
    """
    total = a + b
    of_b = total - a
    error = (a - (total - of_b)) + (b - of_b)
    even = (total.view(np.int64) & 1) == 0
    return np.where(even & np.isfinite(error) & (error != 0), np.nextafter(total, np.copysign(np.inf, error)), total)
