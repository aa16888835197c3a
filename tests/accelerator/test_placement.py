from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.accelerator import Evaluator
from hwexplore.accelerator.pe_table import operand_registers, units
from hwexplore.pe import PE
from hwexplore.search import Problem
from hwexplore.technology import Technology

MULTI = "multi(int8, int8, acc=int32)"


def test_each_operator_has_its_own_mode(space_of: Any, nangate45: Technology) -> None:
    policy = "int4_channel/int8/int8;gate_proj=int2_channel/int4/;lm_head=fp16//"
    network = workloads.load("smollm2-135m", phase="prefill", context=64)
    problem = Problem(space_of(pe=MULTI, policy=policy, clock_mhz=100), network, nangate45)
    placed = problem.model.placement.at(np.array([0]), np.array([0]))
    modes = [unit.mode for unit in units(PE.parse(MULTI))]  # type: ignore[attr-defined]
    chosen = {
        operator.name: modes[unit] if unit >= 0 else None
        for operator, unit in zip(network.operators, placed.unit[0], strict=True)
        if operator.is_gemm
    }
    assert chosen["q_proj"] == "8x4"
    assert chosen["gate_proj"] == "4x2"
    assert chosen["qk_matmul"] == "8x8"
    assert chosen["lm_head"] is None


@pytest.mark.parametrize("fidelity", ["tile", "roofline"])
def test_a_mode_is_as_fast_as_the_products_it_makes(fidelity: Any, space_of: Any, nangate45: Technology) -> None:
    network = workloads.load("llama-2-7b", phase="prefill", context=512)
    space = space_of(
        pe=MULTI,
        policy=["int8_channel/int8/int8", "int4_channel/int4/int4"],
        clock_mhz=100,
        sram_kib=4096,
        channels=8,
        vector_lanes=1024,
        rows=8,
        cols=8,
    )
    problem = Problem(space, network, nangate45, fidelity)
    wide, narrow = problem.evaluate(np.arange(2))["latency_s"]
    assert wide / narrow == pytest.approx(4, rel=0.1)


def test_what_no_mode_accepts_runs_on_the_vector_unit(space_of: Any, nangate45: Technology) -> None:
    network = workloads.load("smollm2-135m", context=64)
    model = Problem(space_of(pe=MULTI, policy="e4m3_channel/e4m3/e4m3"), network, nangate45).model
    assert not model.placement.on_array.any()
    index = {name: np.zeros(1, np.intp) for name in model.choices.values}
    assert not model.breakdown(index).on_array.any()
    assert np.isfinite(Evaluator(model)(index)["latency_s"]).all()


def test_stationary_operands_are_held_for_a_whole_tile() -> None:
    """Four bit planes of 64 weights stay, of which one comes at a time."""
    pe = PE.parse("bit_serial(int4, int4, lanes=64, acc=int32, stages=2)")
    counts = [sum(item.count for item in operand_registers(pe, dataflow)) for dataflow in ("os", "ws", "is")]
    assert counts == [2 * 64, 64 + 4 * 64, 4 * 64 + 64]
