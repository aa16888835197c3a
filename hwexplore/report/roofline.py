"""The roofline of a workload on an accelerator, as a figure."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from html import escape
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go
from plotly.colors import qualitative

from hwexplore.accelerator.presets import Preset, roofline
from hwexplore.workloads import Policy, Workload

__all__ = ["plot_roofline"]

NEIGHBOURS = 0.03
"""Operators that differ by less than this in log10 of their intensity share a marker."""
NAMED = 0.02
"""Markers with less than this share of the time are named only when hovered."""
LARGEST = 60
"""Diameter in pixels of the marker of all the time; areas go with the share of time."""
AXIS = {"type": "log", "dtick": 1, "ticks": "outside", "ticklen": 8, "minor": {"ticks": "outside", "ticklen": 4}}


def plot_roofline(workload: Workload, policy: Policy, preset: Preset, measured: bool = False) -> go.Figure:
    """Attainable operations per second over arithmetic intensity, on logarithmic axes.

    One roof for each compute format that is used, the slope of the memory's bandwidth, and operators as markers whose
    area is their share of time; hovering lists them. Operators without operations (look-ups) are not on a logarithmic
    axis and are left out. With ``measured``, operators stand as far below the roofs as measured products would.
    """
    operators = roofline(workload, policy, preset, measured).query("intensity > 0 and bytes > 0")
    limits = operators["peak_ops_per_s"][np.isfinite(operators["peak_ops_per_s"])] / preset.bandwidth_bytes_per_s
    reach = pd.concat([operators["intensity"], limits])
    left, right = reach.min() / 3, reach.max() * 4
    figure = go.Figure(
        layout={
            "title": {"text": escape(_title(workload, policy, preset))},
            "template": "plotly_white",
            "hovermode": "closest",
            "hoverlabel": {"align": "left"},
            "legend": {"itemsizing": "constant"},
            "xaxis": {**AXIS, "title": "arithmetic intensity (op/byte)", "range": np.log10([left, right]).tolist()},
            "yaxis": {**AXIS, "title": "attainable (op/s)", "tickformat": "~s"},
        }
    )
    ridge = limits.max() if len(limits) else right
    slope = np.array([left, ridge])
    figure.add_scatter(
        x=slope,
        y=slope * preset.bandwidth_bytes_per_s,
        mode="lines",
        line={"color": "grey"},
        hoverinfo="skip",
        name=f"memory, {preset.bandwidth_bytes_per_s / 1e9:.4g} GB/s",
    )
    units = np.where(operators["macs"] > 0, "products", "elementwise")
    roofs = units + (" in " + operators["runs_as"]).fillna("")
    for (name, rows), colour in zip(operators.groupby(roofs, sort=False), qualitative.D3, strict=False):
        _add_roof(figure, rows, preset, right, str(name), colour)
    return figure


def _add_roof(figure: go.Figure, rows: pd.DataFrame, preset: Preset, right: float, name: str, colour: str) -> None:
    """The roof of one unit and format, if it has one, and the operators under it."""
    peak = rows["peak_ops_per_s"].iloc[0]
    if np.isfinite(peak):
        name = f"{name}, {peak / 1e12:.4g} Top/s"
        figure.add_scatter(
            x=[peak / preset.bandwidth_bytes_per_s, right],
            y=[peak, peak],
            mode="lines",
            line={"color": colour},
            hoverinfo="skip",
            legendgroup=name,
            showlegend=False,
        )
    rows = rows.sort_values("intensity", kind="stable")
    cluster = (np.log10(rows["intensity"]).diff() > NEIGHBOURS).cumsum()
    markers = pd.DataFrame([_marker(group) for _, group in rows.groupby(cluster)])
    beside_slope = "top left" if rows["macs"].iloc[0] else "bottom right"
    alternating = np.resize(["top center", "bottom center"], len(markers))
    figure.add_scatter(
        x=markers["x"],
        y=markers["y"],
        text=markers["text"].where(markers["share"] >= NAMED, ""),
        hovertext=markers["hovertext"],
        hoverinfo="text",
        mode="markers+text",
        textposition=np.where(markers["bound"] == "memory", beside_slope, alternating),
        marker={"size": np.maximum(LARGEST * np.sqrt(markers["share"]), 7), "color": colour, "opacity": 0.75},
        name=name,
        legendgroup=name,
    )


def _marker(group: pd.DataFrame) -> dict[str, Any]:
    """Operators of much the same intensity, at their time-weighted mean, named after the slowest."""
    group = group.sort_values("share", ascending=False, kind="stable")
    first = escape(group["name"].iloc[0])
    return {
        "x": np.average(group["intensity"], weights=group["share"]),
        "y": np.average(group["attainable_ops_per_s"], weights=group["share"]),
        "text": first if len(group) == 1 else f"{first} + {len(group) - 1}",
        "hovertext": "<br>".join(_hover(row) for row in group.to_dict("records")),
        "share": group["share"].sum(),
        "bound": group["bound"].iloc[0],
    }


def _hover(row: Mapping[Hashable, Any]) -> str:
    return (
        f"{row['count']} x <b>{escape(row['name'])}</b>: {100 * row['share']:.3g} % of the time, "
        f"{row['bound']}-bound, {row['intensity']:.4g} op/byte, {row['attainable_ops_per_s'] / 1e12:.4g} Top/s"
    )


def _title(workload: Workload, policy: Policy, preset: Preset) -> str:
    return f"{workload.setting}, {policy} on {preset.name}"
