from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from hwexplore.workloads import Operator
from hwexplore.workloads.mlp import LOAD_GROUPS, Mixture, Mlp

DENSE = Mlp(width=96)
MIXTURE = Mixture(experts=4, experts_per_token=2, expert=DENSE)
HIDDEN = 64


def rows(part: Mlp | Mixture, tokens: int = 1) -> dict[str, Operator]:
    return {operator.name: operator for operator in part.operators(tokens, HIDDEN)}


@pytest.mark.parametrize(("experts", "chosen", "tokens"), [(4, 2, 1), (4, 2, 3), (4, 1, 4), (5, 3, 2), (3, 3, 2)])
def test_experts_touched_against_enumeration(experts: int, chosen: int, tokens: int) -> None:
    """The mean number of distinct experts over all equally likely choices."""
    choices = [set(choice) for choice in combinations(range(experts), chosen)]
    distinct = np.mean([len(set.union(*run)) for run in product(choices, repeat=tokens)])
    found = rows(replace(MIXTURE, experts=experts, experts_per_token=chosen), tokens)
    for name in ("gate_proj", "up_proj", "down_proj"):
        assert found[name].batch == pytest.approx(distinct)
        assert found[name].batch * found[name].m == pytest.approx(tokens * chosen)
        assert found[name].weight_elements == pytest.approx(distinct * 64 * 96)
        assert found[name].macs == pytest.approx(tokens * chosen * 64 * 96)
    assert found["router"].n == found["router_softmax"].n == experts
    assert found["expert_sum"].activation_elements == chosen * found["expert_sum"].output_elements
    assert found["expert_sum"].vector_ops == tokens * 64 * (2 * chosen - 1)


def test_many_tokens_touch_all_experts() -> None:
    gate = rows(replace(MIXTURE, experts=8), 2048)["gate_proj"]
    assert (gate.batch, gate.m) == (8, 2048 * 2 / 8)


def test_gated_and_plain_mlp() -> None:
    gated, plain = rows(DENSE), rows(replace(DENSE, gated=False))
    assert "gate_proj" in gated
    assert "gate_proj" not in plain
    assert gated["mlp_act"].activation_elements == 2 * 96
    assert plain["mlp_act"].activation_elements == 96


def test_all_tokens_visit_the_shared_expert() -> None:
    shared = rows(replace(MIXTURE, shared=Mlp(width=32)), 5)
    assert (shared["shared_up_proj"].batch, shared["shared_up_proj"].m, shared["shared_up_proj"].n) == (1, 5, 32)
    assert shared["expert_sum"].activation_elements == 3 * 5 * 64
    routed = rows(MIXTURE, 5)
    assert {name: shared[name] for name in routed if name != "expert_sum"} == {
        name: row for name, row in routed.items() if name != "expert_sum"
    }


def test_the_gate_of_the_shared_expert() -> None:
    gated = rows(replace(MIXTURE, shared=DENSE, shared_gate=True), 5)
    assert (gated["shared_gate"].m, gated["shared_gate"].n, gated["shared_gate"].weight_elements) == (5, 1, 64)
    assert gated["shared_sigmoid"].output_elements == 5


def test_a_token_leaves_out_the_experts_it_does_not_visit() -> None:
    mixture = replace(MIXTURE, shared=Mlp(width=32), router_bias=True)
    assert mixture.parameters(HIDDEN) - mixture.active_parameters(HIDDEN) == 2 * 3 * 64 * 96
    assert mixture.parameters(HIDDEN) == 4 * 3 * 64 * 96 + 3 * 64 * 32 + 4 * (64 + 1)
    assert DENSE.active_parameters(HIDDEN) == DENSE.parameters(HIDDEN) == 3 * 64 * 96


def grouped(mixture: Mixture, tokens: int, name: str) -> list[Operator]:
    """The rows of one projection of the experts, from the most popular group on."""
    return [row for row in mixture.operators(tokens, HIDDEN) if row.name.rpartition(".")[2] == name]


