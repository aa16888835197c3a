"""`hwexplore quality laws`."""

from __future__ import annotations

import json
from typing import Any

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
