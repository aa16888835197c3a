"""Test vectors: what goes into a core in each cycle, and what its golden model says must come out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, sqrt

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from hwexplore.errors import InputError
from hwexplore.formats import Encoded, Format, Minifloat, Scaled
from hwexplore.pe import PE
from hwexplore.pe.codes import Codes
from hwexplore.pe.operand import Operand

__all__ = ["check_trace", "exhaustive_operands", "first_terms", "join", "random_operands", "trace"]

TERMS = 32
"""Products per sum of random operands, at least, unless the accumulator takes fewer."""
TILES = 3
"""Tiles per sum of random operands, at least, unless the accumulator takes fewer."""
EXHAUSTIVE_BITS = 16
SPECIAL = 1 / 32
"""Share of infinities and NaN in rows that may have them."""


def exhaustive_operands(pe: PE) -> tuple[Codes | Encoded, Codes | Encoded]:
    """Weights [n, k] and activations [m, k], of one tile's k, that bring every pair of numbers together in every lane.

    Scales are 1 and zero points 0. InputError if there are more than 2^16 pairs.
    """
    ports = pe.weight_port, pe.activation_port
    bits = sum(port.format.element_bits for port in ports)
    if bits > EXHAUSTIVE_BITS:
        raise InputError(f"{pe} has 2^{bits} operand pairs; up to 2^{EXHAUSTIVE_BITS} are simulated exhaustively")

    def lanes(port: Operand, format: Format, at_a_time: int, stride: int) -> Codes | Encoded:
        codes = np.arange(1 << port.format.element_bits, dtype=np.uint64)
        codes = codes[_takes(pe, port, codes)]
        row = np.arange(_whole(len(codes), at_a_time))[:, np.newaxis]
        elements = codes[(row + stride * np.arange(pe.tile.k)) % len(codes)]
        shape = len(row), _blocks(format, pe.tile.k)
        return _encoded(format, elements, np.ones(shape), np.zeros(shape, np.uint64))

    return lanes(ports[0], pe.weight, pe.tile.n, 1), lanes(ports[1], pe.activation, pe.tile.m, 3)


def random_operands(pe: PE, pairs: int, rng: np.random.Generator) -> tuple[Codes | Encoded, Codes | Encoded]:
    """Weights [n, k] and activations [m, k], in whole tiles, with at least ``pairs`` = n m k.

    Rows are by turns any bit patterns, a normal distribution, and special values, so that sums cancel, overflow and
    vanish; scales likewise. Where the accumulator takes infinities and NaN, every other row may have them.
    """
    m, n, k, _ = pe.tile
    tiles = max(ceil(TERMS / k), TILES)
    if pe.accumulator.kind == "exact":
        tiles = max(min(tiles, pe.accumulator.size // k), 1)
    rows = ceil(sqrt(pairs / (tiles * k)))

    def varied(port: Operand, format: Format, at_a_time: int) -> Codes | Encoded:
        shape = _whole(rows, at_a_time), tiles * k
        elements = _varied(port, rng.standard_normal(shape) * min(4.0, port.format.max / 2), rng)
        elements = np.where(_takes(pe, port, elements), elements, port.format.encode(0.0))
        shape = shape[0], _blocks(format, tiles * k)
        scale = format.scale if isinstance(format, Scaled) else port.format
        scales = scale.decode(_varied(Operand(scale), np.exp2(3 * rng.standard_normal(shape)), rng))
        return _encoded(format, elements, scales, rng.integers(0, 1 << format.element_bits, shape, dtype=np.uint64))

    return varied(pe.weight_port, pe.weight, n), varied(pe.activation_port, pe.activation, m)


def _varied(port: Operand, typical: NDArray[np.float64], rng: np.random.Generator) -> Codes:
    """Codes whose rows are by turns any bit patterns, ``typical`` values and special ones; NaN in every other row."""
    format, shape = port.format, typical.shape
    magnitudes = [*(np.arange(3) * 2.0**port.step_exponent), format.max]
    special = format.encode([sign * magnitude for magnitude in magnitudes for sign in (1, -1)])
    patterns = rng.integers(0, 1 << format.element_bits, shape, dtype=np.uint64)
    mostly_special = np.where(rng.random(shape) < 0.2, patterns, rng.choice(special, shape))
    row = np.arange(shape[0])[:, np.newaxis]
    codes = np.choose(row % 3, [patterns, format.encode(typical).astype(np.uint64), mostly_special])
    odd = row % 2 == 1
    if isinstance(format, Minifloat) and format.has_nan:
        not_finite = replace(format, overflow="infinity").encode([np.inf, -np.inf, np.nan])
        codes = np.where(odd & (rng.random(shape) < SPECIAL), rng.choice(not_finite, shape), codes)
    return np.where(np.isfinite(format.decode(codes)) | odd, codes, special[0])


def _takes(pe: PE, port: Operand, codes: Codes) -> NDArray[np.bool_]:
    """Which codes of ``port`` the accumulator can make sense of."""
    values = port.format.decode(codes)
    fits = abs(values) <= port.largest * 2.0**port.step_exponent
    has_nan = pe.accumulator.format is not None and pe.accumulator.format.has_nan
    return fits | ~np.isfinite(values) if has_nan else fits


def _encoded(format: Format, elements: Codes, scales: NDArray[np.float64], zero_points: Codes) -> Codes | Encoded:
    if not isinstance(format, Scaled):
        return elements
    return Encoded(elements, scales, None, zero_points if format.zero_point else None)


def _blocks(format: Format, terms: int) -> int:
    return ceil(terms / (format.block or terms))


def _whole(count: int, unit: int) -> int:
    return ceil(count / unit) * unit


def trace(
    pe: PE, weights: Codes | Encoded, activations: Codes | Encoded, rng: np.random.Generator, full_rate: bool = False
) -> pd.DataFrame:
    """The ports of the core of ``pe``, a row per cycle, while it forms activations [m, k] @ weights [n, k].T.

    Columns ``rst``, ``enable``, ``clear`` and those of ``pe.ports`` go in; those of ``pe.outputs`` are seen in that
    cycle, if ``defined``. m, n and k are in whole tiles. The first cycle is a reset. Unless at ``full_rate``, there are
    pauses, in which the other inputs are anything, and one sum of eight starts by a reset, with the one before still in
    the pipeline or broken off, rather than by ``clear``.
    """
    stationary, moving = pe.weight_beats(weights), pe.activation_beats(activations)
    rows, columns = (len(next(iter(codes.values()))) for codes in (moving, stationary))
    beats = next(iter(stationary.values())).shape[1]
    row, column = (index.ravel() for index in np.mgrid[:rows, :columns])
    sums = _sums(pe, weights, activations, beats // pe.tile.cycles)

    # Events of each sum: a reset, which most have not, then beats; the last ones may be missing before a reset.
    by_reset = rng.random(len(row)) < (0 if full_rate else 1 / 8)
    by_reset[0] = True
    broken_off = np.append(by_reset[1:], False) & (rng.random(len(row)) < 0.5)
    happening = np.where(broken_off, rng.integers(0, beats + 1, len(row)), beats)
    happens = np.arange(beats + 1) <= happening[:, np.newaxis]
    happens[:, 0] = by_reset
    of_sum, beat = np.nonzero(happens)
    rst, beat = beat == 0, beat - 1
    clear = (beat == 0) & ~by_reset[of_sum]
    completes = ~rst & (beat % pe.tile.cycles == pe.tile.cycles - 1)

    gaps = np.zeros(len(rst), int) if full_rate else rng.poisson(0.25, len(rst))
    cycle = np.cumsum(1 + gaps) - 1 - gaps
    cycles = int(cycle[-1] + gaps[-1] + 1 + pe.latency_cycles)
    idle = {"rst": np.zeros(cycles, bool), "enable": np.zeros(cycles, bool), "clear": rng.random(cycles) < 0.5}
    ports = pd.DataFrame(idle)
    ports.loc[cycle, "rst"], ports.loc[cycle, "clear"] = rst, clear
    ports.loc[cycle, "enable"] = ~rst | (rng.random(len(rst)) < 0.5)
    for codes, index in ((stationary, column), (moving, row)):
        for name, code in codes.items():
            anything = rng.choice(code.ravel(), cycles)
            anything[cycle[~rst]] = code[index[of_sum], beat][~rst]
            ports[name] = anything

    # A beat shows after the latency, unless a reset comes first; a reset shows in the next cycle.
    next_reset = np.append(cycle[rst], cycles)[np.searchsorted(cycle[rst], cycle)]
    shows = np.where(rst, cycle + 1, cycle + pe.latency_cycles)
    seen = rst | (next_reset >= shows)
    latest = np.zeros(cycles, int)
    latest[shows[seen]] = np.flatnonzero(seen)
    latest = np.maximum.accumulate(latest)
    for name, values in sums.items():
        shown = np.where(rst, 0, values[beat // pe.tile.cycles, row[of_sum], column[of_sum]])
        ports[name] = shown[latest]
    ports["defined"] = (rst | completes)[latest]
    return ports


def _sums(pe: PE, weights: Codes | Encoded, activations: Codes | Encoded, tiles: int) -> dict[str, Codes]:
    """What each output shows after each tile: [tile, m / pe.tile.m, n / pe.tile.n]."""
    terms = [pe.tile.k * tile for tile in range(1, tiles + 1)]
    shown = [
        pe.shown(pe.golden(first_terms(weights, pe.weight, k), first_terms(activations, pe.activation, k)))
        for k in terms
    ]
    return {name: np.stack([after[name] for after in shown]) for name in pe.outputs}


def first_terms(operand: Codes | Encoded, format: Format, terms: int) -> Codes | Encoded:
    """The first ``terms`` of k of encoded operands [rows, k]."""
    if not isinstance(operand, Encoded):
        return operand[:, :terms]
    blocks = _blocks(format, terms)
    zero_points = None if operand.zero_points is None else operand.zero_points[:, :blocks]
    return Encoded(operand.codes[:, :terms], operand.scales[:, :blocks], operand.tensor_scale, zero_points)


def check_trace(pe: PE, pairs: int, rng: np.random.Generator) -> pd.DataFrame:
    """A `trace` of at least ``pairs`` random operand pairs, in each of the modes of ``pe`` if it has several."""
    modes = [pe.in_mode(mode) for mode in pe.modes] or [pe]
    return join([trace(one, *random_operands(one, pairs, rng), rng) for one in modes])


def join(traces: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """One trace after the other; what one leaves behind is not looked at in the first cycle of the next."""
    joined = pd.concat(traces, ignore_index=True)
    joined.loc[np.cumsum([len(trace) for trace in traces[:-1]], dtype=int), "defined"] = False
    return joined
