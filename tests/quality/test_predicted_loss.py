from __future__ import annotations

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.pe import PE
from hwexplore.quality import accumulation_noise, operand_noise
from hwexplore.quality.predicted_loss import ProfiledWorkload
from hwexplore.quality.profile import Profile
from hwexplore.workloads import OperandFormat, Policy, Workload

EXACT = PE.parse("mac(int8, int8, acc=int32)")
NAMES = ["layers.0.up", "layers.0.down", "layers.1.up", "layers.1.down", "layers.1.qk", "head"]


@pytest.fixture(scope="module")
def layers(profile: Profile, small_workload: Workload) -> ProfiledWorkload:
    return ProfiledWorkload(profile, small_workload)


def of(workload: Workload, *rows: tuple[str, str, str, float]) -> ProfiledWorkload:
    table = pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"])
    return ProfiledWorkload(Profile(network="n", metric="nats", proxy="fisher", source="s", table=table), workload)


def test_products_are_layers_in_the_order_they_run(layers: ProfiledWorkload) -> None:
    assert list(layers.layers) == NAMES
    assert list(layers.layers.values()) == [[1], [2], [3], [4], [6], [7]]


def test_the_loss_of_a_policy_is_the_sum_of_its_rows(layers: ProfiledWorkload) -> None:
    policy = Policy(
        "int8_channel", "int8", "int8", {"layers.0.down": {"weights": "int4_channel"}, "head": {"activations": "fp16"}}
    )
    weights = 0.001 + 0.1 / 4 + 0.001 / 2 + 0.001 / 32 + 0.05
    assert layers.predicted(policy, EXACT) == pytest.approx(weights + 4 * 0.002 + 0.003 + 0.004)
    assert layers.predicted(Policy(), EXACT) == 0


def test_by_layer_holds_the_parts_of_the_sum(layers: ProfiledWorkload) -> None:
    policies = [Policy("int8_channel", "int8", "int8"), Policy("int4_channel", "int8", "fp16"), Policy("int6", "fp16")]
    losses = layers.by_layer(policies, EXACT)
    assert losses.shape == (6, 3)
    assert losses[:, :2].sum(axis=0) == pytest.approx([layers.predicted(policy, EXACT) for policy in policies[:2]])
    assert losses[4].tolist() == pytest.approx([0.007, 0.003, 0])
    assert np.isinf(losses[[0, 1, 2, 3, 5], 2]).all()


def test_a_format_without_a_row_is_named(layers: ProfiledWorkload) -> None:
    assert layers.lacks(Policy("int8_channel", "int8", "int8")) is None
    assert layers.lacks(Policy("int6", "fp16")) == "layers.0.up weights int6"
    with pytest.raises(InputError, match=r"the profile of small has no row for layers\.0\.up weights int6"):
        layers.predicted(Policy("int6", "fp16"), EXACT)


def test_conversions_count_where_they_lose_something(small_workload: Workload) -> None:
    layers = of(small_workload, ("head", "weights", "int4_g128", 0.25), ("head", "weights", "int4_g128>int2", 0.75))
    for text, loss in {
        "int4_g128": 0.25,
        "int4_g128@pe": 0.25,
        "int4_g128>int8": 0.25,
        "int4_g128>fp16@dram": 0.25,
    }.items():
        assert layers.predicted(Policy(overrides={"head": {"weights": text}}), EXACT) == 0.25 == loss
    assert layers.predicted(Policy(overrides={"head": {"weights": "int4_g128>int2"}}), EXACT) == 0.75
    assert layers.lacks(Policy(activations="fp16>int8")) == "layers.0.up activations fp16>int8"


def test_a_name_may_stand_for_several_operators(small_workload: Workload) -> None:
    layers = of(small_workload, ("layers.0", "weights", "int8", 0.5), ("embedding", "weights", "int8", 0.25))
    assert layers.layers["layers.0"] == [1, 2]
    assert layers.sums(np.eye(8)).tolist()[1] == [0, 1, 1, 0, 0, 0, 0, 0]
    both = Policy(overrides={"layers.0": {"weights": "int8"}, "embedding": {"weights": "int8"}})
    assert layers.predicted(both, EXACT) == 0.75
    one = Policy(overrides={"layers.0.up": {"weights": "int8"}})
    assert layers.lacks(one) == "layers.0 in one format, of which the policy gives its operators several"


