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
"""In what order boxes fix parameters: those first by which designs differ most."""


@dataclass(frozen=True)
class BoxTree:
    """The designs of a space, numbered such that the last parameter of ``ORDER`` varies fastest.

    A box of depth d fixes the first d parameters. Its members have consecutive numbers, so that the first of them and
    the depth are the box. Arrays of boxes are those of their first numbers [box].
    """

    space: Space

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter in ``ORDER``."""
        sizes = dict(zip(PARAMETERS, self.space.shape, strict=True))
        return tuple(sizes[name] for name in ORDER)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Designs in a box of each depth."""
        return np.array([prod(self.shape[depth:]) for depth in range(len(ORDER) + 1)])

    @property
    def depth(self) -> int:
        """Depth of the boxes of one design."""
        return len(ORDER)

    def roots(self) -> Ids:
        """The boxes of depth ``len(FIXED)``."""
        return np.arange(0, self.space.size, self.sizes[len(FIXED)])

    def children(self, first: Ids, depth: int) -> Ids:
        """The boxes of depth + 1 that boxes of ``depth`` are made of."""
        return np.asarray(np.add.outer(first, self.sizes[depth + 1] * np.arange(self.shape[depth])).ravel())

    def index(self, first: Ids, depth: int) -> dict[str, NDArray[np.intp]]:
        """Index of each parameter's value, ``ANY`` for those left open, [box]."""
        fixed = np.unravel_index(first // self.sizes[depth], self.shape[:depth])
        left = (np.full(first.size, ANY) for _ in ORDER[depth:])
        return dict(zip(ORDER, (*fixed, *left), strict=True))

    def ids(self, first: Ids) -> Ids:
        """The least number in the space of all members of boxes, [box]."""
        index = dict(zip(ORDER, np.unravel_index(first, self.shape), strict=True))
        return np.asarray(np.ravel_multi_index([index[name] for name in PARAMETERS], self.space.shape))
