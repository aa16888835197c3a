from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.report import describe
from hwexplore.search import Front, Problem, Space


@pytest.fixture(scope="module")
def designs(front: Front) -> list[dict[str, Any]]:
    return describe(front.problem, front.ids)


def test_terms_sum_to_the_metrics_of_the_front(front: Front, designs: list[dict[str, Any]]) -> None:
    frame = front.to_frame()
    sums = {
        "latency_s": [sum(design["operators"]["total_s"]) for design in designs],
        "energy_j": [sum(design["energy_j"].values()) for design in designs],
        "area_mm2": [sum(design["area_mm2"].values()) for design in designs],
    }
    for name, values in sums.items():
        np.testing.assert_allclose(values, frame[name], rtol=1e-9)
    for name in frame.columns.intersection(list(designs[0]["metrics"])):
        np.testing.assert_allclose([design["metrics"][name] for design in designs], frame[name], rtol=1e-12)
    assert [design["id"] for design in designs] == frame["id"].tolist()
    assert designs[-1]["parameters"] == frame.iloc[-1][list(designs[-1]["parameters"])].to_dict()


def test_bill_prices_the_array(designs: list[dict[str, Any]]) -> None:
    for design in designs:
        pe, operators = design["pe"], design["operators"]
        area_mm2 = sum(pe["bill"]["area_um2"]) * design["pe_instances"] * 1e-6
        assert area_mm2 == pytest.approx(design["area_mm2"]["PE array"], rel=1e-9)
        on_array = sum(
            macs * count
            for macs, count, unit in zip(operators["macs"], operators["count"], operators["unit"], strict=True)
            if unit == "array"
        )
        mac_j = sum(pe["bill"]["dynamic_pj"]) / pe["macs_per_cycle"] * on_array * 1e-12
        assert mac_j == pytest.approx(design["energy_j"]["MAC"], rel=1e-9)
        assert len({len(column) for column in pe["bill"].values()}) == 1


def test_critical_path_fits_the_clock(designs: list[dict[str, Any]]) -> None:
    for design in designs:
        length = sum(design["pe"]["path"]["delay_ps"])
        clock = design["parameters"]["clock_mhz"]
        if clock == "max":
            assert length == pytest.approx(design["pe"]["period_ps"], rel=1e-9)
        else:
            assert length <= 1e6 / float(clock) == pytest.approx(design["pe"]["period_ps"])


def test_no_operator_beats_its_roof(designs: list[dict[str, Any]]) -> None:
    for design in designs:
        roof = design["roofline"]
        peak = {"array": roof["array_macs_per_s"], "vector unit": roof["vector_ops_per_s"]}
        operators = design["operators"]
        for unit, intensity, rate in zip(
            operators["unit"], operators["intensity"], operators["work_per_s"], strict=True
        ):
            slope = np.inf if intensity is None else intensity * roof["bandwidth_bytes_per_s"]
            assert rate <= min(peak[unit], slope) * (1 + 1e-9)


def test_bound_is_the_slowest_term(designs: list[dict[str, Any]]) -> None:
    for design in designs:
        operators = design["operators"]
        seconds = pd.DataFrame(operators["seconds"])
        assert seconds.idxmax(axis=1).tolist() == operators["bound"]
        np.testing.assert_allclose(seconds.max(axis=1) * operators["count"], operators["total_s"], rtol=1e-12)
        assert sum(operators["share"]) == pytest.approx(1)
    assert {bound for design in designs for bound in design["operators"]["bound"]} == {"array", "vector unit", "DRAM"}


def test_intervals_enclose_the_metrics(designs: list[dict[str, Any]]) -> None:
    for design in designs:
        for name, (low, mid, high) in design["intervals"].items():
            assert low <= mid <= high
            assert low < high or (name == "latency_s" and design["parameters"]["clock_mhz"] == "250")
            assert mid == pytest.approx(design["metrics"][name], rel=1e-12)


def test_is_json(designs: list[dict[str, Any]]) -> None:
    assert json.loads(json.dumps(designs[:3], allow_nan=False)) == designs[:3]


def test_details_are_at_tile_fidelity(front: Front, designs: list[dict[str, Any]]) -> None:
    bound = replace(front.problem, fidelity="roofline")
    bound.__dict__["error"] = front.problem.error
    assert describe(bound, front.ids[:1])[0]["metrics"] == pytest.approx(designs[0]["metrics"])
    assert bound.evaluate(front.ids[:1])["latency_s"][0] < designs[0]["metrics"]["latency_s"]


@pytest.mark.parametrize("number", [-1, 10**9])
def test_number_outside_the_space(front: Front, number: int) -> None:
    with pytest.raises(InputError, match=f"design {number} is not in the space.* 0 to {front.problem.space.size - 1}"):
        describe(front.problem, [0, number])


def test_infeasible_design(front: Front) -> None:
    values = {name: column[:1] for name, column in front.problem.space.choices.values.items()}
    space = Space(**{**values, "clock_mhz": 9000})
    problem = Problem(space, front.problem.workload, front.problem.technology)
    problem.__dict__["error"] = np.zeros((1, 1))
    with pytest.raises(InputError, match=r"design 0 is infeasible.*the PE cannot reach the clock"):
        describe(problem, 0)


def test_a_buffer_too_small_for_any_tile(front: Front) -> None:
    values = {name: column[:1] for name, column in front.problem.space.choices.values.items()}
    space = Space(**{**values, "rows": 64, "cols": 1024, "sram_kib": 256, "dram": "hbm2", "clock_mhz": 10})
    problem = Problem(space, workloads.load("smollm2-135m", phase="prefill", context=64), front.problem.technology)
    problem.__dict__["error"] = np.zeros((1, 1))
    reason = r"too small for any tile: \w+ needs [\d.]+ KiB for two sets of its smallest tiles, .*, but sram_kib is 256"
    with pytest.raises(InputError, match=reason):
        describe(problem, 0)
