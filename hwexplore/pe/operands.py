"""How often the bits of a PE toggle when real operands stream through it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import unknown
from hwexplore.formats import Encoded, Format, Integer, Minifloat, Scaled
from hwexplore.pe.codes import Codes
from hwexplore.pe.operand import Operand

__all__ = [
    "Activity",
    "activity",
    "draw",
    "float_sum_transitions",
    "sample",
    "standard_deviation",
    "sum_transitions",
    "transitions",
]

SCALED_BITS = 8
"""Formats of up to so many bits, and integers, are used scaled to their range; wider floating point as the data are."""

DISTRIBUTIONS = ("gaussian", "uniform")
SAMPLES, TERMS = 1024, 256
"""Operand pairs drawn, and how many of their products a sum has."""


class Activity(NamedTuple):
    """Mean transitions per bit and cycle, without glitches: of the partial products, and of each accumulator bit.

    ``adder`` is that of the accumulator's adder: the mean of sum and carry, which follow a product's sign far above it.
    """

    products: float
    accumulator: NDArray[np.float64]
    adder: NDArray[np.float64]


@lru_cache(maxsize=1024)
def activity(
    weight: Operand, activation: Operand, accumulator_bits: int, accumulator_format: Minifloat | None, distribution: str
) -> Activity:
    """Activities of a multiply-accumulate unit fed with a new random pair each cycle (fixed seed)."""
    rng = np.random.default_rng(0)
    w, a = (sample(operand, distribution, SAMPLES, rng) for operand in (weight, activation))
    ones = np.outer(_significand_bits(weight, w).mean(axis=0), _significand_bits(activation, a).mean(axis=0))
    products = float((2 * ones * (1 - ones)).mean())
    if accumulator_format is None:
        return Activity(products, *_sums(weight.integers(w) * activation.integers(a), accumulator_bits))
    toggles = _float_sums(weight.format.decode(w) * activation.format.decode(a), accumulator_format)
    return Activity(products, toggles, toggles)


def float_sum_transitions(terms: NDArray[np.float64], format: Minifloat) -> float:
    """Mean transitions per bit of the running sum of ``terms`` in ``format``."""
    return float(_float_sums(terms, format).mean())


def _float_sums(terms: NDArray[np.float64], format: Minifloat) -> NDArray[np.float64]:
    running = _running(terms)
    while abs(running).max() > format.max:
        running /= 2
    return _toggles(format.encode(running), format.element_bits)


def sum_transitions(terms: NDArray[np.int64], width: int) -> tuple[float, float]:
    """Mean transitions per bit of the running sum of ``terms``, and of the adder that forms it (sum and carry)."""
    accumulator, adder = _sums(terms, width)
    return float(accumulator.mean()), float(adder.mean())


def _sums(terms: NDArray[Any], width: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    running = _running(terms)
    added = terms[: running.size].reshape(running.shape)
    carries = running ^ (running - added) ^ added
    accumulator = _toggles(running, width)
    return accumulator, (accumulator + _toggles(carries, width)) / 2


def _running(terms: NDArray[Any]) -> NDArray[Any]:
    """The sums [sum, term] so far of `TERMS` terms each, or of all if there are fewer."""
    length = min(TERMS, terms.size)
    return np.cumsum(terms[: terms.size // length * length].reshape(-1, length), axis=1)


def _toggles(words: NDArray[Any], width: int) -> NDArray[np.float64]:
    """Mean transitions of each bit of successive words [sum, term]."""
    bits = _bits(words.ravel(), width).reshape(*words.shape, width)
    return np.asarray((np.diff(bits, axis=1) != 0).mean(axis=(0, 1)))


def standard_deviation(format: Format, crest: float) -> float:
    """The standard deviation that data of this ``crest`` factor (max|x| over it) have in a scalar ``format``."""
    return format.element.max / crest if _is_scaled(format) else 1.0


def _is_scaled(format: Format) -> bool:
    return not isinstance(format, Minifloat) or format.element_bits <= SCALED_BITS


def sample(operand: Operand, distribution: str, count: int, rng: np.random.Generator) -> NDArray[Any]:
    """Codes [count] of finite random operands; those of unsigned formats are magnitudes."""
    if distribution not in DISTRIBUTIONS:
        raise unknown("operand distribution", distribution, DISTRIBUTIONS)
    format = operand.format
    if distribution == "gaussian":
        values = rng.standard_normal(count)
        values *= _best_scale(format, values) if _is_scaled(format) else 1.0
    else:
        values = rng.uniform(-1, 1, count) * (_largest(format) if _is_scaled(format) else 1.0)
    return format.encode(np.clip(values if format.signed else abs(values), -_largest(format), _largest(format)))


def draw(
    operand: Operand, format: Format, distribution: str, shape: tuple[int, int], rng: np.random.Generator
) -> Codes | Encoded:
    """Random numbers [row, element] of ``format``, whose elements are ``operand``, as `sample` draws them."""
    if not isinstance(format, Scaled):
        return sample(operand, distribution, shape[0] * shape[1], rng).reshape(shape)
    if distribution not in DISTRIBUTIONS:
        raise unknown("operand distribution", distribution, DISTRIBUTIONS)
    encoded: Encoded = format.encode(
        rng.standard_normal(shape) if distribution == "gaussian" else rng.uniform(-1, 1, shape)
    )
    return encoded


def _best_scale(format: Integer | Minifloat, values: NDArray[np.float64]) -> float:
    """The factor on ``values`` that quantizes them with the least mean squared error."""
    values = values if format.signed else abs(values)
    scales = _largest(format) / np.geomspace(0.5, 8, 64)
    errors = [np.mean((format.quantize(values * scale) / scale - values) ** 2) for scale in scales]
    return float(scales[np.argmin(errors)])


def _largest(format: Integer | Minifloat) -> float:
    return format.max or 1.0  # int1 has -1 and 0.


def transitions(values: NDArray[np.int64], width: int) -> float:
    """Mean transitions per bit of successive two's complement words of ``width`` bits, the first axis being time."""
    bits = values[..., np.newaxis] >> np.minimum(np.arange(width), 63) & 1
    return float((np.diff(bits, axis=0) != 0).mean())


def _significand_bits(operand: Operand, codes: NDArray[Any]) -> NDArray[np.int64]:
    """The bits [sample, bit] that enter the multiplier."""
    if not isinstance(operand.format, Minifloat):
        return _bits(operand.integers(codes), operand.width)
    fields = codes.astype(np.int64)
    mantissa = fields & (1 << operand.format.mantissa_bits) - 1
    exponent = fields >> operand.format.mantissa_bits & (1 << operand.format.exponent_bits) - 1
    return _bits(mantissa | (exponent > 0).astype(np.int64) << operand.format.mantissa_bits, operand.width)


def _bits(values: NDArray[Any], width: int) -> NDArray[np.int64]:
    """The two's complement bits [value, bit] of integers of any size."""
    return np.stack([(values.astype(object) >> i) & 1 for i in range(width)], axis=1).astype(np.int64)
