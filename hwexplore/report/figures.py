"""Plotly figures for notebooks."""

from __future__ import annotations

from html import escape

import numpy as np
import plotly.graph_objects as go

from hwexplore.accelerator import PARAMETERS
from hwexplore.report.payload import LABELS, UNITS
from hwexplore.search import Front

__all__ = ["plot"]


def plot(front: Front) -> go.Figure:
    """The front as a scatter of its first two objectives, on logarithmic axes; hovering shows the parameters.

    Colour is the last objective, on a logarithmic scale, or the policy where there are only two objectives or fewer.
    """
    frame = front.to_frame()
    x, y = (*front.objectives, *front.objectives)[:2]
    hover = [
        f"design {row['id']}<br>" + "<br>".join(f"{name}: {escape(str(row[name]))}" for name in PARAMETERS)
        for _, row in frame.iterrows()
    ]
    figure = go.Figure(
        layout={
            "xaxis": {"type": "log", "title": _title(x)},
            "yaxis": {"type": "log", "title": _title(y)},
            "hovermode": "closest",
        }
    )
    colour = front.objectives[-1]
    if len(front.objectives) > 2:
        exponents = np.log10(frame[colour])
        figure.add_scatter(
            x=frame[x],
            y=frame[y],
            mode="markers",
            text=hover,
            marker={"color": exponents, "colorscale": "Viridis", "colorbar": {"title": f"log10 {_title(colour)}"}},
        )
        return figure
    for policy, rows in frame.groupby("policy", sort=False).groups.items():
        figure.add_scatter(
            x=frame.loc[rows, x],
            y=frame.loc[rows, y],
            mode="markers",
            name=escape(str(policy)),
            text=[hover[row] for row in rows],
        )
    return figure


def _title(name: str) -> str:
    return f"{LABELS[name]} ({UNITS[name]})" if UNITS[name] else LABELS[name]
