"""`hwexplore quality laws`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest


def test_the_gap_at_four_bits_is_printed(run: Any) -> None:
    code, out, _ = run("quality", "laws", "--format", "mxint4", "--json")
    assert code == 0
    [row] = json.loads(out)
    assert row["format"] == "mxint4"
    assert row["theorem_gap_db"] == pytest.approx(row["theorem_db"] - row["monte_carlo_db"])
    assert abs(row["gaussian_gap_db"]) < 0.2 < abs(row["theorem_gap_db"])
    code, out, _ = run("quality", "laws", "--format", "mxint4")
    assert code == 0
    assert f"{row['theorem_gap_db']:.2f}" in out


def test_a_format_without_scales_has_nothing_to_measure(run: Any) -> None:
    code, _, error = run("quality", "laws", "--format", "int8")
    assert code == 2
    assert "int8 has no scales to measure" in error


def test_theory_of_a_distribution_beside_monte_carlo(run: Any) -> None:
    arguments = ("quality", "distributions", "--format", "mxfp4", "--distribution", "laplace", "--distribution")
    code, out, _ = run(*arguments, "student_t(8)", "--json")
    assert code == 0
    rows = json.loads(out)
    assert [(row["distribution"], row["format"]) for row in rows] == [("laplace", "mxfp4"), ("student_t(8)", "mxfp4")]
    assert all(row["gap_db"] == pytest.approx(row["theory_db"] - row["monte_carlo_db"]) for row in rows)
    code, out, _ = run(*arguments, "student_t(8)")
    assert code == 0
    assert all(f"{row['theory_db']:.2f}" in out for row in rows)


def test_an_unknown_distribution(run: Any) -> None:
    code, _, error = run("quality", "distributions", "--distribution", "laplce")
    assert code == 2
    assert "unknown distribution 'laplce'; did you mean laplace?" in error


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    np.savez(tmp_path / "a.npz", w=rng.laplace(size=(64, 256)), norm=np.ones((1, 64)), ids=np.arange(3))
    return tmp_path / "a.npz"


def test_tensors_of_a_file(run: Any, file: Path, tmp_path: Path) -> None:
    arguments = ("quality", "tensors", file, "--formats", "mxfp4, mxint4", "--out", tmp_path / "a.parquet")
    code, out, _ = run(*arguments, "--json")
    assert code == 0
    w, norm, ids = json.loads(out)
    assert (w["name"], w["distribution"], w["winner_4b"], w["nu"]) == ("w", "laplace", "mxfp4", None)
    assert (norm["mxfp4"], norm["kurtosis"], norm["skipped"]) == (None, None, "")
    assert ids["skipped"].startswith("int64 is not one of")
    code, out, _ = run(*arguments)
    assert code == 0
    assert f"{w['mxfp4']:.2f}" in out
    assert "exact" in out
    assert "winner 4b: mxfp4 100%" in out
    assert "skipped ids int64 [3]: int64 is not one of" in out


def test_no_winner_among_exact_formats(run: Any, tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", norm=np.ones((1, 64)))
    code, out, _ = run("quality", "tensors", tmp_path / "a.npz")
    assert code == 0
    assert "winner 4b: none" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("a.npz", "--formats", "mxfp4,int4"), "int4 has no scale"),
        (("a.npz", "--formats", "mxfp5"), "unknown format 'mxfp5'"),
        (("a.npz", "--formats", ""), "unknown format ''"),
        (("b.npz",), "b.npz cannot be read: No such file"),
        (("a.bin",), "unknown kind of file"),
    ],
)
def test_files_and_formats_that_are_refused(
    run: Any, file: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], sentence: str
) -> None:
    monkeypatch.chdir(file.parent)
    code, _, error = run("quality", "tensors", *arguments)
    assert code == 2
    assert sentence in error
