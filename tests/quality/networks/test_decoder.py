from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwexplore.quality.networks.train import initial

model = initial(0, width=16, hidden=32, blocks=2, heads=2)
tokens = np.random.default_rng(0).integers(96, size=(2, 10))


def test_shapes_and_names() -> None:
    logits = model.logits(tokens)
    assert logits.shape == (20, 96)
    assert logits.dtype == np.float32
    assert set(model.layers) <= set(model.parameters)
    assert len(model.layers) == 14


def test_no_token_sees_those_after_it() -> None:
    changed = tokens.copy()
    changed[:, 6:] = 0
    before, after = (model.logits(t).reshape(2, 10, 96)[:, :6] for t in (tokens, changed))
    np.testing.assert_allclose(before, after, atol=1e-6)
    assert np.abs(model.logits(tokens) - model.logits(changed)).max() > 1e-3


def test_a_cache_that_returns_what_it_gets_changes_nothing() -> None:
    ours = model.logits(tokens, read=lambda name, operand, x: x, recent=3)
    np.testing.assert_allclose(ours, model.logits(tokens), atol=1e-6)


def test_shared_keys_are_keys_repeated() -> None:
    repeated = dict(model.parameters)
    shared = dict(model.parameters)
    for name in (f"layers.{block}.{kind}" for block in range(2) for kind in ("k_proj", "v_proj")):
        shared[name] = model.parameters[name][:8]
        repeated[name] = np.vstack([shared[name], shared[name]])
    grouped, whole = (replace(model, parameters=parameters) for parameters in (shared, repeated))
    np.testing.assert_allclose(grouped.logits(tokens), whole.logits(tokens), atol=1e-6)
    coarse = [network.logits(tokens, read=lambda name, operand, x: np.round(x)) for network in (grouped, whole)]
    np.testing.assert_allclose(*coarse, atol=1e-6)
    assert grouped.equalizable == [(f"layers.{block}.up_proj", f"layers.{block}.down_proj") for block in range(2)]


def test_the_norm_and_the_positions_have_their_parameters() -> None:
    for changed in (replace(model, epsilon=0.5), replace(model, rotary_base=10.0)):
        assert np.abs(changed.logits(tokens) - model.logits(tokens)).max() > 1e-3


def test_the_hooks_see_every_layer() -> None:
    layers, reads = [], []

    def linear(name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        layers.append(name)
        assert x.shape == (20, weight.shape[1])
        return x @ weight.T

    def read(name: str, operand: str, x: np.ndarray) -> np.ndarray:
        reads.append((name, operand))
        assert x.shape == (2, 2, 10, 10 if (name[-9:], operand) == ("sv_matmul", "activations") else 8)
        return x

    model.logits(tokens, linear, read)
    assert layers == [*model.layers, "lm_head"]
    assert [*dict.fromkeys(name for name, _ in reads)] == [name for name in model.operators if "matmul" in name]
    for name, operands in model.operators.items():
        assert [operand for each, operand in sorted(reads) if each == name] == list(operands) * ("matmul" in name)
    assert [name for name in model.operators if "matmul" not in name] == layers
