"""What the page shows, as one JSON-able value."""

from __future__ import annotations

import math
import shlex
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np
import pandas as pd

from hwexplore.accelerator import METRICS, PARAMETERS
from hwexplore.report.describe import OPERATOR_FIELDS, describe
from hwexplore.search import LEVEL, MAXIMISED, Front, LikelyFront, Space
from hwexplore.technology import Technology, coefficients

__all__ = ["DETAILED", "LABELS", "UNITS", "payload"]

DETAILED = 400
"""Designs that the page opens up; the others show their metrics only."""
DETAILED_ROWS = 9600
"""Bound on designs times operators that the page opens up, so that long networks keep the page small."""
OTHERS = 5000
"""Designs off the nominal front that the page shows, the likeliest."""
DIGITS = 5
"""Significant digits of the numbers on the page."""

LABELS = {
    "pe": "PE",
    "cols": "columns",
    "clock_mhz": "clock",
    "voltage": "supply",
    "vector_lanes": "vector lanes",
    "sram_kib": "buffer",
    "dram": "DRAM",
    "channels": "DRAM channels",
    "policy": "policy",
    "latency_s": "latency",
    "energy_j": "energy",
    "area_mm2": "area",
    "power_w": "power",
    "tokens_per_s": "token rate",
    "j_per_token": "energy per token",
    "tops": "throughput",
    "tops_per_w": "efficiency",
    "tops_per_mm2": "density",
    "edp_js": "energy x delay",
    "error": "error (NSR)",
    "nominal": "on the nominal front",
    "probability": "probability",
}
UNITS = {
    "clock_mhz": "MHz",
    "voltage": "V",
    "sram_kib": "KiB",
    **{name: unit.replace("mm2", "mm²") for name, (unit, _) in METRICS.items()},
}


def payload(front: Front, likely: LikelyFront | None = None) -> dict[str, Any]:
    """Head, columns, rows, details, PEs, operators and coefficients of the page.

    ``rows`` has a list per column, an entry per design of the front and, after them, per further design that is
    ``likely``; ``details`` are those of up to ``DETAILED`` designs that span the front, each with its ``row`` and, in
    ``pe``, the index of its PE in ``pes``.
    """
    problem = front.problem
    most = max(1, min(DETAILED, DETAILED_ROWS // len(problem.workload.operators)))
    detailed = front.representatives(most)
    designs = describe(problem, front.ids[detailed]) if len(detailed) else []
    pes = list({id(design["pe"]): design["pe"] for design in designs}.values())
    details = [
        {
            "row": int(row),
            "intervals": design["intervals"],
            "operators": {name: column for name, column in design["operators"].items() if name not in OPERATOR_FIELDS},
            **{name: design[name] for name in ("format_costs", "energy_j", "area_mm2", "roofline", "pe_instances")},
            "pe": next(i for i, pe in enumerate(pes) if pe is design["pe"]),
        }
        for row, design in zip(detailed, designs, strict=True)
    ]
    frame = front.to_frame() if likely is None else _with_likely(front, likely)
    content = {
        "head": _head(front, likely),
        "columns": _columns(front, likely is not None),
        "rows": {name: frame[name].tolist() for name in frame},
        "details": details,
        "pes": pes,
        "operators": {name: designs[0]["operators"][name] for name in OPERATOR_FIELDS} if designs else {},
        "coefficients": _coefficients(problem.technology),
    }
    return {name: _compact(part) for name, part in content.items()}


def _with_likely(front: Front, likely: LikelyFront) -> pd.DataFrame:
    """The designs of the front in its order, then up to ``OTHERS`` of those that are likely besides."""
    others = likely.ids[~np.isin(likely.ids, front.ids)][:OTHERS]
    frame = likely.to_frame().set_index("id")
    return (
        frame.assign(nominal=frame["nominal"].map({True: "yes", False: "no"})).loc[[*front.ids, *others]].reset_index()
    )


def _head(front: Front, likely: LikelyFront | None) -> dict[str, Any]:
    problem, workload = front.problem, front.problem.workload
    return {
        "version": version("hwexplore"),
        "workload": workload.name,
        "phase": workload.phase,
        "batch": workload.batch,
        "context": workload.context,
        "parameters": workload.parameters,
        "technology": problem.technology.name,
        "technology_description": problem.technology.description,
        "fidelity": problem.fidelity,
        "space": problem.space.size,
        "evaluated": front.evaluated,
        "feasible": front.feasible,
        "complete": front.complete,
        "heuristic": front.heuristic and str(front.heuristic),
        "objectives": list(front.objectives),
        "constraints": [str(constraint) for constraint in front.constraints],
        "inert": front.inert(),
        "explain": _explain(front),
        "space_toml": problem.space.to_toml(),
        "front": len(front),
        "likely": None
        if likely is None
        else {"core": likely.core, "whole": len(likely), "draws": likely.draws, "level": LEVEL},
    }


def _explain(front: Front) -> list[str]:
    """The command that prints one design, before and after the design's number."""
    problem, workload = front.problem, front.problem.workload
    options = [
        ("workload", workload.name),
        ("phase", workload.phase),
        ("batch", workload.batch),
        ("context", workload.context),
        *(("fuse", name) for name in workload.fused),
        *([("expert-skew", workload.expert_skew)] if workload.expert_skew else []),
        ("technology", problem.technology.name),
        *([("operands", problem.operands)] if problem.operands != "gaussian" else []),
    ]
    if problem.space.choices.values != Space.default().choices.values:
        options.append(("space", "space.toml"))
    return ["hwexplore explain", " ".join(f"--{name} {shlex.quote(str(value))}" for name, value in options)]


def _columns(front: Front, is_drawn: bool) -> list[dict[str, Any]]:
    parameters = [(name, meaning, "parameter") for name, meaning in PARAMETERS.items()]
    metrics = [(name, meaning, "metric") for name, (_, meaning) in METRICS.items()]
    if is_drawn:
        parameters.append(("nominal", "whether the design is on the front at the nominal coefficients", "parameter"))
        metrics.append(("probability", "share of the joint draws in which the design is on the front", "metric"))
    return [
        {
            "name": name,
            "label": LABELS.get(name, name),
            "unit": UNITS.get(name, ""),
            "meaning": meaning,
            "role": role,
            "numeric": role == "metric" or (name in PARAMETERS and front.problem.space.labels(name).dtype != object),
            "objective": name in front.objectives,
            "maximised": name in MAXIMISED,
        }
        for name, meaning, role in (*parameters, *metrics)
    ]


def _coefficients(technology: Technology) -> dict[str, Any]:
    """The coefficients, the factors whose spread they share, and what the short names of sources stand for."""
    return {
        "table": [asdict(coefficient) for coefficient in coefficients(technology)],
        "spreads": {name: [sigma, technology.spread_sources[name]] for name, sigma in technology.spread.items()},
        "sources": dict(technology.sources),
    }


def _compact(value: Any) -> Any:
    """``value`` with floats of ``DIGITS`` significant digits, None where they are not finite."""
    if isinstance(value, dict):
        return {name: _compact(entry) for name, entry in value.items()}
    if isinstance(value, list):
        return [_compact(entry) for entry in value]
    if isinstance(value, float):
        return float(f"{value:.{DIGITS}g}") if math.isfinite(value) else None
    return value
