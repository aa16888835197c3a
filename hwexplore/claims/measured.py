"""What synthesis of our RTL measures for a PE, from the tables that ship with hwexplore."""

from __future__ import annotations

from functools import cache
from typing import Literal

import pandas as pd

from hwexplore.calibration.tables import shipped
from hwexplore.claims.setting import Quantity, Setting
from hwexplore.pe import PE

__all__ = ["least_luts", "smallest_netlist"]

ENERGIES = ["useful_pj", "glitch_pj", "input_pj", "clock_pj"]


def smallest_netlist(pe: PE, quantity: Quantity, at: Setting) -> float | None:
    """Area in um2 per MAC a cycle, or energy in pJ per MAC, of the smallest netlist that meets the period.

    None if ``pe`` was not synthesised on the node or none of its netlists is as fast.
    """
    rows = _rows("asic", pe)
    rows = rows[(rows["node"] == at.node) & (rows["period_ps"] <= at.period_ps)]
    if rows.empty:
        return None
    row = rows.sort_values("area_um2").iloc[0]
    return float(row["area_um2"] if quantity == "area" else row[ENERGIES].sum()) / pe.macs_per_cycle


def least_luts(pe: PE, device: str) -> float | None:
    """LUTs of ``pe`` per MAC a cycle without DSP blocks, by the best recipe; None if not synthesised for ``device``."""
    rows = _rows("fpga", pe)
    rows = rows[(rows["device"] == device) & ~rows["dsp_allowed"]]
    return None if rows.empty else float(rows["lut"].min()) / pe.macs_per_cycle


def _rows(name: Literal["asic", "fpga"], pe: PE) -> pd.DataFrame:
    table = _table(name)
    return table[table["pe"] == str(pe)]


_table = cache(shipped)
