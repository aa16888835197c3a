from __future__ import annotations

import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

import hwexplore as hx
from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.report import payload as payload_module
from hwexplore.report import write_report
from hwexplore.report.payload import payload
from hwexplore.search import Front

HOSTILE = "</script><img src=x onerror=alert(1)>{{data}}"


def read_data(page: str) -> dict[str, Any]:
    match = re.search(r'<script id="data" type="application/json">(.*?)</script>', page, re.S)
    assert match
    return dict(json.loads(match[1]))


@pytest.fixture(scope="module")
def page(front: Front, tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("page") / "report.html"
    hx.write_report(front, path)
    return path.read_text("utf-8")


def test_data_of_the_page(front: Front, page: str) -> None:
    data = read_data(page)
    frame = front.to_frame()
    assert data["rows"]["id"] == frame["id"].tolist()
    for column in data["columns"]:
        values = data["rows"][column["name"]]
        if column["role"] == "metric":
            np.testing.assert_allclose(values, frame[column["name"]], rtol=1e-4)
        else:
            assert values == frame[column["name"]].tolist()
    assert [detail["row"] for detail in data["details"]] == list(range(len(front)))
    latencies = [sum(detail["operators"]["total_s"]) for detail in data["details"]]
    np.testing.assert_allclose(latencies, frame["latency_s"], rtol=1e-4)
    for detail in data["details"]:
        assert data["pes"][detail["pe"]]["text"] == frame["pe"][detail["row"]]
    assert data["head"]["space"] == front.problem.space.size == data["head"]["evaluated"]
    assert data["head"]["complete"]
    assert data["head"]["inert"] == front.inert()


def test_command_opens_the_design(front: Front, page: str) -> None:
    before, after = read_data(page)["head"]["explain"]
    assert before == "hwexplore explain"
    assert after == (
        "--workload smollm2-135m --phase decode --batch 4 --context 512 --technology nangate45 --space space.toml"
    )
    assert hx.Space.parse(read_data(page)["head"]["space_toml"]).size == front.problem.space.size


def test_every_coefficient_has_a_source_and_a_known_spread(front: Front, page: str) -> None:
    coefficients = read_data(page)["coefficients"]
    technology = front.problem.technology
    assert all(row["source"] for row in coefficients["table"])
    assert {row["spread"] for row in coefficients["table"]} - {""} == set(coefficients["spreads"])
    assert coefficients["spreads"] == {
        name: [sigma, technology.spread_sources[name]] for name, sigma in technology.spread.items()
    }
    short = {row["source"].partition(":")[0] for row in coefficients["table"]}
    assert short & set(coefficients["sources"])


def test_loads_nothing_from_outside(page: str) -> None:
    own = page.replace(get_plotlyjs(), "")
    assert len(own) < len(page)
    assert not re.findall(r"""(?:src|href)\s*=\s*["'](?!#)|url\(|@import|https?://""", own)
    assert "default-src 'none'" in own


def test_names_cannot_break_out(front: Front, tmp_path: Path) -> None:
    problem = replace(front.problem, workload=replace(front.problem.workload, name=HOSTILE))
    problem.__dict__["error"] = front.problem.error
    write_report(replace(front, problem=problem), tmp_path / "r.html")
    page = (tmp_path / "r.html").read_text("utf-8")
    assert read_data(page)["head"]["workload"] == HOSTILE
    assert page.count("</script>") == 3
    assert "<img" not in page.replace(get_plotlyjs(), "")


def test_long_fronts_open_representatives(front: Front, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(payload_module, "DETAILED", 5)
    data = payload(front)
    assert [detail["row"] for detail in data["details"]] == front.representatives(5).tolist()
    assert len(data["rows"]["id"]) == len(front)


def test_command_for_the_default_space(front: Front) -> None:
    space = hx.Space.default()
    problem = replace(front.problem, space=space)
    problem.__dict__["error"] = np.zeros(tuple(len(space.choices.values[name]) for name in ("policy", "pe")))
    head = payload(Front(problem, front.objectives, (), front.ids[:0], 0, 0, 0.0))["head"]
    assert head["explain"][1].endswith("--technology nangate45")


def test_command_for_fused_operators_and_unlike_experts(front: Front) -> None:
    workload = workloads.load("mixtral-8x7b", fuse=["attention", "elementwise"], expert_skew=0.5)
    problem = replace(front.problem, workload=workload)
    problem.__dict__["error"] = front.problem.error
    head = payload(Front(problem, front.objectives, (), front.ids[:0], 0, 0, 0.0))["head"]
    assert "--context 2048 --fuse attention --fuse elementwise --expert-skew 0.5 --tech" in head["explain"][1]


def test_400_designs_stay_below_3_mb(page: str) -> None:
    data = read_data(page)
    shared = len(json.dumps({**data, "details": []}))
    per_design = (len(json.dumps(data)) - shared) / len(data["details"])
    assert shared + 400 * per_design < 3e6


@pytest.fixture
def empty(front: Front) -> Front:
    """What a search returns that was interrupted at once."""
    return replace(front, ids=front.ids[:0], evaluated=0, feasible=0)


def test_empty_front(empty: Front, tmp_path: Path) -> None:
    write_report(empty, tmp_path / "report.html")
    data = read_data((tmp_path / "report.html").read_text("utf-8"))
    assert data["rows"]["id"] == data["details"] == []
    assert not data["head"]["complete"]


@pytest.mark.parametrize("name", ["", "missing/report.html"])
def test_unwritable_path(empty: Front, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"output {tmp_path / name} cannot be written: "):
        write_report(empty, tmp_path / name)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob(f".{tmp_path.name}*"))


def test_failed_write_leaves_the_old_page(empty: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full_disk(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full_disk)
        with pytest.raises(InputError, match="No space left on device"):
            write_report(empty, path)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_report(empty, path)
    assert path.read_text("utf-8").startswith("<!doctype html>")
