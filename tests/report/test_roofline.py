from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import plotly.graph_objects as go
import pytest

from hwexplore.accelerator.presets import preset, roofline
from hwexplore.errors import InputError
from hwexplore.report.roofline import plot_roofline
from hwexplore.report.writing import write_page
from hwexplore.workloads import Policy, load

if TYPE_CHECKING:
    from conftest import Browser

HOSTILE = "</script><img src=x onerror=document.title='taken'>"


def traces(figure: go.Figure, kind: str) -> list[go.Scatter]:
    return [trace for trace in figure.data if trace.mode == kind]


@pytest.mark.parametrize("phase", ["prefill", "decode"])
@pytest.mark.parametrize("name", ["h100", "zcu104"])
def test_markers_lie_on_the_roofline(name: str, phase: str) -> None:
    machine, workload = preset(name), load("mixtral-8x7b", phase=phase)
    policy = Policy.parse("int4/int8/int4;lm_head=int4/int4/")
    figure = plot_roofline(workload, policy, machine)
    slope, *roofs = traces(figure, "lines")
    np.testing.assert_allclose(slope.y, np.asarray(slope.x) * machine.bandwidth_bytes_per_s)
    peaks = {roof.legendgroup: roof.y[0] for roof in roofs}
    table = roofline(workload, policy, machine)
    assert set(peaks.values()) == set(table["peak_ops_per_s"]) - {np.inf}
    assert slope.y[-1] == pytest.approx(max(peaks.values()))
    for roof in roofs:
        assert roof.y[0] == roof.y[1] == pytest.approx(roof.x[0] * machine.bandwidth_bytes_per_s)
    markers = traces(figure, "markers+text")
    for trace in markers:
        attainable = np.minimum(peaks.get(trace.name, np.inf), np.asarray(trace.x) * machine.bandwidth_bytes_per_s)
        np.testing.assert_allclose(trace.y, attainable, rtol=0.03)
        assert (np.diff(trace.x) > 0).all()
    hovers = "<br>".join(text for trace in markers for text in trace.hovertext)
    assert hovers.count("of the time") == len(table) - 1
    assert all(f"<b>{operator}</b>" in hovers for operator in table["name"] if operator != "embedding")


def test_areas_are_shares_of_time() -> None:
    figure = plot_roofline(load("llama-2-7b", phase="prefill"), Policy(), preset("a100"))
    sizes = np.concatenate([trace.marker.size for trace in traces(figure, "markers+text")])
    assert sizes.min() == 7
    assert 60**2 * 0.9 < np.square(sizes[sizes > 7]).sum() <= 60**2
    products = next(trace for trace in figure.data if trace.mode == "markers+text" and "products" in trace.name)
    assert products.text[np.argmax(products.marker.size)].startswith("gate_proj + ")


def test_measured_products_stand_below_the_roofs() -> None:
    workload = load("llama-2-7b", phase="prefill")
    ideal, measured = (plot_roofline(workload, Policy(), preset("a100"), measured) for measured in (False, True))
    best, slower = (np.max([max(trace.y) for trace in traces(figure, "markers+text")]) for figure in (ideal, measured))
    assert 0.8 * 0.888 < slower / best < 0.888
    assert "launch-bound" in "".join(text for trace in traces(measured, "markers+text") for text in trace.hovertext)


def test_a_machine_without_any_finite_peak_in_use() -> None:
    workload = load("smollm2-135m")
    softmax = tuple(operator for operator in workload.operators if operator.kind == "softmax")
    figure = plot_roofline(replace(workload, operators=softmax), Policy(), preset("zcu104"))
    assert [trace.mode for trace in figure.data] == ["lines", "markers+text"]
    assert figure.data[1].text == ("softmax",)


def test_page_in_a_browser(browser: Browser, tmp_path: Path) -> None:
    workload = replace(load("smollm2-135m"), name=HOSTILE)
    operators = tuple(replace(operator, name=operator.name + HOSTILE) for operator in workload.operators)
    path = tmp_path / "roofline.html"
    write_page(plot_roofline(replace(workload, operators=operators), Policy(), preset("a100")), path)
    browser.open(path)
    browser.wait("document.querySelectorAll('.scatterlayer .trace').length === 5")
    assert browser.run("document.querySelector('.gtitle').textContent").startswith(HOSTILE)
    assert browser.run("document.querySelector('.xtitle').textContent") == "arithmetic intensity (op/byte)"
    assert browser.run("document.querySelector('.ytitle').textContent") == "attainable (op/s)"
    assert browser.run("document.title") != "taken"
    assert browser.problems == []
    assert [url for url in browser.requests if not url.startswith(("file:", "data:", "blob:"))] == []


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("roofline.pdf", r"roofline\.pdf has suffix '\.pdf'; expected \.html$"),
        ("missing/roofline.html", "roofline.html cannot be written: No such file or directory$"),
        ("folder.html", "folder.html cannot be written: Is a directory$"),
    ],
)
def test_outputs_that_cannot_be_written(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.html").mkdir()
    with pytest.raises(InputError, match=message):
        write_page(go.Figure(), tmp_path / name)
