from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.report import describe
from hwexplore.search import Problem
from hwexplore.technology import Technology
from hwexplore.workloads import Policy


def facts(space_of: Any, technology: Technology, **values: Any) -> dict[str, Any]:
    workload = workloads.load("smollm2-135m", phase="decode", batch=4, context=512)
    problem = Problem(space_of(clock_mhz=50, sram_kib=4096, voltage=technology.voltage, **values), workload, technology)
    return describe(problem, [0])[0]


def terms(design: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {cost["term"]: cost for cost in design["format_costs"]}


def test_fp16_costs_nothing_extra(space_of: Any, nangate45: Technology) -> None:
    pe = "mac(fp16, fp16, acc=fp32, stages=3)"
    assert facts(space_of, nangate45, pe=pe, policy="fp16/fp16/fp16")["format_costs"] == []


def test_terms_of_the_vector_unit_are_all_but_the_operators_own(space_of: Any, nangate45: Technology) -> None:
    policy = "int3_g128>int8@edge/int8/int4;lm_head=int4_g128>int8@dram//;attention=/fp16/"
    design = facts(space_of, nangate45, pe="mac(int8, int8, acc=int32)", policy=policy)
    workload = workloads.load("smollm2-135m", phase="decode", batch=4, context=512)
    own = sum(operator.count * operator.vector_ops for operator in workload.operators)
    lane_j = nangate45.vector_unit.energy_pj * 1e-12
    on_vector_unit = [cost for cost in design["format_costs"] if cost["unit"] == "vector unit"]
    assert sum(cost["energy_j"] for cost in on_vector_unit) + own * lane_j == pytest.approx(
        design["energy_j"]["vector unit"]
    )
    assert {cost["term"] for cost in on_vector_unit} == {
        *("activation quantization", "requantization", "KV quantization", "activation conversion"),
        *("output scales", "dequantization at the edge", "dequantization at DRAM"),
        *("products in FP16", "conversion to FP16"),
    }


def test_scales_and_packing_are_what_is_moved_beyond_the_elements(space_of: Any, nangate45: Technology) -> None:
    """int3_g32: 10 elements to a word, and 16 bits of scale for every 32."""
    policy = "int3_g32/int8/int8"
    design = facts(space_of, nangate45, pe="mac(int8, int8, acc=int32)", policy=policy)
    costs = terms(design)
    weights = workloads.load("smollm2-135m", phase="decode", batch=4, context=512).weight_elements
    scales = costs["scales and zero points of weights"]["dram_bytes"]
    assert scales == pytest.approx(weights * 16 / 32 / 8)
    assert costs["packing of weights"]["dram_bytes"] == pytest.approx(
        weights * (Policy.parse(policy).weights.storage.packed_bits() - 3 - 0.5) / 8
    )
    assert costs["packing of weights"]["energy_j"] > 0


@pytest.mark.parametrize(
    ("pe", "policy", "expected"),
    [
        (
            "dot(mxfp4, mxfp4, lanes=32, stages=3)",
            "mxfp4@pe/mxfp4@pe/mxfp4@pe",
            {"block scales in the PE"},
        ),
        ("lut(int2, int8, m=1, n=16, k=4, acc=int24)", "int2_channel/int8/int8", {"table precompute"}),
        ("shift_add(int4, int8, group=128)", "int4_g128@pe/int8/fp16", {"dequantization in the PE"}),
    ],
)
def test_what_pes_do_inside_is_a_part_of_their_energy(
    pe: str, policy: str, expected: set[str], space_of: Any, nangate45: Technology
) -> None:
    design = facts(space_of, nangate45, pe=pe, policy=policy)
    inside = {cost["term"]: cost["energy_j"] for cost in design["format_costs"] if cost["unit"] == "array"}
    assert expected <= inside.keys()
    assert 0 < np.sum(list(inside.values())) < design["energy_j"]["MAC"]
    assert all(cost["busy_s"] == 0 for cost in design["format_costs"] if cost["unit"] == "array")


def test_tables_are_built_where_activations_come(space_of: Any, nangate45: Technology) -> None:
    """A decode step in an array of 4 columns: each column builds the tables of a token, again in every fold."""
    pe, policy = "lut(int2, int8, m=1, n=16, k=4, acc=int24)", "int2_channel/int8/int8"
    designs = {cols: facts(space_of, nangate45, pe=pe, policy=policy, cols=cols) for cols in (4, 16)}
    few, many = (designs[cols]["table_precompute"] for cols in (4, 16))
    assert few["sums_per_table"] == 16
    assert few["builds"] <= many["builds"] < 1.5 * few["builds"]
    assert few["in_pe_j"] == terms(designs[4])["table precompute"]["energy_j"]
    assert 0 < few["fused_j"] < few["separate_j"]
    assert facts(space_of, nangate45)["table_precompute"] is None
