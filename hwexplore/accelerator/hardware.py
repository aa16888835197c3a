"""The hardware of designs: what an evaluation looks up before it meets the workload."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Hardware"]

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Hardware:
    """The hardware of each design: sizes, rates, areas, powers. ``clock_pj`` is that of the whole array per cycle,
    ``interconnect_pj_per_bit`` what it takes to move a bit between buffer and array, ``access_s`` the access time of
    one of the buffer's ``banks``.

    Arrays broadcast against each other to the designs; each has only the axes that it depends on.
    """

    rows: Array
    cols: Array
    lanes: Array
    period_s: Array
    sram_bytes: Array
    banks: Array
    access_s: Array
    read_pj_per_bit: Array
    write_pj_per_bit: Array
    bandwidth_bytes_per_s: Array
    dram_pj_per_byte: Array
    clock_pj: Array
    interconnect_pj_per_bit: Array
    lane_pj: Array
    accumulator_bits: Array
    area_mm2: dict[str, Array]
    static_w: dict[str, Array]
    reason: NDArray[np.uint8]
