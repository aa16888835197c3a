from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.formats import Format
from hwexplore.quality.networks import Benchmark, Examples, Metric, load, measure, sensitivity, train
from hwexplore.quality.networks.benchmark import cross_entropy
from hwexplore.quality.networks.corpus import encode
from hwexplore.quality.networks.gradient import gradients
from hwexplore.quality.networks.sensitivity import assignment, measured_increases, proxy_worth
from hwexplore.quality.networks.sensitivity import sensitivity as profile_of
from hwexplore.quality.ptq import Grid, round_to_nearest
from hwexplore.workloads import OperandFormat, Operands, Policy


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


FP32 = OperandFormat.parse("fp32")
INT4 = Format.parse("int4")
WEIGHTS = {"weights": ["int4_g8"]}


def alone(**formats: str) -> Operands:
    exact = {"weights": FP32, "activations": FP32, "kv_cache": FP32}
    return Operands(**{**exact, **{operand: OperandFormat.parse(text) for operand, text in formats.items()}})


def mean_trace(benchmark: Benchmark, key: tuple[str, str], windows: int) -> float:
    """Of the Hessian with respect to one operand, element by element."""
    examples, step, found = benchmark.calibration[:windows], 1e-2, []
    value, _ = gradients(benchmark.network, examples).operands[key]
    for place in np.ndindex(value.shape):
        ahead, behind = np.zeros(value.shape), np.zeros(value.shape)
        ahead[place], behind[place] = step, -step
        slopes = [
            gradients(benchmark.network, examples, {key: moved}).operands[key][1][place] for moved in (ahead, behind)
        ]
        found.append((slopes[0] - slopes[1]) / (2 * step))
    return float(np.mean(found) / np.log(2))


@pytest.mark.parametrize(
    ("key", "windows"),
    [
        (("layers.0.v_proj", "weights"), 4),
        (("layers.0.down_proj", "weights"), 4),
        (("layers.0.down_proj", "activations"), 1),
        (("layers.0.sv_matmul", "kv_cache"), 1),
    ],
)
def test_hessian_is_half_the_mean_trace_times_the_squared_error(
    key: tuple[str, str], windows: int, tiny: Benchmark, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sensitivity, "PROBES", 250)
    increases = profile_of(tiny, {key[1]: ["int4"]}, "hessian", windows).increases
    value, _ = gradients(tiny.network, tiny.calibration[:windows]).operands[key]
    expected = mean_trace(tiny, key, windows) * ((round_to_nearest(value, INT4) - value) ** 2).sum() / 2
    assert increases[(*key, "int4")] == pytest.approx(expected, rel=0.25)


def test_fisher_weighs_each_weight_by_its_gradient(tiny: Benchmark) -> None:
    increases = profile_of(tiny, WEIGHTS, "fisher").increases
    weight = tiny.network.parameters["layers.0.v_proj"]
    error = Grid.of(Format.parse("int4_g8"), weight).round(weight.astype(float)) - weight
    slopes = [gradients(tiny.network, tiny.calibration[i : i + 1]).parameters["layers.0.v_proj"] for i in range(16)]
    expected = (np.mean(np.square(slopes), axis=0) * 16 * error**2).sum() / 2 / np.log(2)
    assert increases[("layers.0.v_proj", "weights", "int4_g8")] == pytest.approx(expected, rel=1e-5)


def test_fisher_takes_the_errors_of_a_row_together(tiny: Benchmark) -> None:
    """The loss of the whole window, linear in the errors of each token, squared."""
    increases = profile_of(tiny, {"kv_cache": ["int3"], "activations": ["int3"]}, "fisher").increases
    for key in (("layers.0.down_proj", "activations"), ("layers.0.qk_matmul", "kv_cache")):
        total = 0.0
        for window in range(16):
            value, slope = gradients(tiny.network, tiny.calibration[window : window + 1]).operands[key]
            for row, rise in zip(value.reshape(-1, value.shape[-1]), slope.reshape(-1, value.shape[-1]), strict=True):
                total += float(16 * rise @ (round_to_nearest(row[None], Format.parse("int3"))[0] - row)) ** 2
        expected = total / 2 / (16 * 16) / np.log(2)
        assert increases[(*key, "int3")] == pytest.approx(expected, rel=1e-4)


