"""Lengths of prompts and outputs: one number, some numbers with their shares, or a lognormal distribution."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import inf
from statistics import NormalDist

from hwexplore.errors import InputError

__all__ = ["Lengths", "fold"]

LONGEST = 2**31 - 1
STRATA = 4
"""Equally likely values that stand for a lognormal distribution."""
DIGITS = 7
"""Decimal places of a mean context, of which the rest is rounding."""
WIDEST = 4.0
"""Largest standard deviation of a lognormal's logarithm; beyond, its mean says nothing of typical lengths."""
LOGNORMAL = re.compile(r"lognormal\(([^,()]+),([^,()]+)\)")


@dataclass(frozen=True)
class Lengths:
    """Distribution of a number of tokens: `shares` are pairs of length and probability."""

    shares: tuple[tuple[int, float], ...]

    @classmethod
    def parse(cls, text: str) -> Lengths:
        """From `"512"`, from `"128:1+2048:3"` (lengths with weights), or from `"lognormal(512, 1.2)"`.

        The last has the mean 512, and its logarithm the standard deviation 1.2; four equally likely values stand for
        it, each the mean of a quarter of the distribution, rounded. Raises InputError for anything else.
        """
        compact = "".join(text.split())
        try:
            if match := LOGNORMAL.fullmatch(compact):
                lengths, weights = _lognormal(float(match[1]), float(match[2])), [1.0] * STRATA
            else:
                pairs = [part.partition(":") for part in compact.split("+")]
                lengths, weights = (
                    [int(pair[0]) for pair in pairs],
                    [float(weight) if colon else 1.0 for _, colon, weight in pairs],
                )
        except ValueError:
            lengths, weights = [], []
        total = sum(weights)
        if not lengths or not all(1 <= n <= LONGEST for n in lengths) or not all(0 < w < inf for w in weights):
            raise InputError(
                f"length is {text!r}; expected tokens below 2**31, as '512', '128:1+2048:3' or 'lognormal(512, 1.2)'."
            )
        return cls(tuple((length, weight / total) for length, weight in zip(lengths, weights, strict=True)))

    @property
    def mean(self) -> float:
        """The expected length."""
        return sum(length * share for length, share in self.shares)

    @property
    def longest(self) -> int:
        """The greatest length."""
        return max(length for length, _ in self.shares)


def _lognormal(mean: float, deviation: float) -> list[int]:
    """Mean of each of the strata, from the partial expectation `mean * Phi(z - deviation)` below quantile `z`."""
    if not (1 <= mean <= LONGEST and 0 <= deviation <= WIDEST):
        raise ValueError
    normal = NormalDist()
    quantiles = (normal.inv_cdf(stratum / STRATA) for stratum in range(1, STRATA))
    below = [0.0, *(normal.cdf(z - deviation) for z in quantiles), 1.0]
    return [max(1, round(STRATA * mean * (upper - lower))) for lower, upper in pairwise(below)]


def fold(contexts: Iterable[tuple[range, float]], kinks: Iterable[int]) -> Iterator[tuple[int, float]]:
    """A few contexts and weights that stand for ranges of contexts, each of a weight.

    Sums of whatever is affine in the context between neighbouring `kinks` stay exact: each such piece becomes the two
    integers around its mean.
    """
    ranges, edges = list(contexts), [0, *sorted({kink for kink in kinks if kink > 0}), 2 * LONGEST]
    for below, upto in pairwise(edges):
        parts = [(part[bisect_right(part, below) : bisect_right(part, upto)], weight) for part, weight in ranges]
        parts = [(part, weight * len(part)) for part, weight in parts if part]
        if not parts:
            continue
        total = sum(weight for _, weight in parts)
        mean = round(sum(weight * (part[0] + part[-1]) / 2 for part, weight in parts) / total, DIGITS)
        lower = int(mean)
        upper_share = mean - lower
        yield lower, total * (1 - upper_share)
        if upper_share:
            yield lower + 1, total * upper_share
