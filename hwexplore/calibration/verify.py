"""From front to proof: the PEs of a front in RTL, simulated and synthesised, beside what the models predicted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from math import ceil

import numpy as np
import pandas as pd
from joblib import Parallel, delayed
from scipy.stats import kendalltau

from hwexplore import technology as technologies
from hwexplore.accelerator import METRICS, SystolicArray
from hwexplore.calibration.measurements import measure
from hwexplore.calibration.runs import Chosen, Node, synthesise
from hwexplore.errors import InputError, unknown
from hwexplore.pe import PE
from hwexplore.search import Front
from hwexplore.search.pareto import to_minimise
from hwexplore.technology import Interval, Technology

__all__ = [
    "METRIC_UNITS",
    "Candidate",
    "Ranking",
    "Synthesised",
    "candidates",
    "check_cells",
    "check_voltage",
    "compare",
    "rank",
    "run",
]

METRIC_UNITS = {"area": "um2 per GMAC/s", "energy": "pJ per MAC", "period": "ps"}
"""What is compared: area and energy at equal throughput, and the shortest period."""

MOST_ROWS, MOST_COLS, DEPTH = 2, 3, 4
"""Size to which arrays are reduced, and that of their operand memories."""

FINEST_PS = 0.1
"""Periods are whole multiples of it."""

VOLTAGE_TOLERANCE = 0.02


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A PE of a front, the period at the cells' voltage that stands for its clock, and the designs that have it.

    ``arrays`` are those of the designs, reduced, as RTL has them, by name; None where it has none. Input-stationary is
    weight-stationary with the operands exchanged, which only PEs whose operands have one format do not notice.
    """

    pe: PE
    period_ps: float
    designs: tuple[int, ...]
    arrays: Mapping[str, SystolicArray | None]

    @property
    def label(self) -> str:
        """What tells it from the others of a front."""
        return f"{self.pe} at {self.period_ps:.0f} ps"


@dataclass(frozen=True, kw_only=True)
class Synthesised:
    """What synthesis made of the candidate numbered ``number``: netlist and figures, or why there are none."""

    number: int
    chosen: Chosen | None = None
    figures: Mapping[str, float] | None = None
    failure: str = ""


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """Whether the order of the candidates by a metric held: Kendall's tau-b, None if nothing can be ordered.

    ``swapped`` has the pairs that changed places: labels, and the first over the second as predicted and as measured.
    """

    metric: str
    tau: float | None
    count: int
    swapped: tuple[tuple[str, str, float, float], ...]


def check_cells(technology: Technology) -> None:
    """InputError if a technology has no cells to synthesise with."""
    if technology.scalings:
        synthesised = [name for name in technologies.names() if not technologies.load(name).scalings]
        raise InputError(
            f"technology {technology.name} is scaled from {technology.scalings[0].base} and has no cells to synthesise "
            f"with; fronts on {', '.join(synthesised)} can be verified"
        )


def check_voltage(node: Node, technology: Technology) -> None:
    """InputError if the cells of ``node`` are for another voltage than ``technology``."""
    volts = node.cells.voltage
    if abs(volts / technology.voltage - 1) > VOLTAGE_TOLERANCE:
        raise InputError(f"the cells are for {volts:g} V, {technology.name} is for {technology.voltage:g} V")


def candidates(front: Front, most: int, by: str | None = None) -> list[Candidate]:
    """The PEs, each at one period once, of the ``most`` representatives of ``front``.

    With the metric ``by``, those of its best designs, so many that they have ``most`` PEs. A period at another voltage
    is brought to that of the technology by its voltage law.
    """
    if most < 1:
        raise InputError(f"top = {most} must be at least 1")
    frame, problem = front.to_frame(), front.problem
    if by is None:
        rows = front.representatives(most)
    elif by in METRICS:
        rows = np.argsort(to_minimise({by: frame[by].to_numpy()}, [by])[:, 0], kind="stable")
    else:
        raise unknown("metric", by, METRICS)
    index = problem.space.indices(front.ids)
    period_s = np.broadcast_to(problem.model.hardware(index).period_s, len(front))
    found: dict[tuple[str, float], list[int]] = {}
    for row in rows.tolist():
        pe, voltage = PE.parse(frame["pe"][row]), float(frame["voltage"][row])
        key = str(pe), _at_own_voltage(pe, 1e12 * float(period_s[row]), voltage, problem.technology)
        if key not in found and len(found) == most:
            break
        found.setdefault(key, []).append(row)
    return [
        Candidate(
            pe=PE.parse(text),
            period_ps=period_ps,
            designs=tuple(int(front.ids[row]) for row in of_pe),
            arrays=dict(_array(PE.parse(text), frame.iloc[row]) for row in of_pe),
        )
        for (text, period_ps), of_pe in found.items()
    ]


