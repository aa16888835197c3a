from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore.calibration.fit import fit
from hwexplore.calibration.population import is_held_out
from hwexplore.calibration.residuals import leave_one_family_out, predictions, summary
from hwexplore.calibration.tables import shipped
from hwexplore.pe import PE
from hwexplore.technology import Glitches, Sizing, Technology, load

TEXTS = [
    *(f"mac(int{w}, int{a}, acc=int32)" for w in (2, 4, 6, 8) for a in (4, 8)),
    *(f"mac({f}, {f}, acc=fp32)" for f in ("e4m3", "e5m2", "bf16", "e2m1")),
    *(f"bit_serial(int4, int4, lanes={n})" for n in (8, 16, 32)),
    *(f"multi(int8, int8, acc=int{n})" for n in (20, 32)),
    *(f"dot(int{n}, int{n}, lanes=4, acc=int32)" for n in (4, 8)),
]


@pytest.fixture(scope="module")
def truth() -> Technology:
    node = load("nangate45")
    prices = {
        name: p.scaled(area=1.0 if name == "flip_flop" else 1.3, energy=2.0, delay=0.8, leakage=3.0)
        for name, p in node.primitives.items()
    }
    return replace(node, primitives=prices, sizing=Sizing(0.8, 0.5, 0.4, ""), glitches=Glitches(0.6, ""))


@pytest.fixture(scope="module")
def measured(truth: Technology) -> pd.DataFrame:
    """What a node would measure whose netlists cost exactly what the model says."""
    rows = []
    for text in TEXTS:
        pe = PE.parse(text)
        bill, shortest = pe.bill("gaussian"), pe.fastest_period_ps(truth)
        for target, period in (("relaxed", np.nan), ("2x", 2 * shortest), ("1.2x", 1.2 * shortest)):
            price = truth.price(bill, truth.effort(bill, None if np.isnan(period) else period))
            rows.append(
                {
                    "pe": text,
                    "family": pe.family,
                    "node": "nangate45",
                    "target": target,
                    "period_target_ps": period,
                    "period_ps": price.delay_ps,
                    "shortest_ps": shortest,
                    "area_um2": price.area_um2,
                    "leakage_uw": price.leakage_uw,
                    "useful_pj": price.dynamic_pj - price.glitch_pj,
                    "glitch_pj": price.glitch_pj,
                    "input_pj": 0.0,
                    "clock_pj": price.clock_pj,
                    "held_out": is_held_out(pe),
                }
            )
    return pd.DataFrame(rows)


def test_recovers_prices_that_explain_everything(measured: pd.DataFrame, truth: Technology) -> None:
    fitted = fit(measured, load("nangate45"), "here")
    rows = summary(predictions(measured, fitted), ["metric"]).set_index("metric")
    assert (rows["mape"] < 2).all()
    assert fitted.sizing.most == pytest.approx(truth.sizing.most, rel=0.1)
    assert fitted.glitches.ratio == pytest.approx(truth.glitches.ratio, rel=0.1)
    assert {primitive.source for primitive in fitted.primitives.values()} == {"here"}
    assert all(
        value >= 0 for primitive in fitted.primitives.values() for value in (primitive.area_um2, primitive.delay_ps)
    )


def test_one_wild_measurement_does_not_bend_the_prices(measured: pd.DataFrame) -> None:
    wild = measured.copy()
    of_one = wild["pe"] == TEXTS[0]
    wild.loc[of_one, ["area_um2", "useful_pj"]] *= 5
    others = measured[~of_one]
    rows = summary(predictions(others, fit(wild, load("nangate45"), "")), ["metric"]).set_index("metric")
    assert (rows["mape"] < 4).all()


def test_spreads_cover_nine_in_ten_of_what_was_fitted(measured: pd.DataFrame) -> None:
    rng = np.random.default_rng(0)
    noisy = measured.copy()
    per_pe = {text: np.exp(0.2 * rng.standard_normal()) for text in TEXTS}
    noisy["area_um2"] *= noisy["pe"].map(per_pe)
    fitted = fit(noisy, load("nangate45"), "")
    rows = summary(predictions(noisy, fitted), ["metric"]).set_index("metric")
    assert 80 <= rows.loc["area", "covered"] <= 100
    assert 0.05 < fitted.spread["logic_area"] < 0.35


def test_leaves_each_family_out_in_turn(measured: pd.DataFrame) -> None:
    rows = leave_one_family_out(measured, load("nangate45"))
    assert set(rows["family"]) == {PE.parse(text).family for text in TEXTS}
    assert (rows["mape"] < 25).all()


def test_summary_is_what_its_columns_say() -> None:
    predicted = pd.DataFrame(
        {
            "pe": ["a", "b"],
            "metric": "area",
            "measured": [100.0, 100.0],
            "low": [90.0, 150.0],
            "mid": [110.0, 180.0],
            "high": [130.0, 210.0],
        }
    )
    (row,) = summary(predicted, ["metric"]).to_dict("records")
    assert row == {
        "metric": "area",
        "designs": 2,
        "mape": pytest.approx(45),
        "worst": pytest.approx(80),
        "bias": pytest.approx(45),
        "covered": 50,
        "width": pytest.approx(100 * (40 / 110 + 60 / 180) / 2),
    }


@pytest.mark.parametrize(
    ("node", "area", "energy"),
    [("nangate45", 8, 25), ("asap7", 9.5, 25), *((node, 8, 21) for node in ("sky130hd", "sg13g2", "gf180", "gt2n"))],
)
def test_shipped_coefficients_hold_on_held_out_pes(node: str, area: float, energy: float) -> None:
    measured = shipped("asic")
    held_out = measured[measured["held_out"] & (measured["node"] == node)]
    assert held_out["held_out"].tolist() == [is_held_out(PE.parse(text)) for text in held_out["pe"]]
    rows = summary(predictions(held_out, load(node)), ["metric"]).set_index("metric")
    assert rows["designs"].min() >= 15
    assert rows.loc["area", "mape"] < area
    assert rows.loc["area", "worst"] < 40
    assert rows.loc["period", "mape"] < 15
    assert rows.loc["energy", "mape"] < energy


def test_measurements_are_consistent() -> None:
    table = shipped("asic")
    keys = ["pe", "node", "target"]
    assert not table.duplicated(keys).any()
    assert (table.groupby(["pe", "node"]).size() == 3).all()
    met = table["period_target_ps"].isna() | (table["period_ps"] <= table["period_target_ps"])
    assert met.all()
    areas = table.pivot(index=["pe", "node"], columns="target", values="area_um2")
    assert (areas["relaxed"] <= areas["2x"]).all()
    assert (areas["2x"] <= areas["1.2x"]).all()
    classes = [name for name in table.columns if name.endswith("_um2") and name != "area_um2"]
    assert table[classes].sum(axis=1).to_numpy() == pytest.approx(table["area_um2"].to_numpy(), rel=1e-6)
