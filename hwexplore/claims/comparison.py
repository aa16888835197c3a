"""PEs against each other at equal throughput and clock period: areas and energies on a node, LUTs on an FPGA."""

from __future__ import annotations

from functools import cache
from math import exp, hypot, log

import numpy as np
from numpy.typing import NDArray

from hwexplore.claims.claim import Evidence
from hwexplore.claims.measured import least_luts, smallest_netlist
from hwexplore.claims.setting import Quantity, Setting
from hwexplore.pe import PE
from hwexplore.pe.dsp import fpga_bill
from hwexplore.technology import Interval, load
from hwexplore.technology.device import load as load_device

__all__ = ["absolute", "draws", "interval", "lut_price", "lut_ratio", "ratio"]


def ratio(pe: str, reference: str, quantity: Quantity, at: Setting) -> Evidence:
    """``pe`` over ``reference``: area per (MAC/s), or energy per MAC."""
    first, second = (smallest_netlist(PE.parse(text), quantity, at) for text in (pe, reference))
    return Evidence(
        setting=f"{_described(pe)} against {_described(reference)}; {at}, equal throughput{_operands(quantity)}",
        model=interval(draws(pe, quantity, at) / draws(reference, quantity, at)),
        measured=None if first is None or second is None else first / second,
    )


def absolute(pe: str, quantity: Quantity, at: Setting, macs_per_cycle: float = 1.0) -> Evidence:
    """Area in um2 of so much of ``pe`` that it does ``macs_per_cycle``, or energy in pJ of as many MACs."""
    measured = smallest_netlist(PE.parse(pe), quantity, at)
    return Evidence(
        setting=f"{_described(pe)}; {at}{_operands(quantity)}",
        model=interval(draws(pe, quantity, at) * macs_per_cycle),
        measured=None if measured is None else measured * macs_per_cycle,
    )


@cache
def draws(pe: str, quantity: Quantity, at: Setting) -> NDArray[np.float64]:
    """Area in um2 per MAC a cycle, or energy in pJ per MAC, [1 + draws]: nominal, then the node's joint draws.

    Draws of one node belong together, so that ratios of two PEs keep what both share.
    """
    node, described = load(at.node), PE.parse(pe)
    bill = described.cost(node, at.period_ps).bill
    prices = [one.price(bill, one.effort(bill, at.period_ps)) for one in (node, node.drawn)]
    totals = [price.area_um2 if quantity == "area" else price.dynamic_pj + price.clock_pj for price in prices]
    return np.hstack(totals) / described.macs_per_cycle


def interval(drawn: NDArray[np.float64]) -> Interval:
    """The interval of [1 + draws] values, nominal first."""
    return Interval.of(drawn[0], drawn[1:].tolist())


def lut_ratio(pe: str, reference: str, device: str) -> Evidence:
    """LUTs of ``pe`` over those of ``reference``, without DSP blocks, both per MAC a cycle."""
    first, second = (least_luts(PE.parse(text), device) for text in (pe, reference))
    return Evidence(
        setting=f"{_described(pe)} against {_described(reference)}; {device}, no DSP blocks, equal throughput",
        model=_quotient(lut_price(pe, device), lut_price(reference, device)),
        measured=None if first is None or second is None else first / second,
    )


def lut_price(pe: str, device: str) -> Interval:
    """LUTs of ``pe`` per MAC a cycle on an FPGA ``device``, without DSP blocks."""
    described = PE.parse(pe)
    luts, rate = load_device(device).price(fpga_bill(described))["lut"], described.macs_per_cycle
    return Interval(luts.low / rate, luts.mid / rate, luts.high / rate)


def _quotient(first: Interval, second: Interval) -> Interval:
    """Of quantities that err log-normally, each on its own."""
    mid = first.mid / second.mid
    factor = exp(hypot(log(first.high / first.mid), log(second.high / second.mid)))
    return Interval(mid / factor, mid, mid * factor)


def _operands(quantity: Quantity) -> str:
    return ", Gaussian operands" if quantity == "energy" else ""


def _described(text: str) -> str:
    pe = PE.parse(text)
    return f"{pe} ({pe.accumulator_bits}-bit sum, {pe.macs_per_cycle:g} MAC/cycle)"
