from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks import Benchmark, Examples, Metric, Quality, load, measure, sweep, uniform
from hwexplore.quality.networks.corpus import decode
from hwexplore.quality.networks.gradient import gradients
from hwexplore.quality.networks.network import LINEAR, Linear, Read, as_is, matmul
from hwexplore.quality.networks.primitives import Array
from hwexplore.quality.networks.quantized import layer_inputs

benchmark = load("charlm")


@cache
def quality(formats: str, method: str = "rtn", recent: int = 0) -> Quality:
    return measure(benchmark, uniform(benchmark, formats), method, recent, windows=24)


def test_the_checkpoint_is_a_language_model() -> None:
    assert sum(value.size for value in benchmark.network.parameters.values()) == 516_992
    assert "the" in decode(benchmark.held_out.inputs)
    loss = gradients(benchmark.network, benchmark.held_out[::8]).loss / np.log(2)
    assert loss < 2.3


def test_fp32_is_the_reference() -> None:
    fp32 = quality("fp32/fp32/fp32")
    assert abs(fp32.delta) < 1e-5
    assert abs(fp32.kl_nats) < 1e-5
    assert fp32.agreement == 1
    assert fp32.seconds > 0


def test_the_metric_is_the_loss() -> None:
    text = benchmark.held_out[np.linspace(0, 127, 24).astype(int)]
    loss = gradients(benchmark.network, text).loss / np.log(2)
    int3 = quality("int3")
    assert int3.value - int3.delta == pytest.approx(loss, rel=1e-5)
    assert int3.delta > 5 * int3.delta_error > 0


@dataclass(frozen=True, kw_only=True)
class Recurrent:
    """Two steps through the same layer, then a class; no attention."""

    parameters: dict[str, np.ndarray]
    layers: tuple[str, ...] = ("step",)
    equalizable: tuple[tuple[str, str], ...] = ()
    one_scale: bool = False

    @property
    def operators(self) -> dict[str, tuple[str, ...]]:
        return {"step": LINEAR}

    def logits(self, inputs: np.ndarray, linear: Linear = matmul, read: Read = as_is, recent: int = 0) -> Array:
        for _ in range(2):
            inputs = np.tanh(linear("step", inputs, self.parameters["step"]))
        return inputs


def wrong(linear: Linear, examples: Examples, log_p: Array) -> np.ndarray:
    """Top-1 errors, of predictions made anew with the quantized layers."""
    predicted = classifier.network.logits(examples.inputs, linear)
    assert (predicted.argmax(-1) == log_p.argmax(-1)).all()
    return (predicted.argmax(-1) != examples.targets).astype(float)


rng = np.random.default_rng(0)
network = Recurrent(parameters={"step": rng.standard_normal((10, 10)).astype(np.float32)})
inputs = rng.standard_normal((200, 10)).astype(np.float32)
labelled = Examples(inputs=inputs, targets=network.logits(inputs).argmax(-1))
classifier = Benchmark(
    name="recurrent",
    network=network,
    calibration=labelled,
    held_out=labelled,
    metric=Metric(name="top-1 error", windows=wrong),
    refusal=lambda format: "not int5" if str(format) == "int5" else "",
)


def test_a_network_of_another_kind_with_a_metric_of_its_own() -> None:
    frame = sweep(classifier, ["fp32", "int8", "int4", "int2"], ["rtn"])
    assert set(frame.metric) == {"top-1 error"}
    assert frame.value[0] == frame.delta[0] == 0
    np.testing.assert_allclose(frame.value, 1 - frame.agreement)
    assert frame.kl_nats.is_monotonic_increasing
    assert frame.value[3] > 0.05


def test_a_layer_that_runs_twice_is_calibrated_on_both_runs() -> None:
    seen = layer_inputs(network, inputs, {}, network.layers)["step"]
    again = np.tanh(inputs @ network.parameters["step"].T)
    np.testing.assert_array_equal(seen, np.concatenate([inputs, again]))


@pytest.mark.parametrize(
    ("formats", "recent", "message"),
    [
        ("int8/int8/int8", 0, "'int8/int8/int8': recurrent has no KV cache; expected fp32 for it"),
        ("int8", 4, "recent is 4, but recurrent has no KV cache; expected 0"),
        ("int5", 0, "not int5"),
    ],
)
def test_what_a_network_does_not_take(formats: str, recent: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        sweep(classifier, [formats], recent=recent)


def test_a_sweep_is_its_measurements() -> None:
    frame = sweep(benchmark, ["int4", "int4/int8/fp32"], ["rtn", "hadamard"], windows=2)
    assert list(frame.format) == ["int4", "int4/int8/fp32"] * 2
    assert list(frame.method) == ["rtn", "rtn", "hadamard", "hadamard"]
    one = measure(benchmark, uniform(benchmark, "int4"), "hadamard", windows=2)
    assert frame.kl_nats[2] == one.kl_nats


@pytest.mark.parametrize(
    ("formats", "arguments", "message"),
    [
        ("int4", {"windows": 1}, "windows is 1; charlm has 2 to 128"),
        ("int4", {"windows": 129}, "windows is 129"),
        ("int4", {"recent": -1}, "recent is -1; expected a number of tokens from 0 on"),
        ("int", {}, "unknown format 'int'"),
        ("int4/int8", {}, "'int4/int8' has 2 operands"),
        ("int4/int8/int8;a=int8//", {}, "override layers; expected weights/activations/kv_cache for all"),
        ("int4", {"methods": ["gptg"]}, "unknown method 'gptg'"),
    ],
)
def test_bad_input(formats: str, arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        sweep(benchmark, [formats], **arguments)  # type: ignore[arg-type]
