from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from hwexplore.search import read_metadata

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def table(run: Run, space: Path, tmp_path: Path) -> Path:
    path = tmp_path / "designs.parquet"
    assert run("explore", "smollm2-135m", "--context", 64, "--space", space, "--out", path)[0] == 0
    return path


def test_id_and_row_are_the_same_design(run: Run, space: Path, table: Path) -> None:
    number = read_metadata(table)["front"][1]
    by_row = run("explain", "row:1", "--from", table, "--json")
    by_id = run("explain", number, "--from", table, "--json")
    anew = run("explain", number, "--workload", "smollm2-135m", "--context", 64, "--space", space, "--json")
    assert by_row == by_id == anew
    code, out, err = by_row
    assert (code, err) == (0, "")
    facts = json.loads(out)
    assert facts["id"] == number
    assert sum(facts["energy_j"].values()) == pytest.approx(facts["metrics"]["energy_j"])
    assert sum(facts["area_mm2"].values()) == pytest.approx(facts["metrics"]["area_mm2"])


def test_prints_down_to_the_last_adder(run: Run, table: Path) -> None:
    facts = json.loads(run("explain", "row:0", "--from", table, "--json")[1])
    code, out, err = run("explain", "row:0", "--from", table)
    assert (code, err) == (0, "")
    for name in (*facts["parameters"], *facts["metrics"], *facts["energy_j"], *facts["area_mm2"]):
        assert name in out
    for name in (*facts["operators"]["name"], *facts["pe"]["bill"]["part"], *facts["pe"]["path"]["part"]):
        assert name in out
    assert "full_adder" in out


def test_row_beyond_the_front(run: Run, table: Path) -> None:
    length = len(read_metadata(table)["front"])
    code, _, err = run("explain", f"row:{length}", "--from", table)
    assert code == 2
    assert f"design 'row:{length}': that front has {length} rows, 0 to {length - 1}" in err


def test_a_fused_run_is_explained_as_it_ran(run: Run, space: Path, tmp_path: Path) -> None:
    path = tmp_path / "fused.parquet"
    options = ("--context", 64, "--fuse", "attention", "--fuse", "elementwise")
    assert run("explore", "smollm2-135m", *options, "--space", space, "--out", path)[0] == 0
    assert read_metadata(path)["fuse"] == ["attention", "elementwise"]
    facts = json.loads(run("explain", "row:0", "--from", path, "--json")[1])
    anew = run("explain", facts["id"], "--workload", "smollm2-135m", *options, "--space", space, "--json")
    assert json.loads(anew[1]) == facts
    moved = dict(zip(facts["operators"]["name"], facts["operators"]["dram_bytes"], strict=True))
    assert moved["softmax"] == 0 < moved["qk_matmul"]
