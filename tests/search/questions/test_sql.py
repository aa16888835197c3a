from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwexplore.accelerator import REASONS
from hwexplore.errors import InputError
from hwexplore.search import Run, query

pytest.importorskip("duckdb")


def test_is_what_pandas_finds(small_run: Run) -> None:
    table = pd.read_parquet(small_run.path)
    table = table[(table["reason"] == 0) & (table["area_mm2"] < 14)]
    found = query("SELECT policy, min(energy_j) AS e FROM designs WHERE area_mm2 < 14 GROUP BY policy", [small_run])
    expected = table.groupby("policy", observed=True)["energy_j"].min()
    assert found.set_index("policy")["e"].to_dict() == expected.to_dict()


def test_tables(small_run: Run, bounded_run: Run) -> None:
    """One folder has quotes and brackets in its name, and both have clocks that are text."""
    runs = [small_run, bounded_run]
    for run in runs:
        everything = pd.read_parquet(run.path).sort_values("id")
        where = str(run.path).replace("'", "''")
        found = query(f"SELECT * EXCLUDE (run) FROM evaluated WHERE run = '{where}' ORDER BY id", runs)
        for name in found.drop(columns=["reason"]):
            assert found[name].astype(str).tolist() == everything[name].astype(str).tolist()
        assert found["reason"].tolist() == [REASONS[code] for code in everything["reason"]]
        front = query(f"SELECT id FROM front WHERE run = '{where}'", runs)
        assert set(front["id"]) == set(run.front_ids)
        feasible = query(f"SELECT id FROM designs WHERE run = '{where}'", runs)
        assert set(feasible["id"]) == set(everything.loc[everything["reason"] == 0, "id"])


def test_a_front_of_one_design(small_run: Run) -> None:
    lone = replace(small_run, front_ids=np.array([5]))
    assert query("SELECT id FROM front", [lone])["id"].tolist() == [5]


def test_most(small_run: Run) -> None:
    assert query("SELECT id FROM designs ORDER BY id DESC", [small_run], 3)["id"].is_monotonic_decreasing
    assert len(query("SELECT id FROM designs", [small_run], 3)) == 3


@pytest.mark.parametrize(
    ("text", "sentence"),
    {
        "SELECT polici FROM designs": 'column "polici" not found in FROM clause! Candidate bindings: "policy"',
        "SELECT policy FROM design": "Table with name design does not exist",
        "selec 1": 'syntax error at or near "selec"',
        "": "is not one SELECT; designs are only read",
        "SELECT 1; SELECT 2": "is not one SELECT",
        "COPY (SELECT 1) TO 'stolen.csv'": "is not one SELECT",
        "DROP VIEW designs": "is not one SELECT",
        "SET threads = 1": "is not one SELECT",
        "SELECT * FROM read_text('/etc/passwd')": "Permission Error",
        "SELECT * FROM sniff_csv('/etc/passwd')": "Permission Error",
        "SELECT 'a' + 1": "Could not choose a best candidate function",
    }.items(),
)
def test_refuses(small_run: Run, text: str, sentence: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        query(text, [small_run])
    assert str(refused.value).startswith(f"query {text!r}")
    assert sentence in str(refused.value)
    assert "\n" not in str(refused.value)
    assert not list(tmp_path.iterdir())


def test_a_folder_twice(small_run: Run) -> None:
    with pytest.raises(InputError, match="a folder is named twice"):
        query("SELECT 1", [small_run, small_run])


def test_without_duckdb(small_run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "duckdb", None)
    with pytest.raises(InputError, match=r"pip install 'hwexplore\[sql\]'"):
        query("SELECT 1", [small_run])
