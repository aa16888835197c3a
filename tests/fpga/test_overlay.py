"""Overlays and their packets."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore.accelerator.systolic import SystolicArray
from hwexplore.errors import InputError
from hwexplore.fpga.overlay import Overlay
from hwexplore.fpga.packets import operand_packet, result_bytes, result_rows
from hwexplore.pe import PE


def overlay(memory_bits: int = 128, **values: Any) -> Overlay:
    array = SystolicArray(**{"pe": PE.parse("mac(int8, int8, acc=int32)"), "rows": 4, "cols": 4, **values})
    return Overlay(array=array, memory_bits=memory_bits)


@pytest.mark.parametrize(
    ("bus_bits", "cols", "memory_bits", "words_bits", "results_bits"),
    [
        (8, 1, 128, 32, 32),
        (40, 2, 128, 64, 64),
        (128, 3, 128, 128, 128),
        (136, 16, 128, 256, 128),
        (1024, 33, 1024, 1024, 1024),
    ],
)
def test_widths(bus_bits: int, cols: int, memory_bits: int, words_bits: int, results_bits: int) -> None:
    made = overlay(memory_bits, bus_bits=bus_bits, cols=cols)
    assert (made.words_bits, made.results_bits) == (words_bits, results_bits)


def test_packets() -> None:
    made = overlay(bus_bits=24, cols=5)
    words = np.arange(6, dtype=np.uint8).reshape(2, 3)
    assert operand_packet(made, words).tolist() == [0, 1, 2, 0, 3, 4, 5, 0]
    assert result_bytes(made, 3, 11) == 3 * 3 * 32
    packet = np.arange(96, dtype=np.uint8)
    assert result_rows(made, packet).tolist() == [list(range(start, start + 20)) for start in (0, 32, 64)]
    with pytest.raises(InputError, match=r"^a packet of 95 bytes does not consist of rows of 32$"):
        result_rows(made, packet[1:])


def test_bad_input() -> None:
    with pytest.raises(InputError, match=r"^memory_bits = 100 must be one of 32, 64, "):
        overlay(100)
    with pytest.raises(InputError, match=r"^bus_bits = 1032 must be at most 1024, the DMA's widest stream$"):
        overlay(bus_bits=1032)
    with pytest.raises(InputError, match=r"^depth = 4294967296 does not fit into a register of 32 bits$"):
        overlay(depth=1 << 32)
