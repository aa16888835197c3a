"""What goes into a PE in each cycle when it forms long sums of real operands, and what must come out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import isqrt
from pathlib import Path
from typing import Any
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Scaled
from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.pe.operands import draw, standard_deviation

__all__ = ["Stimulus", "stimulus"]

TERMS = 256
"""Products of a sum, unless the accumulator takes fewer: the running sum that `hwexplore.pe.operands` assumes."""


@dataclass(frozen=True)
class Stimulus:
    """Independent streams of port values, in all of which one sum starts after another.

    - ``ports``: the bits of each input, [cycle, bit, stream], lowest bit first; the first cycle is a reset
    - ``observed``: the cycle of each stream [stream] from which to the next one its transition is to be looked at;
      they are spread over a whole sum, and `clear` at its end counts to it
    - ``expected``: the bits that each output has in the last cycle, [bit, stream]
    """

    ports: Mapping[str, NDArray[np.bool_]]
    observed: NDArray[np.int64]
    expected: Mapping[str, NDArray[np.bool_]]


def stimulus(pe: PE, operands: str | Path = "gaussian", streams: int = 256, seed: int = 0) -> Stimulus:
    """Streams at full rate, through sums of `TERMS` products.

    ``operands`` is a distribution, "gaussian" or "uniform", that is quantized to the formats of ``pe`` as
    `hwexplore.pe.operands.sample` does, or a .npz file with real ``weights`` [n, k] and ``activations`` [m, k], scaled
    to the range of the formats where those are used so, else to a standard deviation of 1. One operand is halved as
    often as it takes that no sum overflows a floating-point accumulator.
    """
    if streams < 1:
        raise InputError(f"streams = {streams} must be at least 1")
    rng = np.random.default_rng(seed)
    if Path(operands).suffix == ".npz":
        weights, activations = _traced(pe, Path(operands))
    else:
        rows, terms = isqrt(streams - 1) + 1, _terms(pe, TERMS)
        weights = draw(pe.weight_port, pe.weight, str(operands), (rows * pe.tile.n, terms), rng)
        activations = draw(pe.activation_port, pe.activation, str(operands), (rows * pe.tile.m, terms), rng)
    return _streams(pe, *_without_overflow(pe, weights, activations), streams, rng)


def _terms(pe: PE, most: int) -> int:
    """Products of a sum: whole tiles of them, up to ``most`` and what an exact accumulator takes."""
    if pe.accumulator.kind == "exact":
        most = min(most, pe.accumulator.size)
    return max(most // pe.tile.k, 1) * pe.tile.k


def _traced(pe: PE, path: Path) -> tuple[Codes | Encoded, Codes | Encoded]:
    try:
        with np.load(path) as file:
            weights, activations = (np.asarray(file[name], float) for name in ("weights", "activations"))
    except (OSError, KeyError, ValueError, BadZipFile) as error:
        raise InputError(
            f"{path} must be a .npz file with numbers weights [n, k] and activations [m, k]: {error}"
        ) from None
    m, n, k, _ = pe.tile
    for name, array, rows in (("weights", weights, n), ("activations", activations, m)):
        if array.ndim != 2 or array.shape[0] < rows or array.shape[1] < k or not np.isfinite(array).all():
            raise InputError(
                f"{name} {array.shape} of {path} must be finite numbers [rows, k], at least {rows} x {k} for {pe}"
            )
    if weights.shape[1] != activations.shape[1]:
        raise InputError(f"weights {weights.shape} and activations {activations.shape} of {path} must have one k")
    terms = _terms(pe, min(TERMS, weights.shape[1]))

    def encoded(values: NDArray[np.float64], rows: int, format: Format) -> Any:
        values = values[: len(values) // rows * rows, :terms]
        if isinstance(format, Scaled):
            return format.encode(values)
        spread = values.std() or 1.0
        scaled = values / spread * standard_deviation(format, (abs(values).max() or 1.0) / spread)
        return format.encode(np.clip(scaled, -format.element.max, format.element.max))

    return encoded(weights, n, pe.weight), encoded(activations, m, pe.activation)


def _without_overflow(
    pe: PE, weights: Codes | Encoded, activations: Codes | Encoded
) -> tuple[Codes | Encoded, Codes | Encoded]:
    """Both operands, one of them halved until all sums are finite: weights if they have scales, else activations."""
    while pe.accumulator.format is not None and not np.isfinite(pe.decode(pe.golden(weights, activations))).all():
        if isinstance(weights, Encoded):
            assert isinstance(pe.weight, Scaled)
            weights = replace(weights, scales=pe.weight.scale.quantize(weights.scales / 2))
        else:
            activations = pe.activation.encode(pe.activation.decode(activations) / 2)
    return weights, activations


def _streams(
    pe: PE, weights: Codes | Encoded, activations: Codes | Encoded, streams: int, rng: np.random.Generator
) -> Stimulus:
    stationary, moving = pe.weight_beats(weights), pe.activation_beats(activations)
    columns, beats = next(iter(stationary.values())).shape
    rows = len(next(iter(moving.values())))
    row, column = np.divmod(np.arange(streams) % (rows * columns), columns)

    cycles = 1 + beats + pe.latency_cycles
    number, beat = np.divmod(np.arange(cycles - 1), beats)
    running = np.ones((cycles, 1, streams), bool)
    running[0] = False
    clear = running.copy()
    clear[1:] = (beat == 0)[:, np.newaxis, np.newaxis]
    ports = {"rst": ~running, "enable": running, "clear": clear}
    for codes, index, count in ((stationary, column, columns), (moving, row, rows)):
        which = (index + number[:, np.newaxis]) % count
        for name, code in codes.items():
            bits = _bits(code, pe.ports[name])[which, beat[:, np.newaxis]].swapaxes(1, 2)
            ports[name] = np.concatenate([np.zeros_like(bits[:1]), bits])

    spread = (np.arange(streams) + rng.random(streams)) * (beats / streams)
    shown = pe.shown(pe.golden(weights, activations))
    return Stimulus(
        ports=ports,
        observed=cycles - 1 - beats + spread.astype(np.int64),
        expected={name: _bits(codes[row, column], pe.outputs[name]).T for name, codes in shown.items()},
    )


def _bits(codes: Codes, width: int) -> NDArray[np.bool_]:
    """The bits [..., bit] of codes [...], lowest first."""
    shifts = np.arange(width).astype(codes.dtype)
    return np.asarray((codes[..., np.newaxis] >> shifts) & 1, bool)
