from __future__ import annotations

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality import ptq
from hwexplore.quality.networks import Decoder, Method, quantize
from hwexplore.quality.networks.efficientnet import EfficientNet
from hwexplore.quality.networks.network import matmul
from hwexplore.quality.networks.quantized import equalized, layer_inputs
from hwexplore.quality.networks.train import initial
from hwexplore.workloads import Operands, Policy

model = initial(0, width=32, hidden=64, blocks=2, heads=2)
tokens = np.random.default_rng(0).integers(96, size=(4, 24))
exact = model.logits(tokens)
PRODUCTS = [name for name, reads in model.operators.items() if "kv_cache" in reads]


def operands(text: str) -> Operands:
    policy = Policy.parse(text)
    return Operands(weights=policy.weights, activations=policy.activations, kv_cache=policy.kv_cache)


def logits(text: str, method: str, layers: list[str] = model.layers, recent: int = 0) -> np.ndarray:
    formats = {
        **dict.fromkeys(layers, operands(text)),
        **dict.fromkeys(PRODUCTS, operands(f"fp32/fp32/{text.split('/')[2]}")),
    }
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


def test_each_product_of_attention_has_its_own_formats() -> None:
    formats = {"layers.0.qk_matmul": operands("fp32/int4/int3"), "layers.1.sv_matmul": operands("fp32/fp32/int5")}
    network = quantize(model, formats, Method.parse("rtn"), tokens)
    seen = {}

    def read(name: str, operand: str, x: np.ndarray) -> np.ndarray:
        seen[name, operand] = x
        return network.read(name, operand, x)

    ours = model.logits(tokens, read=read)
    np.testing.assert_array_equal(ours, network.logits(tokens))
    for (name, operand), x in seen.items():
        bits = {("layers.0.qk_matmul", "activations"): 4, ("layers.0.qk_matmul", "kv_cache"): 3}
        bits |= {("layers.1.sv_matmul", "kv_cache"): 5}
        expected = ptq.round_to_nearest(x, Format.parse(f"int{bits[name, operand]}")) if (name, operand) in bits else x
        np.testing.assert_array_equal(network.read(name, operand, x), expected)


def test_the_head_can_be_quantized() -> None:
    head = ptq.round_to_nearest(model.parameters["lm_head"], Format.parse("int4"))
    network = quantize(model, {"lm_head": operands("int4/fp32/fp32")}, Method.parse("rtn"), tokens)
    rounded = Decoder(parameters={**model.parameters, "lm_head": head}, heads=model.heads)
    np.testing.assert_allclose(network.logits(tokens), rounded.logits(tokens), atol=1e-5)


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


@pytest.fixture(scope="module")
def images() -> np.ndarray:
    return np.random.default_rng(4).standard_normal((2, 16, 16, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def classifier() -> EfficientNet:
    random = np.random.default_rng(1)
    shapes = {
        "stem": (4, 27),
        "stage1.0.depthwise": (4, 9),
        "stage1.0.project": (4, 4),
        "head": (6, 4),
        "classifier": (7, 6),
    }
    return EfficientNet(
        parameters={name: random.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()},
        biases={name: random.standard_normal(shape[0]).astype(np.float32) for name, shape in shapes.items()},
        stages=((1, 1, 3),),
    )


@pytest.mark.parametrize("method", ["rtn", "hadamard", "gptq", "bias", "clip"])
def test_in_fp32_no_method_changes_a_classifier(classifier: EfficientNet, images: np.ndarray, method: str) -> None:
    formats = dict.fromkeys(classifier.layers, operands("fp32/fp32/fp32"))
    network = quantize(classifier, formats, Method.parse(method), images)
    np.testing.assert_allclose(network.logits(images), classifier.logits(images), atol=1e-4)


def test_windows_of_an_image_share_a_scale_and_blocks_are_of_a_window(
    classifier: EfficientNet, images: np.ndarray
) -> None:
    """So that a pixel is the same in every window that holds it, in a format without blocks."""
    given = {}

    def record(name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        given[name] = x
        return matmul(name, x, weight)

    classifier.logits(images[:1], record)
    for name, shape in {"stage1.0.depthwise": (64, 4, 9), "stem": (64, 27)}.items():
        x, weight = given[name], classifier.parameters[name]
        assert x.shape == shape
        assert x.any(axis=tuple(range(1, x.ndim))).all()
        for text, rounded in {
            "int8": np.round(x / np.abs(x).max() * 127) * np.abs(x).max() / 127,
            "mxint8": Format.parse("mxint8").quantize(x),
        }.items():
            network = quantize(classifier, {name: operands(f"fp32/{text}/fp32")}, Method.parse("rtn"), images)
            expected = (
                np.einsum("poi,oi->po", rounded, weight) if x.ndim == 3 else np.einsum("pi,oi->po", rounded, weight)
            )
            np.testing.assert_allclose(network.linear(name, x, weight), expected, atol=1e-4)


def test_bias_correction_of_a_depthwise_layer(classifier: EfficientNet, images: np.ndarray) -> None:
    name = "stage1.0.depthwise"
    samples = layer_inputs(classifier, images, {}, [name])[name]
    corrected = quantize(classifier, {name: operands("int3/int4/fp32")}, Method.parse("bias"), images).quantized[name]
    exact = matmul(name, samples, classifier.parameters[name])
    np.testing.assert_allclose(corrected(samples).mean(0), exact.mean(0), atol=1e-5)


def test_of_many_rows_some_calibrate(classifier: EfficientNet) -> None:
    wide = np.random.default_rng(5).standard_normal((1, 128, 128, 3)).astype(np.float32)
    rows = {name: len(x) for name, x in layer_inputs(classifier, wide, {}, classifier.layers).items()}
    assert rows == {"stem": 2048, "stage1.0.depthwise": 32, "stage1.0.project": 2048, "head": 2048, "classifier": 1}


@pytest.mark.parametrize("method", ["equalize", "smoothquant+gptq"])
def test_factors_do_not_pass_a_relu6(classifier: EfficientNet, images: np.ndarray, method: str) -> None:
    with pytest.raises(InputError, match="moves factors from layer to layer; in this network none can pass"):
        quantize(classifier, {}, Method.parse(method), images)
