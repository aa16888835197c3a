"""Predicted against synthesised figures, as a figure."""

from __future__ import annotations

import pandas as pd
import plotly.graph_objects as go
from plotly.colors import qualitative
from plotly.subplots import make_subplots

__all__ = ["plot_residuals"]

UNITS = {"area": "area, um2", "period": "shortest period, ps", "energy": "energy per cycle, pJ"}


def plot_residuals(predicted: pd.DataFrame) -> go.Figure:
    """Predicted over measured, a panel per metric, a colour per node, on logarithmic axes; intervals are 90 %.

    ``predicted`` has the columns of `hwexplore.calibration.residuals.predictions`.
    """
    figure = make_subplots(1, len(UNITS), subplot_titles=list(UNITS.values()))
    for column, metric in enumerate(UNITS, start=1):
        of_metric = predicted[predicted["metric"] == metric]
        ends = [of_metric["measured"].min(), of_metric["measured"].max()]
        figure.add_scatter(x=ends, y=ends, mode="lines", line={"color": "gray"}, showlegend=False, row=1, col=column)
        for (node, rows), colour in zip(of_metric.groupby("node"), qualitative.D3, strict=False):
            figure.add_scatter(
                x=rows["measured"],
                y=rows["mid"],
                error_y={
                    "array": rows["high"] - rows["mid"],
                    "arrayminus": rows["mid"] - rows["low"],
                    "thickness": 0.6,
                    "width": 0,
                },
                mode="markers",
                marker={"color": colour, "size": 5},
                name=node,
                legendgroup=node,
                showlegend=column == 1,
                text=rows["pe"] + "<br>" + rows["target"],
                hovertemplate="%{text}<br>synthesised %{x:.4g}<br>predicted %{y:.4g}",
                row=1,
                col=column,
            )
    axis = {"type": "log", "exponentformat": "power"}
    figure.update_xaxes(title="synthesised", **axis)
    figure.update_yaxes(title="predicted", **axis)
    figure.update_layout(title="Models against synthesis, before placement", legend_title="node")
    return figure
