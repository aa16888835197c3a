from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hwexplore.accelerator import Choices
from hwexplore.accelerator.dies import Die, die, dies
from hwexplore.accelerator.model import Model
from hwexplore.errors import InputError
from hwexplore.technology import load as technology
from hwexplore.workloads import load

DOCUMENT = (Path(__file__).parents[2] / "docs" / "silicon.md").read_text("utf-8")


@pytest.fixture(scope="module", params=dies(), ids=lambda die: die.name)
def compared(request: pytest.FixtureRequest) -> tuple[Die, pd.DataFrame]:
    return request.param, request.param.compare()


def test_nothing_is_lost(compared: tuple[Die, pd.DataFrame]) -> None:
    """The parts add up to the published die, and to all of the design's area."""
    known, table = compared
    assert table["die_mm2"].to_numpy()[:-1].sum() == pytest.approx(known.area_mm2)
    choices = Choices({name: [value] for name, value in known.design.items()})
    model = Model(load("smollm2-135m"), technology(known.technology), choices)
    hardware = model.hardware({name: np.zeros(1, np.intp) for name in known.design})
    assert table["mid"].to_numpy()[-1] == pytest.approx(sum(float(area[0]) for area in hardware.area_mm2.values()))
    assert table["mid"].to_numpy()[:-1].sum() == pytest.approx(table["mid"].to_numpy()[-1])
    assert (table["low"] <= table["mid"]).all()
    assert (table["mid"] <= table["high"]).all()


def test_the_model_is_a_lower_bound(compared: tuple[Die, pd.DataFrame]) -> None:
    """Of every part but the PHYs, whose area is measured on dies; and of the same order where it has all the logic."""
    _, table = compared
    rows = table[table["part"] != "HBM PHY"]
    assert (rows["mid"] < rows["die_mm2"]).all()
    memories = table[table["part"].isin(["data buffers", "CMEM"])]
    assert (memories["high"] > 0.8 * memories["die_mm2"]).all()


def test_phys_are_those_of_the_photograph() -> None:
    table = die("ga100").compare().set_index("part")
    assert table.loc["HBM PHY", "low"] < 58 < table.loc["HBM PHY", "high"]


def test_floorplan_of_tpu_v1() -> None:
    """37 % buffers, 30 % compute, 10 % I/O, 2 % control (Jouppi et al., ISCA 2017, Figure 2)."""
    known = die("tpu-v1")
    shares = {part.name: part.area_mm2 / known.area_mm2 for part in known.parts}
    assert shares == pytest.approx({"data buffers": 0.37, "compute": 0.30, "I/O": 0.10, "control": 0.02}, rel=5e-3)


def test_the_document_says_the_same(compared: tuple[Die, pd.DataFrame]) -> None:
    known, table = compared
    for row in table.itertuples():
        cells = re.search(
            rf"^\| {known.name} \| {row.part} \| ([\d.]+) \| ([\d.]+) \| ([\d.]+) to ([\d.]+) ", DOCUMENT, re.M
        )
        assert cells, row.part
        expected = [row.die_mm2, row.mid, row.low, row.high]
        assert [float(cell) for cell in cells.groups()] == pytest.approx(expected, rel=0.1, abs=0.06)


def test_every_die_has_its_sources() -> None:
    for known in dies():
        assert set(known.sources) == {"area_mm2", "design"}
    with pytest.raises(InputError, match="unknown die 'tpu-v2'; did you mean tpu-v"):
        die("tpu-v2")
