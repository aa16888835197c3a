"""Tables of signed sums of activations, and sums of what weights look up in them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from hwexplore.formats import Integer, Minifloat
from hwexplore.pe.arithmetic import exact_sums, rounded_sum, wrap
from hwexplore.pe.codes import Codes

if TYPE_CHECKING:
    from hwexplore.pe.lut import Lut

__all__ = ["entries", "fixed_sums", "floating_sums", "folded_planes", "grouped", "lookups", "scales"]


def grouped(operand: NDArray[Any], k: int) -> NDArray[Any]:
    """The last axis in groups of ``k``, the ragged last one filled up with zeros."""
    operand = np.pad(operand, [(0, 0)] * (operand.ndim - 1) + [(0, -operand.shape[-1] % k)])
    return operand.reshape(*operand.shape[:-1], -1, k)


def folded_planes(pe: Lut, weights: Codes) -> NDArray[np.int64]:
    """The bits [n, tile, plane, k] of weights [n, k], inverted in planes whose last bit is 0, but for that bit."""
    last = (1 << pe.planes) - 1
    offset_binary = ((pe.odd(pe.weight.decode(weights)) + last) / 2).astype(np.int64)
    planes = offset_binary[:, np.newaxis] >> np.arange(pe.planes)[:, np.newaxis] & 1
    bits = grouped(planes, pe.k).swapaxes(1, 2)
    adds = bits[..., -1:]
    return np.concatenate([bits[..., :-1] ^ 1 - adds, adds], axis=-1)


def lookups(pe: Lut, weights: Codes) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Which entries weights [n, k] look up, and the factors +-2^p that those count with: [n, tile, plane] each."""
    folded = folded_planes(pe, weights)
    index = folded[..., :-1] @ (1 << np.arange(pe.k - 1))
    return index, (2 * folded[..., -1] - 1) << np.arange(pe.planes)


def entries(pe: Lut, activations: Codes) -> NDArray[np.float64]:
    """The values [m, tile, entry] in the tables of activations [m, k].

    Bit i of an entry's number says whether activation i counts positive; the last one always does.
    """
    port = pe.activation_port
    values = port.format.decode(activations) if port.is_float else port.integers(activations).astype(float)
    positive = np.arange(pe.entries)[:, np.newaxis] >> np.arange(pe.k - 1) & 1
    signs = np.concatenate([2.0 * positive - 1, np.ones((pe.entries, 1))], axis=1)
    with np.errstate(invalid="ignore"):
        sums = grouped(values, pe.k) @ signs.T + 0.0  # -0 becomes 0
        if pe.table is None:
            return np.asarray(sums)
        if isinstance(pe.table, Minifloat):
            return pe.table.quantize(sums)
        units = scales(pe, pe.table, sums)
        is_finite = np.isfinite(sums).all(axis=-1, keepdims=True)
        return np.where(is_finite, np.rint(sums / units) * units + 0.0, np.nan)


def scales(pe: Lut, table: Integer, values: NDArray[np.float64]) -> NDArray[np.float64]:
    """What one counts [m, tile, 1] in a ``table`` of ``values`` [m, tile, entry]."""
    step = 2.0**pe.activation_port.step_exponent
    exceeded = abs(values).max(axis=-1, keepdims=True) > table.max_value * step * 2.0 ** np.arange(pe.max_scale)
    return np.asarray(step * 2.0 ** exceeded.sum(axis=-1, keepdims=True))


def fixed_sums(pe: Lut, weights: Codes, activations: Codes) -> tuple[Codes, Codes]:
    """Codes [m, n] of the sums of q'a and [m, 1] of those of a, wrapped."""
    table, (index, factors) = entries(pe, activations).astype(np.int64), lookups(pe, weights)
    m, tiles, _ = table.shape
    counts = np.zeros((len(index), tiles, pe.entries), np.int64)
    for plane in range(pe.planes):
        looked_up = index[..., plane, np.newaxis] == np.arange(pe.entries)
        counts += np.where(looked_up, factors[..., plane, np.newaxis], 0)
    largest = max(tiles, 1) * pe.k * pe.largest_product
    sums = exact_sums(table.reshape(m, tiles * pe.entries), counts.reshape(len(index), tiles * pe.entries), largest)
    activation_sums = exact_sums(table[..., -1], np.ones((1, tiles), np.int64), largest)
    return wrap(sums, pe.accumulator_bits), wrap(activation_sums, pe.accumulator_bits)


def floating_sums(pe: Lut, weights: Codes, activations: Codes, format: Minifloat) -> tuple[Codes, Codes]:
    """Codes [m, n] of the sums of q'a and [m, 1] of those of a, each addition rounded to ``format``."""
    table, (index, factors) = entries(pe, activations), lookups(pe, weights)
    sums, activation_sums = np.zeros((len(table), len(index))), np.zeros((len(table), 1))
    for tile in range(table.shape[1]):
        for plane in range(pe.planes):
            sums = rounded_sum(sums, table[:, tile, index[:, tile, plane]] * factors[:, tile, plane], format)
        activation_sums = rounded_sum(activation_sums, table[:, tile, -1:], format)
    codes = [format.encode(np.where(np.isnan(total), np.nan, total)) for total in (sums, activation_sums)]
    return codes[0], codes[1]
