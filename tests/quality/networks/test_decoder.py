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
    ours = model.logits(tokens, cache=lambda name, x: x, recent=3)
    np.testing.assert_allclose(ours, model.logits(tokens), atol=1e-6)


def test_shared_keys_are_keys_repeated() -> None:
    repeated = dict(model.parameters)
    shared = dict(model.parameters)
    for name in model.cached:
        shared[name] = model.parameters[name][:8]
        repeated[name] = np.vstack([shared[name], shared[name]])
    grouped, whole = (replace(model, parameters=parameters) for parameters in (shared, repeated))
    np.testing.assert_allclose(grouped.logits(tokens), whole.logits(tokens), atol=1e-6)
    coarse = [network.logits(tokens, cache=lambda name, x: np.round(x)) for network in (grouped, whole)]
    np.testing.assert_allclose(*coarse, atol=1e-6)
    assert grouped.equalizable == [(f"layers.{block}.up_proj", f"layers.{block}.down_proj") for block in range(2)]


def test_without_a_head_of_its_own_it_is_the_embedding() -> None:
    tied = {name: value for name, value in model.parameters.items() if name != "lm_head"}
    own = {**tied, "lm_head": tied["embedding"]}
    first, second = (replace(model, parameters=parameters).logits(tokens) for parameters in (tied, own))
    np.testing.assert_array_equal(first, second)


def test_the_norm_and_the_positions_have_their_parameters() -> None:
    for changed in (replace(model, epsilon=0.5), replace(model, rotary_base=10.0)):
        assert np.abs(changed.logits(tokens) - model.logits(tokens)).max() > 1e-3


def test_the_hooks_see_every_layer() -> None:
    layers, stored = [], []

    def linear(name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        layers.append(name)
        assert x.shape == (20, weight.shape[1])
        return x @ weight.T

    def cache(name: str, x: np.ndarray) -> np.ndarray:
        stored.append(name)
        assert x.shape == (2, 2, 10, 8)
        return x

    model.logits(tokens, linear, cache)
    assert layers == [*model.layers, "lm_head"]
    assert stored == ["layers.0.k_proj", "layers.0.v_proj", "layers.1.k_proj", "layers.1.v_proj"]
