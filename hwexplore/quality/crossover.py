"""Up to which block size integers beat minifloats."""

from __future__ import annotations

from hwexplore.quality.distributions import Distribution
from hwexplore.quality.expected import expected_noise

__all__ = ["crossover_block"]

BLOCKS = tuple(2**n for n in range(2, 13))


def crossover_block(integer: str, minifloat: str, distribution: str | Distribution, scale: str = "ue8m0:ceil") -> int:
    """The largest block, a power of two from 4 to 4096, up to which ``integer`` has less noise than ``minifloat``.

    Both are elements, as in ("int4s", "e2m1"), with ``scale`` as the notation spells it after the block. 0 if the
    minifloat wins at 4 already.
    """
    largest = 0
    for block in BLOCKS:
        noise, other = (expected_noise(f"{element}_g{block}_{scale}", distribution) for element in (integer, minifloat))
        if noise >= other:
            break
        largest = block
    return largest
