"""Profiles of a network: how much each format of each layer's weights adds to its loss, measured or by a proxy."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format
from hwexplore.quality.networks.benchmark import Benchmark
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.gradient import loss_and_gradient
from hwexplore.quality.networks.measure import measure
from hwexplore.quality.networks.network import Network
from hwexplore.quality.profile import PROXIES, Profile
from hwexplore.quality.ptq import Grid
from hwexplore.quality.rank_correlation import random_assignments, rank_correlation
from hwexplore.workloads import OperandFormat, Operands

__all__ = ["measured_increases", "proxy_worth", "sensitivity"]

Array = NDArray[np.float64]
PROBES = 16
"""Random directions behind the trace of the Hessian."""
WINDOWS = 32
"""Windows of calibration text behind it."""
STEP = 1e-3
"""Of a direction, relative to the root mean square of each layer's weights."""


def sensitivity(
    benchmark: Benchmark, formats: Iterable[str], proxy: str = "one_at_a_time", windows: int | None = None
) -> Profile:
    """The profile of ``benchmark``'s weights in ``formats``, activations and KV cache in FP32.

    ``one_at_a_time`` measures each on ``windows`` of held-out text. ``hessian`` and ``fisher`` predict it from the
    calibration text: half of the mean trace of the loss's Hessian in a layer (Hutchinson's estimate from ``PROBES``
    random directions and differences of gradients) times the squared quantization error, and half of the mean squared
    gradient of each weight times the square of its own.

    Sources: AdaQuant (arXiv 2006.10518), HAWQ-V2 (arXiv 1911.03852). Raises InputError for unknown proxies, formats.
    """
    if proxy not in PROXIES:
        raise unknown("proxy", proxy, PROXIES)
    parsed = [OperandFormat.parse(text) for text in formats]
    layers = benchmark.network.layers
    if proxy == "one_at_a_time":
        increase = [
            [
                measured_increases(benchmark, pd.DataFrame({(layer, "weights"): [str(one)]}), windows)[0]
                for one in parsed
            ]
            for layer in layers
        ]
    else:
        curvature = _mean_traces(benchmark) if proxy == "hessian" else _squared_gradients(benchmark)
        increase = [
            [float((curvature[layer] * _error(benchmark.network, layer, one.storage) ** 2).sum() / 2) for one in parsed]
            for layer in layers
        ]
    rows = [
        {"layer": layer, "operand": "weights", "format": str(one), "loss_increase": value}
        for layer, values in zip(layers, increase, strict=True)
        for one, value in zip(parsed, values, strict=True)
    ]
    source = f"{benchmark.name}, {'held-out' if proxy == 'one_at_a_time' else 'calibration'} text, round to nearest"
    return Profile(
        network=benchmark.name, metric=benchmark.metric.name, proxy=proxy, source=source, table=pd.DataFrame(rows)
    )


def measured_increases(benchmark: Benchmark, assignments: pd.DataFrame, windows: int | None = None) -> Array:
    """Loss increases [assignment] of weights in the formats that ``assignments`` have by column (layer, "weights")."""
    fp32 = OperandFormat.parse("fp32")
    increases = []
    layers = assignments.columns.get_level_values(0).tolist()
    for texts in assignments.itertuples(index=False, name=None):
        operands = {
            layer: Operands(weights=OperandFormat.parse(text), activations=fp32, kv_cache=fp32)
            for layer, text in zip(layers, texts, strict=True)
        }
        increases.append(measure(benchmark, operands, windows=windows).delta)
    return np.array(increases)


def proxy_worth(
    benchmark: Benchmark, profiles: Iterable[Profile], count: int, seed: int = 0, windows: int | None = None
) -> dict[str, float]:
    """Rank correlation of each of ``profiles``, by proxy, with the measured loss of the same ``count`` assignments.

    The profiles know the same formats; the formats of a layer are drawn independently of those of the others.
    """
    profiles = list(profiles)
    assignments = random_assignments(profiles[0], count, seed)
    measured = measured_increases(benchmark, assignments, windows)
    return {profile.proxy: rank_correlation(profile, assignments, measured) for profile in profiles}


def _error(network: Network, layer: str, format: Format) -> Array:
    weight = network.parameters[layer]
    return np.asarray(Grid.of(format, weight).round(weight.astype(np.float64)) - weight, float)


def _mean_traces(benchmark: Benchmark) -> dict[str, float]:
    """Mean of the diagonal of the Hessian in each layer, in bits per squared weight.

    All layers move together: what they do to each other has a mean of zero.
    """
    model, layers = benchmark.network, benchmark.network.layers
    random = np.random.default_rng(0)
    step = {layer: STEP * float(np.sqrt(np.mean(model.parameters[layer] ** 2))) for layer in layers}
    total = dict.fromkeys(layers, 0.0)
    for _ in range(PROBES):
        signs = {layer: random.choice([-1.0, 1.0], model.parameters[layer].shape) for layer in layers}
        ahead, behind = (
            _gradient(benchmark, {layer: side * step[layer] * signs[layer] for layer in layers}) for side in (1, -1)
        )
        for layer in layers:
            curved = (ahead[layer] - behind[layer]) / (2 * step[layer])
            total[layer] += float((signs[layer] * curved).mean())
    return {layer: value / PROBES / np.log(2) for layer, value in total.items()}


def _squared_gradients(benchmark: Benchmark) -> dict[str, Array]:
    """Mean squared gradient of a character's loss by each weight, in bits per squared weight.

    Of windows of text instead of characters: the gradients of characters are taken to be independent.
    """
    layers = benchmark.network.layers
    total = {layer: np.zeros(benchmark.network.parameters[layer].shape) for layer in layers}
    for window in range(len(benchmark.calibration)):
        _, gradient = loss_and_gradient(_decoder(benchmark), benchmark.calibration[window : window + 1])
        for layer in layers:
            total[layer] += gradient[layer].astype(float) ** 2
    characters = benchmark.calibration.targets.shape[1]
    return {layer: squares * characters / len(benchmark.calibration) / np.log(2) for layer, squares in total.items()}


def _gradient(benchmark: Benchmark, moved: Mapping[str, Array]) -> dict[str, Array]:
    """Gradient of the mean loss of calibration text with weights ``moved``."""
    network = _decoder(benchmark)
    parameters = {name: value + moved[name] if name in moved else value for name, value in network.parameters.items()}
    return loss_and_gradient(replace(network, parameters=parameters), benchmark.calibration[:WINDOWS])[1]


def _decoder(benchmark: Benchmark) -> Decoder:
    if not isinstance(benchmark.network, Decoder):
        raise InputError(f"{benchmark.name} has no gradient here; expected proxy one_at_a_time")
    return benchmark.network
