"""The packets of a product as the DMA moves them: words of operands, rows of results."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.fpga.overlay import Overlay

__all__ = ["operand_packet", "result_bytes", "result_rows"]


def operand_packet(overlay: Overlay, words: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The bytes of the packet that carries ``words`` of `hwexplore.accelerator.streams`, each in a beat of its own."""
    return np.pad(words, ((0, 0), (0, overlay.words_bits // 8 - words.shape[1]))).ravel()


def result_bytes(overlay: Overlay, m: int, n: int) -> int:
    """How many bytes the packet of the results [m, n] has."""
    tiles_m, tiles_n, _ = overlay.array.sizes(m, n, 1)
    return tiles_m * ceil(tiles_n / overlay.array.cols) * _row_bytes(overlay)


def result_rows(overlay: Overlay, packet: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The rows in a ``packet`` of results, as `streams.results` takes them; InputError if it has no whole rows."""
    if packet.size % _row_bytes(overlay):
        raise InputError(f"a packet of {packet.size} bytes does not consist of rows of {_row_bytes(overlay)}")
    return packet.reshape(-1, _row_bytes(overlay))[:, : ceil(overlay.row_bits / 8)]


def _row_bytes(overlay: Overlay) -> int:
    return ceil(overlay.row_bits / overlay.results_bits) * overlay.results_bits // 8