def test_names_must_fit_the_workload(small_workload: Workload) -> None:
    with pytest.raises(InputError, match=r"unknown layer of the profile of n in small 'layers\.7'; did you mean"):
        _ = of(small_workload, ("layers.7", "weights", "int8", 0)).layers
    with pytest.raises(InputError, match=r"layers\.0\.up is in two layers of the profile, up and layers\.0"):
        _ = of(small_workload, ("up", "weights", "int8", 0), ("layers.0", "weights", "int8", 0)).layers
    with pytest.raises(InputError, match=r"unknown layer .* 'norm'"):
        _ = of(small_workload, ("norm", "weights", "int8", 0)).layers


def test_an_accumulator_costs_what_its_noise_costs(small_workload: Workload) -> None:
    """One layer, with a loss of 3 per noise-to-signal ratio, in floating point of 16 bits."""
    workload = replace(small_workload, operators=small_workload.operators[2:3])
    noise = {text: operand_noise(OperandFormat.parse(text)) for text in ("int8_channel", "int4_channel")}
    layers = of(workload, *(("down", "weights", text, 3 * ratio) for text, ratio in noise.items()))
    pe, policy = PE.parse("mac(int8, int8, acc=fp16)"), Policy("int8_channel", "fp16>int8")
    with pytest.raises(InputError, match="no row for down activations fp16>int8"):
        layers.predicted(policy, pe)
    layers = of(
        workload,
        *(("down", "weights", text, 3 * ratio) for text, ratio in noise.items()),
        ("down", "activations", "int8_channel", 3 * noise["int8_channel"]),
    )
    policy = Policy("int8_channel", "int8_channel")
    [unit] = {
        pe.for_operands(
            OperandFormat.parse("int8_channel").consumed, OperandFormat.parse("int8_channel").consumed, 1024
        )
    }
    assert unit is not None
    extra = accumulation_noise(unit, unit.weight, unit.activation, 1024)
    assert extra > 0
    assert layers.predicted(policy, pe) == pytest.approx(3 * (2 * noise["int8_channel"] + extra))
    assert layers.predicted(policy, EXACT) == pytest.approx(3 * 2 * noise["int8_channel"])


def test_an_unprofiled_layer_costs_the_median_per_noise(small_workload: Workload) -> None:
    noise = operand_noise(OperandFormat.parse("int8_channel"))
    rows = [(f"layers.{i}", "weights", "int8_channel", scale * noise) for i, scale in ((0, 2), (1, 4))]
    pe = PE.parse("mac(fp16, fp16, acc=fp16)")
    layers = of(small_workload, *rows)
    losses = layers.by_layer([Policy()], pe)[:, 0]
    per_noise = dict(zip(layers.layers, losses, strict=True))
    assert per_noise["layers.0"] > 0
    head = accumulation_noise(pe, pe.weight, pe.activation, 256)
    assert per_noise["head"] == pytest.approx(3 * head)


def test_what_touches_a_kv_cache_is_tied() -> None:
    """By layer of the network, across phases; attention without a cache, as in a graph, is free."""
    load = partial(workloads.load, "smollm2-135m", batch=1, context=64, per_layer=True)
    for workload in (load(phase="decode"), load(phase="chat(32, 16)")):
        names = [
            f"layers.{i}.{kind}" for i in (0, 1) for kind in ("q_proj", "k_proj", "v_proj", "qk_matmul", "sv_matmul")
        ]
        layers = of(workload, *((name, "activations", "int8", 0.1) for name in names))
        ties = dict(zip(layers.layers, layers.cache_ties.tolist(), strict=True))
        groups = [[ties[name] for name in names[start + 1 : start + 5]] for start in (0, 5)]
        assert [len(set(group)) for group in groups] == [1, 1]
        others = [ties[name] for name in (names[0], names[5])]
        assert len({groups[0][0], groups[1][0], *others}) == 4
    image = of(workloads.load("vit-b-16", per_layer=False), ("qk_matmul", "activations", "int8", 0.1))
    ties = dict(zip(image.layers, image.cache_ties.tolist(), strict=True))
    assert ties["k_proj"] == ties["qk_matmul"] != ties["q_proj"]


def test_a_mix_gives_each_layer_its_policy(layers: ProfiledWorkload, small_workload: Workload) -> None:
    policies = [Policy("int8_channel", "int8", "int8"), Policy("int4_channel", "int8", "int4"), Policy()]
    options = np.array([0, 1, 0, 2, 1, 0])
    mixed = layers.mix(policies, options)
    assert (mixed.weights, mixed.activations, mixed.kv_cache) == (
        policies[0].weights,
        policies[0].activations,
        policies[0].kv_cache,
    )
    operands = small_workload.operands(mixed)
    for members, option in zip(layers.layers.values(), options, strict=True):
        for member in members:
            assert operands[member] == small_workload.operands(policies[option])[member]
