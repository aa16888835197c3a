"""The packets of a product as the DMA moves them: words of operands, rows of results.

Only NumPy is needed: it goes onto the board.
"""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError

if TYPE_CHECKING:
    from hwexplore.accelerator.geometry import Geometry

__all__ = ["Shell", "operand_packet", "result_bytes", "result_rows"]


class Shell(Protocol):
    """An array behind AXI4-Streams, as `hwexplore.fpga.overlay.Overlay` describes it."""

    @property
    def array(self) -> Geometry: ...

    @property
    def words_bits(self) -> int: ...

    @property
    def row_bits(self) -> int: ...

    @property
    def results_bits(self) -> int: ...


def operand_packet(overlay: Shell, words: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bytes of the packet that carries ``words`` of `hwexplore.accelerator.streams`, each in a beat of its own."""
    return np.pad(words, ((0, 0), (0, overlay.words_bits // 8 - words.shape[1]))).ravel()


def result_bytes(overlay: Shell, m: int, n: int) -> int:
    """How many bytes the packet of the results [m, n] has."""
    tiles_m, tiles_n, _ = overlay.array.sizes(m, n, 1)
    return tiles_m * ceil(tiles_n / overlay.array.cols) * _row_bytes(overlay)


def result_rows(overlay: Shell, packet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The rows in a ``packet`` of results, as `streams.results` takes them; InputError if it has no whole rows."""
    if packet.size % _row_bytes(overlay):
        raise InputError(f"a packet of {packet.size} bytes does not consist of rows of {_row_bytes(overlay)}")
    return packet.reshape(-1, _row_bytes(overlay))[:, : ceil(overlay.row_bits / 8)]


def _row_bytes(overlay: Shell) -> int:
    return ceil(overlay.row_bits / overlay.results_bits) * overlay.results_bits // 8
