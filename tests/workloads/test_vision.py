"""The vision catalogue against published parameters and MACs."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest

import hwexplore as hx
from hwexplore.accelerator.presets import preset, roofline
from hwexplore.errors import InputError
from hwexplore.workloads import Policy, Workload, load

ENTRIES: dict[str, dict[str, Any]] = {
    file.name.removesuffix(".json"): entry
    for file in files("hwexplore.models").joinpath("workloads").iterdir()
    if file.name.endswith(".json") and "vision" in (entry := json.loads(file.read_text("utf-8")))
}


def macs(workload: Workload) -> float:
    return sum(operator.count * operator.macs for operator in workload.operators)


def test_the_catalogue_is_whole() -> None:
    named = {"resnet-18", "resnet-50", "mobilenet-v2", "efficientnet-lite0", "vit-b-16", "vit-b-32", "deit-s"}
    assert named <= set(ENTRIES)


@pytest.mark.parametrize("name", ENTRIES)
def test_published_parameters_and_macs(name: str) -> None:
    workload = load(name)
    assert workload.parameters == workload.active_parameters == ENTRIES[name]["parameters"]
    assert macs(workload) == pytest.approx(ENTRIES[name]["macs"], rel=5e-3)
    assert ENTRIES[name]["source"]


@pytest.mark.parametrize("name", ENTRIES)
def test_batches_scale_everything_but_weights(name: str) -> None:
    one, four = load(name), load(name, batch=4)
    assert (one.phase, one.context, one.tokens, four.tokens) == ("inference", 1, 1, 4)
    assert four.setting == f"{name} inference, batch 4"
    assert one.weight_elements == four.weight_elements
    for single, several in zip(one.operators, four.operators, strict=True):
        for field in ("macs", "activation_elements", "output_elements", "kv_elements", "vector_ops"):
            assert getattr(several, field) == 4 * getattr(single, field)


@pytest.mark.parametrize("name", ["resnet-18", "resnet-50", "mobilenet-v2", "efficientnet-lite0"])
def test_weights_read_are_parameters_without_normalization(name: str) -> None:
    """Of a convolution's gain and offset only a bias is left."""
    workload = load(name)
    channels = sum(o.count * o.batch * o.n for o in workload.operators if o.kind == "conv")
    assert workload.weight_elements == workload.parameters - channels


def test_vit_reads_every_weight_once() -> None:
    workload = load("vit-b-16")
    assert workload.weight_elements == workload.parameters


def test_what_the_key_and_value_projections_write_attention_reads() -> None:
    operators = {operator.name: operator for operator in load("deit-s", batch=3).operators}
    written = operators["k_proj"].kv_elements
    assert operators["k_proj"].count == 24  # folded with v_proj, 12 layers
    assert written == operators["qk_matmul"].kv_elements == operators["sv_matmul"].kv_elements == 3 * 197 * 384


def test_depthwise_convolutions_are_groups() -> None:
    depthwise = next(o for o in load("mobilenet-v2").operators if "depthwise" in o.name)
    assert (depthwise.batch, depthwise.n, depthwise.k, depthwise.m) == (32, 1, 9, 112**2)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "vit-b-32"])
def test_layers_stay_apart_when_asked(name: str) -> None:
    folded, apart = load(name), load(name, per_layer=True)
    assert len({operator.name for operator in apart.operators}) == len(apart.operators) > len(folded.operators)
    assert {operator.count for operator in apart.operators} == {1}
    assert len(apart.operators) == sum(operator.count for operator in folded.operators)
    assert macs(apart) == macs(folded)


def test_no_cache_is_resident() -> None:
    workload = load("vit-b-16")
    assert workload.resident_bytes(Policy("int8", "int8", "int8")) == workload.parameters


def test_runs_on_accelerators() -> None:
    table = roofline(load("resnet-50", batch=8), Policy("int8_channel", "int8", "int8"), preset("a100"))
    assert set(table.loc[table["kind"] == "conv", "format"]) == {"int8"}
    assert table["share"].sum() == pytest.approx(1)


def test_can_be_explored(space_of: Any) -> None:
    """Convolutions run on the array, and their formats make the error."""
    space = space_of(policy=["int8_channel/int8/int8"])
    row = hx.explore(space, load("resnet-18", batch=2), ["latency_s", "error"]).to_frame().iloc[0]
    total = macs(load("resnet-18", batch=2))
    assert row["error"] > 0
    assert row["latency_s"] > total / (16 * 256 * 250e6)
    assert row["tokens_per_s"] == pytest.approx(2 / row["latency_s"])
    assert row["tops"] == pytest.approx(2e-12 * total / row["latency_s"])


def test_phases() -> None:
    assert load("resnet-18", phase="inference") == load("resnet-18", phase="prefill", context=7)
    with pytest.raises(InputError, match="unknown phase 'training'"):
        load("resnet-18", phase="training")
