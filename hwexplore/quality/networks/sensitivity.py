"""Profiles of a network: how much each format of each operand adds to its loss, measured or by a proxy."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError, unknown
from hwexplore.formats import Format
from hwexplore.quality.networks.benchmark import Benchmark
from hwexplore.quality.networks.decoder import Decoder
from hwexplore.quality.networks.gradient import Operand, gradients
from hwexplore.quality.networks.measure import Quality, measure
from hwexplore.quality.profile import PROXIES, Profile
from hwexplore.quality.ptq import Grid, round_to_nearest
from hwexplore.quality.rank_correlation import random_assignments, rank_correlation
from hwexplore.workloads import OperandFormat, Operands, Policy, Workload
from hwexplore.workloads.policy import OPERANDS

__all__ = ["assignment", "measured_increases", "proxy_worth", "sensitivity"]

Array = NDArray[np.float64]
PROBES = 16
"""Random directions behind the trace of the Hessian."""
WINDOWS = 32
"""Windows of calibration data behind it."""
STEP = 1e-3
"""Of a direction, relative to the root mean square of each operand."""
MEASURED = ("one_at_a_time", "divergence")
EXACT = OperandFormat.parse("fp32")


def sensitivity(
    benchmark: Benchmark,
    formats: Mapping[str, Iterable[str]],
    proxy: str = "one_at_a_time",
    windows: int | None = None,
) -> Profile:
    """The profile of ``benchmark`` with the ``formats`` of each operand: weights, activations, kv_cache.

    ``one_at_a_time`` measures each on ``windows`` of held-out data; so does ``divergence``, of the predictions from
    FP32's instead of the loss, with far less noise: the two are equal where the network is as sure as it should be.
    The others predict from calibration data, all or the first ``windows``. ``hessian``: half of the mean trace of the
    loss's Hessian with respect to the operand (Hutchinson's estimate from ``PROBES`` random directions and differences
    of gradients, on ``WINDOWS`` at most) times the squared quantization error. ``fisher``: half of the mean squared
    product of gradient and error, of each element of the weights, and of each row of the others, where errors go
    together (beside a large input all small ones become zero). Keys, values, queries and probabilities belong to the
    products of attention that read them.

    Sources: AdaQuant (arXiv 2006.10518), HAWQ-V2 (arXiv 1911.03852). Raises InputError for unknown proxies, operands
    and formats, and where the network has no gradient.
    """
    if proxy not in PROXIES:
        raise unknown("proxy", proxy, PROXIES)
    for operand in formats:
        if operand not in OPERANDS:
            raise unknown("operand", operand, OPERANDS)
    parsed = {operand: [Format.parse(text) for text in texts] for operand, texts in formats.items()}
    choices = {
        (name, operand): parsed[operand]
        for name, reads in benchmark.network.operators.items()
        for operand in reads
        if operand in parsed
    }
    if not choices:
        raise InputError(f"{benchmark.name} has no {' or '.join(formats)} to profile")
    predict = {"one_at_a_time": _measured, "divergence": _diverged, "hessian": _by_hessian, "fisher": _by_fisher}[proxy]
    increases = predict(benchmark, choices, windows)
    rows = [
        (*key, str(format), increase)
        for key, options in choices.items()
        for format, increase in zip(options, increases[key], strict=True)
    ]
    return Profile(
        network=benchmark.name,
        metric=benchmark.metric.name,
        proxy=proxy,
        source=f"{benchmark.name}, {'held-out' if proxy in MEASURED else 'calibration'} data, round to nearest",
        table=pd.DataFrame(rows, columns=["layer", "operand", "format", "loss_increase"]),
    )


def assignment(benchmark: Benchmark, workload: Workload, policy: Policy) -> dict[str, Operands]:
    """The formats that ``policy`` gives the operators of the network, as `measure` takes them.

    Raises InputError for an operator of the network that ``workload`` lacks.
    """
    names = [operator.name for operator in workload.operators]
    for name in benchmark.network.operators:
        if name not in names:
            raise unknown(f"operator of {benchmark.name} in {workload.name}", name, names)
    operands = dict(zip(names, workload.operands(policy), strict=True))
    return {name: operands[name] for name in benchmark.network.operators}


def measured_increases(benchmark: Benchmark, assignments: pd.DataFrame, windows: int | None = None) -> Array:
    """Loss increases [assignment] with the formats that ``assignments`` have by column (layer, operand)."""
    return np.array([quality.delta for quality in _qualities(benchmark, assignments, windows)])


def _qualities(benchmark: Benchmark, assignments: pd.DataFrame, windows: int | None) -> Iterator[Quality]:
    keys = list(assignments.columns)
    for texts in assignments.itertuples(index=False, name=None):
        formats: dict[str, dict[str, OperandFormat]] = {}
        for key, text in zip(keys, texts, strict=True):
            formats.setdefault(key[0], dict.fromkeys(OPERANDS, EXACT))[key[1]] = OperandFormat.parse(text)
        operands = {layer: Operands(**which) for layer, which in formats.items()}
        yield measure(benchmark, operands, windows=windows)


def proxy_worth(
    benchmark: Benchmark, profiles: Iterable[Profile], count: int, seed: int = 0, windows: int | None = None
) -> dict[str, float]:
    """Rank correlation of each of ``profiles``, by proxy, with the measured loss of the same ``count`` assignments.

    The profiles know the same formats; the formats of an operand are drawn independently of those of the others.
    """
    profiles = list(profiles)
    assignments = random_assignments(profiles[0], count, seed)
    measured = measured_increases(benchmark, assignments, windows)
    return {profile.proxy: rank_correlation(profile, assignments, measured) for profile in profiles}


Choices = Mapping[Operand, list[Format]]
Increases = dict[Operand, list[float]]


def _measured(benchmark: Benchmark, choices: Choices, windows: int | None) -> Increases:
    return {key: [one.delta for one in _alone(benchmark, key, choices, windows)] for key in choices}


def _diverged(benchmark: Benchmark, choices: Choices, windows: int | None) -> Increases:
    return {key: [one.kl_nats / np.log(2) for one in _alone(benchmark, key, choices, windows)] for key in choices}


def _alone(benchmark: Benchmark, key: Operand, choices: Choices, windows: int | None) -> Iterator[Quality]:
    """With one operand of one layer quantized, to each format in turn."""
    return _qualities(benchmark, pd.DataFrame({key: map(str, choices[key])}), windows)


def _by_hessian(benchmark: Benchmark, choices: Choices, windows: int | None) -> Increases:
    """In bits. The operands of one kind move together: what they do to each other has a mean of zero."""
    network, examples = _decoder(benchmark), benchmark.calibration[: min(WINDOWS, windows or WINDOWS)]
    random = np.random.default_rng(0)
    base = gradients(network, examples).operands
    values = {key: base[key][0] for key in choices}
    step = {key: STEP * float(np.sqrt(np.mean(value**2))) for key, value in values.items()}
    trace = dict.fromkeys(choices, 0.0)
    for kind in dict.fromkeys(operand for _, operand in choices):
        keys = [key for key in choices if key[1] == kind]
        for _ in range(PROBES):
            signs = {key: random.choice(np.array([-1, 1], np.float32), values[key].shape) for key in keys}
            ahead, behind = (
                gradients(network, examples, {key: side * step[key] * signs[key] for key in keys}).operands
                for side in (1, -1)
            )
            for key in keys:
                curved = (ahead[key][1].astype(float) - behind[key][1]) / (2 * step[key])
                trace[key] += float((signs[key] * curved).mean()) / PROBES
    return {
        key: [trace[key] * float((_error(key, values[key], one) ** 2).sum()) / 2 / np.log(2) for one in options]
        for key, options in choices.items()
    }


def _by_fisher(benchmark: Benchmark, choices: Choices, windows: int | None) -> Increases:
    """In bits. Of windows instead of their predictions: the gradients of predictions are taken to be independent."""
    network, examples = _decoder(benchmark), benchmark.calibration[:windows]
    squares = {key: np.zeros((), np.float32) for key in choices if key[1] == "weights"}
    total = {key: np.zeros(len(options)) for key, options in choices.items()}
    for window in range(len(examples)):
        found = gradients(network, examples[window : window + 1]).operands
        for key, options in choices.items():
            value, gradient = found[key]
            if key in squares:
                squares[key] = squares[key] + gradient**2
            else:
                total[key] += [((gradient * _error(key, value, one)).sum(-1) ** 2).sum(dtype=float) for one in options]
    for key, square in squares.items():
        value = network.parameters[key[0]]
        total[key] += [(square * _error(key, value, one) ** 2).sum(dtype=float) for one in choices[key]]
    share = examples.targets[0].size / len(examples) / 2 / np.log(2)
    return {key: (share * sums).tolist() for key, sums in total.items()}


def _error(key: Operand, value: NDArray[np.floating], format: Format) -> NDArray[np.floating]:
    """What rounding does to an operand, as `quantize` rounds it."""
    if key[1] == "weights":
        return np.asarray(Grid.of(format, value).round(value.astype(float)) - value)
    return np.asarray(round_to_nearest(value, format) - value)


def _decoder(benchmark: Benchmark) -> Decoder:
    if not isinstance(benchmark.network, Decoder):
        raise InputError(f"{benchmark.name} has no gradient here; expected proxy one_at_a_time")
    return benchmark.network
