from __future__ import annotations

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality import ptq
from hwexplore.quality.networks import Decoder, Method, quantize
from hwexplore.quality.networks.quantized import equalized, layer_inputs
from hwexplore.quality.networks.train import initial
from hwexplore.workloads import Operands, Policy

model = initial(0, width=32, hidden=64, blocks=2, heads=2)
tokens = np.random.default_rng(0).integers(96, size=(4, 24))
exact = model.logits(tokens)


def operands(text: str) -> Operands:
    policy = Policy.parse(text)
    return Operands(weights=policy.weights, activations=policy.activations, kv_cache=policy.kv_cache)


def logits(text: str, method: str, layers: list[str] = model.layers, recent: int = 0) -> np.ndarray:
    formats = dict.fromkeys(layers, operands(text))
    return quantize(model, formats, Method.parse(method), tokens, recent).logits(tokens)


@pytest.mark.parametrize("method", ["rtn", "equalize", "smoothquant", "hadamard", "hadamard16", "gptq", "bias", "clip"])
def test_in_fp32_no_method_changes_the_network(method: str) -> None:
    np.testing.assert_allclose(logits("fp32/fp32/fp32", method), exact, atol=2e-5)


def test_nothing_quantized_is_the_network() -> None:
    np.testing.assert_allclose(quantize(model, {}, Method.parse("rtn"), tokens).logits(tokens), exact, atol=1e-6)


def test_weights_alone_are_those_of_the_format() -> None:
    quantized = {name: ptq.round_to_nearest(model.parameters[name], Format.parse("int4")) for name in model.layers}
    rounded = Decoder(parameters={**model.parameters, **quantized}, heads=model.heads)
    np.testing.assert_allclose(logits("int4/fp32/fp32", "rtn"), rounded.logits(tokens), atol=1e-4)


def test_one_layer_leaves_the_others() -> None:
    network = quantize(model, {"layers.1.up_proj": operands("int4/int8/fp32")}, Method.parse("rtn"), tokens)
    seen = []

    def compare(name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        y = network.linear(name, x, weight)
        if not np.allclose(y, x @ weight.T, atol=1e-6):
            seen.append(name)
        return y

    model.logits(tokens, compare)
    assert seen == ["layers.1.up_proj"]


def test_activations_are_rounded_per_token() -> None:
    network = quantize(model, {"layers.0.gate_proj": operands("fp32/int8/fp32")}, Method.parse("rtn"), tokens)
    x = np.random.default_rng(1).standard_normal((6, 32)).astype(np.float32)
    weight = model.parameters["layers.0.gate_proj"]
    alone = np.vstack([network.linear("layers.0.gate_proj", row[None], weight) for row in x])
    np.testing.assert_allclose(network.linear("layers.0.gate_proj", x, weight), alone, atol=1e-5)


def test_recent_tokens_are_kept_out_of_a_coarse_cache() -> None:
    errors = [np.abs(logits("fp32/fp32/int2", "rtn", recent=recent) - exact).mean() for recent in (0, 4, 24)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 1e-6


def test_more_bits_less_error() -> None:
    errors = [np.abs(logits(f"int{bits}/int{bits}/fp32", "rtn") - exact).mean() for bits in (3, 4, 6, 8)]
    assert errors == sorted(errors, reverse=True)


def test_gptq_lowers_the_error_of_each_layer() -> None:
    inputs = layer_inputs(model, tokens, {}, model.layers)
    formats = dict.fromkeys(model.layers, operands("int3/fp32/fp32"))
    for name in model.layers:
        target = inputs[name] @ model.parameters[name].T
        ours, nearest = (
            quantize(model, formats, Method.parse(method), tokens).linear(name, inputs[name], model.parameters[name])
            for method in ("gptq", "rtn")
        )
        assert ((ours - target) ** 2).sum() < ((nearest - target) ** 2).sum()


def test_bias_correction_takes_the_mean_error_back() -> None:
    inputs = layer_inputs(model, tokens, {}, ["layers.0.down_proj"])["layers.0.down_proj"]
    network = quantize(model, {"layers.0.down_proj": operands("int3/int4/fp32")}, Method.parse("bias"), tokens)
    ours = network.linear("layers.0.down_proj", inputs, model.parameters["layers.0.down_proj"])
    np.testing.assert_allclose(ours.mean(0), (inputs @ model.parameters["layers.0.down_proj"].T).mean(0), atol=1e-5)


def test_equalized_pairs_have_equal_ranges() -> None:
    balanced = equalized(model)
    network = Decoder(parameters={**model.parameters, **balanced}, heads=model.heads)
    np.testing.assert_allclose(network.logits(tokens), exact, atol=2e-5)
    for first, second in model.equalizable:
        rows, columns = np.abs(balanced[first]).max(1), np.abs(balanced[second]).max(0)
        np.testing.assert_allclose(rows, columns, rtol=1e-5)


def test_dual_grained_weights_are_multiples_of_one_scale_per_channel() -> None:
    network = quantize(model, {"layers.0.up_proj": operands("int4_g16/int8/fp32")}, Method.parse("dual"), tokens)
    weight = network.quantized["layers.0.up_proj"].weight
    np.testing.assert_array_equal(weight, ptq.dual_grain(model.parameters["layers.0.up_proj"], 4, 16).values)
    for format in ("mxfp4", "int4", "int4_channel"):
        with pytest.raises(InputError, match="method 'dual' takes integers with a scale per group, as int4_g32, not"):
            quantize(model, {"layers.0.up_proj": operands(f"{format}/int8/fp32")}, Method.parse("dual"), tokens)


def test_unknown_layers() -> None:
    with pytest.raises(InputError, match=r"unknown layer 'layers\.0\.gate_prof'; did you mean layers\.0\.gate_proj"):
        quantize(model, {"layers.0.gate_prof": operands("int8/int8/fp32")}, Method.parse("rtn"), tokens)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("uint4/int8/fp32", "uint4 has no negative values"),
        ("int4/ue8m0/fp32", "ue8m0 has no negative values"),
        ("int4/int8/uint8", "uint8 has no negative values"),
        ("int4/int1/int8", "int1 has no positive values to scale to"),
        ("int4_g8:stochastic/int8/int8", "int4_g8:stochastic rounds at random"),
    ],
)
def test_formats_that_cannot_be_measured(text: str, message: str) -> None:
    with pytest.raises(InputError, match=message):
        logits(text, "rtn")
