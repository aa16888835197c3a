"""The character language model that comes with the project."""

from __future__ import annotations

from importlib.resources import files
from typing import IO

import numpy as np

from hwexplore.quality.networks.benchmark import Benchmark, Examples, Metric, cross_entropy
from hwexplore.quality.networks.decoder import Decoder

__all__ = ["DESCRIPTION", "load", "read"]

DESCRIPTION = "character language model of 0.5 M parameters, trained on the documentation strings of Python's library"


def load() -> Benchmark:
    """It with the text that it was trained on and text that it was not."""
    with (files("hwexplore.models") / "networks" / "charlm.npz").open("rb") as file:
        return read(file)


def read(file: IO[bytes]) -> Benchmark:
    """It from a checkpoint as `hwexplore.quality.networks.train` writes it."""
    arrays = dict(np.load(file))
    heads, calibration, held_out = (arrays.pop(part) for part in ("heads", "calibration", "held_out"))
    return Benchmark(
        name="charlm",
        network=Decoder(parameters={key: value.astype(np.float32) for key, value in arrays.items()}, heads=int(heads)),
        calibration=Examples.of_tokens(calibration),
        held_out=Examples.of_tokens(held_out),
        metric=Metric(name="bits per character", windows=cross_entropy),
    )
