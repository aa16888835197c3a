from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from hwexplore.search import Run, diff, iso_error, knee

Command = Callable[..., tuple[int, str, str]]

NETWORK = ("smollm2-135m", "--context", "64")


@pytest.fixture
def folder(run: Command, space: Path, tmp_path: Path) -> Path:
    """The designs of the small space."""
    path = tmp_path / "designs.parquet"
    code, _, _ = run("explore", *NETWORK, "--space", space, "--fidelity", "roofline", "--out", path)
    assert code == 0
    return path


def answer(run: Command, *arguments: object) -> object:
    code, out, err = run(*arguments, "--json")
    assert (code, err) == (0, "")
    return json.loads(out)


def test_json(run: Command, folder: Path, space: Path) -> None:
    """One run serves them all: exploring takes most of the time."""
    pytest.importorskip("duckdb")
    found = Run.read(folder)
    front = found.front()
    best = answer(run, "front", "best", folder, "--objective", "tops", "--constraint", "rows == 1")
    assert best == found.front(["tops"], ["rows == 1"]).to_dict("records")[0]
    assert answer(run, "front", "best", folder) == front.to_dict("records")[0]
    assert answer(run, "front", "knee", folder) == front.to_dict("records")[knee(front, found.objectives)]
    formats = answer(run, "front", "formats", folder, "--error", 0.01, "--by", "weights")
    expected = iso_error(found, 0.01, "weights")
    assert [row["weights"] for row in formats] == expected.index.tolist()
    assert formats[0]["latency_s_id"] == expected["latency_s_id"].iloc[0]
    assert formats[-1]["latency_s"] is None
    differences = answer(run, "front", "diff", folder, folder)
    assert differences["hypervolume"] == list(diff(found, found).hypervolume)
    assert (differences["gone"], differences["new"], len(differences["kept"])) == ([], [], len(front))
    rows = answer(
        run, "sql", "SELECT id, 1 / 0 AS x, DATE '2026-01-31' AS t, policy FROM front ORDER BY id LIMIT 2", folder
    )
    assert [row["id"] for row in rows] == sorted(front["id"])[:2]
    assert rows[0]["x"] is None
    assert rows[0]["t"] == "2026-01-31 00:00:00"


def test_what_is_printed(run: Command, folder: Path) -> None:
    pytest.importorskip("duckdb")
    code, out, _ = run("front", "best", folder, "--objective", "tops", "--constraint", "rows == 1")
    assert (code, out.splitlines()[0][:26]) == (0, "highest tops with rows == ")
    code, out, _ = run("front", "knee", folder, "--objective", "tops", "--objective", "area_mm2")
    front = Run.read(folder).front(["tops", "area_mm2"])
    [line] = [line for line in out.splitlines() if line.startswith("│ tops")]
    cells = [cell.strip() for cell in line.split("│")[3:6]]
    value = front["tops"].iloc[knee(front, ["tops", "area_mm2"])]
    assert [float(cell) for cell in cells] == pytest.approx([front["tops"].max(), value, front["tops"].min()], rel=1e-3)
    code, out, _ = run("sql", "SELECT id FROM evaluated", folder, "--rows", 2)
    assert (code, out.splitlines()[0]) == (0, "the first 2 rows; --rows or --json for more")
    assert out.count("\n│") == 2


def test_winner(run: Command, space: Path) -> None:
    options = ("--space", space, "--fidelity", "roofline", "--context", 64, "--objective", "energy_j")
    pes = "pe=mac(int8, int8, acc=int32), mac(int4, int8, acc=int24 sat)"
    found = answer(run, "winner", "smollm2-135m", *options, "--vary", pes, "--vary", "clock_mhz=250,max")
    table = pd.DataFrame(found["settings"])
    assert table["clock_mhz"].tolist() == [250, "max"] * 2
    assert table["pe"].tolist() == ["mac(int8, int8, acc=int32)"] * 2 + ["mac(int4, int8, acc=int24 sat)"] * 2
    assert all({"pe"}.isdisjoint(flip["loser"]) for flip in found["flips"])
    found = answer(run, "winner", "smollm2-135m", *options, "--vary", "batch=1,1000000", "--vary", "context=32,64")
    assert [flip["where"] for flip in found["flips"]] == [{"context": 32}, {"context": 64}]
    assert found["settings"][-1]["policy"] is None
    code, out, err = run("winner", "smollm2-135m", *options, "--vary", "batch=1,1000000", "--vary", "voltage=0.9")
    assert (code, err) == (0, "")
    assert "batch 1 -> 1000000 with voltage 0.9: policy " in out
    assert " -> none, pe " in out
    code, out, _ = run("winner", "smollm2-135m", *options, "--vary", "voltage=0.9,1.1")
    assert out.endswith("the same policy and PE win everywhere\n")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["front", "best", "none"], "none is not a folder that hwexplore explore wrote"),
        (["winner", *NETWORK, "--vary", "batch"], "--vary 'batch' is not of the form NAME=VALUE,VALUE"),
        (["winner", *NETWORK, "--vary", "batches=1"], "unknown setting 'batches'; did you mean batch"),
        (["winner", *NETWORK, "--vary", "batch=1", "--vary", "batch=2"], "batch is varied twice"),
        (["winner", *NETWORK, "--vary", "batch=two"], "batch is 'two'; expected a positive integer"),
        (["winner", *NETWORK, "--vary", "dram=hbm9"], "unknown DRAM 'hbm9'; did you mean hbm3"),
        (["winner", *NETWORK, "--vary", "technology=none"], "unknown technology 'none'"),
    ],
)
def test_bad_input(run: Command, arguments: list[str], sentence: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert sentence in err
    assert err.count("\n") == 1
