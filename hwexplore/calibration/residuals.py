"""How far the models are from synthesis, on PEs that no fit has seen."""

from __future__ import annotations

import pandas as pd

from hwexplore.calibration.fit import fit
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.technology import Interval, Technology

__all__ = ["leave_one_family_out", "predictions", "summary"]


def predictions(measured: pd.DataFrame, node: Technology) -> pd.DataFrame:
    """Predicted and measured figures, a row per PE, target and metric; the shortest period once per PE.

    Columns: node, pe, family, held_out, target, metric, measured, low, mid, high. Energies are per cycle, glitches and
    clock included. Where the model has no structure for the period of a netlist, its fastest one is taken.
    """
    rows = []
    for row in measured[measured["node"] == node.name].to_dict("records"):
        pe = PE.parse(row["pe"])
        fastest_ps = pe.fastest_period_ps(node) * (1 + 1e-9)
        is_relaxed = row["target"] == "relaxed"
        cost = pe.cost(node, None if is_relaxed else max(row["period_target_ps"], fastest_ps))
        energy_pj = row["useful_pj"] + row["glitch_pj"] + row["input_pj"] + row["clock_pj"]
        figures = {
            "area": (row["area_um2"], cost.area_um2, 1.0),
            "energy": (energy_pj, cost.energy_pj, pe.macs_per_cycle),
        }
        if is_relaxed:
            fastest = Interval.of(pe.fastest_period_ps(node), pe.fastest_period_ps(node.drawn))
            figures["period"] = (row["shortest_ps"], fastest, 1.0)
        same = {"node": node.name, "family": pe.family} | {name: row[name] for name in ("pe", "held_out", "target")}
        rows += [
            same
            | {"metric": metric, "measured": value}
            | {end: getattr(interval, end) * factor for end in ("low", "mid", "high")}
            for metric, (value, interval, factor) in figures.items()
        ]
    return pd.DataFrame(rows)


def summary(predicted: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Errors and intervals of `predictions`, grouped: per cent.

    ``mape`` and ``worst`` absolute error, ``bias`` mean error, ``covered`` measurements within their 90 % interval,
    ``width`` from the lower to the upper end of the interval in units of the middle.
    """
    error = 100 * (predicted["mid"] / predicted["measured"] - 1)
    table = predicted.assign(
        error=error,
        distance=error.abs(),
        inside=100.0 * predicted["measured"].between(predicted["low"], predicted["high"]),
        width=100 * (predicted["high"] - predicted["low"]) / predicted["mid"],
    )
    grouped = table.groupby(by, sort=False)
    return grouped.agg(
        designs=("pe", "nunique"),
        mape=("distance", "mean"),
        worst=("distance", "max"),
        bias=("error", "mean"),
        covered=("inside", "mean"),
        width=("width", "median"),
    ).reset_index()


def leave_one_family_out(measured: pd.DataFrame, start: Technology) -> pd.DataFrame:
    """The `summary` by metric of each family under a fit to all other families; InputError if there is one only."""
    of_node = measured[measured["node"] == start.name]
    fitted = of_node[~of_node["held_out"]]
    if fitted["family"].nunique() < 2:
        raise InputError(f"the table has fitted PEs of one family on {start.name}; two are needed to leave one out")
    tables = []
    for family in fitted["family"].unique():
        others = fitted[fitted["family"] != family]
        node = fit(others, start, "")
        tables.append(summary(predictions(of_node[of_node["family"] == family], node), ["node", "family", "metric"]))
    return pd.concat(tables, ignore_index=True)
