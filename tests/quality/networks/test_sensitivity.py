from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.networks import Benchmark, Decoder, Examples, Metric, load, measure, sensitivity, train
from hwexplore.quality.networks.benchmark import cross_entropy
from hwexplore.quality.networks.corpus import encode
from hwexplore.quality.networks.gradient import loss_and_gradient
from hwexplore.quality.networks.sensitivity import measured_increases, proxy_worth
from hwexplore.quality.networks.sensitivity import sensitivity as profile_of
from hwexplore.quality.ptq import Grid
from hwexplore.workloads import OperandFormat, Operands


@pytest.fixture(scope="module")
def tiny() -> Benchmark:
    """A network of 8 x 8 layers that has begun to learn a sentence."""
    text = encode("the quick brown fox jumps over the lazy dog. " * 20)
    model = train.initial(0, width=8, hidden=16, blocks=1, heads=2)
    train.train(model, text, 200, context=16, batch=4)
    windows = np.stack([text[start : start + 17] for start in range(0, 320, 20)])
    examples = Examples.of_tokens(windows)
    metric = Metric(name="bits per character", windows=cross_entropy)
    return Benchmark(name="tiny", network=model, calibration=examples, held_out=examples, metric=metric)


def diagonal(benchmark: Benchmark, layer: str) -> np.ndarray:
    """The diagonal of the Hessian of a layer, weight by weight."""
    parameters, found, step = benchmark.network.parameters, [], 1e-2
    for place in np.ndindex(parameters[layer].shape):
        gradients = []
        for side in (1, -1):
            moved = parameters[layer].astype(float)
            moved[place] += side * step
            network = Decoder(parameters={**parameters, layer: moved}, heads=benchmark.network.heads)
            gradients.append(loss_and_gradient(network, benchmark.calibration)[1][layer][place])
        found.append((gradients[0] - gradients[1]) / (2 * step))
    return np.array(found) / np.log(2)


def test_hessian_is_half_the_mean_trace_times_the_squared_error(
    tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensitivity, "PROBES", 400)
    increases = profile_of(tiny, ["int4_g8"], "hessian").increases
    for layer in ("layers.0.v_proj", "layers.0.down_proj"):
        weight = tiny.network.parameters[layer]
        error = Grid.of(Format.parse("int4_g8"), weight).round(weight.astype(float)) - weight
        expected = diagonal(tiny, layer).mean() * (error**2).sum() / 2
        assert increases[(layer, "weights", "int4_g8")] == pytest.approx(expected, rel=0.25)


def test_fisher_weighs_each_weight_by_its_gradient(tiny: Benchmark) -> None:
    increases = profile_of(tiny, ["int4_g8"], "fisher").increases
    weight = tiny.network.parameters["layers.0.v_proj"]
    error = Grid.of(Format.parse("int4_g8"), weight).round(weight.astype(float)) - weight
    squares = [
        loss_and_gradient(tiny.network, tiny.calibration[row : row + 1])[1]["layers.0.v_proj"] ** 2 for row in range(16)
    ]
    expected = (np.mean(squares, axis=0) * 16 * error**2).sum() / 2 / np.log(2)
    assert increases[("layers.0.v_proj", "weights", "int4_g8")] == pytest.approx(expected, rel=1e-5)


def test_one_at_a_time_is_measured(tiny: Benchmark) -> None:
    increases = profile_of(tiny, ["int4_g8", "fp32"]).increases
    fp32 = OperandFormat.parse("fp32")
    alone = Operands(weights=OperandFormat.parse("int4_g8"), activations=fp32, kv_cache=fp32)
    assert increases[("layers.0.up_proj", "weights", "int4_g8")] == measure(tiny, {"layers.0.up_proj": alone}).delta
    assert increases[("layers.0.up_proj", "weights", "fp32")] == pytest.approx(0, abs=1e-6)


def test_several_layers_are_measured_together(tiny: Benchmark) -> None:
    both = pd.DataFrame({("layers.0.up_proj", "weights"): ["int2_g8"], ("layers.0.down_proj", "weights"): ["int2_g8"]})
    fp32 = OperandFormat.parse("fp32")
    operands = Operands(weights=OperandFormat.parse("int2_g8"), activations=fp32, kv_cache=fp32)
    assert (
        measured_increases(tiny, both)[0]
        == measure(tiny, {"layers.0.up_proj": operands, "layers.0.down_proj": operands}).delta
    )


def test_fisher_ranks_assignments_of_a_trained_network() -> None:
    benchmark = load("charlm")
    profile = profile_of(benchmark, ["int2_g32", "int4_g32"], "fisher")
    assert proxy_worth(benchmark, [profile], 16, windows=12)["fisher"] > 0.7


def test_unknown_proxy(tiny: Benchmark) -> None:
    with pytest.raises(InputError, match="unknown proxy 'fischer'; did you mean fisher"):
        profile_of(tiny, ["int4"], "fischer")
