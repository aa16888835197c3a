"""A network with its data and the metric that it is judged by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.formats import Format
from hwexplore.quality.networks.network import Linear, Network
from hwexplore.quality.networks.primitives import Array

__all__ = ["Benchmark", "Examples", "Metric", "cross_entropy"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Examples:
    """``inputs`` [windows, ...] as the network takes them, ``targets`` [windows, ...] as its metric does."""

    inputs: NDArray[Any]
    targets: NDArray[Any]

    @classmethod
    def of_tokens(cls, tokens: NDArray[Any]) -> Examples:
        """Each of ``tokens`` [windows, 1 + time] from those before it."""
        return cls(inputs=tokens[:, :-1], targets=tokens[:, 1:])

    def __len__(self) -> int:
        return len(self.inputs)

    def __getitem__(self, windows: slice | NDArray[np.int64]) -> Examples:
        return Examples(inputs=self.inputs[windows], targets=self.targets[windows])


@dataclass(frozen=True, kw_only=True)
class Metric:
    """What is lost; less is better.

    ``name`` with its unit, such as "bits per character". ``windows`` gives it for each window of ``examples``, of the
    network whose layers ``linear`` computes and whose predictions of them have the logarithms ``log_p`` [predictions,
    classes]: a classifier needs only these, one that writes runs with ``linear``. ``perplexity``: whether 2 to the
    metric is worth showing.
    """

    name: str
    windows: Callable[[Linear, Examples, Array], NDArray[np.float64]]
    perplexity: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class Benchmark:
    """A network with what it is calibrated on and measured with.

    Methods of quantization calibrate on the first ``calibration_windows``. ``remark`` is what one must know to read its
    numbers; ``refusal`` says why weights of a format are not to be measured, and is empty for those that are.
    """

    name: str
    network: Network
    calibration: Examples
    held_out: Examples
    metric: Metric
    calibration_windows: int = 16
    remark: str = ""
    refusal: Callable[[Format], str] = lambda format: ""


def cross_entropy(linear: Linear, examples: Examples, log_p: Array) -> NDArray[np.float64]:
    """-log2 of the probability of the targets, the mean of each window."""
    chosen = log_p[np.arange(log_p.shape[0]), examples.targets.ravel()].astype(np.float64)
    return np.asarray(-chosen.reshape(len(examples), -1).mean(1) / np.log(2))
