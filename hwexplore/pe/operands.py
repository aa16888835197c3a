"""How often the bits of a PE toggle when real operands stream through it."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import unknown
from hwexplore.formats import Integer

__all__ = ["GLITCH", "Activity", "activity"]

GLITCH = 560 / 212
"""Transitions in timed over zero-delay simulation of an INT8 multiply-accumulate unit on Nangate45
(Yosys 0.70 + ABC netlist): what a combinational node does per useful transition."""

GAUSSIAN_CREST = 4.0
"""Largest magnitude of a Gaussian operand tensor, in standard deviations: the expected maximum of 16,000 samples."""

DISTRIBUTIONS = ("gaussian", "uniform")
SAMPLES = 4096


class Activity(NamedTuple):
    """Mean transitions per bit and cycle, without glitches: of the partial products, and of each accumulator bit."""

    products: float
    accumulator: NDArray[np.float64]


@lru_cache(maxsize=1024)
def activity(weight: Integer, activation: Integer, accumulator_bits: int, distribution: str) -> Activity:
    """Activities of a multiply-accumulate unit fed with a new random pair each cycle (fixed seed)."""
    if distribution not in DISTRIBUTIONS:
        raise unknown("operand distribution", distribution, DISTRIBUTIONS)
    rng = np.random.default_rng(0)
    w, a = (_sample(format, distribution, rng) for format in (weight, activation))
    w_ones, a_ones = (
        _bits(values, format.element_bits).mean(axis=0) for values, format in ((w, weight), (a, activation))
    )
    ones = np.outer(w_ones, a_ones)
    running = np.cumsum(w * a)
    toggles = np.diff(_bits(running, accumulator_bits).astype(np.int8), axis=0) != 0
    return Activity(float((2 * ones * (1 - ones)).mean()), toggles.mean(axis=0))


def _sample(format: Integer, distribution: str, rng: np.random.Generator) -> NDArray[np.int64]:
    if distribution == "uniform":
        return rng.integers(format.min_value, format.max_value, SAMPLES, endpoint=True)
    return np.asarray(format.quantize(rng.standard_normal(SAMPLES) * format.max_value / GAUSSIAN_CREST), np.int64)


def _bits(values: NDArray[np.int64], width: int) -> NDArray[np.int64]:
    return values[:, None] >> np.arange(width) & 1
