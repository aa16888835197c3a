"""Test vectors: what goes into a core in each cycle, and what its golden model says must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, sqrt
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Minifloat
from hwexplore.pe import PE, Mac
from hwexplore.pe.operand import Operand

__all__ = ["exhaustive_operands", "join", "random_operands", "trace"]

Codes = NDArray[Any]
TERMS = 32
"""Products per sum of random operands."""
EXHAUSTIVE_BITS = 16


def exhaustive_operands(pe: Mac) -> tuple[Codes, Codes]:
    """Every weight [n, 1] and every activation [m, 1]; InputError if that makes more than 2^16 pairs."""
    ports = pe.weight_port, pe.activation_port
    bits = sum(port.format.element_bits for port in ports)
    if bits > EXHAUSTIVE_BITS:
        raise InputError(f"{pe} has 2^{bits} operand pairs; up to 2^{EXHAUSTIVE_BITS} are simulated exhaustively")
    codes = (np.arange(1 << port.format.element_bits, dtype=np.uint64) for port in ports)
    weights, activations = (c[_takes(pe, port, c), np.newaxis] for port, c in zip(ports, codes, strict=True))
    return weights, activations


def random_operands(pe: Mac, pairs: int, rng: np.random.Generator) -> tuple[Codes, Codes]:
    """Weights [n, k] and activations [m, k], with at least ``pairs`` = n m k.

    Rows are by turns any bit patterns, a normal distribution, and special values, so that sums cancel, overflow and
    vanish. Where the accumulator takes infinities and NaN, every other row may have them.
    """
    terms = min(TERMS, pe.accumulator.size) if pe.accumulator.kind == "exact" else TERMS
    shape = ceil(sqrt(pairs / terms)), terms
    return _rows(pe, pe.weight_port, shape, rng), _rows(pe, pe.activation_port, shape, rng)


def _rows(pe: Mac, port: Operand, shape: tuple[int, int], rng: np.random.Generator) -> Codes:
    format = port.format
    magnitudes = [*(np.arange(3) * 2.0**port.step_exponent), format.max]
    special = format.encode([sign * magnitude for magnitude in magnitudes for sign in (1, -1)])
    patterns = rng.integers(0, 1 << format.element_bits, shape, dtype=np.uint64)
    normal = format.encode(rng.standard_normal(shape) * min(4.0, format.max / 2)).astype(np.uint64)
    mostly_special = np.where(rng.random(shape) < 0.2, patterns, rng.choice(special, shape))
    row = np.arange(shape[0])[:, np.newaxis]
    codes = np.choose(row % 3, [patterns, normal, mostly_special])
    odd = row % 2 == 1
    if isinstance(format, Minifloat) and format.has_nan:
        not_finite = replace(format, overflow="infinity").encode([np.inf, -np.inf, np.nan])
        codes = np.where(odd & (rng.random(shape) < 1 / TERMS), rng.choice(not_finite, shape), codes)
    taken = (np.isfinite(format.decode(codes)) | odd) & _takes(pe, port, codes)
    return np.where(taken, codes, special[0])


def _takes(pe: Mac, port: Operand, codes: Codes) -> NDArray[np.bool_]:
    """Which codes of ``port`` the accumulator can make sense of."""
    if pe.accumulator.format is not None:
        return np.isfinite(port.format.decode(codes)) | pe.accumulator.format.has_nan
    return abs(port.format.decode(codes)) <= port.largest * 2.0**port.step_exponent


def trace(
    pe: PE, weights: Codes, activations: Codes, rng: np.random.Generator, full_rate: bool = False
) -> pd.DataFrame:
    """The ports of the core of ``pe``, a row per cycle, while it forms activations [m, k] @ weights [n, k].T.

    Columns ``rst``, ``enable``, ``clear``, ``weight`` and ``activation`` go in; ``accumulator`` is seen in that cycle.
    The first cycle is a reset. Unless at ``full_rate``, there are pauses between operands, in which the other inputs
    are anything, and one sum of eight starts by a reset, with the previous one still in the pipeline, rather than
    by ``clear``.
    """
    row, column = (index.ravel() for index in np.mgrid[: len(activations), : len(weights)])
    terms = range(1, weights.shape[1] + 1)
    sums = np.stack([pe.golden(weights[:, :t], activations[:, :t])[row, column] for t in terms], axis=1)

    # Events of each sum: a reset, which most have not, then the products.
    by_reset = rng.random(len(sums)) < (0 if full_rate else 1 / 8)
    by_reset[0] = True
    happens = np.ones((len(sums), 1 + len(terms)), bool)
    happens[:, 0] = by_reset
    clear = np.zeros_like(happens)
    clear[:, 1] = ~by_reset
    rst = np.zeros_like(happens)
    rst[:, 0] = True
    rst, clear = rst[happens], clear[happens]
    before = ((0, 0), (1, 0))
    weight, activation = (np.pad(x, before, "edge")[happens] for x in (weights[column], activations[row]))
    value = np.pad(sums, before)[happens]

    gaps = np.zeros(len(rst), int) if full_rate else rng.poisson(0.25, len(rst))
    cycle = np.cumsum(1 + gaps) - 1 - gaps
    cycles = int(cycle[-1] + gaps[-1] + 1 + pe.latency_cycles)
    ports = pd.DataFrame(
        {
            "rst": np.zeros(cycles, bool),
            "enable": np.zeros(cycles, bool),
            "clear": rng.random(cycles) < 0.5,
            "weight": rng.choice(weights.ravel(), cycles),
            "activation": rng.choice(activations.ravel(), cycles),
        }
    )
    for name, events in {"rst": rst, "clear": clear, "weight": weight, "activation": activation}.items():
        ports.loc[cycle, name] = events
    ports.loc[cycle, "enable"] = True

    # A product shows after the latency, unless a reset comes first; a reset shows in the next cycle.
    next_reset = np.append(cycle[rst], cycles)[np.searchsorted(cycle[rst], cycle)]
    shows = np.where(rst, cycle + 1, cycle + pe.latency_cycles)
    seen = rst | (next_reset >= shows)
    latest = np.zeros(cycles, int)
    latest[shows[seen]] = np.flatnonzero(seen)
    ports["accumulator"] = value[np.maximum.accumulate(latest)]
    return ports


def join(traces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One trace after the other; the sum that one leaves is seen in the first cycle of the next."""
    joined = pd.concat(traces, ignore_index=True)
    starts = np.cumsum([len(trace) for trace in traces[:-1]], dtype=int)
    joined.loc[starts, "accumulator"] = joined["accumulator"].to_numpy()[starts - 1]
    return joined
