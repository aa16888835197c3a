"""The cocotb test that runs a replay; see `hwexplore.rtl.replay`."""

from __future__ import annotations

from typing import Any

import cocotb
from cocotb.clock import Clock
from cocotb.triggers import RisingEdge

__all__ = ["replay"]


@cocotb.test()
async def replay(harness: Any) -> None:
    """Clock the harness until it has replayed everything."""
    Clock(harness.clk, 2, unit="ns").start()
    await RisingEdge(harness.done)
