from __future__ import annotations

from dataclasses import replace
from itertools import combinations, product

import numpy as np
import pytest

from hwexplore.workloads import Operator
from hwexplore.workloads.mlp import Mixture, Mlp

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
