"""Golden arithmetic of dot-product units: sums of aligned products, and their accumulation."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from math import copysign, isfinite, ldexp
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.pe.arithmetic import exact_sums, rounded_sum
from hwexplore.pe.codes import Codes
from hwexplore.pe.operand import Operand

if TYPE_CHECKING:
    from hwexplore.pe.dot import Dot

__all__ = ["block_sums", "float_accumulation"]

Integers = NDArray[Any]
Scales = NDArray[np.float64]
FLOAT64_BITS = 53


def block_sums(dot: Dot, weights: Codes, activations: Codes) -> Iterator[Integers]:
    """What each addition adds, without scales: [m, n] in steps, for codes [n, k] and [m, k].

    Blocks with NaN or infinities give numbers without meaning.
    """
    w, a = (_finite(port, codes) for port, codes in ((dot.weight_port, weights), (dot.activation_port, activations)))
    for start in range(0, weights.shape[1], dot.terms):
        terms = slice(start, start + dot.terms)
        if dot.is_aligned:
            yield _aligned_sum(dot, w[:, terms], a[:, terms])
        else:
            operands = dot.activation_port.integers(a[:, terms]), dot.weight_port.integers(w[:, terms])
            yield exact_sums(*operands, dot.largest_sum)


def _finite(port: Operand, codes: Codes) -> Codes:
    return np.where(np.isfinite(port.format.decode(codes)), codes, port.format.encode(0.0))


def _aligned_sum(dot: Dot, weights: Codes, activations: Codes) -> Integers:
    """The sum of one addition, the products of each cycle aligned to the largest of them."""
    places = dot.places
    total: Integers = np.zeros((len(activations), len(weights)), np.int64 if dot.largest_sum < 2**62 else object)
    for start in range(0, weights.shape[1], dot.lanes):
        lanes = slice(start, start + dot.lanes)
        (w, w_shift), (a, a_shift) = (
            _significands(port, codes[:, lanes])
            for port, codes in ((dot.weight_port, weights), (dot.activation_port, activations))
        )
        product, shift = a[:, None] * w, a_shift[:, None] + w_shift
        top = np.where(product == 0, 0, shift).max(-1)
        below = np.where(product == 0, 0, top[..., None] - shift) + max(-places, 0)
        aligned = (product << max(places, 0) >> np.minimum(below, 63)).sum(-1)
        exponent = top - places
        total += aligned.astype(total.dtype) << np.maximum(exponent, 0).astype(total.dtype) >> np.maximum(-exponent, 0)
    return total


def _significands(port: Operand, codes: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Signed significands and shifts: values are significand * 2**shift, in steps of the port."""
    steps = np.ldexp(port.format.decode(codes), -port.step_exponent)
    shift = np.maximum(np.frexp(steps)[1] - port.width, 0) * port.is_float
    return np.ldexp(steps, -shift).astype(np.int64), shift.astype(np.int64)


def float_accumulation(
    dot: Dot, weights: Codes, activations: Codes, weight_scales: Scales, activation_scales: Scales
) -> NDArray[np.float64]:
    """Values [m, n] of the accumulator: each block's sum times its scales is exact, each addition rounded once."""
    assert dot.accumulator.format is not None
    w, a = dot.weight_port.format.decode(weights), dot.activation_port.format.decode(activations)
    step = 2.0 ** (dot.weight_port.step_exponent + dot.activation_port.step_exponent)
    total = np.zeros((len(activations), len(weights)))
    with np.errstate(invalid="ignore", over="ignore"):
        for number, block in enumerate(block_sums(dot, weights, activations)):
            scale = np.multiply.outer(activation_scales[:, number], weight_scales[:, number]) * step
            terms = slice(number * dot.terms, (number + 1) * dot.terms)
            special = np.zeros(total.shape)
            if not (np.isfinite(w[:, terms]).all() and np.isfinite(a[:, terms]).all()):
                special = (a[:, None, terms] * w[:, terms]).sum(-1)
            if dot.term_bits <= FLOAT64_BITS:
                term = np.where(np.isfinite(special), block.astype(float), special) * scale
                total = rounded_sum(total, term, dot.accumulator.format)
            else:
                exact = np.where(
                    np.isfinite(special), _odd_sum(total, block, scale).astype(float), total + special * scale
                )
                total = dot.accumulator.format.quantize(exact)
    return np.asarray(dot.accumulator.format.encode(np.where(np.isnan(total), np.nan, total)))


@np.vectorize(otypes=[float])
def _odd_sum(total: float, block: int, scale: float) -> float:
    """``total + block * scale`` in float64, rounded to odd, so that rounding it again to fewer bits rounds once."""
    if not (isfinite(total) and isfinite(scale)):
        return total + block * scale
    exact = Fraction(total) + int(block) * Fraction(scale)
    if exact == 0:
        return total + block * scale
    places = max(abs(exact.numerator).bit_length() - FLOAT64_BITS, 0)
    top = abs(exact.numerator) >> places
    top |= top << places != abs(exact.numerator)
    return copysign(ldexp(top, places - exact.denominator.bit_length() + 1), exact)