@pytest.mark.parametrize(
    ("experts", "chosen", "skew"), [(8, 2, 1.0), (64, 6, 0.7), (64, 6, 1.5), (5, 5, 1.0), (6, 1, 3.0)]
)
def test_visits_follow_zipf_up_to_certainty(experts: int, chosen: int, skew: float) -> None:
    visits = replace(MIXTURE, experts=experts, experts_per_token=chosen, skew=skew).visits
    assert visits.shape == (experts,)
    assert visits.sum() == pytest.approx(chosen, rel=1e-12)
    assert np.all((visits > 0) & (visits <= 1))
    free = visits < 1
    constant = visits[free] * np.arange(1, experts + 1)[free] ** skew
    np.testing.assert_allclose(constant, constant[:1].repeat(free.sum()))
    if not free.all() and free.any():
        assert constant[0] * np.arange(1, experts + 1)[~free].max() ** -skew >= 1 - 1e-12


@pytest.mark.parametrize(("experts", "chosen", "skew", "tokens"), [(8, 2, 1.0, 3), (32, 4, 0.7, 16), (32, 4, 2.0, 40)])
def test_skewed_load_against_monte_carlo(experts: int, chosen: int, skew: float, tokens: int) -> None:
    """Every token draws its experts by systematic sampling, which visits each with exactly its probability."""
    mixture = replace(MIXTURE, experts=experts, experts_per_token=chosen, skew=skew)
    rng, runs = np.random.default_rng(0), 500
    load = np.zeros((runs, experts))
    for run in range(runs):
        for _ in range(tokens):
            order = rng.permutation(experts)
            ends = np.cumsum(mixture.visits[order])
            drawn = np.searchsorted(ends, (rng.random() + np.arange(chosen)) * ends[-1] / chosen)
            load[run, order[drawn]] += 1
    found = grouped(mixture, tokens, "gate_proj")
    assert 1 < len(found) <= LOAD_GROUPS
    last = 0
    for row, share in zip(found, np.cumsum([row.batch * row.m for row in found]) / tokens, strict=True):
        first, last = last, int(np.searchsorted(np.cumsum(mixture.visits), share - 1e-9)) + 1
        part = load[:, first:last]
        touched, served = (part > 0).sum(axis=1), part.sum(axis=1)
        for found_mean, drawn in ((row.batch, touched), (row.batch * row.m, served)):
            assert found_mean == pytest.approx(drawn.mean(), abs=(4 * drawn.std() + 0.1) / np.sqrt(runs))
    assert last == experts


@pytest.mark.parametrize("skew", [0.3, 1.0, 7.9])
@pytest.mark.parametrize("tokens", [1, 7, 4096])
def test_skewed_experts_do_the_same_work_with_fewer_weights(skew: float, tokens: int) -> None:
    even, uneven = (replace(MIXTURE, experts=64, experts_per_token=6, skew=each) for each in (0, skew))
    for name in ("gate_proj", "up_proj", "down_proj", "mlp_act"):
        alike, unlike = grouped(even, tokens, name), grouped(uneven, tokens, name)
        assert len(alike) == 1
        for of in ("macs", "activation_elements", "output_elements", "vector_ops"):
            assert sum(getattr(row, of) for row in unlike) == pytest.approx(getattr(alike[0], of), rel=1e-9)
        assert sum(row.weight_elements for row in unlike) <= alike[0].weight_elements * (1 + 1e-9)
        if name != "mlp_act":
            assert [row.m for row in unlike] == sorted((row.m for row in unlike), reverse=True)
    shared = {row.name for row in even.operators(tokens, HIDDEN)} - {"gate_proj", "up_proj", "down_proj", "mlp_act"}
    assert shared == {row.name for row in uneven.operators(tokens, HIDDEN) if not row.name.startswith("experts_")}


def test_a_touched_expert_has_a_token() -> None:
    for tokens in (1, 2, 1000):
        for row in grouped(replace(MIXTURE, experts=128, experts_per_token=8, skew=3), tokens, "up_proj"):
            assert 1 - 1e-9 <= row.m <= tokens * (1 + 1e-9)
