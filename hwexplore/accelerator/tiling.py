"""The tiling and loop order of a matrix product that move the fewest bytes between DRAM and an on-chip buffer."""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

__all__ = ["STAYS", "Products", "Tiling", "best_tiling"]

Array = NDArray[np.float64]

STAYS = ("activations", "weights", "outputs")
"""What the innermost loop leaves in the buffer, while tiles of the other two stream past."""
JUMP = 1 + 1 / 256
"""Ratio between numbers of passes that are tried one after the other; up to 256 of them each one is."""


@dataclass(frozen=True, kw_only=True)
class Products:
    """Products ``[m, k] x [k, n]`` to be tiled; values or arrays that broadcast to [product].

    - ``m``, ``n``, ``k``: whole numbers below 2**53; ``unit_m``, ``unit_n``, ``unit_k``: steps of a tile's sides.
    - ``a_bytes``, ``b_bytes``: what one pass over the operands A and B moves; ``sum_bytes``: over all partial sums.
    - ``a_width``, ``b_width``, ``sum_width``: bytes that an element of a tile takes in the buffer.
    - ``space``: bytes for a tile of each.
    """

    m: Array
    n: Array
    k: Array
    unit_m: Array
    unit_n: Array
    unit_k: Array
    a_bytes: Array
    b_bytes: Array
    sum_bytes: Array
    a_width: Array
    b_width: Array
    sum_width: Array
    space: Array

    @property
    def smallest(self) -> tuple[Array, Array, Array]:
        """Sides m, n and k of the smallest tiles."""
        return np.minimum(self.unit_m, self.m), np.minimum(self.unit_n, self.n), np.minimum(self.unit_k, self.k)

    @property
    def least_space(self) -> Array:
        """Bytes that the smallest tiles take."""
        m, n, k = self.smallest
        return np.asarray(m * k * self.a_width + k * n * self.b_width + m * n * self.sum_width)


@dataclass(frozen=True, kw_only=True)
class Tiling:
    """How products are tiled, arrays [product].

    ``stays`` indexes ``STAYS``; ``tile_m``, ``tile_n`` and ``tile_k`` are the sides of the tiles, 0 where none fits.
    A moves ``a_passes`` times from DRAM, B ``b_passes`` times, and in each of ``sum_passes`` but the last, partial sums
    are written to be read in the next. ``again_bytes`` is what all that moves beyond A and B once. Passes and bytes are
    infinite where no tile fits.
    """

    stays: NDArray[np.intp]
    tile_m: Array
    tile_n: Array
    tile_k: Array
    a_passes: Array
    b_passes: Array
    sum_passes: Array
    again_bytes: Array


def best_tiling(products: Products) -> Tiling:
    """The tiling and the order of the loops over tiles of m, n and k with the least traffic.

    A tile's side is a multiple of its unit or the whole dimension; the last tile may be ragged. An operand moves again
    in every step of a loop over the dimension that it lacks, unless its tile did not change within; partial sums are
    written and read again between the tiles of k. So the six orders come down to which operand stays: it moves once,
    each of the others once for every tile of the dimension that it lacks. The dimension that the first one lacks
    streams in steps of its unit, and the tile that stays takes the rest of the space; what is left lengthens the steps.

    Exact where the operand that is dearer to move takes up to 256 passes, beyond that within 1/256.
    """
    columns = np.broadcast_arrays(*(np.asarray(getattr(products, field.name), float) for field in fields(products)))
    shape = columns[0].shape
    p = Products(**{field.name: column.ravel() for field, column in zip(fields(Products), columns, strict=True)})
    # Rows: the dimension n and the operand A that lacks it, m and B, k and the partial sums.
    size, unit = np.array([p.n, p.m, p.k]), np.array([p.unit_n, p.unit_m, p.unit_k])
    cost, width = np.array([p.a_bytes, p.b_bytes, 2 * p.sum_bytes]), np.array([p.a_width, p.b_width, p.sum_width])
    fits = p.least_space <= p.space
    again, stays = np.full(p.m.size, np.inf), np.zeros(p.m.size, np.intp)
    tile, passes = np.zeros(size.shape), np.full(size.shape, np.inf)
    for streamed in range(3):
        sides = np.delete(np.arange(3), streamed)
        at = np.flatnonzero(fits & (again > 0))
        place = np.ix_(sides, at)
        beside = np.minimum(unit[streamed, at], size[streamed, at]) * width[np.ix_(sides[::-1], at)]
        found = _passes(size[place], unit[place], cost[place], beside, width[streamed, at], p.space[at], again[at])
        better = np.isfinite(found[0])
        at, found = at[better], found[:, better]
        place = np.ix_(sides, at)
        again[at], stays[at] = (cost[place] * (found - 1)).sum(axis=0), streamed
        passes[place], passes[streamed, at] = found, 1
        tile[place] = _shortest(size[place], unit[place], found)
        left = p.space[at] - tile[place].prod(axis=0) * width[streamed, at]
        step_width = (tile[place] * width[np.ix_(sides[::-1], at)]).sum(axis=0)
        tile[streamed, at] = _longest(size[streamed, at], unit[streamed, at], left / step_width)
    tile_n, tile_m, tile_k = tile.reshape(3, *shape)
    a_passes, b_passes, sum_passes = passes.reshape(3, *shape)
    return Tiling(
        stays=stays.reshape(shape),
        tile_m=tile_m,
        tile_n=tile_n,
        tile_k=tile_k,
        a_passes=a_passes,
        b_passes=b_passes,
        sum_passes=sum_passes,
        again_bytes=again.reshape(shape),
    )