def test_one_at_a_time_is_measured(tiny: Benchmark) -> None:
    formats = {"weights": ["int4_g8", "fp32"], "activations": ["int4"], "kv_cache": ["int4"]}
    increases = profile_of(tiny, formats).increases
    for name, formats in {
        "layers.0.up_proj": {"weights": "int4_g8"},
        "lm_head": {"activations": "int4"},
        "layers.0.qk_matmul": {"kv_cache": "int4"},
        "layers.0.sv_matmul": {"activations": "int4"},
    }.items():
        [(operand, text)] = formats.items()
        assert increases[(name, operand, text)] == measure(tiny, {name: alone(**formats)}).delta
    assert increases[("layers.0.up_proj", "weights", "fp32")] == pytest.approx(0, abs=1e-6)


def test_several_operands_are_measured_together(tiny: Benchmark) -> None:
    columns = {
        ("layers.0.up_proj", "weights"): ["int2_g8"],
        ("layers.0.up_proj", "activations"): ["int4"],
        ("layers.0.sv_matmul", "kv_cache"): ["int3"],
    }
    operands = {
        "layers.0.up_proj": alone(weights="int2_g8", activations="int4"),
        "layers.0.sv_matmul": alone(kv_cache="int3"),
    }
    assert measured_increases(tiny, pd.DataFrame(columns))[0] == measure(tiny, operands).delta


@pytest.mark.parametrize(
    ("formats", "least"),
    [
        ({"weights": ["int2_g32", "int4_g32"]}, 0.7),
        ({"activations": ["int3", "int4"], "kv_cache": ["int2", "int4"]}, 0.7),
    ],
)
def test_fisher_ranks_assignments_of_a_trained_network(formats: dict[str, list[str]], least: float) -> None:
    benchmark = load("charlm")
    profile = profile_of(benchmark, formats, "fisher", 16)
    assert proxy_worth(benchmark, [profile], 12, windows=8)["fisher"] > least


def test_a_policy_of_the_workload_assigns_formats_to_the_network() -> None:
    benchmark = load("charlm")
    workload = workloads.load("charlm", phase="decode", batch=1, context=128, per_layer=True)
    policy = Policy.parse("int8/int6/int4;layers.1=//int3;layers.2.up_proj=int4_g32//;lm_head=int6//")
    operands = assignment(benchmark, workload, policy)
    assert list(operands) == list(benchmark.network.operators)
    assert str(operands["layers.1.qk_matmul"].kv_cache) == "int3"
    assert str(operands["layers.2.sv_matmul"].kv_cache) == "int4"
    assert str(operands["layers.2.up_proj"].weights) == "int4_g32"
    assert str(operands["lm_head"].weights) == "int6"
    folded = workloads.load("charlm", phase="decode", batch=1, context=128)
    with pytest.raises(InputError, match=r"unknown operator of charlm in charlm 'layers\.0\.q_proj'"):
        assignment(benchmark, folded, policy)


@pytest.mark.parametrize(
    ("formats", "proxy", "message"),
    [
        (WEIGHTS, "fischer", "unknown proxy 'fischer'; did you mean fisher"),
        ({"weight": ["int4"]}, "fisher", "unknown operand 'weight'; did you mean weights"),
        ({"weights": ["fp16>int8"]}, "fisher", "unknown format 'fp16>int8'"),
    ],
)
def test_bad_input(formats: dict[str, list[str]], proxy: str, message: str, tiny: Benchmark) -> None:
    with pytest.raises(InputError, match=message):
        profile_of(tiny, formats, proxy)


def test_a_network_without_attention_has_no_cache_to_profile(tiny: Benchmark) -> None:
    class Plain:
        operators = {"fc": ("weights", "activations")}  # noqa: RUF012

    plain = replace(tiny, network=Plain())
    with pytest.raises(InputError, match="tiny has no kv_cache to profile"):
        profile_of(plain, {"kv_cache": ["int4"]})
    with pytest.raises(InputError, match="tiny has no gradient here; expected proxy one_at_a_time"):
        profile_of(plain, WEIGHTS, "fisher")
