"""``hwexplore calibrate``: run, fit and report."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import tomllib

from hwexplore.calibration import campaign
from hwexplore.calibration.runs import Chosen, Node
from hwexplore.calibration.tables import shipped
from hwexplore.pe import PE
from hwexplore.technology import PRIMITIVES

Run = Callable[..., tuple[int, str, str]]


def test_report_has_a_line_per_node_and_metric_and_draws_them(run: Run, tmp_path: Path) -> None:
    page = tmp_path / "residuals.html"
    code, output, _ = run("calibrate", "report", "--json", "--html", page)
    assert code == 0
    rows = json.loads(output)
    nodes = set(shipped("asic")["node"])
    assert {(row["node"], row["metric"]) for row in rows} == {
        *((node, metric) for node in nodes for metric in ("area", "period", "energy")),
        ("all", "all"),
    }
    pooled = rows[-1]
    assert 80 <= pooled["covered"] <= 97
    text = page.read_text()
    assert all(node in text for node in nodes)


def test_report_prints_families(run: Run, tmp_path: Path) -> None:
    small = shipped("asic").query("node == 'nangate45' and held_out")
    small.to_parquet(tmp_path / "table.parquet")
    code, output, _ = run("calibrate", "report", tmp_path / "table.parquet")
    assert code == 0
    assert all(family in output for family in small["family"].unique())


def test_fit_writes_what_a_node_needs(run: Run, tmp_path: Path) -> None:
    small = shipped("asic").query("node == 'nangate45' and family in ('multi', 'bit_serial')")
    few = small[small["pe"].isin(small.drop_duplicates("pe").groupby(["family", "held_out"]).head(2)["pe"])]
    few.to_parquet(tmp_path / "table.parquet")
    out = tmp_path / "nangate45.toml"
    code, text, _ = run("calibrate", "fit", "nangate45", tmp_path / "table.parquet", "-o", out, "--families")
    assert code == 0
    assert all(text.count(family) == 3 for family in ("multi", "bit_serial"))
    fitted = tomllib.loads(out.read_text())
    assert set(fitted["primitives"]) == set(PRIMITIVES)
    assert set(fitted["sizing"]) == {"most", "area", "energy", "source"}
    assert "held-out" in fitted["sources"]["fit"]


def test_one_family_cannot_be_left_out(run: Run, tmp_path: Path) -> None:
    one = shipped("asic").query("node == 'nangate45' and pe == 'mac(int8, int8, acc=int32)'")
    pd.concat([one, one.assign(held_out=True)]).to_parquet(tmp_path / "table.parquet")
    out = tmp_path / "nangate45.toml"
    code, _, said = run("calibrate", "fit", "nangate45", tmp_path / "table.parquet", "-o", out, "--families")
    assert (code, out.exists()) == (2, True)
    assert "two are needed" in said


def test_run_writes_a_table_and_reports_what_failed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def synthesised(pe: PE, node: Node, recipes: Sequence[str] | None) -> list[Chosen]:
        if "uint" in str(pe):
            raise RuntimeError("Yosys failed: its last lines")
        return [Chosen(str(pe), node.name, "relaxed", None, 900.0, 500.0, 300.0, 2.0, "booth, small", "netlist")]

    monkeypatch.setattr(campaign, "synthesise", synthesised)
    monkeypatch.setattr(campaign, "measure", lambda chosen, node: {"useful_pj": 1.0})
    out = tmp_path / "table.parquet"
    pes = ("--pe", "mac(int2, int2, acc=int8)", "--pe", "mac(uint2, uint2, acc=int8)")
    code, output, said = run("calibrate", "run", "nangate45", *pes, "--jobs", 1, "--cache", tmp_path, "-o", out)
    assert code == 0
    assert "1 runs failed" in output
    assert "mac(uint2, uint2, acc=int8) on nangate45: Yosys failed: its last lines" in said
    (row,) = pd.read_parquet(out).to_dict("records")
    assert (row["pe"], row["family"], row["area_um2"]) == ("mac(int2, int2, acc=int8)", "mac", 300)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("run", "asap7"), "the cells of asap7 are needed: --liberty asap7=FILE"),
        (("run", "nangate45", "--liberty", "asap7=x.lib"), "NODE=FILE is needed, with a node of nangate45"),
        (("run", "nangate45", "--liberty", "nangate45=missing.lib"), "there is no file missing.lib"),
        (("run", "nangate45", "--pe", "mac(int9x, int8)"), "int9x"),
        (("fit", "nangate45", "missing.parquet"), "missing.parquet is no table"),
    ],
)
def test_bad_input_is_one_sentence(run: Run, tmp_path: Path, arguments: tuple[str, ...], sentence: str) -> None:
    code, _, said = run("calibrate", *arguments, "-o", tmp_path / "out")
    assert code == 2
    assert sentence in said
    assert said.count("\n") == 1
