from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore.accelerator import METRICS, PARAMETERS
from hwexplore.errors import InputError
from hwexplore.search import Run, diff


def keys(frame: pd.DataFrame) -> set[tuple[str, ...]]:
    return set(frame[list(PARAMETERS)].astype(str).itertuples(index=False, name=None))


def test_of_a_run_with_itself(small_run: Run) -> None:
    found = diff(small_run, small_run)
    assert (len(found.gone), len(found.new), found.moved.sum(), found.setting) == (0, 0, 0, {})
    assert len(found.kept) == len(small_run.front())
    assert found.hypervolume[0] == found.hypervolume[1]


@pytest.mark.parametrize("objectives", [(), ("energy_j", "area_mm2")])
def test_of_two_runs(small_run: Run, bounded_run: Run, objectives: tuple[str, ...]) -> None:
    found = diff(small_run, bounded_run, objectives)
    names = objectives or small_run.objectives
    fronts = [run.front(names) for run in (small_run, bounded_run)]
    a, b = map(keys, fronts)
    assert (keys(found.gone), keys(found.new), keys(found.kept)) == (a - b, b - a, a & b)
    assert len(found.gone)
    by_id = fronts[1].set_index("id")
    for (_, row), moved in zip(found.kept.iterrows(), found.moved, strict=True):
        assert all(row[f"{name}_b"] == by_id.loc[row["id_b"], name] for name in METRICS)
        assert moved == any(row[f"{name}_a"] != row[f"{name}_b"] for name in names)


def test_what_became_of_the_others(small_run: Run, bounded_run: Run) -> None:
    gone = diff(small_run, bounded_run).gone
    table = pd.read_parquet(bounded_run.path)
    table = table[(table["reason"] == 0) & (table["area_mm2"] < 14)]
    possible = keys(table)
    for _, row in gone.iterrows():
        if row["rows"] == 1:
            assert row["other"] == "not in its space"
        elif tuple(map(str, row[list(PARAMETERS)])) in possible:
            assert row["other"] == "dominated or equalled"
        else:
            assert row["other"] == "infeasible or beyond a constraint"
    assert set(gone["other"]) == {
        "not in its space", "dominated or equalled", "infeasible or beyond a constraint"
    }  # fmt: skip


def test_a_parameter_that_follows_otherwise_is_another_space(small_run: Run) -> None:
    linked = replace(small_run, space=small_run.space.with_values(cols={"equals": "256 if rows == 1 else 16"}))
    found = diff(small_run, replace(linked, front_ids=np.array([0]), parts=small_run.parts[:1]))
    crossed = (found.gone["rows"] == 1) == (found.gone["cols"] == 16)
    assert crossed.any()
    assert set(found.gone["other"][crossed]) == {"not in its space"}


def test_hypervolume_is_the_share_of_the_box_that_is_dominated(small_run: Run, bounded_run: Run) -> None:
    names = ("latency_s", "area_mm2")
    found = diff(small_run, bounded_run, names)
    fronts = [np.log(run.front(names)[list(names)].to_numpy()) for run in (small_run, bounded_run)]
    low, high = np.concatenate(fronts).min(axis=0), np.concatenate(fronts).max(axis=0)
    for front, share in zip(fronts, found.hypervolume, strict=True):
        x, y = ((front[np.argsort(front[:, 0])] - low) / (high - low)).T
        widths = np.diff([*x, 1])
        assert share == pytest.approx(np.sum(widths * (1 - y)), rel=1e-9)


def test_what_was_given_differently(small_run: Run) -> None:
    other = replace(small_run, setting={**small_run.setting, "batch": 8})
    assert diff(small_run, other).setting == {"batch": (4, 8)}


def test_other_objectives_must_be_named(small_run: Run) -> None:
    with pytest.raises(InputError, match="name the objectives to compare them by"):
        diff(small_run, replace(small_run, objectives=("tops",)))
