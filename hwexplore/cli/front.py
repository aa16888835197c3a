"""A front in the terminal."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from hwexplore.cli.console import output, print_line, print_table
from hwexplore.search import LEVEL, Front, LikelyFront
from hwexplore.search.front import short_label

__all__ = ["print_designs", "print_front", "print_likely"]

HEADINGS = (
    *("id", "weights/activations/KV\nPE", "array, clock\nvector lanes, supply", "SRAM\nDRAM"),
    *("latency ms", "energy mJ", "area mm2", "error", "tokens/s", "mJ/token", "TOPS/W"),
)


def print_designs(title: str, designs: pd.DataFrame) -> None:
    """A table of designs, from their parameters and metrics."""
    print_table(title, HEADINGS, [_row(row) for row in designs.to_dict("records")])


def print_front(front: Front) -> None:
    """Up to 20 representative designs, how the search went, and the parameters that the front does not vary."""
    problem = front.problem
    if not len(front):
        output.print(f"interrupted after {front.evaluated:,} designs, none feasible so far")
        return
    rows = front.representatives(20)
    workload = problem.workload
    title = (
        f"{workload.setting}, "
        f"on {problem.technology.name}: "
        f"{len(rows)} of {len(front)} designs on the front of {', '.join(front.objectives)}"
    )
    print_designs(title, front.to_frame().iloc[rows])
    if problem.quality is not None:
        quality = problem.quality
        output.print(
            f"error: increase in {quality.metric} of {quality.network}, as {quality.proxy} predicts ({quality.source})",
            markup=False,
            highlight=False,
            soft_wrap=True,
        )
    intervals = front.intervals(rows)
    output.print(
        "90 % intervals, as factors of the values above (joint draws, median over these designs): "
        + "; ".join(
            f"{name} {np.median(i.low / np.asarray(i.mid)):.2f} .. {np.median(i.high / np.asarray(i.mid)):.2f}"
            for name, i in intervals.items()
        ),
        highlight=False,
        soft_wrap=True,
    )
    state = "" if front.complete and front.heuristic is None else f" of {problem.space.size:,}; {_state(front)}"
    output.print(
        f"{front.evaluated:,} designs evaluated in {front.seconds:.1f} s ({front.evaluated / front.seconds:,.0f}/s), "
        f"{front.feasible:,} feasible{state}",
        highlight=False,
        soft_wrap=True,
    )
    if front.certificate is not None:
        designs = front.certificate.designs(problem)
        output.print(
            f"of {problem.space.size:,} designs, {len(front.certificate):,} boxes settle all: "
            + ", ".join(f"{number:,} {case}" for case, number in designs.items()),
            highlight=False,
            soft_wrap=True,
        )
    for name, why in front.inert().items():
        output.print(f"inert parameter {name}: {why}", markup=False, highlight=False, soft_wrap=True)


def _state(front: Front) -> str:
    """Why a front is not known to be exact."""
    return "interrupted, the front is that of what was evaluated" if front.heuristic is None else str(front.heuristic)


def print_likely(likely: LikelyFront) -> None:
    """How many designs may be on the true front, and how sure those of the nominal one are."""
    probability = likely.probability
    rare = int(np.count_nonzero(probability[np.isin(likely.ids, likely.front.ids)] < 0.5))
    cut = ": take a larger --margin, others may be on it, too" if likely.is_cut else ""
    lines = (
        f"true front in {likely.draws} joint draws: {np.count_nonzero(probability):,} designs were on it in some draw, "
        f"{np.count_nonzero(probability == 1):,} in each; {rare:,} of the {len(likely.front):,} nominal ones in fewer "
        f"than half; the {likely.core:,} likeliest hold {LEVEL:.0%} of it on average, "
        f"{len(likely):,} hold it whole with {LEVEL:.0%} confidence",
        f"drawn: {likely.looked_at:,} designs within {likely.margin:.2f} times of the nominal front; those that "
        f"were on it are within {likely.reach:.2f}{cut}",
    )
    for line in lines:
        print_line(line)


def _row(design: Mapping[Hashable, Any]) -> list[str]:
    clock = design["clock_mhz"] if design["clock_mhz"] == "max" else f"{design['clock_mhz']} MHz"
    logic = f"{design['vector_lanes']} lanes, {design['voltage']} V"
    return [
        str(design["id"]),
        f"{short_label(design['policy'])}\n{design['pe']}",
        f"{design['rows']} x {design['cols']} {design['dataflow']}, {clock}\n{logic}",
        f"{design['sram_kib']} KiB\n{design['channels']} x {design['dram']}",
        f"{1e3 * design['latency_s']:.4g}",
        f"{1e3 * design['energy_j']:.4g}",
        f"{design['area_mm2']:.4g}",
        f"{design['error']:.2e}",
        f"{design['tokens_per_s']:.4g}",
        f"{1e3 * design['j_per_token']:.4g}",
        f"{design['tops_per_w']:.3g}",
    ]
