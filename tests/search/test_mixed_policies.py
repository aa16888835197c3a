"""Mixed policies against every assignment of formats to layers."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from hwexplore import technology
from hwexplore.errors import InputError
from hwexplore.quality.profile import Profile
from hwexplore.search import Problem, Space, explore, mixed_policies, mixed_space
from hwexplore.search.mixed_policies import EPSILON
from hwexplore.workloads import Operator, Policy, Workload

NANGATE = technology.load("nangate45")
OWN = ["int4_channel/int8/int8", "int6_channel/int8/int8", "int8_channel/int8/int8"]


def linear(name: str, n: int, k: int) -> Operator:
    elements = {"weight_elements": n * k, "activation_elements": k, "output_elements": n}
    return Operator(name=name, kind="linear", m=1, n=n, k=k, **elements)


@pytest.fixture(scope="module")
def workload() -> Workload:
    sizes = {"first": (512, 512), "second": (2048, 256), "third": (256, 2048), "head": (8192, 256)}
    operators = (*(linear(name, *size) for name, size in sizes.items()),)
    return Workload(
        name="four", phase="decode", batch=1, context=1, operators=operators, parameters=3_000_000, active_parameters=0
    )


@pytest.fixture(scope="module")
def profile(workload: Workload) -> Profile:
    rows = [
        (operator.name, "weights", f"int{bits}_channel", sensitivity * 4.0**-bits)
        for operator, sensitivity in zip(workload.operators, (20, 1, 3, 7), strict=True)
        for bits in (4, 6, 8)
    ]
    rows += [(operator.name, "activations", "int8", 1e-5) for operator in workload.operators]
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    return Profile(network="four", metric="nats", proxy="hessian", source="made up", table=table)


def space_with(pe: list[str], policy: list[str], **hardware: object) -> Space:
    fixed = {"rows": 1, "cols": 64, "dataflow": "os", "clock_mhz": 250, "voltage": 1.1, "vector_lanes": 64}
    memory = {"sram_kib": 128, "dram": "ddr4-3200", "channels": 1}
    return Space(pe=pe, policy=policy, **{**fixed, **memory, **hardware})


def test_mixes_are_the_best_of_all_assignments(workload: Workload, profile: Profile) -> None:
    space = space_with(["mac(int8, int8, acc=int32)"], OWN)
    mixed = mixed_space(space, workload, NANGATE, profile, most=30).space
    policies = [
        Policy(
            "int8_channel",
            "int8",
            "int8",
            {
                operator.name: {"weights": part.weights, "activations": part.activations}
                for operator, part in zip(workload.operators, parts, strict=True)
            },
        )
        for parts in product(map(Policy.parse, OWN), repeat=4)
    ]
    every = space_with(["mac(int8, int8, acc=int32)"], policies)
    all_designs = Problem(every, workload, NANGATE, quality=profile).evaluate(np.arange(81))
    found = Problem(mixed, workload, NANGATE, quality=profile).evaluate(np.arange(mixed.size))
    least = all_designs["error"].min()
    for energy in np.linspace(all_designs["energy_j"].min(), all_designs["energy_j"].max(), 30) * (1 + 1e-9):
        best = all_designs[all_designs["energy_j"] <= energy]["error"].min()
        ours = found[found["energy_j"] <= energy]["error"].min()
        assert best - least <= ours - least <= (1 + EPSILON) * (best - least) + 1e-12


def test_a_pe_limits_the_choice(workload: Workload, profile: Profile) -> None:
    space = space_with(["mac(int6, int8, acc=int32)"], OWN)
    policies = mixed_space(space, workload, NANGATE, profile).space.choices.values["policy"]
    assert [str(policy) for policy in policies[:3]] == OWN
    assert len(policies) > 3
    for policy in policies[3:]:
        stored = {str(operands.weights) for operands in workload.operands(policy)}
        assert stored == {"int4_channel", "int6_channel"}


def test_explored_with_the_profile_as_error(workload: Workload, profile: Profile) -> None:
    pes = ["mac(int8, int8, acc=int32)", "mac(int6, int8, acc=int32)"]
    uniform = space_with(pes, OWN, dram=["ddr4-3200", "hbm2"], cols=[16, 64])
    mixed = mixed_space(uniform, workload, NANGATE, profile, most=4).space
    front = explore(mixed, workload, quality=profile).to_frame()
    assert front["policy"].str.contains(";").any()
    plain = explore(uniform, workload, quality=profile).to_frame()
    objectives = ["latency_s", "energy_j", "area_mm2", "error"]
    for row in plain[objectives].to_numpy():
        assert (front[objectives].to_numpy() <= row * (1 + 1e-12)).all(axis=1).any()


def test_policies_that_the_profile_cannot_predict_are_left_out(workload: Workload, profile: Profile) -> None:
    own = ["int8_channel/int8/int8", "int2_channel/int8/int8", "int8_channel/int8/int8;head=int4_channel//"]
    space = space_with(["mac(int8, int8, acc=int32)"], own)
    mixed = mixed_space(space, workload, NANGATE, profile)
    assert [str(policy) for policy in mixed.space.choices.values["policy"]] == [own[0], own[2]]
    assert mixed.left_out == (f"{own[1]}, as the profile has no row for first weights int2_channel",)
    with pytest.raises(
        InputError, match="predicts no policy of the space; it has no row for first weights int2_channel"
    ):
        mixed_space(space_with(["mac(int8, int8, acc=int32)"], own[1:2]), workload, NANGATE, profile)
    with pytest.raises(InputError, match="no row for first weights int2_channel"):
        explore(space, workload, quality=profile)


def test_a_pe_that_cannot_work_has_no_mixes(workload: Workload, profile: Profile) -> None:
    space = space_with(["mac(int8, int8, acc=int32)"], OWN, clock_mhz=100_000)
    assert [
        str(policy) for policy in mixed_space(space, workload, NANGATE, profile).space.choices.values["policy"]
    ] == OWN


def test_a_pe_that_takes_only_what_is_unknown_has_no_mixes(workload: Workload, profile: Profile) -> None:
    known = profile.table[(profile.table["layer"] != "head") | profile.table["format"].isin(["int8", "int8_channel"])]
    space = space_with(["mac(int6, int8, acc=int32)"], OWN)
    mixed = mixed_space(space, workload, NANGATE, replace(profile, table=known))
    assert [str(policy) for policy in mixed.space.choices.values["policy"]] == ["int8_channel/int8/int8"]


def test_at_least_one_mix(workload: Workload, profile: Profile) -> None:
    with pytest.raises(InputError, match="most = 0 mixed policies per front"):
        mixed_space(space_with(["mac(int8, int8, acc=int32)"], OWN), workload, NANGATE, profile, most=0)


@pytest.fixture(scope="module")
def attending() -> Workload:
    """Two layers that write and read a KV cache of their own, in prefill and decode."""
    operators = []
    for name in (f"{phase}.layers.{i}" for phase in ("prefill", "decode") for i in (0, 1)):
        projection = linear(f"{name}.k_proj", 256, 256)
        operators.append(replace(projection, kv_elements=256, output_elements=0))
        sizes = {"m": 1, "n": 4096, "k": 256, "activation_elements": 256, "kv_elements": 4096 * 256}
        operators.append(Operator(name=f"{name}.qk_matmul", kind="attention", output_elements=4096, **sizes))
        operators.append(Operator(name=f"{name}.cache_convert", kind="activation", m=1, n=256, kv_elements=256))
    return Workload(
        name="two",
        phase="decode",
        batch=1,
        context=4096,
        operators=tuple(operators),
        parameters=1,
        active_parameters=1,
    )


def test_each_layer_has_its_own_kv_format(attending: Workload) -> None:
    """The cache of layer 1 is a hundred times as sensitive as that of layer 0."""
    rows = [(f"layers.{i}.k_proj", "weights", "int8_channel", 0.0) for i in (0, 1)]
    rows += [(f"layers.{i}.{name}", "activations", "int8", 0.0) for i in (0, 1) for name in ("k_proj", "qk_matmul")]
    rows += [
        (f"layers.{i}.qk_matmul", "kv_cache", f"int{bits}", loss * 4.0**-bits)
        for i, loss in ((0, 1), (1, 100))
        for bits in (4, 8)
    ]
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    sensitive = Profile(network="two", metric="nats", proxy="hessian", source="made up", table=table)
    space = space_with(["mac(int8, int8, acc=int32)"], ["int8_channel/int8/int8", "int8_channel/int8/int4"])
    mixed = mixed_space(space, attending, NANGATE, sensitive).space
    found = [policy for policy in mixed.choices.values["policy"] if policy.overrides]
    assert found
    for policy in found:
        formats = {}
        for operator, operands in zip(attending.operators, attending.operands(policy), strict=True):
            formats.setdefault(operator.name.split(".")[2], set()).add(str(operands.kv_cache))
        assert formats == {"0": {"int4"}, "1": {"int8"}}
    uniform = Problem(space, attending, NANGATE, quality=sensitive).evaluate(np.arange(2))
    both = Problem(mixed, attending, NANGATE, quality=sensitive).evaluate(np.arange(mixed.size))
    between = both[both["policy"].str.contains("=")].iloc[0]
    assert uniform["energy_j"].min() < between["energy_j"] < uniform["energy_j"].max()
    assert between["error"] == pytest.approx(4.0**-4 + 100 * 4.0**-8)


def test_mixes_are_fewer_where_they_would_take_too_long(
    workload: Workload, profile: Profile, monkeypatch: pytest.MonkeyPatch
) -> None:
    space = space_with(["mac(int8, int8, acc=int32)"], OWN)
    monkeypatch.setattr(mixed_policies, "MOST_EVALUATIONS", 4 * 6)
    mixed = mixed_space(space, workload, NANGATE, profile)
    assert 3 < mixed.space.size <= 6
    assert mixed.left_out[0].startswith("all but ")
    monkeypatch.setattr(mixed_policies, "MOST_EVALUATIONS", 4 * 2)
    with pytest.raises(InputError, match=r"\(3 policies, 4 operators\), 1\.5 times .* space, which has policy 3"):
        mixed_space(space, workload, NANGATE, profile)
