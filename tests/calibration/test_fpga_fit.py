"""The LUT law against the syntheses that ship with hwexplore."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import tomllib

from hwexplore.calibration.fpga_fit import fit, leave_family_out, predictions
from hwexplore.calibration.fpga_runs import COLUMNS
from hwexplore.calibration.population import is_held_out, population
from hwexplore.calibration.tables import shipped
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.pe.dsp import fpga_bill
from hwexplore.technology.device import load, part_counts


@pytest.fixture(scope="module")
def runs() -> pd.DataFrame:
    return shipped("fpga")


def test_the_table_has_its_schema(runs: pd.DataFrame) -> None:
    assert list(runs) == list(COLUMNS)
    assert runs["held_out"].tolist() == [is_held_out(PE.parse(text)) for text in runs["pe"]]
    assert not runs.duplicated(["pe", "device", "dsp_allowed", "recipe"]).any()
    assert (runs["fmax_mhz"].notna() == (runs["device"] == "ecp5_85f")).all()
    assert (runs.loc[~runs["dsp_allowed"], "dsp"] == 0).all()


def test_luts_of_held_out_pes_are_within_ten_percent(runs: pd.DataFrame) -> None:
    result = fit(runs, "zcu104")
    assert result.mape() <= 0.10
    assert result.residuals["held_out"].sum() >= 16


@pytest.mark.parametrize("device", ["zcu104", "ecp5_85f"])
def test_the_shipped_coefficients_are_those_of_the_fit(runs: pd.DataFrame, device: str) -> None:
    table = tomllib.loads(fit(runs, device).to_toml())["lut"]
    law = load(device).lut_law
    assert law.luts == pytest.approx(table["luts"], abs=2e-3)
    assert law.sigma == pytest.approx(table["sigma"], abs=2e-3)
    assert law.source == table["source"]


def test_no_held_out_synthesis_moves_the_fit(runs: pd.DataFrame) -> None:
    changed = runs.assign(lut=runs["lut"].where(~runs["held_out"], 7 * runs["lut"]))
    assert fit(changed, "zcu104").luts == fit(runs, "zcu104").luts


def test_a_law_is_recovered_from_its_own_predictions(runs: pd.DataFrame) -> None:
    one = runs[(runs["device"] == "zcu104") & ~runs["dsp_allowed"] & (runs["recipe"] == "booth")]
    luts = [2.0 * sum(part_counts(fpga_bill(PE.parse(text))).values()) for text in one["pe"]]
    result = fit(one.assign(lut=luts), "zcu104")
    assert result.mape() < 1e-6
    assert result.luts["full_adder"] == pytest.approx(2.0)


def test_dsp_blocks_and_flip_flops_follow_from_the_bill(runs: pd.DataFrame) -> None:
    for name in ("zcu104", "ecp5_85f"):
        one = runs[(runs["device"] == name) & (runs["recipe"] == "booth")].reset_index(drop=True)
        predicted = predictions(one, load(name))
        assert (predicted["dsp"] == one["dsp"]).mean() > 0.9
        assert abs(predicted["ff"] / one["ff"] - 1).median() < 0.02


def test_booth_multipliers_take_fewer_luts_than_yosys_makes_by_default(runs: pd.DataFrame) -> None:
    soft = runs[(runs["device"] == "zcu104") & ~runs["dsp_allowed"]]
    luts = soft.pivot(index="pe", columns="recipe", values="lut").dropna()
    assert luts["booth"].sum() < luts["plain"].sum()
    assert np.mean(luts["booth"] <= luts["plain"]) > 0.75


def test_leaving_a_family_out_tells_how_the_law_carries_over(runs: pd.DataFrame) -> None:
    errors = leave_family_out(runs, "zcu104", 1e-2)
    assert set(errors) == {pe.family for pe in population()} & set(runs["family"])
    assert all(0 < error < 1 for error in errors.values())


def test_too_few_syntheses_are_refused(runs: pd.DataFrame) -> None:
    with pytest.raises(InputError, match="too few to fit and to test"):
        fit(runs.head(3), "zcu104")
