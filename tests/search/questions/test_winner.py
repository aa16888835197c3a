from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.search import Problem, Space, explore, flips, winner
from hwexplore.technology import Technology

VARY: dict[str, list[Any]] = {"batch": [1, 64], "dram": ["ddr4-3200", "hbm2"]}


@pytest.fixture(scope="module")
def space(small_space: Space) -> Space:
    """108 designs."""
    return small_space.with_values(dataflow="os", vector_lanes=64, sram_kib=512)


@pytest.mark.parametrize("objective", ["edp_js", "tops"])
def test_is_the_best_of_each_search(space: Space, objective: str, nangate45: Technology) -> None:
    limits = ["area_mm2 < 14"]
    found = winner("smollm2-135m", space, VARY, objective, limits, {"context": 64}, "roofline")
    sign = -1 if objective == "tops" else 1
    assert len(found) == 4
    for row, (batch, dram) in zip(found.to_dict("records"), product(*VARY.values()), strict=True):
        network = workloads.load("smollm2-135m", batch=batch, context=64)
        problem = Problem(space.with_values(dram=dram), network, nangate45, "roofline")
        every = problem.evaluate(np.arange(problem.space.size))
        every = every[(every["reason"] == "") & (every["area_mm2"] < 14)]
        best = (sign * every.groupby("policy")[objective].agg("max" if sign < 0 else "min")).sort_values()
        front = explore(problem.space, network, [objective], limits, fidelity="roofline").to_frame()
        assert (row["batch"], row["dram"]) == (batch, dram)
        assert row[objective] == pytest.approx(sign * best.iloc[0], rel=1e-12)
        assert row[objective] == pytest.approx(front[objective].item(), rel=1e-12)
        assert row["policy"] == front["policy"].item()
        assert best[row["policy"]] == pytest.approx(best.iloc[0], rel=1e-12)
        assert best.drop(row["policy"])[row["runner_up"]] == pytest.approx(best.iloc[1], rel=1e-12)
        assert row["margin"] == pytest.approx((best.iloc[1] / best.iloc[0]) ** sign)
        assert row["margin"] >= 1


def test_without_another_policy_and_without_any_design(space: Space) -> None:
    alone = space.with_values(policy="int8_channel/int8/int8")
    found = winner("smollm2-135m", alone, {"batch": [1, 4096]}, fidelity="roofline")
    assert found["policy"].notna().tolist() == [True, False]
    assert found[["runner_up", "margin"]].isna().all(axis=None)
    [flip] = flips(found, {"batch": [1, 4096]}).to_dict("records")
    assert (flip["before"], flip["after"], flip["where"], flip["winner"]) == (1, 4096, {}, {})
    assert flip["loser"] == {"policy": "int8_channel/int8/int8", "pe": found["pe"][0]}
    policies = {"policy": ["int8_channel/int8/int8", "int4_g128/int8/int8"]}
    with pytest.raises(InputError, match="feasible and meets area_mm2 < 1 in any setting"):
        winner("smollm2-135m", alone, policies, constraints=["area_mm2 < 1"], fidelity="roofline")


def test_flips() -> None:
    vary = {"batch": [1, 8], "context": [64, 128, 256]}
    policies = ["a", "a", "b", "b", "a", "b"]
    frame = pd.DataFrame([*product(*vary.values())], columns=list(vary)).assign(policy=policies, pe="p", rows=range(6))
    found = flips(frame, vary, ["policy"])
    assert found[["name", "before", "after", "loser", "winner"]].values.tolist() == [
        ["batch", 1, 8, {"policy": "a"}, {"policy": "b"}],
        ["context", 128, 256, {"policy": "a"}, {"policy": "b"}],
        ["context", 64, 128, {"policy": "b"}, {"policy": "a"}],
        ["context", 128, 256, {"policy": "a"}, {"policy": "b"}],
    ]
    assert found["where"].tolist() == [{"context": 64}, {"batch": 1}, {"batch": 8}, {"batch": 8}]
    assert len(flips(frame, vary, ["pe"])) == 0
    assert len(flips(frame, vary, ["rows"])) == 7


def test_what_is_varied_does_not_flip() -> None:
    frame = pd.DataFrame({"pe": ["p", "q"], "policy": "a"})
    assert flips(frame, {"pe": ["p", "q"]}).empty
    frame = pd.DataFrame({"pe": ["p", "p"], "policy": ["a", "b"]})
    assert flips(frame, {"pe": ["p"], "policy": ["a", "b"]}).empty


def test_progress(space: Space) -> None:
    done: list[int] = []
    winner("smollm2-135m", space, {"rows": [1, 16]}, fidelity="roofline", progress=done.append)
    assert done == [1, 2]


def test_bad_input(space: Space) -> None:
    with pytest.raises(InputError, match="unknown setting 'bacth'; did you mean batch"):
        winner("smollm2-135m", space, {"bacth": [1]})
    with pytest.raises(InputError, match="unknown setting 'rows'"):
        winner("smollm2-135m", space, {"batch": [1]}, setting={"rows": 1})
    with pytest.raises(InputError, match="batch varies over 1, 1; expected different values"):
        winner("smollm2-135m", space, {"batch": [1, 1]})
    with pytest.raises(InputError, match="batch varies over nothing"):
        winner("smollm2-135m", space, {"batch": []})
