"""Designs opened up: where the time, energy and area of each go, down to the adders of its PE."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from hwexplore.accelerator import METRICS, Breakdown, Evaluator, Model
from hwexplore.accelerator.array_use import array_use
from hwexplore.accelerator.infeasible import why_infeasible
from hwexplore.accelerator.tiling import STAYS
from hwexplore.errors import InputError
from hwexplore.report.circuit import describe_pe
from hwexplore.report.format_costs import format_costs
from hwexplore.report.table_precompute import table_precompute
from hwexplore.search import Problem, joint_intervals
from hwexplore.search.front import DesignEvaluator

__all__ = ["OPERATOR_FIELDS", "describe"]

OPERATOR_FIELDS = ("name", "kind", "count", "batch", "m", "n", "k", "macs")
"""Columns of ``operators`` that the workload alone decides."""

Array = NDArray[np.float64]


def describe(problem: Problem, ids: ArrayLike) -> list[dict[str, Any]]:
    """The facts of the designs numbered ``ids`` [design], at tile fidelity, as values that JSON can hold.

    Each design is a dictionary with

    - ``id``, ``parameters``, ``metrics`` by name, and ``intervals``: [low, mid, high] of latency, energy and area;
    - ``operators``: a list per column, an entry per operator. Of one such operator: ``seconds`` and ``picojoules`` by
      term, ``dram_bytes``, ``work`` (MACs of a product, vector operations of the others), ``intensity`` (work per DRAM
      byte), ``work_per_s``. ``unit`` is what it runs on, ``bound`` the slowest term, ``total_s`` the time of all
      ``count``, ``share`` its part of the latency; ``array_use`` has the shares of the array that work, by cause;
      ``tiling`` tells the tiles m x n x k of a product in the buffer, and what stays there while others stream past;
    - ``format_costs``: see `format_costs`; ``table_precompute``: see there, None for PEs without tables;
    - ``energy_j`` of the pass and ``area_mm2``, by term, static energies included;
    - ``roofline``: peak ``array_macs_per_s`` (in the fastest mode that the workload uses) and ``vector_ops_per_s``, and
      DRAM ``bandwidth_bytes_per_s``;
    - ``pe``: see ``describe_pe``; ``pe_instances`` of them are on the die.

    InputError for a number outside the space and for an infeasible design.
    """
    numbers = np.atleast_1d(np.asarray(ids))
    outside = numbers[(numbers < 0) | (numbers >= problem.space.size)]
    if len(outside):
        raise InputError(
            f"design {outside[0]} is not in the space, which numbers its designs 0 to {problem.space.size - 1}"
        )
    index = problem.space.indices(numbers)
    metrics = DesignEvaluator(Evaluator(problem.model), problem.error)(index)
    reason = metrics.pop("reason")
    if reason.any():
        first = int(np.flatnonzero(reason)[0])
        one = {name: column[[first]] for name, column in index.items()}
        raise InputError(f"design {numbers[first]} is infeasible: {why_infeasible(problem.model, one)}")

    parameters = problem.space.values(numbers)
    intervals = {name: np.stack([v.low, v.mid, v.high], 1) for name, v in joint_intervals(problem, numbers).items()}
    breakdown = problem.model.breakdown(index)
    operators = _operators(problem, breakdown, index["policy"])
    operators |= {"array_use": array_use(problem.model, index), "tiling": _tilings(problem.model, index)}
    energy_j = _energy_j(problem, breakdown)
    roofline = _roofline(problem, index)
    places = list(zip(*(index[name].tolist() for name in ("pe", "clock_mhz", "voltage")), strict=True))
    pes = {place: describe_pe(problem.model, place) for place in set(places)}
    costs = [format_costs(problem.model, index, breakdown, i) for i in range(len(numbers))]
    return [
        {
            "id": int(number),
            "parameters": _at(parameters, i),
            "metrics": {name: float(metrics[name][i]) for name in METRICS},
            "intervals": _at(intervals, i),
            "operators": {**_fixed(problem), **_at(operators, i)},
            "format_costs": costs[i],
            "table_precompute": _table_precompute(problem, index, i, costs[i]),
            "energy_j": _at(energy_j, i),
            "area_mm2": _at(breakdown.area_mm2, i),
            "roofline": _at(roofline, i),
            "pe_instances": int(parameters["rows"][i] * parameters["cols"][i]),
            "pe": pes[places[i]],
        }
        for i, number in enumerate(numbers)
    ]


def _fixed(problem: Problem) -> dict[str, list[Any]]:
    return {name: [getattr(operator, name) for operator in problem.workload.operators] for name in OPERATOR_FIELDS}


def _operators(problem: Problem, breakdown: Breakdown, policy: NDArray[np.intp]) -> dict[str, Any]:
    """Columns [design, operator] of what the design decides."""
    ops = problem.model.operators
    work = np.where(ops.is_gemm, ops.macs, ops.vector_ops[policy])
    seconds, total_s = breakdown.operator_s, breakdown.operator_s * ops.count
    terms = np.array(list(breakdown.seconds), dtype=object)
    with np.errstate(divide="ignore", invalid="ignore"):
        intensity, work_per_s = work / breakdown.traffic_bytes, work / seconds
    return {
        "unit": np.where(breakdown.on_array, "array", "vector unit"),
        "bound": terms[np.argmax(list(breakdown.seconds.values()), axis=0)],
        "seconds": breakdown.seconds,
        "total_s": total_s,
        "share": total_s / total_s.sum(axis=1, keepdims=True),
        "dram_bytes": breakdown.traffic_bytes,
        "work": work,
        "intensity": intensity,
        "work_per_s": work_per_s,
        "picojoules": breakdown.picojoules,
    }


def _tilings(model: Model, index: dict[str, NDArray[np.intp]]) -> NDArray[np.object_]:
    """Texts [design, operator], empty for what is no product."""
    tiling = model.mapper.tiling(index)
    texts = np.empty(tiling.tile_m.shape, object)
    for place in np.ndindex(texts.shape):
        m, n, k = (getattr(tiling, f"tile_{side}")[place] for side in "mnk")
        is_product = model.operators.is_gemm[place[1]]
        texts[place] = f"{m:g} x {n:g} x {k:g}, {STAYS[tiling.stays[place]]} stay" if is_product else ""
    return texts


def _energy_j(problem: Problem, breakdown: Breakdown) -> dict[str, Array]:
    count = problem.model.operators.count
    latency_s = breakdown.operator_s @ count
    return {
        **{term: 1e-12 * picojoules @ count for term, picojoules in breakdown.picojoules.items()},
        **{term: watts * latency_s for term, watts in breakdown.static_w.items()},
    }


def _table_precompute(
    problem: Problem, index: dict[str, NDArray[np.intp]], design: int, costs: list[dict[str, Any]]
) -> dict[str, float] | None:
    one = {name: column[[design]] for name, column in index.items()}
    in_pe_j = sum(cost["energy_j"] for cost in costs if cost["term"] == "table precompute")
    return table_precompute(problem.model, one, in_pe_j)


def _roofline(problem: Problem, index: dict[str, NDArray[np.intp]]) -> dict[str, Array]:
    model, hardware = problem.model, problem.model.hardware(index)
    placed = model.placement.at(index["policy"], index["pe"])
    used = np.max(np.where(placed.on_array, model.operators.macs / placed.work_cycles, 0), axis=-1)
    own = np.array([pe.macs_per_cycle for pe in model.choices.values["pe"]])[index["pe"]]
    macs_per_cycle = hardware.rows * hardware.cols * np.where(used > 0, used, own)
    return {
        "array_macs_per_s": macs_per_cycle / hardware.period_s,
        "vector_ops_per_s": hardware.lanes / hardware.period_s,
        "bandwidth_bytes_per_s": hardware.bandwidth_bytes_per_s,
    }


def _at(columns: Any, design: int) -> Any:
    """Row ``design`` of nested columns, as plain values; what is not finite becomes None."""
    if isinstance(columns, dict):
        return {name: _at(column, design) for name, column in columns.items()}
    return _plain(columns[design])


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray):
        return [_plain(entry) for entry in value.tolist()]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not np.isfinite(value) else value
