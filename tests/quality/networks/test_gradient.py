from __future__ import annotations

import numpy as np
import pytest

from hwexplore.quality.networks import Examples
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.gradient import gradients
from hwexplore.quality.networks.train import initial

small = initial(1, width=8, hidden=12, blocks=2, heads=2)
shared = {
    f"layers.{i}.{kind}": small.parameters[f"layers.{i}.{kind}"][:4] for i in (0, 1) for kind in ("k_proj", "v_proj")
}
model = Decoder(
    parameters={name: value.astype(np.float64) for name, value in {**small.parameters, **shared}.items()}, heads=2
)
examples = Examples.of_tokens(np.random.default_rng(0).integers(96, size=(3, 6)))
found = gradients(model, examples)


def slope(losses: list[float]) -> float:
    return (losses[0] - losses[1]) / 2e-5


@pytest.mark.parametrize("name", list(model.parameters))
def test_of_parameters_against_finite_differences(name: str) -> None:
    """Two heads of queries share one of keys and values."""
    direction = np.random.default_rng(2).standard_normal(model.parameters[name].shape)
    losses = []
    for step in (1e-5, -1e-5):
        moved = Decoder(parameters={**model.parameters, name: model.parameters[name] + step * direction}, heads=2)
        losses.append(gradients(moved, examples).loss)
    assert slope(losses) == pytest.approx((found.parameters[name] * direction).sum(), rel=1e-5)


@pytest.mark.parametrize("key", [(name, operand) for name, reads in model.operators.items() for operand in reads])
def test_of_operands_against_finite_differences(key: tuple[str, str]) -> None:
    """At a point where all operands have been moved already."""
    random = np.random.default_rng(3)
    start = {each: 0.1 * random.standard_normal(value.shape) for each, (value, _) in found.operands.items()}
    value, gradient = gradients(model, examples, start).operands[key]
    direction = random.standard_normal(value.shape)
    losses = [gradients(model, examples, {**start, key: start[key] + step * direction}).loss for step in (1e-5, -1e-5)]
    assert slope(losses) == pytest.approx((gradient * direction).sum(), rel=1e-5)


def test_operands_are_what_the_network_reads() -> None:
    for name in model.operators:
        assert set(model.operators[name]) == {operand for each, operand in found.operands if each == name}
    q, _ = found.operands["layers.0.qk_matmul", "activations"]
    k, _ = found.operands["layers.0.qk_matmul", "kv_cache"]
    assert q.shape == (3, 2, 5, 4)
    assert k.shape == (3, 1, 5, 4)
    p, _ = found.operands["layers.1.sv_matmul", "activations"]
    np.testing.assert_allclose(p.sum(-1), 1)
