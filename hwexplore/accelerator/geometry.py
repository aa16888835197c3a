"""How an array is laid out, and in which order it works through a product: all that its streams depend on.

Only NumPy is needed, and a PE that has the attributes used here: it goes onto the board.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, NamedTuple

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.pe.vector_unit import VectorUnit

if TYPE_CHECKING:
    from hwexplore.pe.base import PE

__all__ = ["SIZE_BITS", "Geometry", "Step"]

SIZE_BITS = 16
"""Width of the run-time sizes, in tiles of the PE."""


class Step(NamedTuple):
    """What the array works on at a time: ranges of tiles of m, n and k, and whether it ends the sums over k."""

    m: range
    n: range
    k: range
    last: bool


@dataclass(frozen=True, kw_only=True)
class Geometry:
    """``rows`` x ``cols`` PEs.

    Output-stationary (``os``), tiles of m are on the rows and tiles of n on the columns; weight-stationary (``ws``),
    tiles of k on the rows and tiles of n on the columns. ``depth`` is how many tiles of the dimension that streams
    through, k or m, a half of the operand memories holds: longer ones are cut. Everything comes in words of
    ``bus_bits``. Input-stationary is weight-stationary of the transposed product, with the operands exchanged.
    """

    pe: PE
    rows: int
    cols: int
    dataflow: str = "os"
    depth: int = 64
    bus_bits: int = 64
    output: Format | None = None

    @property
    def vector_unit(self) -> VectorUnit | None:
        """The vector unit; None if sums leave as they are."""
        return None if self.output is None else VectorUnit.of(self.pe, self.output)

    @property
    def activation_ports(self) -> dict[str, int]:
        """Bits of the PE's operand ports that tokens stream through, by name."""
        return {name: bits for name, bits in self.pe.ports.items() if name.startswith("activation")}

    @property
    def weight_ports(self) -> dict[str, int]:
        """Bits of the PE's other operand ports."""
        return {name: bits for name, bits in self.pe.ports.items() if not name.startswith("activation")}

    @property
    def sum_bits(self) -> int:
        """Bits of what a PE shows."""
        return sum(self.pe.outputs.values())

    @property
    def result_bits(self) -> int:
        """Bits of what a column gives for a tile."""
        m, n, *_ = self.pe.tile
        return self.sum_bits if self.output is None else m * n * self.output.element_bits

    @property
    def limits(self) -> dict[str, int]:
        """Tiles of each dimension that a step works on at most."""
        if self.dataflow == "os":
            return {"m": self.rows, "n": self.cols, "k": self.depth}
        return {"m": self.depth, "n": self.cols, "k": self.rows}

    def sizes(self, m: int, n: int, k: int) -> tuple[int, int, int]:
        """The sizes of a product in tiles of the PE, as the array takes them; InputError if one is too large."""
        tiles = ceil(m / self.pe.tile.m), ceil(n / self.pe.tile.n), ceil(k / self.pe.tile.k)
        for name, size, count in zip("mnk", (m, n, k), tiles, strict=True):
            if not 0 < count < 1 << SIZE_BITS:
                raise InputError(f"{name} = {size} makes {count} tiles of {self.pe}; an array takes 1 to 65535")
        return tiles

    def steps(self, m: int, n: int, k: int) -> Iterator[Step]:
        """The steps of a product of so many tiles, in their order."""
        tiles = {"m": m, "n": n, "k": k}
        ranges = {
            name: [range(start, min(start + limit, tiles[name])) for start in range(0, tiles[name], limit)]
            for name, limit in self.limits.items()
        }
        for of_n in ranges["n"]:
            for of_m in ranges["m"]:
                for of_k in ranges["k"]:
                    yield Step(of_m, of_n, of_k, of_k.stop == k)