def _at_own_voltage(pe: PE, period_ps: float, voltage: float, technology: Technology) -> float:
    """The period at the technology's own voltage at which ``pe`` is pressed as hard as by this one at ``voltage``."""
    fastest_ps = pe.fastest_period_ps(technology)
    factor = fastest_ps / pe.fastest_period_ps(technology.at(voltage))
    # Not shorter than the fastest by an error of rounding.
    return round(ceil(max(period_ps * factor, fastest_ps) / FINEST_PS) * FINEST_PS, 1)


def _array(pe: PE, design: pd.Series) -> tuple[str, SystolicArray | None]:
    rows, cols, dataflow = min(int(design["rows"]), MOST_ROWS), min(int(design["cols"]), MOST_COLS), design["dataflow"]
    name = f"{rows} x {cols} {dataflow}"
    if dataflow == "is" and str(pe.weight) != str(pe.activation):
        return name, None
    built = "os" if dataflow == "os" else "ws"
    return name, SystolicArray(pe=pe, rows=rows, cols=cols, dataflow=built, depth=DEPTH)


def run(found: Sequence[Candidate], node: Node, operands: str, jobs: int, quick: bool = False) -> Iterator[Synthesised]:
    """Synthesise the candidates for their periods and simulate the power of the netlists, as they come.

    ``quick``: see `hwexplore.calibration.synthesis.elaborate`. A failure stops nothing else, and what was done before
    is taken from the cache of ``node``.
    """
    yield from Parallel(n_jobs=jobs, return_as="generator_unordered", pre_dispatch="n_jobs")(
        delayed(_run)(number, candidate, node, operands, quick) for number, candidate in enumerate(found)
    )


def _run(number: int, candidate: Candidate, node: Node, operands: str, quick: bool) -> Synthesised:
    try:
        [chosen] = synthesise(candidate.pe, node, period_ps=candidate.period_ps, quick=quick)
        return Synthesised(number=number, chosen=chosen, figures=measure(chosen, node, operands))
    except (InputError, RuntimeError, OSError) as error:
        return Synthesised(number=number, failure=str(error))


def compare(
    found: Sequence[Candidate], synthesised: Sequence[Synthesised], technology: Technology, operands: str
) -> pd.DataFrame:
    """Predicted and measured figures, a row per candidate that was synthesised and metric of `METRIC_UNITS`.

    Columns: number of the candidate, candidate (its label), pe, period_ps, metric, unit, low, mid, high, measured,
    inside. Predictions are for the candidate's period; a netlist that does not reach it works as fast as it can.
    Energies have glitches and clock, and no leakage.
    """
    rows = []
    for done in sorted(synthesised, key=lambda one: one.number):
        chosen, figures = done.chosen, done.figures
        if chosen is None or figures is None:
            continue
        candidate = found[done.number]
        pe, period_ps = candidate.pe, candidate.period_ps
        cost = pe.cost(technology, period_ps, operands=operands)
        energy_pj = sum(figures[f"{part}_pj"] for part in ("useful", "glitch", "input", "clock"))
        per_gmacs = 1e-3 / pe.macs_per_cycle
        measured = {
            "area": chosen.area_um2 * max(period_ps, chosen.period_ps) * per_gmacs,
            "energy": energy_pj / pe.macs_per_cycle,
            "period": chosen.shortest_ps,
        }
        predicted = {
            "area": _scaled(cost.area_um2, period_ps * per_gmacs),
            "energy": cost.energy_pj,
            "period": Interval.of(pe.fastest_period_ps(technology), pe.fastest_period_ps(technology.drawn)),
        }
        rows += [
            {
                "number": done.number,
                "candidate": candidate.label,
                "pe": str(pe),
                "period_ps": period_ps,
                "metric": metric,
                "unit": unit,
                "low": predicted[metric].low,
                "mid": predicted[metric].mid,
                "high": predicted[metric].high,
                "measured": measured[metric],
                "inside": predicted[metric].low <= measured[metric] <= predicted[metric].high,
            }
            for metric, unit in METRIC_UNITS.items()
        ]
    return pd.DataFrame(rows)


def _scaled(interval: Interval, factor: float) -> Interval:
    return Interval(interval.low * factor, interval.mid * factor, interval.high * factor)


def rank(compared: pd.DataFrame) -> list[Ranking]:
    """For each metric of a `compare` whether the order held; a PE has one shortest period, whatever its clocks."""
    rankings = []
    for metric, rows in compared.groupby("metric", sort=False):
        if metric == "period":
            rows = rows.sort_values("measured").drop_duplicates("pe").assign(candidate=lambda fastest: fastest["pe"])
        labels = rows["candidate"].tolist()
        mid, measured = (np.asarray(rows[name], float) for name in ("mid", "measured"))
        ordered = np.ptp(mid) > 0 and np.ptp(measured) > 0
        rankings.append(
            Ranking(
                metric=str(metric),
                tau=float(kendalltau(mid, measured).statistic) if ordered else None,
                count=len(rows),
                swapped=tuple(
                    (labels[a], labels[b], float(mid[a] / mid[b]), float(measured[a] / measured[b]))
                    for a, b in combinations(range(len(rows)), 2)
                    if (mid[a] - mid[b]) * (measured[a] - measured[b]) < 0
                ),
            )
        )
    return rankings
