from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwexplore.accelerator import METRICS
from hwexplore.errors import InputError
from hwexplore.search import MAXIMISED, Run, Space, explore
from hwexplore.workloads import Workload


def feasible(run: Run) -> pd.DataFrame:
    """Every feasible design of a run, as pandas reads its folder."""
    table = pd.read_parquet(run.path)
    return table[table["reason"] == 0].astype({"rows": int, "cols": int, "dram": str}).sort_values("id")


def test_reads_what_was_found(small_run: Run, small_space: Space, small_workload: Workload) -> None:
    front = explore(small_space, small_workload, fidelity="roofline")
    pd.testing.assert_frame_equal(small_run.front(), front.to_frame()[small_run.front().columns])
    assert len(small_run.parts) > 1


def test_a_front_of_the_same_objectives_is_that_of_the_run(small_run: Run, bounded_run: Run) -> None:
    for run in (small_run, bounded_run):
        again = run.front(run.objectives, ["rows > 0"])
        pd.testing.assert_frame_equal(again, run.front())


@settings(max_examples=40)
@given(objective=st.sampled_from(list(METRICS)), quantile=st.floats(0.01, 1), limited=st.sampled_from(list(METRICS)))
def test_best_under_a_budget(small_run: Run, objective: str, quantile: float, limited: str) -> None:
    table = feasible(small_run)
    bound = float(table[limited].quantile(quantile))
    some = table[(table[limited] <= bound) & (table["dram"] == "hbm2") & (table["rows"] * table["cols"] <= 4000)]
    limits = [f"{limited} <= {bound!r}", "dram == 'hbm2' and rows * cols <= 4000"]
    if some.empty:
        with pytest.raises(InputError, match=f"{limited} ranges from"):
            small_run.front([objective], limits)
        return
    [best] = small_run.front([objective], limits).to_dict("records")
    column = some[objective]
    expected = some.loc[column.idxmax() if objective in MAXIMISED else column.idxmin()]
    assert best[objective] == expected[objective]
    assert best["id"] == expected["id"]


def test_the_constraints_of_the_run_stay(bounded_run: Run) -> None:
    ids = np.concatenate([columns["id"] for columns in bounded_run.chunks([])])
    table = feasible(bounded_run)
    assert set(ids) == set(table.loc[table["area_mm2"] < 14, "id"])
    assert 0 < len(ids) < len(table)


def test_designs_come_in_the_order_asked(small_run: Run) -> None:
    ids = np.array([863, 0, 431, 200])
    designs = small_run.designs(ids)
    assert designs["id"].tolist() == ids.tolist()
    expected = pd.read_parquet(small_run.path).set_index("id").loc[ids]
    for name in designs.drop(columns="id"):
        assert designs[name].astype(str).tolist() == expected[name].astype(str).tolist()


def test_what_is_not_whole_is_not_believed(small_run: Run, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(small_run.path, tmp_path / "copy"))
    part = folder / small_run.parts[1].name
    whole = part.read_bytes()
    part.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    with pytest.raises(InputError, match=f"{part.name} is damaged; hwexplore explore --resume"):
        Run.read(folder)
    part.unlink()
    with pytest.raises(InputError, match=r"holds [0-9]+ of 1,152 designs; hwexplore explore --resume"):
        Run.read(folder)


def test_what_no_design_meets(small_run: Run) -> None:
    with pytest.raises(InputError, match=r"no design in .* meets error < 0 and rows > 1: error ranges from"):
        small_run.front(["error"], ["error < 0", "rows > 1"])
    with pytest.raises(InputError, match=r"meets rows > 99$"):
        small_run.front(["error"], ["rows > 99"])
