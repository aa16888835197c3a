"""What a processing element works on at a time."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Tile"]


class Tile(NamedTuple):
    """What a PE works on at a time: ``m`` x ``n`` sums, to each of which ``cycles`` cycles add ``k`` products."""

    m: int = 1
    n: int = 1
    k: int = 1
    cycles: int = 1
