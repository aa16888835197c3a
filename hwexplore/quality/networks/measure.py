"""What formats do to a network's predictions, measured."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.quality.networks.catalog import Benchmark
from hwexplore.quality.networks.method import Method
from hwexplore.quality.networks.primitives import log_softmax
from hwexplore.quality.networks.quantized import quantize
from hwexplore.workloads import Operands, Policy

__all__ = ["Quality", "measure", "sweep", "uniform"]

CALIBRATION_WINDOWS = 16


@dataclass(frozen=True, kw_only=True)
class Quality:
    """Predictions of held-out text beside those of the FP32 network.

    - ``bits_per_character``: cross entropy
    - ``delta``, ``delta_error``: what it is above FP32's, and the standard error of that over the windows of text
    - ``kl_nats``: mean Kullback-Leibler divergence of the predictions from FP32's
    - ``agreement``: share of characters for which both predict the same one
    - ``seconds``: of quantizing and predicting
    """

    bits_per_character: float
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

    ``recent`` tokens of the KV cache stay in FP32; of the held-out text ``windows``, spread evenly, are predicted, or
    all. Raises InputError for unknown layers and methods and for numbers out of range.
    """
    most = len(benchmark.held_out)
    count = most if windows is None else windows
    if not 2 <= count <= most:
        raise InputError(f"windows is {windows}; {benchmark.name} has 2 to {most} windows of held-out text")
    if recent < 0:
        raise InputError(f"recent is {recent}; expected a number of tokens from 0 on")
    tokens, reference = _reference(benchmark, count)
    started = time.perf_counter()
    method = Method.parse(method) if isinstance(method, str) else method
    network = quantize(benchmark.model, operands, method, benchmark.calibration[:CALIBRATION_WINDOWS, :-1], recent)
    log_p = log_softmax(network.logits(tokens[:, :-1]))
    seconds = time.perf_counter() - started
    bits, exact_bits = _bits(log_p, tokens), _bits(reference, tokens)
    deltas = (bits - exact_bits).mean(1)
    return Quality(
        bits_per_character=float(bits.mean()),
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
    """A row per method and format, all layers alike: format, method and the fields of `Quality`.

    ``formats`` as `uniform` takes them. Names are checked before anything is computed.
    """
    operands = {text: uniform(benchmark, text) for text in formats}
    parsed = [Method.parse(text) for text in methods]
    rows = [
        {"format": text, "method": str(method), **vars(measure(benchmark, which, method, recent, windows))}
        for method in parsed
        for text, which in operands.items()
    ]
    return pd.DataFrame(rows)


def uniform(benchmark: Benchmark, text: str) -> dict[str, Operands]:
    """The same formats for all layers.

    ``text`` is a format for weights and activations with the KV cache in FP32, or weights/activations/kv_cache as a
    policy has it. Raises InputError for unknown formats.
    """
    policy = Policy.parse(text) if "/" in text else Policy(weights=text, activations=text, kv_cache="fp32")
    if policy.overrides:
        raise InputError(f"formats {text!r} override layers; expected weights/activations/kv_cache for all")
    operands = Operands(weights=policy.weights, activations=policy.activations, kv_cache=policy.kv_cache)
    return dict.fromkeys(benchmark.model.layers, operands)


@lru_cache(maxsize=2)
def _reference(benchmark: Benchmark, windows: int) -> tuple[NDArray[Any], NDArray[np.float32]]:
    """Windows of held-out text, spread evenly, and FP32's predictions of them."""
    tokens = benchmark.held_out[np.linspace(0, len(benchmark.held_out) - 1, windows).astype(int)]
    return tokens, log_softmax(benchmark.model.logits(tokens[:, :-1]))


def _bits(log_p: NDArray[np.float32], tokens: NDArray[Any]) -> NDArray[np.float64]:
    """-log2 of the probability of each character, [windows, time]."""
    chosen = log_p[np.arange(log_p.shape[0]), tokens[:, 1:].ravel()]
    return np.asarray(-chosen.astype(np.float64).reshape(len(tokens), -1) / np.log(2))
