from __future__ import annotations

import numpy as np
import pytest

from hwexplore import workloads
from hwexplore.errors import InputError
from hwexplore.quality.networks import Decoder, load


def test_the_character_language_model() -> None:
    benchmark = load("charlm")
    assert benchmark is load("charlm")
    assert all(value.dtype == np.float32 for value in benchmark.network.parameters.values())
    assert benchmark.calibration.inputs.shape == benchmark.held_out.targets.shape == (128, 128)


def test_layers_are_the_operators_of_the_workload() -> None:
    network = load("charlm").network
    assert isinstance(network, Decoder)
    workload = workloads.load("charlm", per_layer=True)
    assert workload.parameters == sum(value.size for value in network.parameters.values())
    linear = {operator.name: (operator.n, operator.k) for operator in workload.operators if operator.kind == "linear"}
    assert linear.pop("lm_head") == network.parameters["lm_head"].shape
    assert linear == {name: network.parameters[name].shape for name in network.layers}
    assert list(linear) == network.layers
    scores = {operator.name: operator for operator in workload.operators if operator.kind == "attention"}
    assert scores["layers.0.qk_matmul"].batch * scores["layers.0.qk_matmul"].m == network.heads


def test_unknown_networks() -> None:
    with pytest.raises(InputError, match="unknown network 'charln'; did you mean charlm"):
        load("charln")
