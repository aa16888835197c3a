from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from hwexplore.errors import InputError
from hwexplore.quality.networks import Benchmark, measure, uniform
from hwexplore.quality.networks.efficientnet_lite0 import middle, network_of
from hwexplore.workloads import load


@pytest.fixture(scope="module")
def efficientnet(installed: Callable[[str], Benchmark]) -> Benchmark:
    return installed("efficientnet-lite0")


def test_layers_are_those_of_the_workload(efficientnet: Benchmark) -> None:
    """In name, order and shape; those with a kernel per channel are the workload's batched ones."""
    products = [op for op in load("efficientnet-lite0", per_layer=True).operators if op.kind in ("conv", "linear")]
    network = efficientnet.network
    assert network.layers == [op.name for op in products]
    assert [network.parameters[op.name].shape for op in products] == [(op.batch * op.n, op.k) for op in products]


def test_positions_and_macs_are_those_of_the_workload(efficientnet: Benchmark) -> None:
    rows = {}

    def linear(name: str, x: np.ndarray, weight: np.ndarray) -> np.ndarray:
        rows[name] = len(x)
        assert x.shape[1:] == (weight.shape if name.endswith("depthwise") else weight.shape[1:])
        return np.zeros((len(x), len(weight)), np.float32)

    efficientnet.network.logits(efficientnet.held_out.inputs[:1], linear)
    operators = load("efficientnet-lite0", per_layer=True).operators
    assert rows == {op.name: op.m for op in operators if op.kind in ("conv", "linear")}


@pytest.mark.parametrize(("photographs", "known"), [(6, 6), pytest.param(20, 18, marks=pytest.mark.slow)])
def test_fp32_knows_the_photographs(efficientnet: Benchmark, photographs: int, known: int) -> None:
    predicted = efficientnet.network.logits(efficientnet.held_out.inputs[:photographs]).argmax(-1)
    assert (predicted == efficientnet.held_out.targets[:photographs]).sum() == known


def test_fewer_bits_are_worse(efficientnet: Benchmark) -> None:
    eight, four = (measure(efficientnet, uniform(efficientnet, format), windows=2) for format in ("int8", "int4"))
    assert 10 * eight.kl_nats < four.kl_nats


def test_a_checkpoint_that_lacks_tensors() -> None:
    with pytest.raises(InputError, match=r"lacks '_conv_stem\.weight'"):
        network_of({})


def test_a_photograph_is_cropped_and_scaled(tmp_path: Path) -> None:
    image = pytest.importorskip("PIL.Image")
    pixels = np.zeros((256, 320, 3), np.uint8)
    pixels[:, :, 0] = np.arange(320) // 2
    path = tmp_path / "ramp.png"
    image.fromarray(pixels).save(path)
    cropped = middle(path)
    assert cropped.shape == (224, 224, 3)
    np.testing.assert_allclose(cropped[100, :, 0] * 128 + 127, np.arange(48, 272) // 2, atol=1)
    np.testing.assert_array_equal(cropped[..., 1:], np.float32(-127 / 128))
