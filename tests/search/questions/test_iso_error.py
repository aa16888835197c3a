from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.errors import InputError
from hwexplore.search import GROUPS, Run, iso_error
from hwexplore.workloads import Policy

METRICS = ("latency_s", "energy_j", "area_mm2")


def group(text: str, by: str) -> str:
    return text if by in ("policy", "pe") else str(getattr(Policy.parse(text), by))


@settings(max_examples=15)
@given(quantile=st.floats(0, 1), by=st.sampled_from(list(GROUPS)))
def test_is_what_a_search_through_all_designs_finds(small_run: Run, quantile: float, by: str) -> None:
    table = pd.read_parquet(small_run.path)
    table = table[table["reason"] == 0].sort_values("id")
    bound = float(table["error"].quantile(quantile))
    texts = table["pe" if by == "pe" else "policy"].astype(str)
    labels = texts.map({text: group(text, by) for text in texts.unique()})
    found = iso_error(small_run, bound, by)
    assert found.index.name == by
    assert set(found.index) == set(labels)
    for name, designs in table.groupby(labels):
        assert found.at[name, "error"] == designs["error"].min()
        within = designs[designs["error"] <= bound]
        for metric in METRICS:
            if within.empty:
                assert pd.isna(found.at[name, metric])
                assert pd.isna(found.at[name, f"{metric}_id"])
            else:
                assert found.at[name, metric] == within[metric].min()
                assert found.at[name, f"{metric}_id"] == within["id"][within[metric].idxmin()]
    latencies = found["latency_s"].dropna()
    assert latencies.is_monotonic_increasing
    assert found["latency_s"][: len(latencies)].notna().all()


def test_maximised_objectives_and_constraints(small_run: Run) -> None:
    run = replace(small_run, objectives=("tops_per_w", "error"))
    table = pd.read_parquet(run.path)
    table = table[(table["reason"] == 0) & (table["area_mm2"] < 14)]
    found = iso_error(run, 1, constraints=["area_mm2 < 14"])
    assert found["tops_per_w"].to_dict() == table.groupby("policy", observed=True)["tops_per_w"].max().to_dict()
    assert found["tops_per_w"].is_monotonic_decreasing


def test_bad_input(small_run: Run) -> None:
    with pytest.raises(InputError, match="unknown comparison by 'weight'; did you mean weights"):
        iso_error(small_run, 1, "weight")
    for bound in (-1, float("nan")):
        with pytest.raises(InputError, match="expected a bound of 0 or more"):
            iso_error(small_run, bound)
    with pytest.raises(InputError, match=r"no design in .* stays within it, the least is 0.0"):
        iso_error(small_run, 0)
    with pytest.raises(InputError, match=r"no design in .* meets area_mm2 < 1: area_mm2 ranges from"):
        iso_error(small_run, 1, constraints=["area_mm2 < 1"])
    with pytest.raises(InputError, match="has error as its only objective"):
        iso_error(replace(small_run, objectives=("error",)), 1)
