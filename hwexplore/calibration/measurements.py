"""The table of a calibration: what each synthesised PE measures on each node at each period target."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from hashlib import sha256
from importlib.metadata import version
from pathlib import Path

import pandas as pd

from hwexplore.calibration.netlist import read_netlist
from hwexplore.calibration.population import is_held_out
from hwexplore.calibration.power import cell_class, simulate_power
from hwexplore.calibration.runs import Chosen, Node
from hwexplore.calibration.timing import analyse
from hwexplore.pe import PE
from hwexplore.writing import write_whole

__all__ = ["STREAMS", "measure", "table"]

STREAMS = 64
"""Independent streams of operands behind an energy."""

CLASSES = ("full_adder", "half_adder", "xor", "mux", "flip_flop", "other")


def measure(chosen: Chosen, node: Node, operands: str = "gaussian") -> dict[str, float]:
    """Energies and areas of the netlist of ``chosen``, from the cache where it was simulated before.

    ``operands`` is the distribution of the numbers it multiplies, see `stimulus`.
    """
    data = Path(chosen.file).read_bytes()
    digest = sha256(data + f"{chosen.pe} {node.key} {operands} {STREAMS}".encode()).hexdigest()[:20]
    cached = node.folder / node.name / "power" / f"{digest}.json"
    if not cached.exists():
        measured = _measured(chosen, node, operands)
        cached.parent.mkdir(parents=True, exist_ok=True)
        write_whole(cached, json.dumps(measured))
    result: dict[str, float] = json.loads(cached.read_text("utf-8"))
    return result


def _measured(chosen: Chosen, node: Node, operands: str) -> dict[str, float]:
    netlist = read_netlist(Path(chosen.file), node.cells)
    timing = analyse(netlist, node.cells)
    power = simulate_power(PE.parse(chosen.pe), netlist, node.cells, timing, operands, STREAMS)
    areas: defaultdict[str, float] = defaultdict(float)
    for instance in netlist.instances:
        areas[cell_class(instance.cell)] += instance.cell.area_um2
    return {
        "cells": len(netlist.instances),
        **{f"{name}_um2": areas[name] for name in CLASSES},
        "useful_pj": power.useful.energy_pj,
        "glitch_pj": power.glitch.energy_pj,
        "input_pj": power.input_pj,
        "clock_pj": power.clock_pj,
        "useful_toggles": power.useful.toggles,
        "glitch_toggles": power.glitch.toggles,
    }


def table(measured: Iterable[tuple[Chosen, Mapping[str, float]]]) -> pd.DataFrame:
    """One row per PE, node and target."""
    rows = []
    for chosen, figures in measured:
        pe = PE.parse(chosen.pe)
        record = asdict(chosen)
        del record["file"]
        rows.append(
            {
                "pe": chosen.pe,
                "family": pe.family,
                "weight": str(pe.weight),
                "activation": str(pe.activation),
                "accumulator": str(pe.accumulator),
                "macs_per_cycle": pe.macs_per_cycle,
                "latency_cycles": pe.latency_cycles,
                "held_out": is_held_out(pe),
                **record,
                **figures,
                "yosys": version("pyosys"),
            }
        )
    return pd.DataFrame(rows).sort_values(["node", "pe", "period_target_ps"], na_position="first", ignore_index=True)
