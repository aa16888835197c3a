from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from hwexplore import technology, workloads
from hwexplore.accelerator import PARAMETERS, Evaluator, Model
from hwexplore.accelerator.bounds import ANY, FIXED, Bounds
from hwexplore.search import Space

OPEN = [name for name in PARAMETERS if name not in FIXED]
METRICS = "latency_s", "energy_j", "area_mm2"
SETTINGS = [
    ("llama-2-7b", "decode", 1, "nangate45"),
    ("smollm2-135m", "prefill", 2, "nangate45"),
    ("smollm2-135m", "decode", 8, "5nm"),
]


@cache
def model_of(name: str, phase: str, batch: int, node: str) -> Model:
    """All PEs and policies of the default space, on sizes that divide neither each other nor the workload."""
    space = Space(
        rows=[1, 3, 16, 50],
        cols=[1, 5, 16, 100, 512],
        clock_mhz=[100, 700, "max"],
        voltage=[0.6, 0.9, 1.1] if node == "nangate45" else technology.load(node).voltage,
        vector_lanes=[3, 64, 1000],
        sram_kib=[8, 100, 512, 20000],
        dram=["lpddr5-6400", "ddr4-3200", "hbm3"],
        channels=[1, 3, 16],
    )
    workload = workloads.load(name, phase=phase, batch=batch, context=512)
    return Model(workload, technology.load(node), space.choices)


def drawn(model: Model, seed: int, number: int) -> dict[str, NDArray[np.intp]]:
    """Designs, those with each policy and PE among them if there are enough."""
    random = np.random.default_rng(seed)
    index = {name: random.integers(len(values), size=number) for name, values in model.choices.values.items()}
    policies, pes = (len(model.choices.values[name]) for name in ("policy", "pe"))
    index["policy"], index["pe"] = np.divmod(np.arange(number) % (policies * pes), pes)
    return index


def assert_below(model: Model, index: dict[str, NDArray[np.intp]], box: dict[str, NDArray[np.intp]]) -> None:
    """To the last bit; the designs at ``index`` are members of the boxes."""
    metrics = Evaluator(model)(index)
    *bounds, reason = Bounds(model)(box)
    feasible = metrics["reason"] == 0
    assert 0.1 < feasible.mean() < 1
    assert not reason[feasible].any()
    for name, bound in zip(METRICS, bounds, strict=True):
        assert (bound[feasible] <= metrics[name][feasible]).all(), name
        assert (bound > 0).all()


@pytest.mark.parametrize("setting", SETTINGS)
@settings(max_examples=8)
@given(left_open=st.sets(st.sampled_from(OPEN)), seed=st.integers(0, 2**32 - 1))
def test_below_every_member(setting: tuple[str, str, int, str], left_open: set[str], seed: int) -> None:
    model = model_of(*setting)
    index = drawn(model, seed, 2000)
    assert_below(model, index, index | {name: np.full(2000, ANY) for name in left_open})


@pytest.mark.parametrize("setting", SETTINGS)
def test_below_members_of_boxes_of_all_kinds(setting: tuple[str, str, int, str]) -> None:
    model = model_of(*setting)
    index = drawn(model, 0, 5000)
    random = np.random.default_rng(1)
    assert_below(model, index, index | {name: np.where(random.random(5000) < 0.5, ANY, index[name]) for name in OPEN})


@pytest.mark.parametrize("setting", SETTINGS)
def test_close_to_single_designs(setting: tuple[str, str, int, str]) -> None:
    model = model_of(*setting)
    index = drawn(model, 0, 5000)
    metrics = Evaluator(model)(index)
    latency, energy, area, reason = Bounds(model)(index)
    feasible = metrics["reason"] == 0
    np.testing.assert_array_equal(area[feasible], metrics["area_mm2"][feasible])
    assert (latency == metrics["latency_s"])[feasible].mean() > 0.3
    for name, bound in (("latency_s", latency), ("energy_j", energy)):
        assert np.median(bound[feasible] / np.asarray(metrics[name][feasible], float)) > 0.9
    assert (reason[~feasible] > 0).mean() > 0.9
