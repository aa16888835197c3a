from __future__ import annotations

import numpy as np
import pytest

from hwexplore.quality.networks import Examples
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.gradient import loss_and_gradient
from hwexplore.quality.networks.train import initial

small = initial(1, width=8, hidden=12, blocks=2, heads=2)
model = Decoder(parameters={name: value.astype(np.float64) for name, value in small.parameters.items()}, heads=2)
examples = Examples.of_tokens(np.random.default_rng(0).integers(96, size=(3, 6)))
_, gradient = loss_and_gradient(model, examples)


@pytest.mark.parametrize("name", list(model.parameters))
def test_against_finite_differences(name: str) -> None:
    direction = np.random.default_rng(2).standard_normal(model.parameters[name].shape)
    losses = []
    for step in (1e-5, -1e-5):
        moved = Decoder(parameters={**model.parameters, name: model.parameters[name] + step * direction}, heads=2)
        losses.append(loss_and_gradient(moved, examples)[0])
    assert (losses[0] - losses[1]) / 2e-5 == pytest.approx((gradient[name] * direction).sum(), rel=1e-5)
