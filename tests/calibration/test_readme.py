"""The residuals that the README states are those of the shipped coefficients."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwexplore.calibration.residuals import predictions, summary
from hwexplore.calibration.tables import shipped
from hwexplore.technology import load

README = Path(__file__).parents[2] / "README.md"


def line(node: str) -> str:
    """The row of a node in the README's table."""
    measured = shipped("asic")
    predicted = predictions(measured[measured["held_out"] & (measured["node"] == node)], load(node))
    rows = summary(predicted, ["metric"]).set_index("metric")
    errors = [
        f"{rows.loc[metric, 'mape']:.1f}, {rows.loc[metric, 'worst']:.0f}" for metric in ("area", "period", "energy")
    ]
    covered = predicted["measured"].between(predicted["low"], predicted["high"]).mean()
    return f"| {node} | {rows['designs'].max()} | {' | '.join(errors)} | {100 * covered:.0f} |"


@pytest.mark.parametrize("node", ["nangate45", "asap7", "sky130hd", "sg13g2", "gf180", "gt2n"])
def test_the_table_is_current(node: str) -> None:
    assert line(node) in README.read_text("utf-8").splitlines()
