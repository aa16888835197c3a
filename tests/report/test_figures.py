from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import hwexplore as hx
from hwexplore.accelerator import PARAMETERS
from hwexplore.report import plot
from hwexplore.search import Front


def test_four_objectives_colour_by_the_last(front: Front) -> None:
    figure = hx.plot(front)
    frame = front.to_frame()
    (points,) = figure.data
    np.testing.assert_array_equal(points.x, frame["latency_s"])
    np.testing.assert_array_equal(points.y, frame["energy_j"])
    np.testing.assert_allclose(10.0 ** np.asarray(points.marker.color), frame["error"])
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "log"
    assert figure.layout.xaxis.title.text == "latency (s)"
    assert all(f"{name}: {frame[name].iloc[-1]}" in points.text[-1] for name in PARAMETERS)


@pytest.mark.parametrize("objectives", [("latency_s", "error"), ("error",)])
def test_few_objectives_colour_by_policy(front: Front, objectives: tuple[str, ...]) -> None:
    figure = plot(replace(front, objectives=objectives))
    frame = front.to_frame()
    assert {trace.name: len(trace.x) for trace in figure.data} == frame["policy"].value_counts().to_dict()
    assert figure.layout.yaxis.title.text == "error (NSR)"
    for trace in figure.data:
        np.testing.assert_array_equal(trace.x, frame.loc[frame["policy"] == trace.name, objectives[0]])


@pytest.mark.parametrize("objectives", [("latency_s", "energy_j", "error"), ("latency_s", "error")])
def test_names_are_no_markup(space_of: Any, objectives: tuple[str, ...]) -> None:
    """A policy may override an operator by a name from a file; Plotly reads markup in texts and legends."""
    hostile = "<img src=x onerror=alert(1)>"
    workload = hx.workloads.load("smollm2-135m", context=16)
    operators = tuple(replace(o, name=hostile) if o.name == "lm_head" else o for o in workload.operators)
    space = space_of(policy=[f"int8_channel/int8/int8;{hostile}=int4_channel//"])
    figure = plot(hx.explore(space, replace(workload, operators=operators), list(objectives)))
    (trace,) = figure.data
    texts = [*trace.text, trace.name or ""]
    assert not any("<img" in text for text in texts)
    assert any("&lt;img src=x onerror=alert(1)&gt;=int4_channel//" in text for text in texts)
