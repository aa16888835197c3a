from __future__ import annotations

import pandas as pd

from hwexplore.report.residuals import plot_residuals


def test_every_prediction_is_drawn_with_its_interval() -> None:
    rows = [
        {
            "node": node,
            "pe": f"{node} {metric}",
            "target": "2x",
            "metric": metric,
            "measured": 2.0,
            "low": 1,
            "mid": 3,
            "high": 4,
        }
        for node in ("one", "two")
        for metric in ("area", "period", "energy")
    ]
    figure = plot_residuals(pd.DataFrame(rows))
    markers = [trace for trace in figure.data if trace.mode == "markers"]
    assert len(markers) == 6
    assert {trace.name for trace in markers if trace.showlegend} == {"one", "two"}
    for trace in markers:
        assert (trace.x[0], trace.y[0]) == (2, 3)
        assert (trace.error_y.array[0], trace.error_y.arrayminus[0]) == (1, 2)
