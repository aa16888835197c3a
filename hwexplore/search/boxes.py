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
"""In what order boxes fix parameters: those first in which designs differ most."""


@dataclass(frozen=True)
class BoxTree:
    """The designs of a space, numbered such that the last of the parameters in ``order`` varies fastest.

    A box of depth d fixes the first d of them. Its members have consecutive numbers, so that the first of them and the
    depth are the box. Arrays of boxes are those of their first numbers [box].
    """

    space: Space

    @cached_property
    def order(self) -> tuple[str, ...]:
        """The free parameters, beginning with those that decide what every box fixes."""
        free = [name for name in ORDER if name not in self.space.links]
        return tuple(sorted(free, key=lambda name: name not in self._leading))

    @cached_property
    def _leading(self) -> set[str]:
        links = self.space.links
        return {free for name in FIXED for free in (links[name].inputs if name in links else (name,))}

    def roots(self) -> tuple[Ids, int]:
        """The largest boxes, and their depth."""
        depth = len(self._leading)
        return np.arange(0, self.space.size, self.sizes[depth]), depth

    @property
    def depth(self) -> int:
        """Depth of the boxes of one design."""
        return len(self.order)

    @cached_property
    def shape(self) -> tuple[int, ...]:
        """Number of values of each parameter in ``order``."""
        sizes = dict(zip(PARAMETERS, self.space.shape, strict=True))
        return tuple(sizes[name] for name in self.order)

    @cached_property
    def sizes(self) -> NDArray[np.int64]:
        """Designs in a box of each depth."""
        return np.array([prod(self.shape[depth:]) for depth in range(self.depth + 1)])

    def children(self, first: Ids, depth: int) -> Ids:
        """The boxes of depth + 1 that boxes of ``depth`` are made of."""
        return np.asarray(np.add.outer(first, self.sizes[depth + 1] * np.arange(self.shape[depth])).ravel())

    def index(self, first: Ids, depth: int) -> dict[str, NDArray[np.intp]]:
        """Index of each parameter's value in boxes of ``depth``, ``ANY`` where it is open, [box]."""
        index = dict(zip(self.order, np.unravel_index(first // self.sizes[depth], self.shape[:depth]), strict=False))
        index |= {name: np.full(first.size, ANY) for name in self.order[depth:]}
        for name, link in self.space.links.items():
            settled = set(link.inputs) <= set(self.order[:depth])
            index[name] = link(index) if settled else np.full(first.size, ANY)
        return index

    def ids(self, first: Ids) -> Ids:
        """The least number in the space of all members of boxes, [box]."""
        return self.space.ids(self.index(first, self.depth))