def _passes(size: Array, unit: Array, cost: Array, beside: Array, width: Array, space: Array, limit: Array) -> Array:
    """How many tiles make up each side of what stays, [side, product]; infinite unless they move less than ``limit``.

    Every tile after the first moves ``cost`` bytes. The tile takes ``width`` bytes per element, and what streams past
    it ``beside`` per step of each side. Tiles of the dearer side are tried from the longest on, beside the longest of
    the other side that fit, until they alone move as much as the best so far.
    """
    order = np.argsort(-cost, axis=0)
    size, unit, cost, beside = (np.take_along_axis(rows, order, axis=0) for rows in (size, unit, cost, beside))
    units, shortest = np.ceil(size[0] / unit[0]), np.minimum(unit, size)
    room = (space - (shortest * beside)[::-1]) / (shortest[::-1] * width + beside)
    longest = np.maximum(_longest(size, unit, room), shortest)
    tried, fewest = np.ceil(units / np.ceil(longest[0] / unit[0])), np.ceil(size[1] / longest[1])
    best, at = limit, np.arange(limit.size)
    found = np.full(size.shape, np.inf)
    going = cost[0] * (tried - 1) + cost[1] * (fewest - 1) < best
    while going.any():
        size, unit, cost, beside = (rows[:, going] for rows in (size, unit, cost, beside))
        units, fewest, width, space, best, tried = (row[going] for row in (units, fewest, width, space, best, tried))
        at = at[going]
        side = _shortest(size[0], unit[0], tried)
        other = _longest(size[1], unit[1], (space - side * beside[0]) / (side * width + beside[1]))
        passes = np.ceil(size[1] / np.maximum(other, np.minimum(unit[1], size[1])))
        total = cost[0] * (tried - 1) + cost[1] * (passes - 1)
        better = total < best
        found[:, at[better]] = tried[better], passes[better]
        best = np.minimum(best, total)
        shorter = np.minimum(np.ceil(units / tried) - 1, np.ceil(units / np.floor(tried * JUMP)))
        tried = np.ceil(units / np.maximum(shorter, 1))
        going = (shorter > 0) & (cost[0] * (tried - 1) + cost[1] * (fewest - 1) < best)
    return np.take_along_axis(found, order, axis=0)


def _longest(size: Array, unit: Array, most: Array) -> Array:
    """The longest side of a tile up to ``most``."""
    return np.where(most >= size, size, np.floor(most / unit) * unit)


def _shortest(size: Array, unit: Array, tiles: Array) -> Array:
    """The shortest side of which ``tiles`` make up the dimension."""
    return np.minimum(np.ceil(np.ceil(size / unit) / tiles) * unit, size)
