from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from plotly.offline import get_plotlyjs

import hwexplore as hx
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


def test_every_coefficient_has_a_source(front: Front, page: str) -> None:
    coefficients = read_data(page)["coefficients"]
    liberty = front.problem.technology.sources["liberty"]
    assert all(coefficient["source"] for coefficient in coefficients)
    assert any(liberty in coefficient["source"] for coefficient in coefficients)
    spread = {c["spread"]: c["sigma"] for c in coefficients if c["spread"]}
    assert spread == dict(front.problem.technology.spread)


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


def test_400_designs_stay_below_3_mb(front: Front) -> None:
    data = payload(front)
    shared = len(json.dumps({**data, "details": []}))
    per_design = (len(json.dumps(data)) - shared) / len(data["details"])
    assert shared + 400 * per_design < 3e6


def test_empty_front_of_an_interrupted_search(front: Front, tmp_path: Path) -> None:
    empty = replace(front, ids=front.ids[:0], evaluated=0, feasible=0)
    write_report(empty, tmp_path / "r.html")
    data = read_data((tmp_path / "r.html").read_text("utf-8"))
    assert data["rows"]["id"] == data["details"] == []
    assert not data["head"]["complete"]


@pytest.mark.parametrize("name", ["", "missing/report.html"])
def test_unwritable_path(front: Front, tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError, match=f"report {tmp_path / name} cannot be written: "):
        write_report(front, tmp_path / name)
    assert not list(tmp_path.iterdir())
    assert not list(tmp_path.parent.glob(".*"))


def test_replaces_at_once(front: Front, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full_disk(self: Path, text: str, encoding: str) -> int:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(InputError, match="No space left on device"):
        patch.setattr(Path, "write_text", full_disk)
        write_report(front, path)
    assert path.read_text() == "old"
    write_report(front, path)
    assert path.read_text("utf-8").startswith("<!doctype html>")
    assert list(tmp_path.iterdir()) == [path]
