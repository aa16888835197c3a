"""Boxes of designs: some parameters fixed, the others open."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np
from numpy.typing import NDArray

from hwexplore.accelerator import PARAMETERS
from hwexplore.accelerator.bounds import ANY, FIXED
from hwexplore.search.space import Space

__all__ = ["ORDER", "BoxTree"]

Ids = NDArray[np.int64]

ORDER = (*FIXED, "dram", "channels", "voltage", "cols", "rows", "sram_kib", "clock_mhz", "vector_lanes")
"""In what order boxes fix parameters."""


@dataclass(frozen=True)
class BoxTree:
    """The designs of a space, numbered anew so that the last of ``ORDER`` varies fastest.

    A box of depth d fixes the first d parameters. Its members are a run of numbers, so that ``(first, depth)`` is the
    box. Boxes are arrays of firsts [box] of one depth.
    """

    space: Space

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter in ``ORDER``."""
        sizes = dict(zip(PARAMETERS, self.space.shape, strict=True))
        return tuple(sizes[name] for name in ORDER)

    @property
    def depth(self) -> int:
        """Depth of the boxes of one design."""
        return len(ORDER)

    def size(self, depth: int) -> int:
        """Designs in a box."""
        return prod(self.shape[depth:])

    def roots(self) -> tuple[Ids, int]:
        """The boxes that fix nothing but what every box fixes, and their depth."""
        depth = len(FIXED)
        return np.arange(0, self.space.size, self.size(depth)), depth

    def children(self, first: Ids, depth: int) -> Ids:
        """The boxes of depth + 1 that make up boxes."""
        return np.asarray((first[:, None] + self.size(depth + 1) * np.arange(self.shape[depth])).ravel())

    def index(self, first: Ids, depth: int) -> dict[str, NDArray[np.intp]]:
        """Index of each parameter's value in boxes, ``ANY`` for those left open."""
        fixed = np.unravel_index(first // self.size(depth), self.shape[:depth])
        left = (np.full(first.size, ANY) for _ in ORDER[depth:])
        return dict(zip(ORDER, (*fixed, *left), strict=True))

    def ids(self, first: Ids) -> Ids:
        """The number in the space of the first design of boxes: the least of the box."""
        index = dict(zip(ORDER, np.unravel_index(first, self.shape), strict=True))
        return np.asarray(np.ravel_multi_index([index[name] for name in PARAMETERS], self.space.shape))
