"""Amaranth components, one file per PE family, and the Verilog and simulations made from them."""

from __future__ import annotations

from hwexplore.rtl.requirements import require

require("amaranth")

from hwexplore.rtl.core import Core, build  # noqa: E402

__all__ = ["Core", "build"]
