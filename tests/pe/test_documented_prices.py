"""The prices in docs/models.md are those of the models."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hwexplore.pe import PE

TEXT = (Path(__file__).parents[2] / "docs" / "models.md").read_text("utf-8")
ROWS = re.findall(r"^\| `(.+)` \| (\w*) \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) \|$", TEXT, re.MULTILINE)


def test_families_are_priced_side_by_side() -> None:
    assert {PE.parse(text).family for text, *_ in ROWS} == set(PE.families())


@pytest.mark.parametrize(("text", "mode", "period_ns", "area_um2", "energy_pj"), ROWS)
def test_a_price_is_the_model_s(text: str, mode: str, period_ns: str, area_um2: str, energy_pj: str) -> None:
    cost = PE.parse(text).cost("nangate45", period_ps=1000 * float(period_ns), mode=mode or None)
    assert cost.area_um2.mid / cost.macs_per_cycle == pytest.approx(float(area_um2), abs=0.51)
    assert cost.energy_pj.mid == pytest.approx(float(energy_pj), abs=0.0051)
