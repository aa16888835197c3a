"""What formats do to a network's predictions, measured."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.quality.networks.benchmark import Benchmark, Examples
from hwexplore.quality.networks.method import Method
from hwexplore.quality.networks.network import PRODUCT, matmul
from hwexplore.quality.networks.primitives import Array, log_softmax
from hwexplore.quality.networks.quantized import quantize
from hwexplore.workloads import OperandFormat, Operands, Policy

__all__ = ["Quality", "measure", "sweep", "uniform"]


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Predictions of held-out data beside those of the FP32 network.

    - ``value``: the benchmark's metric
    - ``delta``, ``delta_error``: what it is above FP32's, and the standard error of that over the windows
    - ``kl_nats``: mean Kullback-Leibler divergence of the predictions from FP32's
    - ``agreement``: share of predictions in which both have the same class first
    - ``seconds``: of quantizing and predicting
    """

    value: float
    delta: float
    delta_error: float
    kl_nats: float
    agreement: float
    seconds: float


def measure(
    benchmark: Benchmark,
    operands: Mapping[str, Operands],
    method: str | Method = "rtn",
    recent: int = 0,
    windows: int | None = None,
) -> Quality:
    """The quality of ``benchmark`` with each layer in ``operands`` quantized to its formats by ``method``.

    ``recent`` tokens of the KV cache stay in FP32; of the held-out data ``windows``, spread evenly, are predicted, or
    all. Raises InputError for unknown layers and methods, numbers out of range and formats that the benchmark refuses.
    """
    most = len(benchmark.held_out)
    count = most if windows is None else windows
    if not 2 <= count <= most:
        raise InputError(f"windows is {windows}; {benchmark.name} has 2 to {most} held-out windows")
    if recent < 0:
        raise InputError(f"recent is {recent}; expected a number of tokens from 0 on")
    if recent and PRODUCT not in benchmark.network.operators.values():
        raise InputError(f"recent is {recent}, but {benchmark.name} has no KV cache; expected 0")
    for which in operands.values():
        if reason := benchmark.refusal(which.weights.storage):
            raise InputError(reason)
    examples, reference, exact = _reference(benchmark, count)
    started = time.perf_counter()
    method = Method.parse(method) if isinstance(method, str) else method
    calibration = benchmark.calibration[: benchmark.calibration_windows].inputs
    network = quantize(benchmark.network, operands, method, calibration, recent)
    log_p = log_softmax(network.logits(examples.inputs))
    values = benchmark.metric.windows(network.linear, examples, log_p)
    seconds = time.perf_counter() - started
    deltas = values - exact
    return Quality(
        value=float(values.mean()),
        delta=float(deltas.mean()),
        delta_error=float(deltas.std(ddof=1) / np.sqrt(count)),
        kl_nats=float((np.exp(reference) * (reference - log_p)).sum(-1).mean()),
        agreement=float((log_p.argmax(-1) == reference.argmax(-1)).mean()),
        seconds=seconds,
    )


def sweep(
    benchmark: Benchmark,
    formats: Iterable[str],
    methods: Iterable[str] = ("rtn",),
    recent: int = 0,
    windows: int | None = None,
) -> pd.DataFrame:
    """A row per method and format, all layers alike: format, method, the metric's name and the fields of `Quality`.

    ``formats`` as `uniform` takes them. Names are checked before anything is computed.
    """
    operands = {text: uniform(benchmark, text) for text in formats}
    parsed = [Method.parse(text) for text in methods]
    rows = [
        {
            "format": text,
            "method": str(method),
            "metric": benchmark.metric.name,
            **vars(measure(benchmark, which, method, recent, windows)),
        }
        for method in parsed
        for text, which in operands.items()
    ]
    return pd.DataFrame(rows)


def uniform(benchmark: Benchmark, text: str) -> dict[str, Operands]:
    """The same formats for all layers.

    ``text`` is a format for weights and activations with the KV cache in FP32, or weights/activations/kv_cache as a
    policy has it. Activations are the inputs of the `Network.layers`; queries and probabilities stay in FP32. Raises
    InputError for unknown formats.
    """
    policy = Policy.parse(text) if "/" in text else Policy(weights=text, activations=text, kv_cache="fp32")
    products = [name for name, reads in benchmark.network.operators.items() if reads == PRODUCT]
    if policy.overrides:
        raise InputError(f"formats {text!r} override layers; expected weights/activations/kv_cache for all")
    if not products and str(policy.kv_cache) != "fp32":
        raise InputError(f"formats {text!r}: {benchmark.name} has no KV cache; expected fp32 for it")
    operands = Operands(weights=policy.weights, activations=policy.activations, kv_cache=policy.kv_cache)
    exact = OperandFormat.parse("fp32")
    return {
        **dict.fromkeys(benchmark.network.layers, operands),
        **dict.fromkeys(products, Operands(weights=exact, activations=exact, kv_cache=policy.kv_cache)),
    }


@lru_cache(maxsize=2)
def _reference(benchmark: Benchmark, windows: int) -> tuple[Examples, Array, NDArray[np.float64]]:
    """Held-out windows, spread evenly, FP32's predictions of them (logarithms) and the metric of each."""
    examples = benchmark.held_out[np.linspace(0, len(benchmark.held_out) - 1, windows).astype(int)]
    log_p = log_softmax(benchmark.network.logits(examples.inputs))
    return examples, log_p, benchmark.metric.windows(matmul, examples, log_p)
