"""A PE's bill of hardware, priced line by line."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hwexplore.accelerator import Model
from hwexplore.technology import Bill
from hwexplore.technology.bill import overlapped

__all__ = ["describe_pe"]


def describe_pe(model: Model, place: tuple[int, int, int]) -> dict[str, Any]:
    """One instance, without the registers around it, of the PE at ``place``, indices of PE, clock and voltage.

    ``bill`` has a list per column, an entry per item: ``area_um2``, ``leakage_uw`` and energies of all ``count``
    primitives, ``dynamic_pj`` and ``clock_pj`` per cycle in which the PE works. ``path`` is the critical path from
    register to register, stage by stage in ``delay_ps``.
    """
    description = model.choices.values["pe"][place[0]]
    node = model.technology.at(model.choices.values["voltage"][place[2]])
    bill = description.bill(model.operands)
    period_ps = float(model.pes.period_s[place]) * 1e12
    effort = node.effort(bill, period_ps)
    prices = [node.price(Bill((item,)), effort) for item in bill]
    path = overlapped(node.critical_path(bill))
    registers_ps = node.delay_ps(()) / (1 + effort)
    stages_ps = [node.delay_ps((stage,)) / (1 + effort) - registers_ps for stage in path]
    return {
        "text": str(description),
        "macs_per_cycle": description.macs_per_cycle,
        "period_ps": period_ps,
        "bill": {
            **_columns(bill.items, ("part", "primitive", "count", "activity", "why")),
            **_columns(prices, ("area_um2", "dynamic_pj", "clock_pj", "leakage_uw")),
        },
        "path": {
            "part": ["registers", *(stage.part for stage in path)],
            "primitive": ["flip_flop", *(stage.primitive for stage in path)],
            "count": [1, *(stage.count for stage in path)],
            "delay_ps": [registers_ps, *stages_ps],
        },
    }


def _columns(records: Sequence[object], names: Sequence[str]) -> dict[str, list[Any]]:
    return {name: [getattr(record, name) for record in records] for name in names}
