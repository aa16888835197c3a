from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.accelerator.array_use import array_use
from hwexplore.search import Problem, Space
from hwexplore.technology import Technology


def test_shares_of_a_short_product(space_of: Any, nangate45: Technology) -> None:
    """One token through 16 x 64 PEs of 16 lanes: a row of the array, and of the last lanes a part."""
    pe = "dot(int8, int8, lanes=16, acc=int32, stages=3)"
    problem = Problem(
        space_of(pe=pe, rows=16, cols=64, policy="int8_channel/int8/int8", sram_kib=2048),
        workloads.load("llama-2-7b", phase="decode", context=100),
        nangate45,
    )
    use = array_use(problem.model, problem.space.indices(np.arange(1)))
    at = {operator.name: number for number, operator in enumerate(problem.workload.operators)}
    q, sv, norm = (at[name] for name in ("q_proj", "sv_matmul", "attn_norm"))
    assert use["lanes"][0, q] == 1
    assert use["edges"][0, q] == 1 / 16
    assert use["fill and drain"][0, q] == pytest.approx(256 / (256 + 2 * 16 + 64 - 2 + 2))
    assert use["lanes"][0, sv] == pytest.approx(100 / 112)
    assert all(share[0, norm] == 1 for share in use.values())


def test_shares_multiply_to_the_utilisation(nangate45: Technology) -> None:
    space = Space(dataflow=["os", "ws", "is"])
    problem = Problem(space, workloads.load("mixtral-8x7b", phase="prefill", batch=2, context=300), nangate45)
    index = space.indices(np.random.default_rng(0).choice(space.size, 200, replace=False))
    breakdown = problem.model.breakdown(index)
    placed = problem.model.placement.at(index["policy"], index["pe"])
    hardware = problem.model.hardware(index)
    busy = breakdown.seconds["array"] / hardware.period_s[:, None] * (hardware.rows * hardware.cols)[:, None]
    product = np.prod(list(array_use(problem.model, index).values()), axis=0)
    on_array = breakdown.on_array
    np.testing.assert_allclose(product[on_array], (placed.work_cycles / np.where(busy > 0, busy, 1))[on_array])
    assert np.all(product[on_array] <= 1)
