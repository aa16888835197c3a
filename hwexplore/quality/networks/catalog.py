"""The networks that formats are measured on, with the text to calibrate on and to measure with."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import unknown
from hwexplore.quality.networks.charlm import CharLM

__all__ = ["NETWORKS", "Benchmark", "load", "read"]

NETWORKS = {
    "charlm": "character language model of 0.5 M parameters, trained on the documentation strings of Python's library"
}
"""Name and what it is."""


@dataclass(frozen=True, kw_only=True, eq=False)
class Benchmark:
    """A network with its data: tokens [windows, 1 + time], each predicted from those before it."""

    name: str
    model: CharLM
    calibration: NDArray[Any]
    held_out: NDArray[Any]


@lru_cache(maxsize=1)
def load(name: str) -> Benchmark:
    """The network of that name; raises InputError for a name that is not in `NETWORKS`."""
    if name not in NETWORKS:
        raise unknown("network", name, NETWORKS)
    with (files("hwexplore.models") / "networks" / f"{name}.npz").open("rb") as file:
        return read(name, file)


def read(name: str, file: IO[bytes]) -> Benchmark:
    """The network of that name from the checkpoint in ``file``, as `hwexplore.quality.networks.train` writes it."""
    arrays = dict(np.load(file))
    heads, calibration, held_out = (arrays.pop(part) for part in ("heads", "calibration", "held_out"))
    model = CharLM(parameters={key: value.astype(np.float32) for key, value in arrays.items()}, heads=int(heads))
    return Benchmark(name=name, model=model, calibration=calibration, held_out=held_out)
