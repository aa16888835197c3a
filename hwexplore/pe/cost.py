"""What a PE costs on a technology."""

from __future__ import annotations

from dataclasses import dataclass

from hwexplore.technology import Bill, Interval

__all__ = ["Cost"]


@dataclass(frozen=True)
class Cost:
    """The price of one PE instance, sized for the period that was asked for.

    ``energy_pj`` is dynamic plus clock energy per useful MAC, of which ``clock_pj`` is the clock's and ``glitch_pj``
    the glitches'. ``bill`` lists the hardware behind the figures.
    """

    area_um2: Interval
    energy_pj: Interval
    clock_pj: Interval
    glitch_pj: Interval
    leakage_uw: Interval
    min_period_ps: Interval
    macs_per_cycle: float
    latency_cycles: int
    bill: Bill
